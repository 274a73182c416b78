"""Comparison of a right answer's gradients with those of the layer: trainability as a number.

The run returns the gradients of a sum of its answer times given factors. The oracle's backpropagation through time
gives the expected ones. A gradient that is stopped somewhere, or that leaves TensorFlow, has other numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference import Case
from reference.cell import Gradients

Array = NDArray[np.floating]

# Share of the largest gradient in an array. Right answers are off by at most 4.1e-7 over a hundred
# steps; one state cut once, between any two steps, is off by at least 2.2e-2.
TOLERANCE = 1e-4
DECIMALS = 12
WEIGHTS = ("kernel", "recurrent_kernel", "bias")


@dataclass(frozen=True)
class Backpropagation:
    """A comparison of an answer's gradients with the oracle's.

    Args:
        error: the largest difference, as a share of the largest gradient in its array.
        wrong: the gradients that differ, such as ``kernel i``, or ``kernel`` for all gates; ``x`` for the input.
        stopped: the state through which no gradient goes from step to step, if that explains all: ``h`` or ``c``.
        steps: number of last steps that the gradient of the last output reaches, if it does not reach the first.
    """

    error: float
    wrong: tuple[str, ...] = ()
    stopped: str | None = None
    steps: int | None = None


def factors(case: Case, random: np.random.Generator) -> Array:
    """Draw the factors for a case's answer, in its shape. In the first row only the last step counts.

    They are secret, so that even published numbers have other gradients in each attempt.
    """
    drawn = random.uniform(0.5, 1.5, case.expected.shape) * random.choice([-1, 1], case.expected.shape)
    drawn[0, :-1] = 0
    result: Array = drawn.astype(np.float32)
    return result


def judge(case: Case, gradients: Mapping[str, Array]) -> Backpropagation:
    """Compare an answer's gradients with those that follow from the definition for their ``factors``.

    Args:
        gradients: under the names of `reference.cell.Gradients`.
    """
    given = gradients["factors"]
    expected, gates = case.weights.gradients(case.x, given), case.weights.cell.gates
    error, wrong = _differences(expected, gradients, gates)
    if not wrong:
        return Backpropagation(error)
    for stopped in case.weights.cell.states:
        through = "".join(state for state in case.weights.cell.states if state != stopped)
        if not _differences(case.weights.gradients(case.x, given, through=through), gradients, gates)[1]:
            return Backpropagation(error, wrong, stopped=stopped)
    # With right gradients of all weights, none is lost between steps: x alone left TensorFlow.
    steps = None if wrong == ("x",) else _steps_reached(expected.x, gradients["x"])
    return Backpropagation(error, wrong, steps=steps)


def _steps_reached(expected: Array, gradients: Array) -> int | None:
    """Count the last steps that the gradient of the last output reaches; None: all that it should."""
    if gradients.shape != expected.shape:
        return None
    reached = (gradients[0] != 0).any(axis=-1)
    missed = ~reached & (expected[0] != 0).any(axis=-1)
    return int(np.count_nonzero(reached)) if missed[0] else None


def _differences(
    expected: Gradients, gradients: Mapping[str, Array], gates: Sequence[str]
) -> tuple[float, tuple[str, ...]]:
    worst, wrong = 0.0, []
    for name in ("x", *WEIGHTS):
        want, have = getattr(expected, name), gradients[name]
        if have.shape != want.shape:
            return np.inf, (name,)
        parts = {"x": (want, have)}
        if name in WEIGHTS:
            columns = [np.split(each, len(gates), axis=-1) for each in (want, have)]
            parts = {f"{name} {gate}": pair for gate, *pair in zip(gates, *columns, strict=True)}
        scale = np.abs(want).max()
        differ = []
        for part, (one, other) in parts.items():
            with np.errstate(invalid="ignore", over="ignore"):
                error = float(np.abs(other - one).max() / scale) if scale else 0.0
            worst = max(worst, error, key=lambda value: (np.isnan(value), value))
            if not error <= TOLERANCE:
                differ.append(part)
        wrong += [name] if len(differ) == len(parts) else differ
    # Sums in float64 end differently by where their arrays lie in memory, and a report is to be the same each time.
    return round(worst, DECIMALS), tuple(wrong)
