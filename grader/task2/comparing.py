"""Whether the notebook compares the two answers: what it shows must move when either of them is spoiled.

The notebook runs again with the student's answer shifted, and again with the answer of Keras changed. A number that
moves both times was computed from both; two arrays that are shown, of which each moves once, are a comparison by eye.
The two changes have different signs in different places, so a measure that lets errors cancel gives itself away.
Only calls with the copied weights are spoiled: what was computed before the copying does not move.

Where nothing moves, more runs tell why: with every call spoiled (an old answer is compared), with both answers made
equal (exact equality was asked for), with each call spoiled by another amount (an answer is compared with itself).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from grader.report import Params
from grader.sandbox.protocol import Called, Shown
from grader.task2.copying import Pair
from grader.task2.finding import Finding
from grader.task2.runs import NotebookRun, Spoils

Ask = Callable[[Spoils], NotebookRun]
Place = tuple[int, str, int]

SHIFT = 0.25
# The largest value that the pattern of runner/watch.py takes away, which is what a maximum without abs shows.
PATTERN_DOWN = 0.15
# Numbers that differ by less are the same: rounding of 1e-7 and what is made of it.
MOVED = 1e-4
# What a measure of errors shows at most where there are none but those of rounding.
SMALL = 1e-3
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")
CLAIM = re.compile(
    r"совпад|равн|одинаков|разни|ошибк|погреш|отлич|верно|успе|equal|same|match|diff|error|identical|close|true|ok\b|mae|mse",
    re.IGNORECASE,
)


def judge_comparison(clean: NotebookRun, pair: Pair | None, ask: Ask) -> Finding:
    """What the notebook's comparison is worth.

    Args:
        clean: the notebook as it stands.
        pair: the two models that it is about; None when no two have equal sizes.
        ask: has it run again with answers spoiled.
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

    def finding(self) -> Finding:
        if not self._student or not self._keras:
            return self._without_both()
        found = self._of_copied()
        if found is None:
            return self._why_nothing_moves()
        if found.passed and self._different_inputs():
            return Finding(False, "t2_different_inputs")
        return found

    # --- runs ------------------------------------------------------------------------------------------------

    def _copied(self, calls: list[Called]) -> list[Called]:
        """The calls of the pair with the weights that it has at its best moment; all calls where there is no pair."""
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
    def _student_spoiled(self) -> NotebookRun | None:
        return self._spoiled(self._copied(self._student), by="shift", amount=SHIFT)

    @cached_property
    def _keras_spoiled(self) -> NotebookRun | None:
        return self._spoiled(self._copied(self._keras), by="pattern", amount=1.0)

    def _ask(self, spoils: Spoils) -> NotebookRun:
        key = repr(sorted((call, sorted(spoil.items())) for call, spoil in spoils.items()))
        if key not in self._asked:
            self._asked[key] = self._ask_box(spoils)
        return self._asked[key]

    def _spoiled(self, calls: Iterable[Called], **spoil: Any) -> NotebookRun | None:
        spoils = {call.call: spoil for call in calls}
        return self._ask(spoils) if spoils else None

    def _made_equal(self) -> NotebookRun | None:
        keras = self._pair.keras if self._pair else self._keras[0].model
        return self._spoiled(self._copied(self._student), by="keras", amount=0.0, model=keras)

    # --- a comparison that is real ---------------------------------------------------------------------------

    def _of_copied(self, base: NotebookRun | None = None) -> Finding | None:
        """The verdict, where what is shown depends on the answers with the copied weights."""
        base = base or self._clean
        student, keras = self._student_spoiled, self._keras_spoiled
        if student is None or keras is None:
            return None
        by_student, by_keras = places_moved(base, student), places_moved(base, keras)
        both = by_student & by_keras
        measures = {place: _measures(place, base, student, keras) for place in both}
        hidden: set[Place] = set()
        if any(abs(measure[0]) > SMALL for found in measures.values() for measure in found):
            # Either no measure of errors, or there are errors: what is it where there are none?
            equal = self._made_equal() or base
            measures = {place: _measures(place, equal, student, keras) for place in both}
            # The errors that are there may hide what the spoiled answers would show.
            hidden = {place for place, found in measures.items() if any(abs(m[0]) <= SMALL for m in found)}
        proper = {place for place, found in measures.items() if any(_is_proper(*measure) for measure in found)}
        signed = {place for place, found in measures.items() if any(_like_signed(*m) for m in found)} - proper
        if doubtful := (proper & hidden) | signed:
            proper = (proper - doubtful) | self._never_negative(doubtful)
        arrays = {place for place in both if _kind(base, place) == "array"}
        if proper or arrays:
            unequal = self._exact(place for place in proper | arrays if self._equality(place))
            return unequal or Finding(True, details={"seen": "number" if proper else "by_eye"})
        if _by_eye(base, by_student - both) and _by_eye(base, by_keras - both):
            return Finding(True, details={"seen": "by_eye"})
        if any(measures.values()):
            return Finding(False, "t2_no_abs", self._where(both))
        return self._verdict(base, by_student, by_keras)

    def _never_negative(self, places: set[Place]) -> set[Place]:
        """Those whose number stays above zero when the student's answer errs in the other direction."""
        other_sign = self._spoiled(self._copied(self._student), by="shift", amount=-SHIFT)
        if other_sign is None:
            return set()
        numbers = {place: _numbers(other_sign.by_place.get(place)) for place in places}
        return {place for place, found in numbers.items() if found and min(found) > 0}

    def _verdict(self, base: NotebookRun, by_student: set[Place], by_keras: set[Place]) -> Finding | None:
        """A yes or no that depends on both answers: does it see errors of either sign?"""
        other_sign = self._spoiled(self._copied(self._student), by="shift", amount=-SHIFT)
        by_other = places_moved(base, other_sign) if other_sign is not None else set()
        if by_keras & by_student & by_other:
            return Finding(True, details={"seen": "verdict"})
        if one_sign := by_keras & (by_student | by_other):
            return Finding(False, "t2_no_abs", self._where(one_sign))
        return None

    def _exact(self, places: Iterable[Place]) -> Finding | None:
        """Whether what is shown would be another if the answers agreed to the last bit."""
        asked = set(places)
        equal = self._made_equal() if asked else None
        if equal is None or self._pair is None or not self._pair.complete:
            return None
        moved = asked & places_moved(self._clean, equal)
        return Finding(False, "t2_exact_equality", self._where(moved)) if moved else None

    def _equality(self, place: Place) -> bool:
        use = self._clean.use(place[0])
        return use is not None and use.equality

    def _different_inputs(self) -> bool:
        students = {call.input for call in self._copied(self._student)}
        keras = {call.input for call in self._keras}
        return None not in students | keras and not students & keras

    # --- one that is not -------------------------------------------------------------------------------------

    def _why_nothing_moves(self) -> Finding:
        clean = self._clean
        equal = self._made_equal()
        if equal is not None:
            found = self._of_copied(equal)
            if found is not None and found.code == "t2_exact_equality":
                return found
            if found is not None and found.passed:
                places = places_moved(clean, equal)
                close = self._pair is not None and self._pair.complete
                if close and any(self._equality(place) for place in places):
                    return Finding(False, "t2_exact_equality", self._where(places))
                return found if not self._different_inputs() else Finding(False, "t2_different_inputs")
        old, old_keras = self._unlike(self._student), self._unlike(self._keras)
        if stale := places_moved(clean, old) & places_moved(clean, old_keras):
            return self._stale(stale)
        for unlike, alike in ((old_keras, self._keras_spoiled), (old, self._student_spoiled)):
            if itself := self._compared_with_itself(unlike, alike):
                return Finding(False, "t2_self_compare", self._where(itself))
        return self._by_source()

    def _stale(self, places: set[Place]) -> Finding:
        """An answer from before the copying: compared before it too, or after."""
        copied_at = self._clean.changed_by[self._pair.moment] if self._pair is not None else 0
        before = all(place[0] < copied_at for place in places)
        code = "t2_compare_before_copy" if before else "t2_stale_output"
        return Finding(False, code, self._where(places))

    def _unlike(self, calls: list[Called]) -> NotebookRun:
        """Every call of one side is spoiled, each by another amount."""
        return self._ask({call.call: {"by": "shift", "amount": SHIFT * (1 + n)} for n, call in enumerate(calls)})

    def _compared_with_itself(self, unlike: NotebookRun, alike: NotebookRun | None) -> set[Place]:
        """What depends on how two calls of one side differ, and not on what they have in common."""
        places = places_moved(self._clean, unlike) - (places_moved(self._clean, alike) if alike is not None else set())
        return {place for place in places if place[1] != "call" and _kind(self._clean, place) != "array"}

    def _by_source(self) -> Finding:
        """Nothing moves whatever is spoiled: what was it, then, that the notebook shows as the result?"""
        first = min(call.statement for call in self._student or self._keras)
        shapes = False
        for place, item in self._clean.by_place.items():
            use = self._clean.use(place[0])
            if place[0] < first or use is None or place[1] not in ("print", "value"):
                continue
            if use.shape_only:
                shapes = shapes or item.kind == "bool" or (item.kind == "text" and CLAIM.search(item.text) is not None)
            elif len(use.sides) == 1 and _is_claim(item):
                return Finding(False, "t2_self_compare", self._where([place]))
            elif _is_claim(item):
                return Finding(False, "t2_faked", self._where([place]))
        if shapes or any(self._compares_shapes()):
            return Finding(False, "t2_shape_only")
        return Finding(False, "comparison_not_found")

    def _compares_shapes(self) -> Iterator[bool]:
        for use in self._clean.reading.uses:
            yield use.shape_only and len(use.sides) == 2

    def _without_both(self) -> Finding:
        """Only one of the two models was called, or none."""
        calls = self._keras or self._student
        if len(calls) > 1:
            alike = self._spoiled(calls, by="shift", amount=SHIFT)
            if itself := self._compared_with_itself(self._unlike(calls), alike):
                return Finding(False, "t2_self_compare", self._where(itself))
        return self._by_source() if calls else Finding(False, "comparison_not_found")

    def _where(self, places: Iterable[Place]) -> Params:
        """The line of the statement that shows it."""
        statements = self._clean.reading.statements
        lines = [statements[place[0]].first_line for place in places if place[0] < len(statements)]
        return {"line": min(lines)} if lines else {}


