"""Classes that leave nothing behind when they are called, and that cut no gradient, recognised by their source."""

import pytest

from tests.exercises import class_with_own_cell as source


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"decorator": "@tf.function"},
        {"before": "timesteps, BATCH = x.shape[1], x.shape[0]"},
        {"before": "buffer = [None] * x.shape[1]", "step": "buffer[t] = h"},
        {"before": "seen = {}", "step": "seen[t] = c"},
        {"before": "ta = tf.TensorArray(tf.float32, x.shape[1])", "step": "ta = ta.write(t, h)"},
        {"step": "c += 0.0 * h"},
        {"parameters": ", input=None", "before": "input = x if input is None else input"},
        {"step": "h = tf.add(h, 0.0)"},
        {"before": "if x.shape.rank != 3:\n            raise ValueError('three axes')"},
        {"before": "squash = lambda value: tf.tanh(value)"},
        {"setup": "self.squash = lambda value: tf.tanh(value)", "step": "h = self.squash(h)"},
        {"setup": "self.seen = []\n        self.seen.append(1)"},
        {"head": "N_UNITS: int = 32\nfrom typing import List\n"},
    ],
    ids=str,
)
def test_a_class_that_computes_is_known_as_such(read, parts) -> None:
    assert read(source(**parts))["only_computes"]


@pytest.mark.parametrize(
    "parts",
    [
        {"step": "self.h = h"},
        {"before": "self.calls += 1"},
        {"step": "self.store[0] = h"},
        {"step": "self.outs.append(h)"},
        {"before": "outs = self.outs", "step": "outs.append(h)"},
        {"before": "outs = []\n        for outs in self.many:\n            outs.append(h)"},
        {"before": "outs = self.outs", "step": "outs += [h]"},
        {"parameters": ", memo=[]", "step": "memo.append(h)"},
        {"before": "global COUNT\n        COUNT = 1"},
        {"head": "SEEN = []\n", "step": "SEEN.append(h)"},
        {"before": "dense = tf.keras.layers.Dense(4)"},
        {"before": "cell = LSTMCell(self.h_size)"},
        {"before": "self.cell.build((2, 4))"},
        {"before": "made = tf.keras.layers.add([h, c])"},
        {"before": "h = tf.random.normal(h.shape)"},
        {"head": "import random\n", "before": "k = random.random()"},
        {"setup": "self.drop = tf.keras.layers.Dropout(0.1)"},
        {"setup": "self.inner = tf.keras.layers.LSTM(4)"},
        {"head": "from keras.layers import LSTMCell as Inner\n", "setup": "self.inner = Inner(4)"},
        {"head": "from keras.layers import Dropout as drop\n", "setup": "self.drop = drop(0.1)"},
        {"setup": "self.cell.trainable = False"},
        {"setup": "self.extra = tf.keras.layers.Dense(4, trainable=False)"},
        {"step": "print(t)"},
        {"before": "say = print"},
        {"before": "eager = tf.executing_eagerly()"},
        {"before": "tf.print(h)"},
        {"before": "setattr(self, 'h', h)"},
        {"before": "object.__setattr__(self, 'h', h)"},
        {"before": "v = tf.Variable(1.0)"},
        {"before": "self.w = self.add_weight(shape=(2,))"},
        {"before": "self.add_loss(h)"},
        {"before": "self.v.assign(h)"},
        {"before": "np.copyto(self.buffer, h)"},
        {"before": "np.add(h, c, out=self.buffer)"},
        {"before": "number = next(self.numbers)"},
        {"before": "h = self.cell(x[:, 0], h, c, training=True)[0]"},
        {"decorator": "@memoised"},
        {"before": "with tf.device('/cpu:0'):\n            pass"},
        {"before": "import time"},
        {"before": "moment = time.time()"},
        {"before": "class Inner:\n            pass"},
        {"before": "(self.outs if True else []).append(h)"},
        {"before": "[self.outs.append(h) for _ in range(2)]"},
        {"before": "keep = lambda value: self.outs.append(value)"},
        {"setup": "self.tell = lambda value: print(value)", "step": "self.tell(t)"},
        {"before": "if (n := self.n): pass"},
    ],
    ids=str,
)
def test_a_class_whose_calls_can_be_told_apart_is_not_taken_for_one_that_computes(read, parts) -> None:
    reading = read(source(**parts))
    assert (reading["error"], reading["only_computes"]) == (None, False)


def test_a_helper_that_counts_its_calls_is_seen(read) -> None:
    head = "STATE = {'n': 0}\ndef count():\n    STATE['n'] += 1\n"
    assert not read(source(head=head, step="count()"))["only_computes"]


def test_unused_code_does_not_matter(read) -> None:
    after = "def plot(history):\n    print(history)\nmodel = LSTM(32)\nmodel.fit(x, x)\n"
    assert read(source(after=after))["only_computes"]


