"""Mistakes that are made in some steps alone, such as behind an ``if`` on the first one, and rare ones in all steps.

They are tried on the first steps of one case, all at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from grader.numerics.case_answers import CaseAnswer, residual
from reference.lstm.misconceptions import Mistake, bank, rare, sometimes
from reference.lstm.misconceptions.computation import BEFORE, STEP, Inputs, forward

# So many wrong steps tell which mistakes are worth a replay.
FEW = 3
# A mistake that first shows later than this is not looked for.
MOST_LATE = 10
CLOSE = 1e-4
At = Callable[[int], bool]
#: Steps, as a report names them.
STEPS: Mapping[str, At] = {
    "first": lambda t: t == 0,
    "later": lambda t: t > 0,
    "even": lambda t: t % 2 == 0,
    "odd": lambda t: t % 2 == 1,
}


def step_suspects(case_answers: Sequence[CaseAnswer]) -> Iterator[Mistake]:
    """Yield rare mistakes, and those of the bank that are made in one step alone, in all others, or in every n-th."""
    late = min(map(_first_wrong_step, case_answers))
    cut = (each.first_steps(late + count) for each in case_answers for count in (FEW, FEW + 1))
    few = next((each for each in cut if each is not None), None) if late <= MOST_LATE else None
    if few is None:
        return
    if late <= 1:
        yield from (mistake for mistake, _ in _near(rare(), [few]))
    singles = [each for each in bank() if "calls" not in each.changes and each.changes.keys() <= set(STEP)]
    # Among those with the same numbers in these steps, the one that spoils least is meant.
    singles = [*sometimes(), *sorted(singles, key=lambda each: len(each.wrong))]
    for params, at in _some_steps(late):
        # The answer of the first step may be right, and the states that it passes on wrong.
        if at(0) != (late == 0) and params["steps"] != "first":
            continue
        for each, _ in _near(singles, [few], at):
            yield replace(each, params={**each.params, **params}, at=at)


def _first_wrong_step(each: CaseAnswer) -> int:
    wrong = ~(np.abs(each.answer - each.case.expected) <= CLOSE).all(axis=(0, 2))
    return int(wrong.argmax()) if wrong.any() else MOST_LATE + 1


def _some_steps(late: int) -> Iterator[tuple[dict[str, Any], At]]:
    """Yield the steps in which a mistake may be made that first shows in this one."""
    if late <= 1:
        yield from (({"steps": name}, at) for name, at in STEPS.items())
        return
    for first in (late - 1, late):
        yield {"steps": "every", "first": first, "period": late}, partial(_in_every, first, late)
        yield {"steps": "from", "first": first}, partial(_in_every, first, 1)


def _in_every(first: int, period: int, t: int) -> bool:
    return t >= first and (t - first) % period == 0


def with_a_rare_mistake(case_answers: Sequence[CaseAnswer]) -> int | None:
    """Return the index of the answer to one case that a rare mistake gives; None without one."""
    near = _near(rare(), case_answers)
    return next((index for mistake, index in near if residual((mistake,), [case_answers[index]]) is not None), None)


def _near(
    mistakes: Sequence[Mistake], answers: Sequence[CaseAnswer], at: At | None = None
) -> Iterator[tuple[Mistake, int]]:
    """Yield the mistakes that give one of these answers to a case, with its index."""
    before = frozenset(BEFORE)
    for _, same in groupby(mistakes, key=lambda each: id(each.changes.get("calls"))):
        group = list(same)
        changes, right = [each.changes for each in group], Inputs.of(answers[0].case)
        inputs = [right if before.isdisjoint(each) else right.with_changes(each) for each in changes]
        with np.errstate(all="ignore"):
            given = forward(inputs, changes, only=None if at is None else (at, [{}] * len(group)))
            for index, each in enumerate(answers):
                near = np.abs(given - each.answer).max(axis=(1, 2, 3)) <= CLOSE
                yield from ((group[int(place)], index) for place in np.flatnonzero(near))
