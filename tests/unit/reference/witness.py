"""An independent witness of the LSTM: its formulas and gradients, written out by hand in float64 NumPy.

For input x_t, and h_0 = c_0 = 0, with * the elementwise and @ the matrix product::

    i_t = sigmoid(x_t @ W_i + h_{t-1} @ U_i + b_i)      input gate
    f_t = sigmoid(x_t @ W_f + h_{t-1} @ U_f + b_f)      forget gate
    g_t =    tanh(x_t @ W_g + h_{t-1} @ U_g + b_g)      candidate
    o_t = sigmoid(x_t @ W_o + h_{t-1} @ U_o + b_o)      output gate
    c_t = f_t * c_{t-1} + i_t * g_t                     cell state
    h_t = o_t * tanh(c_t)                               hidden state, the output

W is the kernel, U the recurrent kernel and b the bias.

Source: Gers, Schmidhuber and Cummins, "Learning to Forget" (2000); keras.layers.LSTMCell.call for the weights' layout.
"""

import numpy as np
from numpy.typing import NDArray

from reference.cell import Float32Array
from reference.lstm.weights import LSTMWeights, split_gates

Float64Array = NDArray[np.float64]


def lstm_forward(x: Float32Array, weights: LSTMWeights) -> dict[str, Float64Array]:
    """Run the LSTM over `x`, ``(batch, timesteps, features)``, from zero states.

    Returns: the gates and states of every timestep by their letters, each ``(batch, timesteps, units)``.
    """
    kernel, recurrent_kernel, bias = (array.astype(np.float64) for array in vars(weights).values())
    h = c = np.zeros((len(x), weights.units))
    steps: dict[str, list[Float64Array]] = {letter: [] for letter in "ifgohc"}
    for t in range(x.shape[1]):
        z = split_gates(x[:, t].astype(np.float64) @ kernel + h @ recurrent_kernel + bias)
        i, f, g, o = sigmoid(z["i"]), sigmoid(z["f"]), np.tanh(z["g"]), sigmoid(z["o"])
        c = f * c + i * g
        h = o * np.tanh(c)
        for letter, value in zip("ifgohc", (i, f, g, o, h, c), strict=True):
            steps[letter].append(value)
    return {letter: np.stack(values, axis=1) for letter, values in steps.items()}


def lstm_gradients(
    x: Float32Array, weights: LSTMWeights, factors: Float32Array, *, through: str = "hc"
) -> dict[str, Float64Array]:
    """Differentiate ``sum(y * factors)`` by backpropagation through time, `y` being the LSTM's output.

    Args:
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
    before = np.zeros_like(trace["h"][:, :1])
    h_before, c_before = (np.concatenate([before, trace[state][:, :-1]], axis=1) for state in "hc")

    sums = []
    dh = dc = before[:, 0]
    for t in reversed(range(x.shape[1])):
        i, f, g, o, _, c = (trace[letter][:, t] for letter in "ifgohc")
        dh = dh + back[:, t]
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        of_gates = dc * g * i * (1 - i), dc * c_before[:, t] * f * (1 - f), dc * i * (1 - g**2)
        dz = np.concatenate([*of_gates, dh * np.tanh(c) * o * (1 - o)], axis=1)
        sums.insert(0, dz)
        dh = dz @ recurrent_kernel.T * ("h" in through)
        dc = dc * f * ("c" in through)
    dz_all = np.stack(sums, axis=1)
    return {
        "x": dz_all @ kernel.T,
        "kernel": np.einsum("btf,btz->fz", inputs, dz_all),
        "recurrent_kernel": np.einsum("btu,btz->uz", h_before, dz_all),
        "bias": dz_all.sum(axis=(0, 1)),
    }


def sigmoid(z: Float64Array) -> Float64Array:
    """Return 1 / (1 + exp(-z)), written with tanh because exp overflows for a very negative z."""
    return 0.5 + 0.5 * np.tanh(0.5 * z)