PLAIN = [
    {},
    {"cell_setup": "self.kernel = self.add_weight(shape=(4, 4), initializer='zeros')", "cell": "h = h @ self.kernel"},
    {"cell_setup": "self.w = tf.Variable(tf.random.normal((4, 4)), name='w')", "cell": "h = tf.matmul(h, self.w)"},
    {
        "cell_setup": "for gate in 'IFCO': setattr(self, 'fc' + gate, layers.Dense(units))",
        "cell": "h = h + self.fcI(x)",
    },
    {
        "cell_setup": "for gate in 'IFCO': setattr(self, f'fc{gate}', layers.Dense(units))",
        "cell": "getattr(self, 'fcI')(x)",
    },
    {"step": "print(t, h.shape)"},
    {"step": "assert h.shape[-1] == self.h_size, 'shape'"},
    {"head": "from typing import Tuple\ndef sigma(z):\n    return 1 / (1 + tf.exp(-z))", "cell": "h = sigma(h)"},
    {"head": "sigma = lambda z: 1.0 / (1.0 + tf.math.exp(-z))", "cell": "h = sigma(h)"},
    {"cell": "h = tf.vectorized_map(lambda each: tf.linalg.matvec(self.kernel, each), h)"},
    {"cell_setup": "self.act = tf.keras.layers.Activation('sigmoid')", "cell": "h = self.act(h)"},
    *({"cell": f"h = tf.{name}(h)"} for name in ("sin", "math.erf", "nn.softsign", "nn.softmax", "math.log1p", "sqrt")),
    {"after": "model = LSTM(32)\nmodel.compile(optimizer='adam')\nimport numpy as np\nprint(np.array(model.weights))"},
    {"after": "def plot(history):\n    import matplotlib.pyplot as plt\n    plt.plot(history)"},
]
NOT_PLAIN = [
    {"step": "h = tf.stop_gradient(h)"},
    {"step": "h = h.numpy()"},
    {"step": "h = tf.constant(h)"},
    {"step": "h = tf.convert_to_tensor(h.numpy())"},
    {"head": "import numpy as np", "step": "h = np.asarray(h)"},
    {"head": "import numpy", "step": "h = numpy.asarray(h)"},
    {"head": "from numpy import asarray", "step": "h = asarray(h)"},
    {"head": "from numpy import *", "step": "h = asarray(h)"},
    {"head": "from tensorflow import stop_gradient as tanh", "step": "h = tanh(h)"},
    {"head": "tanh = tf.stop_gradient", "step": "h = tanh(h)"},
    {"head": "cut = getattr(tf, 'stop_' + 'gradient')", "step": "h = cut(h)"},
    {"head": "tf.tanh = tf.stop_gradient"},
    {"cell_setup": "self.cut = tf.stop_gradient", "cell": "h = self.cut(h)"},
    {"cell_setup": "self.cut = keras.layers.Lambda(tf.stop_gradient)", "cell": "h = self.cut(h)"},
    {"cell_setup": "self.numpy = 1", "step": "h = h.numpy()"},
    {"cell_setup": "self.state = tf.Variable(tf.zeros((2, 4)))", "cell": "self.state.assign(h); h = self.state"},
    {"step": "h = tf.Variable(h)"},
    {"step": "h = tf.cast(tf.cast(h * 1e9, tf.int64), tf.float32) / 1e9"},
    {"step": "h = tf.round(h * 1e9) / 1e9"},
    {"step": "h = tf.sign(h) * 0.5"},
    {"step": "h = eval('tf.stop_gradient(h)')"},
    {"step": "h = float(h[0, 0]) + 0 * h"},
    {"step": "with tape.stop_recording(): h = h * 1.0"},
    {"head": "@tf.custom_gradient\ndef cut(h):\n    return h, lambda d: 0 * d", "step": "h = cut(h)"},
    {"head": "@tf.function\n@tf.custom_gradient\ndef cut(h):\n    return h, lambda d: 0 * d", "step": "h = cut(h)"},
    {"after": "LSTM.__getattribute__ = lambda self, name: 0"},
    {"after": "LSTMCell.call = lambda self, x, h, c: (tf.stop_gradient(h), c)"},
    {"head": "class Odd:\n    def __add__(self, other):\n        return other", "cell": "h = Odd() + h"},
]


@pytest.mark.parametrize("parts", PLAIN, ids=str)
def test_plain_operations_let_gradients_through(read, parts) -> None:
    assert read(source(**parts))["lets_gradients_through"]


@pytest.mark.parametrize("parts", NOT_PLAIN, ids=str)
def test_code_that_may_cut_a_gradient_is_not_taken_for_plain(read, parts) -> None:
    assert not read(source(**parts))["lets_gradients_through"]
