"""The known mistakes that explain wrong answers which change from call to call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from grader.numerics.case_answers import FIRST_STEPS, CaseAnswer, residual, ways_to_read
from grader.numerics.explanation import LOOKUP_TOLERANCE, Explanation, confirm
from grader.numerics.fitting import dropout, started_anew
from grader.numerics.forms import PLAIN, Content
from reference import Case
from reference.lstm.misconceptions import PARTS, RECURRENCE, Table, bank, build_table


def explain_changing(
    answers: Mapping[str, Content],
    repeats: Mapping[str, Content],
    cases: Sequence[Case],
    others: Sequence[tuple[Case, Content]] = (),
) -> Explanation | None:
    """Find an explanation of wrong answers that change at a second call.

    Args:
        repeats: case id -> the answer to the second call of some case; empty where no second call answered.
        others: questions of the same shape that may have come in between, and their answers.
    """
    form, case_answers = next(iter(ways_to_read(answers, cases)), (PLAIN, []))
    if not case_answers or not form.is_complete or any(each.is_constant for each in case_answers):
        return None
    own_cases = [each.case for each in case_answers]
    arrays = {each.case.spec.id: each.answer for each in case_answers}
    found = dropout(own_cases, arrays) if repeats else None
    if found is not None:
        mistake, left = found
        ids = frozenset(case.spec.id for case in own_cases)
        return Explanation((mistake,), left, frozenset(PARTS) - mistake.wrong, form=form, cases=ids)
    again = {
        case.spec.id: array
        for case in own_cases
        if case.spec.id in repeats and (array := form.read(repeats[case.spec.id], case.expected.shape)) is not None
    }
    before = [(case, arrays[case.spec.id]) for case in own_cases]
    for case, content in others:
        array = form.read(content, case.expected.shape)
        before += [] if array is None else [(case, array)]
    mistake = started_anew(own_cases, arrays, again, before)
    if not again and mistake.code != "state_kept_between_calls":
        return None  # any first two steps come from some start
    explanation = confirm([(mistake,)], case_answers, frozenset())
    return replace(explanation, form=form) if explanation else None


def explain_after_start(answers: Mapping[str, Content], exercise: Case, twin: Case) -> Explanation | None:
    """Find a mistake in the steps of a cell that begins from an unknown state, such as that of an earlier call.

    The layer forgets. The last steps are looked up among answers that begin in the middle, from zeros; a mistake must
    then give all numbers of the last quarter, and of that of a twin as long.
    """
    long = [case for case in (exercise, twin) if case.x.shape == exercise.x.shape and case.spec.id in answers]
    ways = ways_to_read({case.spec.id: answers[case.spec.id] for case in long}, long)
    form, case_answers = next(iter(ways), (PLAIN, []))
    if not case_answers or case_answers[0].case is not exercise or not form.is_complete or case_answers[0].is_constant:
        return None
    late, *late_twin = (each.from_step(3 * exercise.spec.timesteps // 4) for each in case_answers)
    second_half = _second_half(exercise)
    if second_half is None or residual((), [late]) is not None:
        return None
    half, table = second_half
    begins = exercise.spec.timesteps - half.spec.timesteps
    late_half = CaseAnswer(half, late.answer[:, begins:], late.known[:, begins:])
    late_half = late_half.from_step(half.spec.timesteps - FIRST_STEPS)
    entries = table.lookup(late_half.answer, late_half.known, LOOKUP_TOLERANCE)
    suspects = [tuple(bank()[index] for index in entry) for entry in entries]
    found = confirm(suspects, [late, *late_twin], frozenset())
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
