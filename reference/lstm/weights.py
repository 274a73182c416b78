"""The weights of one LSTM by gate, and the letters of the exercise's eight Dense layers.

Keras keeps the weights of the four gates side by side in one array, in the column order of `GATES`. The exercise gives
every gate two Dense layers of its own, one for the input (X) and one for the hidden state (H). Keras has one bias per
gate where two Dense layers could have two, so the X layer carries it and the H layer has none.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reference.cell import Weights
from reference.lstm.definition import CELL

Scalar = TypeVar("Scalar", bound=np.generic)

GATES = CELL.gates  # Keras' column order: input, forget, candidate, output.
DENSE_LETTERS = {"i": "I", "f": "F", "g": "C", "o": "O"}  # The exercise calls the candidate C.


class LSTMWeights(Weights):
    """Weights of `tf.keras.layers.LSTM`: four gates, in the column order of `GATES`."""

    cell = CELL


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
