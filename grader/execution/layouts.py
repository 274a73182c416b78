"""Finds the layout of weights that no gradient reaches, because NumPy stands between them and the answer.

Each layout that somebody could write is tried on the smallest case: its numbers stand in one array or in several, each
with the axes of rows, gates and units in some order. With weights that are the same in all gates the order of gates
makes no difference, so that one run finds the axes and another one the gates. Nothing else is believed than an answer
that is right.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grader.execution.recognition import Places
from reference import GATES, Case, LSTMWeights
from reference.drawing import oracle_case

Array = NDArray[np.floating]

# Orders of gates that a class may name; each asks all layouts once more.
MOST_ORDERS = 3


@dataclass(frozen=True)
class Layout:
    """The order of the numbers in a model's weights.

    Args:
        blocks: the arrays, one after the other, each with its rows: ``x`` of features, ``h`` of units, ``1`` of biases.
        axes: the order of the axes of each array; 0 is the rows, 1 the gates, 2 the units.
        gates: in their order.
    """

    blocks: tuple[str, ...]
    axes: tuple[int, ...]
    gates: tuple[str, ...] = GATES

    def places(self, features: int, units: int) -> Places:
        """Return where each number stands in the weights of the Keras layer, flat and one after the other."""
        rows = {
            "x": range(features),
            "h": range(features, features + units),
            "1": range(features + units, features + units + 1),
        }
        gates = np.array([GATES.index(gate) for gate in self.gates])
        found = []
        for block in self.blocks:
            row = np.array([each for part in block for each in rows[part]])
            grid = (row[:, None, None] * len(GATES) + gates[:, None]) * units + np.arange(units)
            found.append(grid.transpose(self.axes).ravel())
        return np.concatenate(found).astype(np.int32)


def layouts() -> list[Layout]:
    """List the layouts that differ in more than the order of gates."""
    axes = list(itertools.permutations(range(3)))
    ordered = [
        Layout(tuple(filter(None, (parts[:first], parts[first:last], parts[last:]))), each)
        for parts in map("".join, itertools.permutations("xh1"))
        for first in range(1, 4)
        for last in range(first, 4)
        for each in axes
    ]
    return list({each.places(3, 2).tobytes(): each for each in ordered}.values())


def in_all_orders(layout: Layout) -> list[Layout]:
    """Return the layout with the gates in each of their orders."""
    return [replace(layout, gates=gates) for gates in itertools.permutations(GATES)]


def identity(case: Case) -> Places:
    """Return places by which a model's numbers are those of the question, one after the other."""
    return np.arange((case.spec.features + case.spec.units + 1) * len(GATES) * case.spec.units, dtype=np.int32)


def alike(case: Case) -> Case:
    """Return the case with the same weights in all gates."""
    weights = case.weights
    arrays = (weights.kernel, weights.recurrent_kernel, weights.bias)
    alike = LSTMWeights(*(np.tile(each[..., : weights.units], len(GATES)) for each in arrays))
    return oracle_case(replace(case.spec, id=f"{case.spec.id}-alike"), case.x, alike)


def questions(
    case: Case, tried: Sequence[Layout], unpack_names: Sequence[Sequence[str]]
) -> Iterator[tuple[Layout, Case]]:
    """Yield a question for each layout: its weights are those of the case, if the model's numbers stand like this.

    Args:
        unpack_names: names that the student unpacks gates into. The box gives each gate the numbers of the gate that it
            is named after, which must be undone.
    """
    weights = case.weights
    flat = np.concatenate([each.ravel() for each in (weights.kernel, weights.recurrent_kernel, weights.bias)])
    sizes = weights.features, weights.units
    named = list(dict.fromkeys([GATES, *filter(None, map(_order_of, unpack_names))]))[:MOST_ORDERS]
    for number, (layout, order) in enumerate(itertools.product(tried, named)):
        numbers = np.empty_like(flat)
        numbers[Layout(("xh1",), (0, 1, 2), order).places(*sizes)] = flat[layout.places(*sizes)]
        kernel, recurrent_kernel, bias = np.split(
            numbers, np.cumsum([weights.kernel.size, weights.recurrent_kernel.size])
        )
        laid_out = LSTMWeights(
            kernel.reshape(weights.kernel.shape), recurrent_kernel.reshape(weights.recurrent_kernel.shape), bias
        )
        yield layout, replace(case, spec=replace(case.spec, id=f"{case.spec.id}-{number}"), weights=laid_out)


def _order_of(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the gates that four names stand for; the one that begins with another letter is the candidate."""
    letters = [name[:1].lower() for name in names]
    gates = tuple(letter if letter in "ifo" else "g" for letter in letters)
    return gates if sorted(gates) == sorted(GATES) else None
