"""Mistakes that are made in some steps alone, such as behind an ``if`` on the first one, and rare ones in all steps.

They are tried on the first steps of one case, all at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from grader.numerics.case_answers import CaseAnswer, residual
from reference.lstm.misconceptions import Mistake, bank, rare, sometimes
from reference.lstm.misconceptions.computation import BEFORE, STEP, At, Inputs, apply_after, forward

# So many wrong steps tell which mistakes are worth a replay.
FEW = 3
# A mistake that first shows later than this is not looked for.
MOST_LATE = 10
# A rare mistake shows by this step: a mean of all h so far is first another one after two.
LATEST_RARE = 2
CLOSE = 1e-4


def step_suspects(case_answers: Sequence[CaseAnswer]) -> Iterator[Mistake]:
    """Yield rare mistakes, and those of the bank that are made in one step alone, from one on, or in every n-th."""
    wrong = [~(np.abs(each.answer - each.case.expected) <= CLOSE).all(axis=(0, 2)) for each in case_answers]
    late = min(int(steps.argmax()) if steps.any() else MOST_LATE + 1 for steps in wrong)
    tried = list(_some_steps(late))
    cut = (each.first_steps(late + count) for each in case_answers for count in (FEW, FEW + 1))
    few = next((each for each in cut if each is not None), None) if late <= MOST_LATE else None
    if not any(steps[:-1].any() for steps in wrong):
        ends = (each for each, steps in zip(case_answers, wrong, strict=True) if len(steps) > 1 and steps.any())
        tried, few = [({"steps": "last"}, lambda t, count: t == count - 1)], next(ends, None)
    elif late <= LATEST_RARE and few is not None:
        yield from (mistake for mistake, _ in _near(rare(), [few]))
    if few is None:
        return
    singles = [each for each in bank() if "calls" not in each.changes and each.changes.keys() <= set(STEP)]
    # Among those with the same numbers in these steps, the one that spoils least is meant.
    singles = [*sometimes(), *sorted(singles, key=lambda each: (len(each.wrong), len(each.changes)))]
    for params, at in tried:
        for each, _ in _near(singles, [few], at):
            yield replace(each, params={**each.params, **params}, at=at)


def _some_steps(late: int) -> Iterator[tuple[dict[str, Any], At]]:
    """Yield the steps in which a mistake may be made that first shows in this one, as a report names them."""
    if late <= 1:
        # The answer of the first step may be right, and the states that it passes on wrong.
        yield {"steps": "first"}, lambda t, count: t == 0
    for first in range(max(late - 1, min(late, 1)), late + 1):
        period = max(late, 2)
        yield {"steps": "every", "first": first, "period": period}, partial(_in_every, first, period)
        if first:
            yield {"steps": "from", "first": first}, partial(_in_every, first, 1)


def _in_every(first: int, period: int, t: int, *_: int) -> bool:
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
            for number, made in enumerate(changes):
                given[number] = apply_after(made, given[number : number + 1], answers[0].case.x)[0]
            for index, each in enumerate(answers):
                near = np.abs(given - each.answer).max(axis=(1, 2, 3)) <= CLOSE
                yield from ((group[int(place)], index) for place in np.flatnonzero(near))
