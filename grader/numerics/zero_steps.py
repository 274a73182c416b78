"""Treatments of timesteps whose x is all zeros, which only questions with such steps show."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from grader.numerics.case_answers import TOLERANCE
from reference import Case, LSTMWeights
from reference.lstm.misconceptions import Mistake, at_zero_steps, replay


def zero_step_mistake(answers: Sequence[tuple[Case, NDArray[np.floating]]]) -> Mistake | None:
    """Return the treatment that gives all of these answers, of which one at least is wrong.

    A class looks for zeros in each row, or for steps that are zeros in all rows; and may stop at the first of them.
    """
    if not all(isinstance(case.weights, LSTMWeights) for case, _ in answers):
        return None  # treatments of another cell are not known
    for mistake in at_zero_steps():
        for by_row in (True, False):
            if all(_gives(mistake, case, answer, by_row) for case, answer in answers):
                return mistake
    return None


def _gives(mistake: Mistake, case: Case, answer: NDArray[np.floating], by_row: bool) -> bool:
    for rows in [slice(row, row + 1) for row in range(len(case.x))] if by_row else [slice(None)]:
        x, expected = case.x[rows], case.expected[rows]
        at_zeros = np.asarray(~x.any(axis=(0, 2)))
        if mistake.params["variant"] == "stops":
            at_zeros = np.logical_or.accumulate(at_zeros)
        made = replace(mistake, at=partial(_is_among, at_zeros))
        part = Case(replace(case.spec, batch=len(x)), x, case.weights, expected)
        if answer[rows].shape != expected.shape or not (np.abs(replay([made], part) - answer[rows]) <= TOLERANCE).all():
            return False
    return True


def _is_among(steps: NDArray[np.bool_], t: int, *_: int) -> bool:
    return bool(steps[t])
