"""Judges whether the notebook compares the two answers: its output must change when either of them is spoiled.

The notebook runs again with the student's answer shifted, and again with the answer of Keras changed. A number that
moves both times was computed from both, and one that shows their difference stays where it is when equal answers are
spoiled alike. Two displayed arrays, of which each moves once, are a comparison by eye.
The two changes have different signs in different places, which exposes a measure that lets errors cancel, and no
element is changed by both, which exposes a measure of a single one or of the smallest difference.
Only calls with the copied weights are spoiled: a result from before the copying does not move.

Where nothing moves, more runs find the reason: with every call spoiled (an old answer is compared), with both answers
made equal (exact equality was asked for), with each call spoiled differently (an answer is compared with itself).
"""

from collections.abc import Callable, Iterable

from grader.report.finding import Finding, Params, Verdict
from grader.sandbox.events import ModelCall
from grader.sandbox.requests import Spoil
from grader.task2.copying import Pair, params_of
from grader.task2.differences import (
    CLAIM,
    SHIFT,
    SMALL,
    OutputPlace,
    is_claim,
    is_like_signed,
    is_proper,
    kind_of,
    measures_of,
    moved_numbers,
    numbers_in,
    places_moved,
    shows_numbers,
    shows_several,
    stay,
)
from grader.task2.runs import ModelWeights, NotebookRun, Spoils

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
        self._student, self._keras = self._calls_of("student"), self._calls_of("keras")
        self._copied_student = self._with_copied_weights("student")
        self._copied_keras = self._with_copied_weights("keras")

    def finding(self) -> Verdict:
        if not self._student or not self._keras:
            return self._without_both()
        verdict = self._of_copied()
        if verdict is None:
            return self._why_nothing_moves()
        return self._on_equal_inputs(verdict)

    # --- runs ------------------------------------------------------------------------------------------------

    def _with_copied_weights(self, side: str) -> list[ModelCall]:
        """Return the pair's calls of one side with its weights at the best moment; all calls where there is no pair."""
        calls, pair = self._calls_of(side), self._pair
        if pair is None:
            return calls
        model = pair.student if side == "student" else pair.keras
        calls = [call for call in calls if call.model == model]
        weights = [self._weights(call.moment, model) for call in calls]
        # Many calls have one array, which may be large: it is looked at once.
        distinct = {id(each): each for each in weights}
        best = _bytes_of(self._weights(pair.moment, model))
        equal = {key for key, each in distinct.items() if _bytes_of(each) == best}
        return [call for call, each in zip(calls, weights, strict=True) if id(each) in equal]

    def _calls_of(self, side: str) -> list[ModelCall]:
        return [call for call in self._clean.calls if call.side == side]

    def _weights(self, moment: int, model: int) -> ModelWeights | None:
        if not 0 <= moment < len(self._clean.moments):
            return None
        return self._clean.moments[moment].get(model)

    @property
    def _keras_model(self) -> int:
        return self._pair.keras if self._pair else self._keras[0].model

    def _raised(self, amount: float = SHIFT, *, alike: bool, everywhere: bool = False) -> NotebookRun | None:
        """Run with the student's answer shifted. Args: alike: it is that of Keras beforehand."""
        by: Spoil = {"by": "keras" if alike else "shift", "amount": amount, "everywhere": everywhere}
        return self._spoil(self._copied_student, {**by, "model": self._keras_model})

    def _patterned(self, amount: float = 1.0, *, alike: bool, everywhere: bool = False) -> NotebookRun | None:
        """Run with the answer of Keras changed. Args: alike: the student's is what that was."""
        pattern: Spoil = {"by": "pattern", "amount": amount, "everywhere": everywhere}
        equal: Spoil = {"by": "keras", "amount": 0.0, "model": self._keras_model}
        others, students = self._copied_keras, self._copied_student if alike else []
        return self._ask({c.call: pattern for c in others} | {c.call: equal for c in students}) if others else None

    def _run_with_equal_errors(self) -> NotebookRun:
        alike: Spoil = {"by": "keras", "amount": SHIFT, "model": self._keras_model}
        shift: Spoil = {"by": "shift", "amount": SHIFT}
        students, others = self._copied_student, self._copied_keras
        return self._ask({call.call: alike for call in students} | {call.call: shift for call in others})

    def _ask(self, spoils: Spoils) -> NotebookRun:
        key = repr(sorted((call, sorted(spoil.items())) for call, spoil in spoils.items()))
        if key not in self._asked:
            self._asked[key] = self._ask_box(spoils)
        return self._asked[key]

    def _spoil(self, calls: Iterable[ModelCall], spoil: Spoil) -> NotebookRun | None:
        spoils = {call.call: spoil for call in calls}
        return self._ask(spoils) if spoils else None

    # --- a comparison that is real ---------------------------------------------------------------------------

    def _of_copied(self, *, alike: bool = False) -> Verdict | None:
        """Return a verdict if the output depends on the answers with the copied weights.

        Args: alike: the answers are equal beforehand, so that their errors hide nothing.
        """
        base = self._raised(0.0, alike=True) if alike else self._clean
        student, keras = self._raised(alike=alike), self._patterned(alike=alike)
        if base is None or student is None or keras is None:
            return None
        by_student, by_keras = places_moved(base, student), places_moved(base, keras)
        both = by_student & by_keras
        measures = {place: measures_of(place, base, student, keras) for place in both}
        if not alike and any(abs(measure[0]) > SMALL for found in measures.values() for measure in found):
            # Either this does not measure errors, or there are errors.
            equal = self._raised(0.0, alike=True)
            if equal is not None and both & places_moved(base, equal):
                return self._of_copied(alike=True)
        proper = {place for place, found in measures.items() if any(is_proper(*measure) for measure in found)}
        signed = {place for place, found in measures.items() if any(is_like_signed(*m) for m in found)}
        proper |= self._never_negative(signed - proper, alike=alike)
        arrays = {place for place in both if kind_of(base, place) == "array"}
        other = self._no_differences(proper | arrays, base, student, keras, alike=alike)
        proper, arrays = proper - other, arrays - other
        if proper or arrays:
            unequal = self._exact(place for place in proper | arrays if self._equality(place))
            agree = any(abs(m[0]) <= SMALL for place in proper for m in measures_of(place, self._clean, student, keras))
            return unequal or Verdict.passed(seen="number" if proper else "by_eye", agree=agree)
        if shows_numbers(base, by_student - both) and shows_numbers(base, by_keras - both):
            return Verdict.passed(seen="by_eye")
        if self._both_ends(base, by_keras, alike=alike):
            return Verdict.passed(seen="number")
        if other:
            verdict = self._verdict(base, by_student - other, by_keras - other, alike=alike)
            found = Verdict.failed(Finding.of("t2_no_difference", self._where(other)))
            return verdict if verdict is not None and verdict.earned else found
        if any(measures.values()):
            return Verdict.failed(Finding.of("t2_no_abs", self._where(both)))
        return self._verdict(base, by_student, by_keras, alike=alike) or self._of_a_part(base, alike=alike)

    def _no_differences(
        self, places: set[OutputPlace], base: NotebookRun, student: NotebookRun, keras: NotebookRun, *, alike: bool
    ) -> set[OutputPlace]:
        """Return the places whose numbers depend on both answers in another way than by their difference."""
        doubtful = {
            place
            for place in places
            if moved_numbers(place, base, student) | moved_numbers(place, base, keras)
            # A number of nearly zero that errors raise is a difference, whatever stands beside it.
            and not any(abs(m[0]) <= SMALL and is_proper(*m) for m in measures_of(place, base, student, keras))
        }
        equal = self._raised(0.0, alike=True) if doubtful else None
        if equal is None:
            return set()
        if any(kind_of(base, place) == "array" for place in doubtful):
            # A number of an array moves with one of two changes at most, unless they change every element.
            student = self._raised(alike=alike, everywhere=True) or student
            keras = self._patterned(alike=alike, everywhere=True) or keras
        both = {place: moved_numbers(place, base, student) & moved_numbers(place, base, keras) for place in doubtful}
        errors = self._run_with_equal_errors()
        return {place for place, numbers in both.items() if numbers and not stay(place, numbers, equal, errors)}

    def _never_negative(self, places: set[OutputPlace], *, alike: bool) -> set[OutputPlace]:
        """Return the places whose number stays positive when the student's answer errs in the other direction."""
        lowered = self._raised(-SHIFT, alike=alike) if places else None
        numbers = {place: numbers_in(lowered.by_place.get(place)) for place in places} if lowered else {}
        return {place for place, found in numbers.items() if found and min(found) > SMALL}

    def _both_ends(self, base: NotebookRun, places: Iterable[OutputPlace], *, alike: bool) -> bool:
        """Return whether measures that each miss errors of one sign miss none together: the largest and the smallest
        difference. Then the worst of them is the same for errors and for their opposites, most of which have one sign.
        """
        raised, lowered = self._raised(alike=alike), self._raised(-SHIFT, alike=alike)
        keras = self._patterned(alike=alike)
        if raised is None or lowered is None or keras is None:
            return False
        found = [(p, m) for p in places for run in (raised, lowered) for m in measures_of(p, base, run, keras)]
        if len(found) < 2 or any(abs(measure[0]) > SMALL for _, measure in found):
            return False
        reverse = self._patterned(-1.0, alike=alike)
        of_student, of_keras = (max(abs(measure[n]) for _, measure in found) for n in (1, 2))
        reversed_ = max((abs(n) for p, _ in found if reverse for n in numbers_in(reverse.by_place.get(p))), default=0.0)
        return of_keras > 0.05 * of_student and abs(reversed_ - of_keras) <= 0.1 * of_keras

    def _verdict(
        self, base: NotebookRun, by_student: set[OutputPlace], by_keras: set[OutputPlace], *, alike: bool
    ) -> Verdict | None:
        """Judge whether a yes or no that depends on both answers sees errors of either sign."""
        lowered = self._raised(-SHIFT, alike=alike)
        by_other = places_moved(base, lowered) if lowered is not None else set()
        if by_keras & by_student & by_other:
            return Verdict.passed(seen="verdict")
        if one_sign := by_keras & (by_student | by_other):
            return Verdict.failed(Finding.of("t2_no_abs", self._where(one_sign)))
        return None

    def _of_a_part(self, base: NotebookRun, *, alike: bool) -> Verdict | None:
        """Judge what moves only where all elements are changed: a few shown by eye, or a number that misses most."""
        student = self._raised(alike=alike, everywhere=True)
        keras = self._patterned(alike=alike, everywhere=True)
        if student is None or keras is None:
            return None
        if shows_several(base, student) and shows_several(base, keras):
            return Verdict.passed(seen="by_eye")
        by_student, by_keras = places_moved(base, student), places_moved(base, keras)
        places = by_student & by_keras
        if other := self._no_differences(places, base, student, keras, alike=alike):
            return Verdict.failed(Finding.of("t2_no_difference", self._where(other)))
        if shows_numbers(base, by_student) and shows_numbers(base, by_keras):
            places = by_student | by_keras
        return Verdict.failed(Finding.of("t2_part_only", self._where(places))) if places else None

    def _exact(self, places: Iterable[OutputPlace]) -> Verdict | None:
        """Check whether the output would change if the answers agreed to the last bit."""
        wanted_places = set(places)
        equal = self._raised(0.0, alike=True) if wanted_places else None
        if equal is None or self._pair is None or not self._pair.complete:
            return None
        moved = wanted_places & places_moved(self._clean, equal)
        return Verdict.failed(Finding.of("t2_exact_equality", self._where(moved))) if moved else None

    def _equality(self, place: OutputPlace) -> bool:
        use = self._clean.use(place[0])
        return use is not None and use.equality

    def _on_equal_inputs(self, found: Verdict) -> Verdict:
        """Require a common input for both answers. If the answers agree, they had one (or a part of it)."""
        students = {call.input for call in self._copied_student}
        keras = {call.input for call in self._keras}
        different = None not in students | keras and not students & keras
        if found.earned and different and not found.details.get("agree"):
            return Verdict.failed(Finding.of("t2_different_inputs"))
        return found

    # --- one that is not -------------------------------------------------------------------------------------

    def _why_nothing_moves(self) -> Verdict:
        clean = self._clean
        equal = self._raised(0.0, alike=True)
        if equal is not None:
            verdict = self._of_copied(alike=True)
            if verdict is not None and verdict.code in ("t2_exact_equality", "t2_part_only"):
                return verdict
            if verdict is not None and verdict.earned:
                places = places_moved(clean, equal)
                close = self._pair is not None and self._pair.complete
                if close and any(self._equality(place) for place in places):
                    return Verdict.failed(Finding.of("t2_exact_equality", self._where(places)))
                return self._on_equal_inputs(verdict)
        old, old_keras = self._spoil_each_differently(self._student), self._spoil_each_differently(self._keras)
        # A verdict on answers that are far apart stays "no", unless they are made equal.
        if stale := places_moved(clean, self._equal(self._student)):
            compares = stale & places_moved(clean, old_keras)
            # An old answer alone is shown, not compared.
            return (None if compares else self._that_failed()) or self._stale(stale)
        together = self._patterned(alike=False, everywhere=True), self._raised(alike=False, everywhere=True)
        for unlike, alike in zip((old_keras, old), together, strict=True):
            if itself := self._compared_with_itself(unlike, alike):
                return Verdict.failed(Finding.of("t2_self_compare", self._where(itself)))
        return self._that_failed() or self._by_source()

    def _that_failed(self) -> Verdict | None:
        """Report a statement that reads both answers and raised an error."""
        first = max(self._student[0].statement, self._keras[0].statement)
        for statement, failed in self._clean.failed.items():
            use = self._clean.use(statement)
            is_comparison = use is not None and len(use.sides) == 2 and not use.shape_only and not use.reads_weights
            if is_comparison and statement >= first:
                return Verdict.failed(Finding.of("comparison_failed", params_of(failed)))
        return None

    def _stale(self, places: set[OutputPlace]) -> Verdict:
        """Report an answer from before the copying, and whether the comparison itself also came before it."""
        copied_at = self._clean.changed_by[self._pair.moment] if self._pair is not None else 0
        if all(place[0] < copied_at for place in places):
            return Verdict.failed(Finding.of("t2_compare_before_copy", self._where(places)))
        models = {self._pair.student, self._pair.keras} if self._pair is not None else set()
        others = [call for call in self._clean.calls if models and call.model not in models]
        runs = (self._spoil_each_differently(others), self._equal([call for call in others if call in self._student]))
        is_other = bool(others) and any(places & places_moved(self._clean, run) for run in runs)
        variant = "other_model" if is_other else None
        return Verdict.failed(Finding.of("t2_stale_output", self._where(places), variant=variant))

    def _spoil_each_differently(self, calls: list[ModelCall]) -> NotebookRun:
        """Spoil every call of one side, each by another amount."""
        return self._ask(
            {call.call: {"by": "shift", "amount": SHIFT * (1 + n), "everywhere": True} for n, call in enumerate(calls)}
        )

    def _equal(self, calls: list[ModelCall]) -> NotebookRun:
        """Make calls of the student's models answer as Keras does."""
        return self._ask({call.call: {"by": "keras", "amount": 0.0, "model": self._keras_model} for call in calls})

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
                variant = "coarse" if len(use.sides) == 2 else None
                return Verdict.failed(Finding.of("t2_faked", self._where([place]), variant=variant))
        if shapes or any(use.shape_only and len(use.sides) == 2 for use in self._clean.reading.uses):
            return Verdict.failed(Finding.of("t2_shape_only"))
        return Verdict.failed(Finding.of("comparison_not_found"))

    def _without_both(self) -> Verdict:
        """Report that one of the two models was not called, or neither was."""
        calls = self._keras or self._student
        if len(calls) > 1:
            alike = self._spoil(calls, {"by": "shift", "amount": SHIFT, "everywhere": True})
            if itself := self._compared_with_itself(self._spoil_each_differently(calls), alike):
                return Verdict.failed(Finding.of("t2_self_compare", self._where(itself)))
        return self._by_source() if calls else Verdict.failed(Finding.of("comparison_not_found"))

    def _where(self, places: Iterable[OutputPlace]) -> Params:
        """Give the line of the statement that shows it."""
        statements = self._clean.reading.statements
        lines = [statements[place[0]].first_line for place in places if place[0] < len(statements)]
        return {"line": min(lines)} if lines else {}


def _bytes_of(weights: ModelWeights | None) -> list[tuple[str, bytes]] | None:
    return None if weights is None else sorted((name, array.tobytes()) for name, array in weights.items())
