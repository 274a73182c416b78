"""What an LSTM computes, in float64 NumPy, one timestep at a time.

For input x_t, and h_0 = c_0 = 0, with * the elementwise and @ the matrix product::

    i_t = sigmoid(x_t @ W_i + h_{t-1} @ U_i + b_i)      input gate
    f_t = sigmoid(x_t @ W_f + h_{t-1} @ U_f + b_f)      forget gate
    g_t =    tanh(x_t @ W_g + h_{t-1} @ U_g + b_g)      candidate
    o_t = sigmoid(x_t @ W_o + h_{t-1} @ U_o + b_o)      output gate
    c_t = f_t * c_{t-1} + i_t * g_t                     cell state
    h_t = o_t * tanh(c_t)                               hidden state, the output

W is the kernel, U the recurrent kernel and b the bias. Keras computes the same in float32 with other code; each is the
check of the other (`reference.store`).

Source: Gers, Schmidhuber and Cummins, "Learning to Forget" (2000); keras.layers.LSTMCell.call for the weights' layout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.weights import Float32Array, LSTMWeights, split_gates

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LSTMTrace:
    """Hidden state `h` and cell state `c` after every timestep, each ``(batch, timesteps, units)``."""

    h: Float64Array
    c: Float64Array


def lstm_forward(x: Float32Array, weights: LSTMWeights) -> LSTMTrace:
    """Run the LSTM over `x`, ``(batch, timesteps, features)``, from zero states."""
    batch, timesteps, _ = x.shape
    kernel = weights.kernel.astype(np.float64)
    recurrent_kernel = weights.recurrent_kernel.astype(np.float64)
    bias = weights.bias.astype(np.float64)

    h_all = np.empty((batch, timesteps, weights.units))
    c_all = np.empty_like(h_all)
    h = c = np.zeros((batch, weights.units))
    for t in range(timesteps):
        z = split_gates(x[:, t].astype(np.float64) @ kernel + h @ recurrent_kernel + bias)
        i = sigmoid(z["i"])
        f = sigmoid(z["f"])
        g = np.tanh(z["g"])
        o = sigmoid(z["o"])
        c = f * c + i * g
        h = o * np.tanh(c)
        h_all[:, t], c_all[:, t] = h, c
    return LSTMTrace(h_all, c_all)


def sigmoid(z: Float64Array) -> Float64Array:
    """Return 1 / (1 + exp(-z)), written with tanh because exp overflows for a very negative z."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)
