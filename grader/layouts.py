"""Answers of another shape than the one asked for, read as what they may have been meant to be.

A shape that is wrong is a mistake by itself; the numbers, put where they belong, may show another one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layout:
    """One way to read an answer.

    Args:
        read: the answer to ``(batch, timesteps, units)``, NaN where there is none; None when it has no such shape.
        implied: names of mistakes that give this shape, and are no other mistake then.
    """

    read: Callable[[Array, Shape], Array | None]
    implied: frozenset[str] = frozenset()


def _permuted(axes: tuple[int, ...]) -> Callable[[Array, Shape], Array | None]:
    def read(answer: Array, shape: Shape) -> Array | None:
        fits = answer.ndim == 3 and tuple(answer.shape[axis] for axis in axes) == shape
        return answer.transpose(axes) if fits else None

    return read


def _cut(first: str) -> Callable[[Array, Shape], Array | None]:
    """Two axes that were made one: steps of rows, rows of steps, or units of steps."""

    def read(answer: Array, shape: Shape) -> Array | None:
        batch, timesteps, units = shape
        if first == "units" and answer.shape == (batch, timesteps * units):
            return answer.reshape(shape)
        if first != "units" and answer.shape == (batch * timesteps, units):
            return answer.reshape(shape) if first == "rows" else answer.reshape(timesteps, batch, units).swapaxes(0, 1)
        return None

    return read


def _steps(which: Callable[[int], list[int]], *, squeezed: bool = False) -> Callable[[Array, Shape], Array | None]:
    """Only some steps are there, in this order."""

    def read(answer: Array, shape: Shape) -> Array | None:
        batch, timesteps, units = shape
        steps = which(timesteps)
        if answer.shape != ((batch, units) if squeezed else (batch, len(steps), units)):
            return None
        filled = np.full(shape, np.nan, answer.dtype)
        filled[:, steps] = answer.reshape(batch, len(steps), units)
        return filled

    return read


LAYOUTS = (
    *(Layout(_permuted(axes)) for axes in itertools.permutations(range(3))),
    *(Layout(_cut(first)) for first in ("steps", "rows", "units")),
    Layout(_steps(lambda n: [n - 1], squeezed=True)),
    Layout(_steps(lambda n: [0], squeezed=True)),
    Layout(_steps(lambda n: [0])),
    Layout(_steps(lambda n: [n - 1])),
    Layout(_steps(lambda n: list(range(n - 1)))),
    Layout(_steps(lambda n: list(range(1, n)))),
    # The loop begins with the second step, and what it answers there is the first answer.
    Layout(_steps(lambda n: list(range(n - 1))), frozenset({"next x, the last twice"})),
    Layout(_steps(lambda n: list(range(0, n, 2))), frozenset({"every second step, each twice"})),
)


def read_as(layout: Layout, answers: Mapping[str, Array], shapes: Mapping[str, Shape]) -> dict[str, Array] | None:
    """All answers in this layout; None when one of them has another shape."""
    read = {}
    for case, answer in answers.items():
        array = layout.read(answer, shapes[case])
        if array is None:
            return None
        read[case] = array
    return read
