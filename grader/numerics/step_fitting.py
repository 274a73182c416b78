"""Mistakes that are made in some steps alone, such as behind an ``if`` on the first one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from grader.numerics.case_answers import CaseAnswer
from reference.lstm.misconceptions import Mistake, bank
from reference.lstm.misconceptions.computation import STEP, Inputs, forward

# So many first steps tell which mistakes are worth a replay.
FEW = 3
CLOSE = 1e-4
#: Steps, as a report names them.
STEPS: Mapping[str, Callable[[int], bool]] = {
    "first": lambda t: t == 0,
    "later": lambda t: t > 0,
    "even": lambda t: t % 2 == 0,
    "odd": lambda t: t % 2 == 1,
}


def step_suspects(question: CaseAnswer) -> Iterator[Mistake]:
    """Yield mistakes of the bank that are made in the first step alone, in all others, or in every second one."""
    few = question.first_steps(FEW)
    if few is None or few.residual(()) is not None:
        return
    singles = [each for each in bank() if "calls" not in each.changes and each.changes.keys() <= set(STEP)]
    # Among those with the same numbers in these steps, the one that spoils least is meant.
    singles.sort(key=lambda each: len(each.wrong))
    inputs, changes = [Inputs.of(few.case)] * len(singles), [each.changes for each in singles]
    usual: list[dict[str, Any]] = [{}] * len(singles)
    begins_wrong = np.abs(few.answer[:, 0] - few.case.expected[:, 0]).max() > CLOSE
    for name, at in STEPS.items():
        # The answer of the first step may be right, and the states that it passes on wrong.
        if at(0) != begins_wrong and name != "first":
            continue
        with np.errstate(all="ignore"):
            answers = forward(inputs, changes, only=(at, usual))
            near = np.abs(answers - few.answer).max(axis=(1, 2, 3)) <= CLOSE
        for single in (singles[int(index)] for index in np.flatnonzero(near)):
            yield replace(single, params={**single.params, "steps": name}, at=at)
