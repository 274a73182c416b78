"""Classes that leave nothing behind when they are called, recognised by their source."""

import pytest

CELL = """
class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.gates = [tf.keras.layers.Dense(h_size) for _ in range(4)]

    def call(self, x, h, c):
        i, f, g, o = [gate(tf.concat([x, h], 1)) for gate in self.gates]
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c
"""
MODEL = """
class LSTM(tf.keras.Model):
    def __init__(self, h_size, k=1):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)
        {setup}

    {decorator}
    def call(self, x{call_parameters}):
        h, c = tf.zeros((x.shape[0], self.h_size)), tf.zeros((x.shape[0], self.h_size))
        outputs = []
        {before}
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            {step}
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""


def source(**parts: str) -> str:
    empty = {**dict.fromkeys(("setup", "before", "step"), "pass"), "decorator": "", "call_parameters": ""}
    return parts.pop("head", "") + CELL + MODEL.format(**{**empty, **parts})


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
        {"call_parameters": ", input=None", "before": "input = x if input is None else input"},
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
        {"call_parameters": ", memo=[]", "step": "memo.append(h)"},
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
    assert read(source() + "\ndef plot(history):\n    print(history)\nmodel = LSTM(32)\nmodel.fit(x, x)\n")[
        "only_computes"
    ]
