"""The LSTM in float64, from its definition (`reference.cell`), with what is inside of its steps.

Keras computes the same in float32 with other code; each checks the other (`reference.store`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.cell import Float32Array, Weights
from reference.lstm.definition import CELL
from reference.lstm.weights import GATES

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LSTMTrace:
    """Hidden state `h` and cell state `c` after every timestep, each ``(batch, timesteps, units)``.

    Attributes:
        gates: their values at every timestep, in the same shape, keyed as in `reference.lstm.weights.GATES`.
    """

    h: Float64Array
    c: Float64Array
    gates: dict[str, Float64Array]


def lstm_forward(x: Float32Array, weights: Weights) -> LSTMTrace:
    """Run the LSTM over `x`, ``(batch, timesteps, features)``, from zero states."""
    found = CELL.forward(x.astype(np.float64), weights.layers())
    return LSTMTrace(found["h_new"], found["c_new"], {gate: found[gate] for gate in GATES})


def cell_states(gates: Mapping[str, Float64Array]) -> Float64Array:
    """Return c after every step, from the gates of every step, ``(batch, timesteps, units)``, and c = 0 before."""
    states = np.empty_like(gates["i"])
    c = np.zeros_like(states[:, 0])
    for t in range(states.shape[1]):
        states[:, t] = c = CELL.formulas["c_new"]({"c": c, **{gate: gates[gate][:, t] for gate in "ifg"}})
    return states
