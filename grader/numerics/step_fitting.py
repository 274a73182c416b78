"""Mistakes that are made in some steps alone, such as behind an ``if`` on the first one, and rare ones in all steps.

They are tried on the first steps of one case, all at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.case_answers import CaseAnswer, residual
from reference.lstm.misconceptions import Mistake, bank, rare, sometimes
from reference.lstm.misconceptions.computation import BEFORE, STEP, At, Inputs, forward

# So many wrong steps tell which mistakes are worth a replay.
FEW = 3
# A mistake that first shows later than this is not looked for.
MOST_LATE = 10
CLOSE = 1e-4
#: Steps, as a report names them.
STEPS: Mapping[str, At] = {
    "first": lambda t, count: t == 0,
    "later": lambda t, count: t > 0,
    "even": lambda t, count: t % 2 == 0,
    "odd": lambda t, count: t % 2 == 1,
}


def step_suspects(case_answers: Sequence[CaseAnswer]) -> Iterator[Mistake]:
    """Yield rare mistakes, and those of the bank that are made in one step alone, in all others, or in every n-th."""
    wrong = [_wrong_steps(each) for each in case_answers]
    late = min(int(steps.argmax()) if steps.any() else MOST_LATE + 1 for steps in wrong)
    tried = list(_some_steps(late))
    cut = (each.first_steps(late + count) for each in case_answers for count in (FEW, FEW + 1))
    few = next((each for each in cut if each is not None), None) if late <= MOST_LATE else None
    if not any(steps[:-1].any() for steps in wrong):
        ends = (each for each, steps in zip(case_answers, wrong, strict=True) if len(steps) > 1 and steps.any())
        tried, few = [({"steps": "last"}, _in_last)], next(ends, None)
    elif late <= 1 and few is not None:
        yield from (mistake for mistake, _ in _near(rare(), [few]))
    if few is None:
        return
    singles = [each for each in bank() if "calls" not in each.changes and each.changes.keys() <= set(STEP)]
    # Among those with the same numbers in these steps, the one that spoils least is meant.
    singles = [*sometimes(), *sorted(singles, key=lambda each: (len(each.wrong), len(each.changes)))]
    for params, at in tried:
        for each, _ in _near(singles, [few], at):
            yield replace(each, params={**each.params, **params}, at=at)


def _wrong_steps(each: CaseAnswer) -> NDArray[np.bool_]:
    wrong: NDArray[np.bool_] = ~(np.abs(each.answer - each.case.expected) <= CLOSE).all(axis=(0, 2))
    return wrong


def _some_steps(late: int) -> Iterator[tuple[dict[str, Any], At]]:
    """Yield the steps in which a mistake may be made that first shows in this one."""
    if late <= 1:
        # The answer of the first step may be right, and the states that it passes on wrong.
        fit = [name for name, at in STEPS.items() if name == "first" or at(0, FEW) == (late == 0)]
        yield from (({"steps": name}, STEPS[name]) for name in fit)
        return
    for first in (late - 1, late):
        yield {"steps": "every", "first": first, "period": late}, partial(_in_every, first, late)
        yield {"steps": "from", "first": first}, partial(_in_every, first, 1)


def _in_every(first: int, period: int, t: int, *_: int) -> bool:
    return t >= first and (t - first) % period == 0


def _in_last(t: int, count: int) -> bool:
    return t == count - 1


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
