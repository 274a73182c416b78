"""One curve over the timesteps, as shapes for an SVG that a template writes.

Lines are in a box of `WIDTH` by `HEIGHT` that is stretched to the width of the page; whatever must keep its shape
(marks, numbers at the axes) is placed across in percent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

WIDTH, HEIGHT = 1000, 220
# Room above the lines for the label of the first wrong timestep.
ABOVE, BELOW = 18, 8
#: Distance of two labels at the right edge, in the units of `HEIGHT`.
LABEL = 17
FEWEST_MARKS, TICKS = 12, 5
# Outputs of the layer stay below 1. An answer that goes further than this times what Keras spans is cut off.
FARTHEST = 4.0


@dataclass(frozen=True)
class Line:
    """One line, in pieces between the numbers that are not finite.

    Args:
        id: ``keras``, ``yours`` or ``named``.
        pieces: points of polylines.
        marks: places of the marks on it: percent across, and down.
        label: how far down its label is.
    """

    id: str
    pieces: tuple[str, ...]
    marks: tuple[tuple[float, float], ...]
    label: float


@dataclass(frozen=True)
class Curve:
    """Shapes of the lines and the axes.

    Args:
        across, down: numbers at the axes: place, value. Across in percent.
        wrong: percent across of the first wrong timestep.
        not_finite: percent across of the numbers of the student's that are not finite.
        is_cut: whether a line goes beyond the picture.
    """

    lines: tuple[Line, ...]
    across: tuple[tuple[float, int], ...]
    down: tuple[tuple[float, float], ...]
    wrong: float
    not_finite: tuple[float, ...]
    is_cut: bool


def draw(keras: Array, yours: Array, named: Array | None, wrong: int) -> Curve:
    """Draw numbers by timestep, each ``(timesteps,)``.

    Args:
        wrong: the first wrong timestep.
    """
    curves = {"keras": keras, "yours": yours} | ({} if named is None else {"named": named})
    values = {id: np.asarray(line, np.float64) for id, line in curves.items()}
    low, high, is_cut = _limits(values)
    steps = len(keras)

    def across(step: int) -> float:
        return round(100 * step / max(1, steps - 1), 2)

    def down(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - BELOW - share * (HEIGHT - ABOVE - BELOW), 1)

    every = max(1, round(steps / FEWEST_MARKS))
    ends = {id: down(_last(line)) for id, line in values.items()}
    labels = _spread_labels(ends)
    lines = tuple(
        Line(
            id,
            tuple(
                " ".join(f"{across(step) * WIDTH / 100:g},{down(line[step]):g}" for step in piece)
                for piece in _pieces(line)
            ),
            tuple((across(step), down(line[step])) for step in range(0, steps, every) if math.isfinite(line[step])),
            labels[id],
        )
        for id, line in values.items()
    )
    return Curve(
        lines,
        tuple((across(step), step) for step in _round_steps(steps)),
        tuple((down(value), value) for value in _round_values(low, high)),
        across(wrong),
        tuple(across(step) for step in range(steps) if not math.isfinite(values["yours"][step])),
        is_cut,
    )


def _limits(values: Mapping[str, Array]) -> tuple[float, float, bool]:
    right = values["keras"]
    low, high = float(right.min()), float(right.max())
    room = FARTHEST * max(high - low, 0.1)
    finite = np.concatenate([line[np.isfinite(line)] for line in values.values()])
    lowest, highest = float(finite.min()), float(finite.max())
    bottom, top = max(lowest, low - room), min(highest, high + room)
    if top - bottom < 1e-6:
        bottom, top = bottom - 0.05, top + 0.05
    return bottom, top, lowest < bottom or highest > top


def _last(line: Array) -> float:
    finite = line[np.isfinite(line)]
    return float(finite[-1]) if len(finite) else 0.0


def _spread_labels(places: dict[str, float]) -> dict[str, float]:
    """Move labels so far apart that they can be read, in their order, inside the picture."""
    ordered = sorted(places, key=places.__getitem__)
    moved: dict[str, float] = {}
    least: float = ABOVE / 2
    for id in ordered:
        moved[id] = least = max(places[id], least)
        least += LABEL
    most: float = HEIGHT - BELOW / 2
    for id in reversed(ordered):
        moved[id] = most = min(moved[id], most)
        most -= LABEL
    return {id: round(place, 1) for id, place in moved.items()}


def _pieces(line: Array) -> list[list[int]]:
    pieces: list[list[int]] = [[]]
    for step, value in enumerate(line):
        if math.isfinite(value):
            pieces[-1].append(step)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _round_steps(steps: int) -> Sequence[int]:
    every = max(1, int(_round_number((steps - 1) / TICKS)))
    return range(0, steps, every)


def _round_values(low: float, high: float) -> list[float]:
    every = _round_number((high - low) / TICKS)
    first, last = math.ceil(low / every - 1e-9), math.floor(high / every + 1e-9)
    return [round(every * at, 10) for at in range(first, last + 1)]


def _round_number(value: float) -> float:
    """Return the next of 1, 2 and 5, times a power of ten, that is not smaller."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-12)))
    return next((digit * power for digit in (1, 2, 5) if digit * power >= value * (1 - 1e-9)), 10 * power)
