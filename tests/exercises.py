"""Right answers with more code in them, exercises for tests that run many, and cases for those that need no Keras."""

import textwrap

import numpy as np

from grader.assignment import Assignment
from grader.known_answer import SOURCE
from reference import Case, CaseSpec, LSTMWeights, lstm_forward

OWN_CELL = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
{head}

class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        for gate in "IFCO":
            setattr(self, "fcX" + gate, layers.Dense(units))
            setattr(self, "fcH" + gate, layers.Dense(units, use_bias=False))
        {cell_setup}

    def call(self, x, h, c):
        i = tf.sigmoid(self.fcXI(x) + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        {cell}
        c = f * c + i * tf.tanh(self.fcXC(x) + self.fcHC(h))
        return o * tf.tanh(c), c

class LSTM(keras.Model):
    def __init__(self, h_size: int, k=1):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)
        {setup}

    {decorator}
    def call(self, x{parameters}):
        h = c = tf.zeros((tf.shape(x)[0], self.h_size))
        outputs = []
        {before}
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            {step}
            outputs.append(h)
        return tf.stack(outputs, axis=1)
{after}
"""
USUAL = dict.fromkeys(("cell_setup", "cell", "setup", "before", "step"), "pass")
USUAL |= dict.fromkeys(("head", "decorator", "parameters", "after"), "")


def class_with_own_cell(**parts: str) -> str:
    """Write a right answer with a cell of its own, and other code in some of its places."""
    return OWN_CELL.format(**USUAL | parts)


def right_class(*, top: str = "", body: str = "", init: str = "", call: str = "", step: str = "") -> str:
    """Write the known answer with code before its class, and in it: at the top, in `__init__`, `call` and its loop."""
    source = SOURCE
    for after, code, indent in (
        ("for t in range(x.shape[1]):\n", step, 12),
        ("def call(self, x):\n", call, 8),
        ("self.lstm_cell = LSTMCell(h_size)\n", init, 8),
        ("class LSTM(tf.keras.Model):\n", body, 4),
    ):
        added = textwrap.indent(textwrap.dedent(code).strip("\n"), " " * indent)
        source = source.replace(after, f"{after}{added}\n")
    return f"{textwrap.dedent(top)}\n{source}"


def shorter(assignment: Assignment) -> Assignment:
    """Return the exercise with 12 steps instead of 100: a step is like another, and a run costs a third less."""
    exercise, *others = assignment.cases
    return assignment.model_copy(update={"cases": [exercise.model_copy(update={"timesteps": 12}), *others]})


def answered(spec: CaseSpec) -> Case:
    """Draw a case and answer it by the oracle: Keras takes seconds to start."""
    rng = np.random.default_rng(spec.seed)
    shapes = ((spec.features, 4 * spec.units), (spec.units, 4 * spec.units), (4 * spec.units,))
    wide = (2 / spec.features**0.5, 2.5 / spec.units**0.5, 1.0)
    usual = (spec.scale / spec.features**0.5, spec.scale / spec.units**0.5, spec.scale * 0.5)
    factors = np.float32(wide if spec.values == "wide" else usual)
    weights = LSTMWeights(*(rng.standard_normal(s, dtype=np.float32) * f for s, f in zip(shapes, factors, strict=True)))
    x = rng.standard_normal((spec.batch, spec.timesteps, spec.features), dtype=np.float32) * np.float32(spec.scale)
    return Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32))
