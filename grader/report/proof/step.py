"""The first wrong step of a public case in numbers: of Keras, of the named mistake, and of the student's own h."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from grader.report.finding import Number
from grader.report.model import ReportModel
from reference import GATES

Array = NDArray[np.floating]

#: The quantities of a step, in the order in which they are computed.
QUANTITIES = ("h_before", "c_before", *GATES, "c", "h", "answer")


class Position(NamedTuple):
    """Indices of one number in an array ``(batch, timesteps, units)``."""

    batch: int
    timestep: int
    unit: int


class WorkedStep(ReportModel):
    """One step of one unit. ``h_before`` and ``c_before`` come from the step before, ``answer`` is what is returned.

    Args:
        keras: `QUANTITIES` of the float64 oracle.
        named: the same of the named mistake. None: no known mistake gives these numbers, or not with gates of its own.
        actual: the student's own number, all that the box returns.
        begins: where the two differ first: in the states from the step before, in gates, in the formula of c or of h,
            or only in what is returned.
        wrong: the quantities that differ there.
        formulas: those of ``c`` and ``h`` in the named mistake, where one gives its numbers.
    """

    batch: int
    timestep: int
    unit: int
    keras: dict[str, Number]
    named: dict[str, Number] | None = None
    actual: Number
    begins: Literal["before", "gates", "c", "h", "answer"] | None = None
    wrong: list[str] = Field([])
    formulas: dict[str, str] = Field({})

    @property
    def position(self) -> Position:
        return Position(self.batch, self.timestep, self.unit)


def position_to_show(actual: Array, expected: Array, *, atol: float, rtol: float) -> Position | None:
    """Find the number to look at: of those wrong at the first wrong timestep, the one whose unit differs most later on.

    Args:
        actual, expected: ``(batch, timesteps, units)``.
    Returns:
        None when nothing is wrong.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        error = np.where(np.isnan(error), np.inf, error)
    wrong = error > atol + rtol * np.abs(expected.astype(np.float64))
    if not wrong.any():
        return None
    timestep = int(np.argmax(wrong.any(axis=(0, 2))))
    largest = np.where(wrong[:, timestep], error.max(axis=1), -1.0)
    batch, unit = np.unravel_index(int(np.argmax(largest)), largest.shape)
    return Position(int(batch), timestep, int(unit))
