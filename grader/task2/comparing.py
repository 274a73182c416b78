"""Judges whether the notebook compares the two answers: its output must change when either of them is spoiled.

The notebook runs again with the student's answer shifted, and again with the answer of Keras changed. A number that
moves both times was computed from both, and one that shows their difference stays where it is when equal answers are
spoiled alike. Two displayed arrays, of which each moves once, are a comparison by eye.
The two changes have different signs in different places, which exposes a measure that lets errors cancel.
Only calls with the copied weights are spoiled: a result from before the copying does not move.

Where nothing moves, more runs find the reason: with every call spoiled (an old answer is compared), with both answers
made equal (exact equality was asked for), with each call spoiled differently (an answer is compared with itself).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from grader.report.finding import Finding, Params, Verdict
from grader.sandbox.events import ModelCall
from grader.sandbox.requests import Spoil
from grader.task2.copying import Pair
from grader.task2.differences import (
    CLAIM,
    SHIFT,
    SMALL,
    Measure,
    OutputPlace,
    depends_on_both,
    is_claim,
    is_like_signed,
    is_proper,
    kind_of,
    measures_of,
    numbers_in,
    places_moved,
    shows_numbers,
    stay,
)
from grader.task2.runs import NotebookRun, Spoils

Ask = Callable[[Spoils], NotebookRun]


def judge_comparison(clean: NotebookRun, pair: Pair | None, ask: Ask) -> Verdict:
    """Judge the notebook's comparison.

    Args:
        clean: the run of the unchanged notebook.
        pair: the two models to compare; None when no two have equal sizes.
        ask: runs the notebook again with spoiled answers.
    """
    return _Comparison(clean, pair, ask).finding()


class _Comparison:
    def __init__(self, clean: NotebookRun, pair: Pair | None, ask: Ask) -> None:
        self._clean = clean
        self._pair = pair
        self._asked: dict[str, NotebookRun] = {}
        self._ask_box = ask
        self._student = [call for call in clean.calls if call.side == "student"]
        self._keras = [call for call in clean.calls if call.side == "keras"]

    def finding(self) -> Verdict:
        if not self._student or not self._keras:
            return self._without_both()
        found = self._of_copied()
        if found is None:
            return self._why_nothing_moves()
        return self._on_equal_inputs(found)

    # --- runs ------------------------------------------------------------------------------------------------

    def _copied(self, calls: list[ModelCall]) -> list[ModelCall]:
        """Return the pair's calls with its weights at the best moment; all calls where there is no pair."""
        pair = self._pair
        if pair is None:
            return calls
        model = pair.student if calls is self._student else pair.keras
        best = self._weights(pair.moment, model)
        return [call for call in calls if call.model == model and self._weights(call.moment, model) == best]

    def _weights(self, moment: int, model: int) -> list[tuple[str, bytes]] | None:
        if not 0 <= moment < len(self._clean.moments):
            return None
        weights = self._clean.moments[moment].get(model, {})
        return sorted((name, array.tobytes()) for name, array in weights.items())

    @cached_property
    def _run_with_student_spoiled(self) -> NotebookRun | None:
        return self._spoil(self._copied(self._student), {"by": "shift", "amount": SHIFT})

    @cached_property
    def _run_with_keras_spoiled(self) -> NotebookRun | None:
        return self._spoil(self._copied(self._keras), {"by": "pattern", "amount": 1.0})

    def _ask(self, spoils: Spoils) -> NotebookRun:
        key = repr(sorted((call, sorted(spoil.items())) for call, spoil in spoils.items()))
        if key not in self._asked:
            self._asked[key] = self._ask_box(spoils)
        return self._asked[key]

    def _spoil(self, calls: Iterable[ModelCall], spoil: Spoil) -> NotebookRun | None:
        spoils = {call.call: spoil for call in calls}
        return self._ask(spoils) if spoils else None

    def _run_with_equal_answers(self) -> NotebookRun | None:
        keras = self._pair.keras if self._pair else self._keras[0].model
        return self._spoil(self._copied(self._student), {"by": "keras", "amount": 0.0, "model": keras})

    def _run_with_equal_errors(self) -> NotebookRun:
        keras = self._pair.keras if self._pair else self._keras[0].model
        alike: Spoil = {"by": "keras", "amount": SHIFT, "model": keras}
        shift: Spoil = {"by": "shift", "amount": SHIFT}
        students, others = self._copied(self._student), self._copied(self._keras)
        return self._ask({call.call: alike for call in students} | {call.call: shift for call in others})

    # --- a comparison that is real ---------------------------------------------------------------------------

    def _of_copied(self, base: NotebookRun | None = None) -> Verdict | None:
        """Return a verdict if the output depends on the answers with the copied weights."""
        base = base or self._clean
        student, keras = self._run_with_student_spoiled, self._run_with_keras_spoiled
        if student is None or keras is None:
            return None
        by_student, by_keras = places_moved(base, student), places_moved(base, keras)
        both = by_student & by_keras
        measures = {place: measures_of(place, base, student, keras) for place in both}
        hidden: set[OutputPlace] = set()
        if any(abs(measure[0]) > SMALL for found in measures.values() for measure in found):
            # Either this does not measure errors, or there are errors. Look at it without errors.
            equal = self._run_with_equal_answers() or base
            measures = {place: measures_of(place, equal, student, keras) for place in both}
            # Existing errors may hide the effect of the spoiled answers.
            hidden = {place for place, found in measures.items() if any(abs(m[0]) <= SMALL for m in found)}
        proper = {place for place, found in measures.items() if any(is_proper(*measure) for measure in found)}
        signed = {place for place, found in measures.items() if any(is_like_signed(*m) for m in found)} - proper
        if doubtful := (proper & hidden) | signed:
            proper = (proper - doubtful) | self._never_negative(doubtful)
        arrays = {place for place in both if kind_of(base, place) == "array"}
        other = self._no_differences(proper | arrays, base)
        proper, arrays = proper - other, arrays - other
        if proper or arrays:
            unequal = self._exact(place for place in proper | arrays if self._equality(place))
            agree = any(abs(m[0]) <= SMALL for place in proper for m in measures_of(place, self._clean, student, keras))
            return unequal or Verdict.passed(seen="number" if proper else "by_eye", agree=agree)
        if shows_numbers(base, by_student - both) and shows_numbers(base, by_keras - both):
            return Verdict.passed(seen="by_eye")
        if self._both_ends(measures):
            return Verdict.passed(seen="number")
        if other:
            verdict = self._verdict(base, by_student - other, by_keras - other)
            found = Verdict.failed(Finding.of("t2_no_difference", self._where(other)))
            return verdict if verdict is not None and verdict.earned else found
        if any(measures.values()):
            return Verdict.failed(Finding.of("t2_no_abs", self._where(both)))
        return self._verdict(base, by_student, by_keras)

    def _no_differences(self, places: set[OutputPlace], base: NotebookRun) -> set[OutputPlace]:
        """Return the places whose numbers depend on both answers in another way than by their difference."""
        student, keras = self._run_with_student_spoiled, self._run_with_keras_spoiled
        if student is None or keras is None:
            return set()
        doubtful = {place: found for place in places if (found := depends_on_both(place, base, student, keras))}
        equal, both = (self._run_with_equal_answers(), self._run_with_equal_errors()) if doubtful else (None, None)
        if equal is None or both is None:
            return set()
        return {place for place, numbers in doubtful.items() if not stay(place, numbers, equal, both)}

    def _never_negative(self, places: set[OutputPlace]) -> set[OutputPlace]:
        """Return the places whose number stays positive when the student's answer errs in the other direction."""
        other_sign = self._spoil(self._copied(self._student), {"by": "shift", "amount": -SHIFT})
        if other_sign is None:
            return set()
        numbers = {place: numbers_in(other_sign.by_place.get(place)) for place in places}
        return {place for place, found in numbers.items() if found and min(found) > 0}

    def _both_ends(self, measures: dict[OutputPlace, list[Measure]]) -> bool:
        """Return whether measures that each miss errors of one sign miss none together: the largest and the smallest
        difference. Then the worst of them is the same for errors and for their opposites, most of which have one sign.
        """
        found = [measure for numbers in measures.values() for measure in numbers]
        reverse = self._spoil(self._copied(self._keras), {"by": "pattern", "amount": -1.0})
        if len(found) < 2 or reverse is None or any(abs(measure[0]) > SMALL for measure in found):
            return False
        of_student, of_keras = (max(abs(measure[n]) for measure in found) for n in (1, 2))
        reversed_ = max((abs(n) for place in measures for n in numbers_in(reverse.by_place.get(place))), default=0.0)
        return of_keras > 0.05 * of_student and abs(reversed_ - of_keras) <= 0.1 * of_keras

    def _verdict(self, base: NotebookRun, by_student: set[OutputPlace], by_keras: set[OutputPlace]) -> Verdict | None:
        """Judge whether a yes or no that depends on both answers sees errors of either sign."""
        other_sign = self._spoil(self._copied(self._student), {"by": "shift", "amount": -SHIFT})
        by_other = places_moved(base, other_sign) if other_sign is not None else set()
        if by_keras & by_student & by_other:
            return Verdict.passed(seen="verdict")
        if one_sign := by_keras & (by_student | by_other):
            return Verdict.failed(Finding.of("t2_no_abs", self._where(one_sign)))
        return None

    def _exact(self, places: Iterable[OutputPlace]) -> Verdict | None:
        """Check whether the output would change if the answers agreed to the last bit."""
        asked = set(places)
        equal = self._run_with_equal_answers() if asked else None
        if equal is None or self._pair is None or not self._pair.complete:
            return None
        moved = asked & places_moved(self._clean, equal)
        return Verdict.failed(Finding.of("t2_exact_equality", self._where(moved))) if moved else None

    def _equality(self, place: OutputPlace) -> bool:
        use = self._clean.use(place[0])
        return use is not None and use.equality

    def _on_equal_inputs(self, found: Verdict) -> Verdict:
        """Require a common input for both answers. If the answers agree, they had one (or a part of it)."""
        students = {call.input for call in self._copied(self._student)}
        keras = {call.input for call in self._keras}
        different = None not in students | keras and not students & keras
        if found.earned and different and not found.details.get("agree"):
            return Verdict.failed(Finding.of("t2_different_inputs"))
        return found

    # --- one that is not -------------------------------------------------------------------------------------

    def _why_nothing_moves(self) -> Verdict:
        clean = self._clean
        equal = self._run_with_equal_answers()
        if equal is not None:
            found = self._of_copied(equal)
            if found is not None and found.code == "t2_exact_equality":
                return found
            if found is not None and found.earned:
                places = places_moved(clean, equal)
                close = self._pair is not None and self._pair.complete
                if close and any(self._equality(place) for place in places):
                    return Verdict.failed(Finding.of("t2_exact_equality", self._where(places)))
                return self._on_equal_inputs(found)
        old, old_keras = self._spoil_each_differently(self._student), self._spoil_each_differently(self._keras)
        if stale := places_moved(clean, old) & places_moved(clean, old_keras):
            return self._stale(stale)
        for unlike, alike in ((old_keras, self._run_with_keras_spoiled), (old, self._run_with_student_spoiled)):
            if itself := self._compared_with_itself(unlike, alike):
                return Verdict.failed(Finding.of("t2_self_compare", self._where(itself)))
        return self._by_source()

    def _stale(self, places: set[OutputPlace]) -> Verdict:
        """Report an answer from before the copying, and whether the comparison itself also came before it."""
        copied_at = self._clean.changed_by[self._pair.moment] if self._pair is not None else 0
        before = all(place[0] < copied_at for place in places)
        code = "t2_compare_before_copy" if before else "t2_stale_output"
        return Verdict.failed(Finding.of(code, self._where(places)))

    def _spoil_each_differently(self, calls: list[ModelCall]) -> NotebookRun:
        """Spoil every call of one side, each by another amount."""
        return self._ask({call.call: {"by": "shift", "amount": SHIFT * (1 + n)} for n, call in enumerate(calls)})

    def _compared_with_itself(self, unlike: NotebookRun, alike: NotebookRun | None) -> set[OutputPlace]:
        """Return the places that depend on the difference of two calls of one side, and not on what they share."""
        places = places_moved(self._clean, unlike) - (places_moved(self._clean, alike) if alike is not None else set())
        return {place for place in places if place[1] != "call" and kind_of(self._clean, place) != "array"}

    def _by_source(self) -> Verdict:
        """Find in the source what the notebook shows as the result, when nothing moves whatever is spoiled."""
        first = min(call.statement for call in self._student or self._keras)
        shapes = False
        for place, item in self._clean.by_place.items():
            use = self._clean.use(place[0])
            if place[0] < first or use is None or place[1] not in ("print", "value"):
                continue
            if use.shape_only:
                shapes = shapes or item.kind == "bool" or (item.kind == "text" and CLAIM.search(item.text) is not None)
            elif use.reads_weights:
                continue  # whether the weights agree is another question
            elif len(use.sides) == 1 and is_claim(item):
                return Verdict.failed(Finding.of("t2_self_compare", self._where([place])))
            elif is_claim(item):
                return Verdict.failed(Finding.of("t2_faked", self._where([place])))
        if shapes or any(self._compares_shapes()):
            return Verdict.failed(Finding.of("t2_shape_only"))
        return Verdict.failed(Finding.of("comparison_not_found"))

    def _compares_shapes(self) -> Iterator[bool]:
        for use in self._clean.reading.uses:
            yield use.shape_only and len(use.sides) == 2

    def _without_both(self) -> Verdict:
        """Report that one of the two models was not called, or neither was."""
        calls = self._keras or self._student
        if len(calls) > 1:
            alike = self._spoil(calls, {"by": "shift", "amount": SHIFT})
            if itself := self._compared_with_itself(self._spoil_each_differently(calls), alike):
                return Verdict.failed(Finding.of("t2_self_compare", self._where(itself)))
        return self._by_source() if calls else Verdict.failed(Finding.of("comparison_not_found"))

    def _where(self, places: Iterable[OutputPlace]) -> Params:
        """Give the line of the statement that shows it."""
        statements = self._clean.reading.statements
        lines = [statements[place[0]].first_line for place in places if place[0] < len(statements)]
        return {"line": min(lines)} if lines else {}
