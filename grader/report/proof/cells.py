"""The map of every number: one cell per timestep and unit, by how far the student's is off."""

import csv
import io
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from grader.report.artefacts import CaseArrays

#: Lower ends of the levels above the tolerance; NaN and infinity are a level of their own, the last one.
LEVELS = (0.0, 1e-3, 1e-2, 1e-1)
LOST = len(LEVELS) + 1
# More cells than this are not drawn: the table has every unit, and the download every number.
MOST_CELLS = 20_000


@dataclass(frozen=True)
class UnitErrors:
    """One unit over all sequences: the largest error (None: NaN or infinite), and the timesteps that are wrong."""

    unit: int
    largest: float | None
    wrong_steps: int
    first_wrong: int | None


@dataclass(frozen=True)
class Cells:
    """The map.

    Args:
        paths: each level that occurs, and its cells as a path in a box of `steps` by `units`. Empty: too many cells.
    """

    steps: int
    units: int
    paths: tuple[tuple[int, str], ...]
    by_unit: tuple[UnitErrors, ...]


def map_of(arrays: CaseArrays, *, atol: float, rtol: float) -> Cells:
    """Draw the map of a case: the largest error over all sequences counts."""
    expected = arrays.expected.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(arrays.actual.astype(np.float64) - expected)
    within = error <= atol + rtol * np.abs(expected)
    levels = np.where(within, 0, np.digitize(error, LEVELS))
    levels = np.where(np.isfinite(error), levels, LOST).max(axis=0)
    steps, units = levels.shape
    return Cells(
        steps,
        units,
        tuple(_paths(levels)) if levels.size <= MOST_CELLS else (),
        tuple(_of_unit(unit, error[:, :, unit], within[:, :, unit]) for unit in range(units)),
    )


def _paths(levels: NDArray[np.intp]) -> list[tuple[int, str]]:
    drawn: dict[int, list[str]] = {}
    for unit, row in enumerate(levels.T.tolist()):
        step = 0
        for level, run in groupby(row):
            length = len(list(run))
            drawn.setdefault(level, []).append(f"M{step} {unit}h{length}v1h-{length}z")
            step += length
    return [(level, "".join(drawn[level])) for level in sorted(drawn)]


def _of_unit(unit: int, error: NDArray[np.float64], within: NDArray[np.bool_]) -> UnitErrors:
    wrong = np.flatnonzero(~within.all(axis=0))
    largest = float(error.max())
    return UnitErrors(
        unit, largest if np.isfinite(largest) else None, len(wrong), int(wrong[0]) if len(wrong) else None
    )


def numbers_csv(arrays: CaseArrays) -> str:
    """Write every number of a case as CSV, in order of sequence, timestep and unit."""
    named = {} if arrays.named is None else {"mistake": arrays.named}
    columns = {"keras": arrays.expected, "yours": arrays.actual, **named}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sequence", "timestep", "unit", *columns])
    flat = zip(*(array.ravel().tolist() for array in columns.values()), strict=True)
    for at, values in zip(np.ndindex(arrays.expected.shape), flat, strict=True):
        writer.writerow([*at, *(f"{value:.8g}" for value in values)])
    return text.getvalue()
