"""Questions at the edge of a layer's domain, which no assignment has to list: padding, one row, one step.

A class that skips steps of zeros, or counts on more than one row or step, is right on random numbers. One that masks
steps by the sign of x is right or wrong by chance, unless a step of one sign is certain.
"""

from dataclasses import replace

import numpy as np

from reference.cases import Case, CaseSpec
from reference.cell import Weights
from reference.drawing import draw, oracle_case
from reference.lstm.weights import LSTMWeights

# The largest sum that x alone drives a gate to. With h and a bias it stays below 44, from where a hand-written tanh
# overflows: whether such a class is right would else depend on the drawn numbers.
SATURATING = 30.0
# Timesteps in which a cell state grows past 5. On other inputs it hardly passes 2, and a class may clip it unseen.
GROWTH = 7


def edge_cases(spec: CaseSpec, random: np.random.Generator, kind: type[Weights] = LSTMWeights) -> tuple[Case, ...]:
    """Return questions for the layer of a case, with drawn numbers and the oracle's answers.

    Their categories are ``edge-zeros`` (one row, with steps of zeros in the middle and at the end, and steps of one
    sign), ``edge-values`` (a row of zeros alone, one that saturates gates and has a cell state grow at each step, a
    constant and a negative one) and ``edge-step`` (one timestep).
    """
    weights = draw(replace(spec, values="usual", scale=1.0), random, kind).weights

    def edge(category: str, x: np.ndarray) -> Case:
        asked = replace(spec, id=category, visibility="hidden", category=category, batch=len(x), timesteps=x.shape[1])
        return oracle_case(asked, x.astype(np.float32), weights)

    def numbers(batch: int, timesteps: int) -> np.ndarray:
        return random.standard_normal((batch, timesteps, spec.features))

    padded = numbers(1, 4)
    padded[:, [1, 3]] = 0
    padded[:, 0], padded[:, 2] = -np.abs(padded[:, 0]), np.abs(padded[:, 2])
    # As many rows as the case has: TensorFlow prepares each product of other sizes, which costs milliseconds.
    rows = numbers(max(spec.batch, 4), GROWTH)
    rows[1] *= SATURATING / np.abs(rows[1] @ weights.kernel).max()
    rows[1, :-1] = _opening(weights.kernel, spec.units)
    rows[0], rows[2], rows[3] = 0, 1, -np.abs(rows[3])
    return edge("edge-zeros", padded), edge("edge-values", rows), edge("edge-step", numbers(spec.batch, 1))


def _opening(kernel: np.ndarray, units: int) -> np.ndarray:
    """Return the x, ``(features,)``, that opens all gates of one unit, that in which it can open them widest."""
    gates = kernel.reshape(len(kernel), -1, units).transpose(2, 1, 0)
    opening = np.linalg.pinv(gates).sum(axis=2)
    opening *= SATURATING / np.abs(opening @ kernel).max(axis=1, keepdims=True)
    widths = np.einsum("ugf,uf->ug", gates, opening).min(axis=1)
    widest: np.ndarray = opening[widths.argmax()]
    return widest
