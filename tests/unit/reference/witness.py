"""An independent witness of the LSTM: its formulas and gradients, written out by hand in float64 NumPy.

For input x_t, and h_0 = c_0 = 0, with * the elementwise and @ the matrix product::

    i_t = sigmoid(x_t @ W_i + h_{t-1} @ U_i + b_i)      input gate
    f_t = sigmoid(x_t @ W_f + h_{t-1} @ U_f + b_f)      forget gate
    g_t =    tanh(x_t @ W_g + h_{t-1} @ U_g + b_g)      candidate
    o_t = sigmoid(x_t @ W_o + h_{t-1} @ U_o + b_o)      output gate
    c_t = f_t * c_{t-1} + i_t * g_t                     cell state
    h_t = o_t * tanh(c_t)                               hidden state, the output

Their gradients follow by the chain rule, from the last timestep to the first (`lstm_gradients`).

W is the kernel, U the recurrent kernel and b the bias.

Source: Gers, Schmidhuber and Cummins, "Learning to Forget" (2000); keras.layers.LSTMCell.call for the weights' layout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.cell import Float32Array
from reference.lstm.weights import GATES, LSTMWeights, split_gates

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LSTMTrace:
    """Hidden state `h` and cell state `c` after every timestep, each ``(batch, timesteps, units)``.

    Attributes:
        gates: of every timestep, in the same shape, keyed as in `reference.lstm.weights.GATES`.
    """

    h: Float64Array
    c: Float64Array
    gates: dict[str, Float64Array]


def lstm_forward(x: Float32Array, weights: LSTMWeights) -> LSTMTrace:
    """Run the LSTM over `x`, ``(batch, timesteps, features)``, from zero states."""
    batch, timesteps, _ = x.shape
    kernel = weights.kernel.astype(np.float64)
    recurrent_kernel = weights.recurrent_kernel.astype(np.float64)
    bias = weights.bias.astype(np.float64)

    h_all = np.empty((batch, timesteps, weights.units))
    c_all = np.empty_like(h_all)
    gates = {gate: np.empty_like(h_all) for gate in GATES}
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
        for gate, value in zip(GATES, (i, f, g, o), strict=True):
            gates[gate][:, t] = value
    return LSTMTrace(h_all, c_all, gates)


@dataclass(frozen=True, eq=False)
class LSTMGradients:
    """Gradients of one number with respect to the input and the weights, each in the shape of its array."""

    x: Float64Array
    kernel: Float64Array
    recurrent_kernel: Float64Array
    bias: Float64Array


def lstm_gradients(
    x: Float32Array, weights: LSTMWeights, factors: Float32Array, *, through: str = "hc"
) -> LSTMGradients:
    """Differentiate ``sum(y * factors)`` by backpropagation through time, `y` being the LSTM's output.

    Args:
        x: ``(batch, timesteps, features)``.
        factors: ``(batch, timesteps, units)``.
        through: the states that gradients go back through from step to step; leaving one out gives the gradients of a
            layer that stops them there.
    Source: the chain rule on the formulas above; with dh and dc the gradients of the states after a timestep and z the
        sums inside the gates::

            dc_t += dh_t * o_t * (1 - tanh(c_t)^2)
            dz_o = dh_t * tanh(c_t) * o_t (1 - o_t)         dz_i = dc_t * g_t * i_t (1 - i_t)
            dz_f = dc_t * c_{t-1} * f_t (1 - f_t)           dz_g = dc_t * i_t * (1 - g_t^2)
            dh_{t-1} = dz_t @ U^T,  dc_{t-1} = dc_t * f_t,  dx_t = dz_t @ W^T
    """
    inputs, back = x.astype(np.float64), factors.astype(np.float64)
    kernel, recurrent_kernel = weights.kernel.astype(np.float64), weights.recurrent_kernel.astype(np.float64)
    trace = lstm_forward(x, weights)
    before = np.zeros_like(trace.h[:, :1])
    h_before = np.concatenate([before, trace.h[:, :-1]], axis=1)
    c_before = np.concatenate([before, trace.c[:, :-1]], axis=1)
    z_all = split_gates(inputs @ kernel + h_before @ recurrent_kernel + weights.bias.astype(np.float64))
    i_all, f_all, o_all = (sigmoid(z_all[gate]) for gate in "ifo")
    g_all, squashed = np.tanh(z_all["g"]), np.tanh(trace.c)

    dz_all = np.empty((*trace.h.shape[:2], 4 * weights.units))
    dh, dc = np.zeros_like(before[:, 0]), np.zeros_like(before[:, 0])
    for t in reversed(range(x.shape[1])):
        i, f, g, o = i_all[:, t], f_all[:, t], g_all[:, t], o_all[:, t]
        dh = dh + back[:, t]
        dc = dc + dh * o * (1 - squashed[:, t] ** 2)
        dz = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c_before[:, t] * f * (1 - f),
                dc * i * (1 - g**2),
                dh * squashed[:, t] * o * (1 - o),
            ],
            axis=1,
        )
        dz_all[:, t] = dz
        dh = dz @ recurrent_kernel.T * ("h" in through)
        dc = dc * f * ("c" in through)
    return LSTMGradients(
        x=dz_all @ kernel.T,
        kernel=np.einsum("btf,btz->fz", inputs, dz_all),
        recurrent_kernel=np.einsum("btu,btz->uz", h_before, dz_all),
        bias=dz_all.sum(axis=(0, 1)),
    )


def sigmoid(z: Float64Array) -> Float64Array:
    """Return 1 / (1 + exp(-z)), written with tanh because exp overflows for a very negative z."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)