def places_moved(base: NotebookRun, spoiled: NotebookRun) -> set[Place]:
    """What is shown otherwise in the second run, or not at all, if that run came to its end."""
    places = base.by_place if spoiled.complete else base.by_place.keys() & spoiled.by_place.keys()
    return {place for place in places if _differ(base.by_place[place], spoiled.by_place.get(place))} | {
        # A statement that fails only now: ``assert``.
        place
        for place in spoiled.by_place.keys() - base.by_place.keys()
        if place[1] == "raised"
    }


def _kind(run: NotebookRun, place: Place) -> str:
    item = run.by_place.get(place)
    return item.kind if item is not None else "raised"


def _differ(first: Shown, second: Shown | None) -> bool:
    if second is None:
        return True
    if (first.kind, first.size) != (second.kind, second.size):
        return True
    if first.kind == "text":
        if NUMBER.sub("", first.text) != NUMBER.sub("", second.text):
            return True
        return _numbers_differ(_in_text(first), _in_text(second))
    return _numbers_differ(first.values, second.values)


def _numbers_differ(first: list[float], second: list[float]) -> bool:
    if len(first) != len(second):
        return True
    return any(not _same(a, b) for a, b in zip(first, second, strict=True))


def _same(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= MOVED * max(1.0, abs(a))


def _in_text(item: Shown) -> list[float]:
    return [float(number) for number in NUMBER.findall(item.text)]


Measure = tuple[float, float, float]


def _measures(place: Place, *runs: NotebookRun) -> list[Measure]:
    """Single numbers that moved: as they are, with the student's answer spoiled, and with that of Keras."""
    values = [_numbers(run.by_place.get(place)) for run in runs]
    if len(set(map(len, values))) != 1:
        return []
    return [(b, s, k) for b, s, k in zip(*values, strict=True) if not _same(b, s) and not _same(b, k)]


def _numbers(item: Shown | None) -> list[float]:
    if item is None or item.kind not in ("number", "text"):
        return []
    return item.values if item.kind == "number" else _in_text(item)


def _is_proper(base: float, student: float, keras: float) -> bool:
    """Whether a measure sees errors of either sign; `keras` comes from errors whose mean is next to nothing."""
    if not all(map(math.isfinite, (base, student, keras))) or abs(base) > SMALL:
        return True
    if min(student, keras) < 0 or min(student, keras) < 0.05 * max(student, keras):
        return False
    return not _like_signed(base, student, keras)


def _like_signed(base: float, student: float, keras: float) -> bool:
    """Whether these are the numbers of a maximum without abs, or of a place that happens to have the same."""
    return abs(base) <= SMALL and student > 0 and abs(keras * SHIFT - student * PATTERN_DOWN) <= 1e-3 * student


def _by_eye(run: NotebookRun, places: set[Place]) -> bool:
    """Whether numbers of an answer are shown, so that somebody can look at them."""
    return any(
        place[1] in ("print", "value", "call") and (item := run.by_place.get(place)) is not None and item.kind != "bool"
        for place in places
    )


def _is_claim(item: Shown) -> bool:
    """Whether something that never moves reads like the result of a comparison."""
    if item.kind == "bool":
        return True
    if item.kind == "number":
        return abs(item.values[0]) < 1e-2
    if item.kind == "text":
        numbers = _in_text(item)
        return CLAIM.search(item.text) is not None or (len(numbers) == 1 and abs(numbers[0]) < 1e-2)
    return False
