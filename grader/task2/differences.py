"""Differences between the outputs of two runs of a notebook, and the kind of measure that a moved number is."""

import itertools
import math
import re

from grader.sandbox.events import NotebookOutput
from grader.task2.runs import NotebookRun

OutputPlace = tuple[int, str, int]
#: A number in three runs: unchanged, with the student's answer spoiled, and with that of Keras.
Measure = tuple[float, float, float]

SHIFT = 0.25
# Values of a maximum without abs: the most that the shift of runner/driver/notebook/spoiling.py adds, and that the
# pattern there subtracts.
SHIFT_UP, PATTERN_DOWN = 1.4 * SHIFT, 0.15
# Numbers that differ by less are the same: rounding of 1e-7, and its consequences.
MOVED = 1e-4
# The most that a measure of errors shows if rounding is the only error.
SMALL = 1e-3
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")
CLAIM = re.compile(
    r"совпад|равн|одинаков|разни|ошибк|погреш|отлич|верно|успе|equal|same|match|diff|error|identical|close|true|ok\b|mae|mse",
    re.IGNORECASE,
)


def places_moved(base: NotebookRun, spoiled: NotebookRun) -> set[OutputPlace]:
    """List the places whose output changed or vanished in the second run, if that run came to its end."""
    places = base.by_place if spoiled.complete else base.by_place.keys() & spoiled.by_place.keys()
    return {place for place in places if _differ(base.by_place[place], spoiled.by_place.get(place))} | {
        # A statement that fails only now, such as ``assert``.
        place
        for place in spoiled.by_place.keys() - base.by_place.keys()
        if place[1] == "raised"
    }


def kind_of(run: NotebookRun, place: OutputPlace) -> str:
    item = run.by_place.get(place)
    return item.kind if item is not None else "raised"


def _differ(first: NotebookOutput, second: NotebookOutput | None) -> bool:
    if second is None or (first.kind, first.size) != (second.kind, second.size):
        return True
    if first.kind == "text" and NUMBER.sub("", first.text) != NUMBER.sub("", second.text):
        return True
    numbers, others = _all_numbers(first), _all_numbers(second)
    return len(numbers) != len(others) or not all(map(_same, numbers, others))


def _same(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= MOVED * max(1.0, abs(a))


def measures_of(place: OutputPlace, *runs: NotebookRun) -> list[Measure]:
    """List single numbers that moved: unchanged, with the student's answer spoiled, and with that of Keras."""
    values = [numbers_in(run.by_place.get(place)) for run in runs]
    if len(set(map(len, values))) != 1:
        return []
    return [(b, s, k) for b, s, k in zip(*values, strict=True) if not _same(b, s) and not _same(b, k)]


def moved_numbers(place: OutputPlace, base: NotebookRun, spoiled: NotebookRun) -> set[int]:
    """List the numbers of a place, by their order, that are not next to zero and are others in the second run."""
    first, second = (_all_numbers(run.by_place.get(place)) for run in (base, spoiled))
    if len(first) != len(second):
        return set()
    return {n for n, (a, b) in enumerate(zip(first, second, strict=True)) if not _same(a, b) and not abs(a) <= SMALL}


def stay(place: OutputPlace, numbers: set[int], equal: NotebookRun, both: NotebookRun) -> bool:
    """Return whether numbers are the same in two runs."""
    first, second = (_all_numbers(run.by_place.get(place)) for run in (equal, both))
    return len(first) == len(second) > max(numbers) and all(_same(first[n], second[n]) for n in numbers)


def numbers_in(item: NotebookOutput | None) -> list[float]:
    return _all_numbers(item) if item is not None and item.kind in ("number", "text") else []


def _all_numbers(item: NotebookOutput | None) -> list[float]:
    if item is None:
        return []
    return [float(number) for number in NUMBER.findall(item.text)] if item.kind == "text" else item.values


def is_proper(base: float, student: float, keras: float) -> bool:
    """Return whether a measure sees errors of either sign; `keras` comes from errors with a mean of nearly zero."""
    if not all(map(math.isfinite, (base, student, keras))) or abs(base) > SMALL:
        return True
    if min(student, keras) < 0 or min(student, keras) < 0.05 * max(student, keras):
        return False
    return not is_like_signed(base, student, keras)


def is_like_signed(base: float, student: float, keras: float) -> bool:
    """Return whether these numbers fit a maximum without abs, or a place that happens to have the same ones."""
    return abs(base) <= SMALL and student > 0 and abs(keras * SHIFT_UP - student * PATTERN_DOWN) <= 1e-3 * student


def shows_numbers(run: NotebookRun, places: set[OutputPlace]) -> bool:
    """Return whether numbers of an answer are shown, so that somebody can look at them."""
    statements = run.reading.statements
    # A notebook shows the value of a cell's last statement only.
    unseen = {n for n, (one, after) in enumerate(itertools.pairwise(statements)) if one.cell == after.cell}
    hidden = {(n, "value") for n in unseen if run.reading.format == "ipynb"}
    return any(
        place[1] in ("print", "value", "call")
        and place[:2] not in hidden
        and (item := run.by_place.get(place)) is not None
        and item.kind != "bool"
        for place in places
    )


def shows_several(base: NotebookRun, spoiled: NotebookRun) -> bool:
    """Return whether a place shows several numbers of the answer that is spoiled in the second run."""
    return any(len(moved_numbers(place, base, spoiled)) > 1 for place in base.by_place if shows_numbers(base, {place}))


def is_claim(item: NotebookOutput) -> bool:
    """Return whether something that never moves reads like the result of a comparison."""
    if item.kind == "bool" or (item.kind == "text" and CLAIM.search(item.text)):
        return True
    numbers = numbers_in(item)
    return len(numbers) == 1 and abs(numbers[0]) < 1e-2
