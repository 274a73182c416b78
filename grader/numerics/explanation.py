"""The known mistakes that explain wrong numbers.

A definite mistake gives definite numbers. One case is looked up in a table of all answers that the bank of
`reference.misconceptions` gives there, with one mistake and with two. A match is replayed on every case and
believed only if it explains all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from grader.numerics.fitting import dropout, fit_mistakes, started_anew
from grader.numerics.forms import PLAIN, Content, Form, readings
from grader.numerics.gate_fitting import suspects
from grader.numerics.visible_parts import parts_used
from grader.numerics.written_formulas import WrittenMistake
from reference import Case, has_table, lstm_forward, search_case
from reference.cases import EDGE
from reference.misconceptions import PARTS, RECURRENCE, Mistake, Table, bank, build_table, replay
from reference.weights import DENSE_LETTERS

Array = NDArray[np.floating]

# Allowed error, for values up to 1, besides a multiple of what float32 rounding does to the mistake itself.
TOLERANCE = 3e-5
ROUNDING = 8.0
# The share of values that a rounding mistake may round to the other side.
OTHER_SIDE = 0.02
# In each case, at least this many wrong numbers must be explained, or all if there are fewer.
FEWEST_EXPLAINED = 8
# In the first steps of each case, at least this share of the numbers must be comparable: a mistake without bounds gives
# fewer and fewer.
LEAST_COMPARABLE, FIRST_STEPS = 0.25, 8
FEW_STEPS = (7, 6, 5, 4, 3)
LOOKUP_TOLERANCE = 1e-4
MOST_CONFIRMED = 60
# A wrong answer is looked up in this many forms at most; each costs some milliseconds.
MOST_READINGS = 6

#: The letters of the exercise's layers -> gates.
GATE_OF = {letter: gate for gate, letter in DENSE_LETTERS.items()}


@dataclass(frozen=True)
class Explanation:
    """One mistake or two, replayed and found equal on all cases.

    Args:
        residual: the largest difference that is left.
        right_parts: those of `PARTS` that the mistakes leave right and that the numbers show; among mistakes with equal
            numbers, the mildest decides.
        also: codes of other mistakes with the same numbers.
        runner_up: the nearest single mistake that does not fit, and its distance.
        form: the form in which the answers are read.
        cases: ids of the cases that it was found equal on.
        only_written: no mistake of the bank gives the numbers, but what is written in the code does. A grade does not
            depend on that, so it has no right parts.
        after_start: the steps begin from a state that is not known, and are explained where it has no effect any more.
    """

    mistakes: tuple[Mistake, ...]
    residual: float
    right_parts: frozenset[str]
    also: tuple[str, ...] = ()
    runner_up: tuple[str, float] | None = None
    form: Form = PLAIN
    cases: frozenset[str] = frozenset()
    only_written: bool = False
    after_start: bool = False


@dataclass(frozen=True)
class CaseAnswer:
    """A case and the answer to it, ``(batch, timesteps, units)``; parts of the answer may be unknown."""

    case: Case
    answer: Array
    known: NDArray[np.bool_]


def explain(
    answers: Mapping[str, Content],
    cases: Sequence[Case],
    table_of: Callable[[Case], Table],
    idle: frozenset[str] = frozenset(),
    form: Form | None = None,
    written: WrittenMistake | None = None,
) -> Explanation | None:
    """Find an explanation of wrong answers.

    Args:
        answers: case id -> the answer of the student's model.
        table_of: gives the table of a case.
        idle: arrays that an answer does not depend on; see `Mistake.idle`.
        form: how to read them, if known.
        written: what stands in the code.
    Returns:
        None when no known mistake, and no two of them, explain every answer. An explanation without mistakes when only
        the form is wrong, in a way that a mistake of its own gives.
    """
    candidates = [(each, case_answers) for each, case_answers in _readings(answers, cases) if form in (None, each)]
    # A form that fits fewer answers than another one fits by chance. To look it up would take seconds.
    most = max((len(case_answers) for _, case_answers in candidates), default=0)
    looked_up = [each for each in candidates if each[0].loop is None and len(each[1]) == most][:MOST_READINGS]
    # Loops that skip steps are not looked up, and leave the shortest cases without an answer.
    candidates = [*looked_up, *[each for each in candidates if each[0].loop is not None][:MOST_READINGS]]
    if any(_residual((), case_answers) is not None for _, case_answers in candidates):
        return None
    found = [
        replace(explanation, form=each, mistakes=tuple(m for m in explanation.mistakes if m.name != each.implied))
        for each, case_answers in candidates
        if (explanation := _explain_form(each, case_answers, table_of, idle, written)) is not None
    ]
    # Where a form has several possible causes, believe the one that needs the fewest other mistakes.
    return min(found, key=lambda each: (len(each.mistakes), bool(each.form.wrong)), default=None)


def _readings(answers: Mapping[str, Content], cases: Sequence[Case]) -> list[tuple[Form, list[CaseAnswer]]]:
    """List the ways to read the answers, only those of whole answers if there are any. The smallest case is first."""
    shapes = {case.spec.id: case.expected.shape for case in cases}
    found = list(readings(answers, shapes))
    return [
        (
            reading.form,
            [
                CaseAnswer(case, array, reading.form.mask(answers[case.spec.id], case.expected.shape))
                for case in sorted(cases, key=lambda case: case.expected.size)
                if (array := reading.numbers.get(case.spec.id)) is not None
            ],
        )
        for reading in [each for each in found if each.form.is_complete] or found
    ]


def idle_arrays(reach: Mapping[str, float | None]) -> frozenset[str]:
    """Find the arrays, by gate, that no gradient can reach, in the form of `Mistake.idle`.

    Args:
        reach: ``path (array GATES)``, with the letters of the exercise's layers -> the largest gradient; None where the
            output does not depend on the array at all.
    """
    idle = set()
    for name, largest in reach.items():
        array, _, gates = name.rpartition("(")[2].rstrip(")").partition(" ")
        if largest is None:
            idle |= {f"{array} {GATE_OF[letter]}" for letter in gates}
    return frozenset(idle)


def _explain_answers(
    case_answers: Sequence[CaseAnswer],
    table_of: Callable[[Case], Table],
    idle: frozenset[str],
    written: WrittenMistake | None,
) -> Explanation | None:
    if all(_is_constant(each.answer[each.known]) for each in case_answers):
        return None
    case_answers = sorted(case_answers, key=lambda each: each.case.expected.size)
    if _residual((), case_answers) is not None:
        return None
    searched = search_case([each.case for each in case_answers])
    if not has_table(searched):
        return _confirm(_singles(case_answers[0]), case_answers, idle, written)
    table, question = table_of(searched), next(each for each in case_answers if each.case is searched)
    entries = table.lookup(question.answer, question.known, LOOKUP_TOLERANCE)
    known = [tuple(bank()[index] for index in entry) for entry in entries]
    found = _confirm(known, case_answers, idle, written)
    # One case alone, or a part of an answer, could be matched by some number or other.
    whole = len(case_answers) > 1 and all(each.known.all() and not _is_constant(each.answer) for each in case_answers)
    if whole and (found is None or len(found.mistakes) > 1):
        # One mistake inside a gate is more likely than two known ones with the same numbers.
        longest = max(case_answers, key=lambda each: each.case.expected.size)
        inside = (_confirm([suspect], case_answers, idle) for suspect in suspects(longest.case, longest.answer))
        found = next((fit for fit in inside if fit is not None), found)
    if found is None and whole:
        answers = {each.case.spec.id: each.answer for each in case_answers}
        # Fits hold on all cases or not at all, so the first one is as good as any other.
        fits = (
            _confirm([suspect], case_answers, idle)
            for suspect in fit_mistakes([each.case for each in case_answers], answers, searched, table)
        )
        found = next((fit for fit in fits if fit is not None), None)
    if found is None:
        return None
    named = {mistake.code for mistake in found.mistakes} | set(found.also)
    return replace(found, runner_up=table.nearest_single(question.answer, question.known, named))


def _explain_form(
    form: Form,
    case_answers: Sequence[CaseAnswer],
    table_of: Callable[[Case], Table],
    idle: frozenset[str],
    written: WrittenMistake | None,
) -> Explanation | None:
    if form.loop is None:
        return _explain_answers(case_answers, table_of, idle, written)
    skipping = [each for each in (_without_skipped(each, form.loop) for each in case_answers) if each is not None]
    if not skipping:
        return None
    residual = _residual((), skipping)
    if residual is not None:
        return Explanation((), residual, frozenset(PARTS) - form.wrong, cases=_ids(skipping))
    # To replay every mistake on a hundred steps takes seconds; on a few, and together, hundredths of one.
    few = next((found for each in skipping for n in FEW_STEPS if (found := _first_steps(each, n)) is not None), None)
    if few is None:
        return None
    return _confirm(_singles(few), skipping, idle)


def _singles(case_answer: CaseAnswer) -> list[tuple[Mistake, ...]]:
    """List the single mistakes that may explain an answer to a case without a table of its own."""
    entries = _table_of_singles(case_answer.case).lookup(case_answer.answer, case_answer.known, LOOKUP_TOLERANCE)
    return [tuple(bank()[index] for index in entry) for entry in entries]


@lru_cache(maxsize=4)
def _table_of_singles(case: Case) -> Table:
    return build_table(case, with_pairs=False)


def _first_steps(case_answer: CaseAnswer, count: int) -> CaseAnswer | None:
    """Return a question cut to its first steps; None where its sizes would not differ, or it has no more."""
    case = case_answer.case
    try:
        spec = replace(case.spec, timesteps=count)
    except ValueError:
        return None
    x, expected = (np.ascontiguousarray(array[:, :count]) for array in (case.x, case.expected))
    if x.shape[1] < count:
        return None
    return CaseAnswer(
        Case(spec, x, case.weights, expected), case_answer.answer[:, :count], case_answer.known[:, :count]
    )


def _without_skipped(case_answer: CaseAnswer, loop: tuple[int, int]) -> CaseAnswer | None:
    """Return the question that a loop over some steps of x really answered, and its answer; None: it took no step."""
    x = np.ascontiguousarray(case_answer.case.x[:, loop[0] :: loop[1]])
    if not x.shape[1]:
        return None
    # A few steps are enough to compare.
    spec = replace(case_answer.case.spec, timesteps=x.shape[1], category=EDGE)
    expected = lstm_forward(x, case_answer.case.weights).h.astype(np.float32)
    case = Case(spec, x, case_answer.case.weights, expected)
    return CaseAnswer(case, case_answer.answer[:, : x.shape[1]], np.ones(expected.shape, bool))


def _is_constant(numbers: Array) -> bool:
    return bool(np.isnan(numbers).all() or (numbers == numbers.flat[0]).all())


def explain_changing(
    answers: Mapping[str, Content],
    repeats: Mapping[str, Content],
    cases: Sequence[Case],
    others: Sequence[tuple[Case, Content]] = (),
) -> Explanation | None:
    """Find an explanation of wrong answers that change at a second call.

    Args:
        repeats: case id -> the answer to the second call of some case.
        others: questions of the same shape that may have come in between, and their answers.
    """
    form, case_answers = next(iter(_readings(answers, cases)), (PLAIN, []))
    if not case_answers or not form.is_complete or any(_is_constant(each.answer) for each in case_answers):
        return None
    own_cases = [each.case for each in case_answers]
    arrays = {each.case.spec.id: each.answer for each in case_answers}
    found = dropout(own_cases, arrays)
    if found is not None:
        mistake, residual = found
        return Explanation((mistake,), residual, _unspoiled_parts((mistake,)), form=form, cases=_ids(case_answers))
    again = {
        case.spec.id: array
        for case in own_cases
        if case.spec.id in repeats and (array := form.read(repeats[case.spec.id], case.expected.shape)) is not None
    }
    before = [(case, arrays[case.spec.id]) for case in own_cases]
    for case, content in others:
        array = form.read(content, case.expected.shape)
        before += [] if array is None else [(case, array)]
    explanation = _confirm([(started_anew(own_cases, arrays, again, before),)], case_answers, frozenset())
    return replace(explanation, form=form) if explanation else None


def explain_after_start(answers: Mapping[str, Content], exercise: Case, twin: Case) -> Explanation | None:
    """Find a mistake in the steps of a cell that begins from an unknown state, such as that of an earlier call.

    An LSTM forgets. The last steps are looked up among answers that begin in the middle, from zeros; a mistake must
    then give all numbers of the last quarter, and of that of a twin as long.
    """
    long = [case for case in (exercise, twin) if case.x.shape == exercise.x.shape and case.spec.id in answers]
    form, case_answers = next(
        iter(_readings({case.spec.id: answers[case.spec.id] for case in long}, long)), (PLAIN, [])
    )
    if (
        not case_answers
        or case_answers[0].case is not exercise
        or not form.is_complete
        or _is_constant(case_answers[0].answer)
    ):
        return None
    late, *late_twin = (_from_step(each, 3 * exercise.spec.timesteps // 4) for each in case_answers)
    second_half = _second_half(exercise)
    if second_half is None or _residual((), [late]) is not None:
        return None
    half, table = second_half
    begins = exercise.spec.timesteps - half.spec.timesteps
    late_half = _from_step(
        CaseAnswer(half, late.answer[:, begins:], late.known[:, begins:]), half.spec.timesteps - FIRST_STEPS
    )
    entries = table.lookup(late_half.answer, late_half.known, LOOKUP_TOLERANCE)
    suspects = [tuple(bank()[index] for index in entry) for entry in entries]
    found = _confirm(suspects, [late, *late_twin], frozenset())
    return replace(found, right_parts=found.right_parts - RECURRENCE, form=form, after_start=True) if found else None


@lru_cache(maxsize=4)
def _second_half(case: Case) -> tuple[Case, Table] | None:
    """Return the question for the second half of the steps, and its table; None where its sizes would not differ.

    The table takes half a second, so a process keeps it.
    """
    count = case.spec.timesteps // 2
    try:
        spec = replace(case.spec, timesteps=count)
    except ValueError:
        return None
    x, expected = (np.ascontiguousarray(array[:, -count:]) for array in (case.x, case.expected))
    half = Case(spec, x, case.weights, expected)
    return half, build_table(half, with_pairs=False)


def _from_step(case_answer: CaseAnswer, step: int) -> CaseAnswer:
    """Return a question of which the steps before this one are unknown."""
    known = case_answer.known.copy()
    known[:, :step] = False
    return replace(case_answer, known=known)


def _confirm(
    candidates: Iterable[tuple[Mistake, ...]],
    case_answers: Sequence[CaseAnswer],
    idle: frozenset[str],
    written: WrittenMistake | None = None,
) -> Explanation | None:
    """Return the best suspect that holds on all cases. A single mistake is believed before any pair.

    Args:
        written: it is believed before mistakes with the same numbers that leave right what is written otherwise.
    """
    matching: list[tuple[float, tuple[Mistake, ...]]] = []
    for mistakes in candidates:
        if matching and (len(mistakes) > len(matching[0][1]) or len(matching) >= MOST_CONFIRMED):
            break
        residual = _residual(mistakes, case_answers)
        if residual is not None:
            matching.append((residual, mistakes))
    order = {mistake.name: index for index, mistake in enumerate(bank())}

    def rank(match: tuple[float, tuple[Mistake, ...]]) -> tuple[int, int, int, list[int]]:
        claimed = frozenset().union(*(mistake.idle for mistake in match[1]))
        places = [order.get(mistake.name, -1) for mistake in match[1]]
        return written.unexplained_by(match[1]) if written else 0, len(claimed - idle), -len(claimed & idle), places

    codes = {mistake.code for _, mistakes in matching for mistake in mistakes}
    parts = _parts_left_right([mistakes for _, mistakes in sorted(matching, key=rank)], case_answers[0].case)
    if written is not None and (not matching or min(map(rank, matching))[0]):
        residual = _residual((written.mistake,), case_answers)
        matching = matching if residual is None else [(residual, (written.mistake,))]
    if not matching:
        return None
    residual, mistakes = min(matching, key=rank)
    if not any(_hears_its_weights(mistakes, each.case) for each in case_answers):
        return None
    also = sorted(codes - {mistake.code for mistake in mistakes})
    return Explanation(mistakes, residual, parts, tuple(also), cases=_ids(case_answers), only_written=not codes)


def _parts_left_right(matching: Sequence[tuple[Mistake, ...]], case: Case) -> frozenset[str]:
    """Return the right parts of the mildest of mistakes with equal numbers, the most likely of them first."""
    if not matching:
        return frozenset()
    used = [_unspoiled_parts(mistakes) & parts_used(mistakes, case) for mistakes in matching]
    return max(used, key=len) & parts_used(matching[0], case)


def _ids(case_answers: Sequence[CaseAnswer]) -> frozenset[str]:
    return frozenset(each.case.spec.id for each in case_answers)


def _hears_its_weights(mistakes: Sequence[Mistake], case: Case) -> bool:
    """Return whether the weights matter. An LSTM without g that adds its input to h is better called an echo of it."""
    other = replace(case, weights=case.weights.scaled(0.5))
    return not np.array_equal(replay(mistakes, case), replay(mistakes, other), equal_nan=True)


def _unspoiled_parts(mistakes: Sequence[Mistake]) -> frozenset[str]:
    return frozenset(PARTS).difference(*(mistake.wrong for mistake in mistakes))


def _residual(mistakes: Sequence[Mistake], case_answers: Sequence[CaseAnswer]) -> float | None:
    """Return the largest difference over all cases; None when one case cannot be explained."""
    worst = 0.0
    for each in case_answers:
        residual = _fits(mistakes, each)
        if residual is None:
            return None
        worst = max(worst, residual)
    return worst


def _fits(mistakes: Sequence[Mistake], case_answer: CaseAnswer) -> float | None:
    exact = replay(mistakes, case_answer.case)
    with np.errstate(all="ignore"):
        scale = np.maximum(1.0, np.abs(exact))
        difference = np.abs(exact - case_answer.answer) / scale
        comparable = case_answer.known & ~np.isnan(exact)
        wrong = case_answer.known & ~(np.abs(case_answer.answer - case_answer.case.expected) <= TOLERANCE)
        # A mistake does not explain numbers that it cannot be compared with.
        first = np.s_[:, :FIRST_STEPS]
        is_vague = comparable[first].sum() < LEAST_COMPARABLE * case_answer.known[first].sum()
        if is_vague or (wrong & comparable).sum() < min(FEWEST_EXPLAINED, wrong.sum()):
            return None
        # Rounding grows in a mistake without bounds; the same mistake in float32 shows by how much here.
        rounding = np.nan_to_num(np.abs(exact - replay(mistakes, case_answer.case, np.float32)) / scale, nan=np.inf)
        off = comparable & ~(difference <= TOLERANCE + ROUNDING * rounding)
        quantum = max((mistake.quantum for mistake in mistakes), default=0.0)
        if quantum and off.sum() <= OTHER_SIDE * comparable.sum() + 1:
            excused = difference <= 1.5 * quantum
            if any(mistake.code == "rounded" and "coarse" in mistake.changes for mistake in mistakes):
                # An answer that is rounded at the end holds round numbers on either side.
                excused &= np.abs(case_answer.answer - quantum * np.round(case_answer.answer / quantum)) <= TOLERANCE
            off &= ~excused
        if off.any():
            return None
    return float(difference[comparable].max(initial=0.0))
