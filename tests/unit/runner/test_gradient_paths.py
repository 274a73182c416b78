"""Sources that certainly cut no gradient, so that gradients need not be looked at on many steps."""

import pytest

SOURCE = """
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
{top}

class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units = units
        self.gates = layers.Dense(4 * units)
        {setup}

    def call(self, x, h, c):
        z = self.gates(tf.concat([x, h], axis=-1))
        i, f, g, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        {cell}
        return h, c

class LSTM(keras.Model):
    def __init__(self, units: int = 32):
        super().__init__()
        self.units = units
        self.lstm_cell = LSTMCell(units)

    def call(self, x):
        h = c = tf.zeros((tf.shape(x)[0], self.units))
        outputs = []
        for t in range(x.shape[1]):
            {step}
            h, c = self.lstm_cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
{after}
"""
PLAIN = [
    {},
    {"setup": "self.kernel = self.add_weight(shape=(4, 4), initializer='zeros')", "cell": "h = h @ self.kernel"},
    {"setup": "self.w = tf.Variable(tf.random.normal((4, 4)), name='w')", "cell": "h = tf.matmul(h, self.w)"},
    {"setup": "for gate in 'IFCO': setattr(self, 'fc' + gate, layers.Dense(units))", "cell": "h = h + self.fcI(x)"},
    {"setup": "for gate in 'IFCO': setattr(self, f'fc{gate}', layers.Dense(units))", "cell": "getattr(self, 'fcI')(x)"},
    {"step": "print(t, h.shape)"},
    {"step": "assert h.shape[-1] == self.units, 'shape'"},
    {"top": "from typing import Tuple\ndef sigma(z):\n    return 1 / (1 + tf.exp(-z))", "cell": "h = sigma(h)"},
    {"top": "sigma = lambda z: 1.0 / (1.0 + tf.math.exp(-z))", "cell": "h = sigma(h)"},
    {"cell": "h = tf.vectorized_map(lambda each: tf.linalg.matvec(self.kernel, each), h)"},
    {"setup": "self.act = tf.keras.layers.Activation('sigmoid')", "cell": "h = self.act(h)"},
    *({"cell": f"h = tf.{name}(h)"} for name in ("sin", "math.erf", "nn.softsign", "nn.softmax", "math.log1p", "sqrt")),
    {"after": "model = LSTM(32)\nmodel.compile(optimizer='adam')\nimport numpy as np\nprint(np.array(model.weights))"},
    {"after": "def plot(history):\n    import matplotlib.pyplot as plt\n    plt.plot(history)"},
]
NOT_PLAIN = [
    {"step": "h = tf.stop_gradient(h)"},
    {"step": "h = h.numpy()"},
    {"step": "h = tf.constant(h)"},
    {"step": "h = tf.convert_to_tensor(h.numpy())"},
    {"top": "import numpy as np", "step": "h = np.asarray(h)"},
    {"top": "import numpy", "step": "h = numpy.asarray(h)"},
    {"top": "from numpy import asarray", "step": "h = asarray(h)"},
    {"top": "from numpy import *", "step": "h = asarray(h)"},
    {"top": "from tensorflow import stop_gradient as tanh", "step": "h = tanh(h)"},
    {"top": "tanh = tf.stop_gradient", "step": "h = tanh(h)"},
    {"top": "cut = getattr(tf, 'stop_' + 'gradient')", "step": "h = cut(h)"},
    {"top": "tf.tanh = tf.stop_gradient"},
    {"setup": "self.cut = tf.stop_gradient", "cell": "h = self.cut(h)"},
    {"setup": "self.cut = keras.layers.Lambda(tf.stop_gradient)", "cell": "h = self.cut(h)"},
    {"setup": "self.numpy = 1", "step": "h = h.numpy()"},
    {"setup": "self.state = tf.Variable(tf.zeros((2, 4)))", "cell": "self.state.assign(h); h = self.state"},
    {"step": "h = tf.Variable(h)"},
    {"step": "h = tf.cast(tf.cast(h * 1e9, tf.int64), tf.float32) / 1e9"},
    {"step": "h = tf.round(h * 1e9) / 1e9"},
    {"step": "h = tf.sign(h) * 0.5"},
    {"step": "h = eval('tf.stop_gradient(h)')"},
    {"step": "h = float(h[0, 0]) + 0 * h"},
    {"step": "with tape.stop_recording(): h = h * 1.0"},
    {"top": "@tf.custom_gradient\ndef cut(h):\n    return h, lambda d: 0 * d", "step": "h = cut(h)"},
    {"top": "@tf.function\n@tf.custom_gradient\ndef cut(h):\n    return h, lambda d: 0 * d", "step": "h = cut(h)"},
    {"after": "LSTM.__getattribute__ = lambda self, name: 0"},
    {"after": "LSTMCell.call = lambda self, x, h, c: (tf.stop_gradient(h), c)"},
    {"top": "class Odd:\n    def __add__(self, other):\n        return other", "cell": "h = Odd() + h"},
]


def _source(parts: dict[str, str]) -> str:
    return SOURCE.format(**(dict.fromkeys(("top", "setup", "cell", "step", "after"), "") | parts))


@pytest.mark.parametrize("parts", PLAIN, ids=str)
def test_plain_operations_let_gradients_through(read, parts):
    assert read(_source(parts))["lets_gradients_through"]


@pytest.mark.parametrize("parts", NOT_PLAIN, ids=str)
def test_code_that_may_cut_a_gradient_is_not_taken_for_plain(read, parts):
    assert not read(_source(parts))["lets_gradients_through"]
