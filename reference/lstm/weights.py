"""The weights of one LSTM, and the two ways to cut them up: by gate, and into the exercise's eight Dense layers.

Keras keeps the weights of the four gates side by side in one array, in the column order of `GATES`. The exercise gives
every gate two Dense layers of its own, one for the input (X) and one for the hidden state (H). Keras has one bias per
gate where two Dense layers could have two, so the X layer carries it and the H layer has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reference.cell import Float32Array, Weights
from reference.lstm.definition import CELL

Scalar = TypeVar("Scalar", bound=np.generic)

GATES = CELL.gates  # Keras' column order: input, forget, candidate, output.
DENSE_LETTERS = {"i": "I", "f": "F", "g": "C", "o": "O"}  # The exercise calls the candidate C.


class LSTMWeights(Weights):
    """Weights of `tf.keras.layers.LSTM`: four gates, in the column order of `GATES`."""

    cell = CELL


@dataclass(frozen=True, eq=False)
class DenseWeights:
    """One `tf.keras.layers.Dense`: kernel ``(input_dim, units)``, bias ``(units,)`` or None for ``use_bias=False``."""

    kernel: Float32Array
    bias: Float32Array | None


def split_gates(array: NDArray[Scalar]) -> dict[str, NDArray[Scalar]]:
    """Split an array whose last axis holds all four gates into one array per gate.

    Args:
        array: ``(..., 4 * units)``: a kernel, a bias or a fused product, columns in the order of `GATES`.
    Returns:
        One ``(..., units)`` view per gate, keyed as in `GATES`.
    Raises:
        ValueError: the last axis does not divide by four.
    Source:
        keras.layers.LSTMCell.call, which splits the fused product on its last axis.
    """
    return dict(zip(GATES, np.split(array, len(GATES), axis=-1), strict=True))


def dense_layers(weights: LSTMWeights) -> dict[str, DenseWeights]:
    """Cut fused weights into the exercise's eight Dense layers, fcXI fcHI fcXF fcHF fcXC fcHC fcXO fcHO.

    Returns:
        Views. The X layers are ``(features, units)`` with a bias, the H layers ``(units, units)`` without.
    """
    kernels, recurrent_kernels = split_gates(weights.kernel), split_gates(weights.recurrent_kernel)
    biases = split_gates(weights.bias)
    layers = {}
    for gate, letter in DENSE_LETTERS.items():
        layers[f"fcX{letter}"] = DenseWeights(kernels[gate], biases[gate])
        layers[f"fcH{letter}"] = DenseWeights(recurrent_kernels[gate], None)
    return layers
