"""Short ways around Keras' bookkeeping change nothing: prepared and unprepared runs say the same, bit for bit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import Submission, load_assignments
from grader.execution import Runner
from grader.reading import Reading, read
from grader.sandbox import ForkSandbox, Kind, Limits, Outcome
from grader.sandbox.protocol import decode_events
from reference import ReferenceStore

ASSIGNMENT = load_assignments()["lstm-layer"]
BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "submission.py"
SOURCE = """
import numpy as np
import tensorflow as tf
{head}

class LSTMCell(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        for gate in "IFCO":
            setattr(self, "fcX" + gate, tf.keras.layers.Dense(h_size{dense}))
            setattr(self, "fcH" + gate, tf.keras.layers.Dense(h_size, use_bias=False))
        {setup}

    def call(self, x, h, c):
        i = tf.sigmoid({input_gate} + self.fcHI(h))
        f = tf.sigmoid(self.fcXF(x) + self.fcHF(h))
        o = tf.sigmoid(self.fcXO(x) + self.fcHO(h))
        {step}
        c = f * c + i * tf.tanh(self.fcXC(x) + self.fcHC(h))
        return o * tf.tanh(c), c


class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.cell = LSTMCell(h_size)
        {model_setup}

    {decorator}
    def call(self, x):
        h = tf.zeros((tf.shape(x)[0], self.h_size))
        c = tf.zeros((tf.shape(x)[0], self.h_size))
        outputs = []
        {before}
        for t in range(x.shape[1]):
            h, c = self.cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""
PARTS = {
    "head": "",
    "dense": "",
    "setup": "pass",
    "step": "pass",
    "model_setup": "pass",
    "decorator": "",
    "before": "pass",
}

# TensorFlow tells where in our code a tensor of a graph was made.
WHERE_MADE = re.compile(r"\n\n<tf.Tensor .* was defined here:.*", re.DOTALL)

# Each breaks one clause of the short ways, or changes what they pass by.
ADVERSARIAL: dict[str, dict[str, str]] = {
    "nothing": {},
    "as a keyword": {"input_gate": "self.fcXI(inputs=x)"},
    "an array": {"input_gate": "self.fcXI(np.array(x))"},
    "three axes": {"input_gate": "self.fcXI(x[:, tf.newaxis])[:, 0]"},
    "another dtype": {"input_gate": "tf.cast(self.fcXI(tf.cast(x, tf.float64)), tf.float32)"},
    "its activation": {
        "dense": ", activation='linear', name=None",
        "setup": "self.fcXI.activation = tf.keras.activations.relu",
    },
    "a subclass": {
        "head": "class Noted(tf.keras.layers.Dense):\n    def call(self, x):\n        return super().call(x) * 1.5\n",
        "setup": "self.fcXI = Noted(h_size)",
    },
    "a method of one layer": {"setup": "self.fcXI.call = lambda x: tf.ones((x.shape[0], h_size))"},
    "a method of the class": {
        "head": "was = tf.keras.layers.Dense.call\n"
        "tf.keras.layers.Dense.call = lambda self, *a, **k: was(self, *a, **k) + 0.5\n",
    },
    "the call of every layer": {
        "head": "COUNT = []\nwas = tf.keras.layers.Layer.__call__\n"
        "def counted(self, *a, **k):\n    COUNT.append(1)\n    return was(self, *a, **k)\n"
        "tf.keras.layers.Layer.__call__ = counted\n",
        "before": "print(len(COUNT))",
    },
    "the call of Dense": {
        "head": "was = tf.keras.layers.Dense.__call__\n"
        "tf.keras.layers.Dense.__call__ = lambda self, x: 2.0 * was(self, x)\n",
    },
    "the product": {"head": "was = tf.matmul\ntf.matmul = lambda *a, **k: was(*a, **k) * 0.5\n"},
    "the sum": {"head": "was = tf.nn.bias_add\ntf.nn.bias_add = lambda *a, **k: was(*a, **k) * 0.5\n"},
    "a mask": {"setup": "self.masking = tf.keras.layers.Masking()", "step": "x = self.masking(x[:, None])[:, 0]"},
    "a regularizer": {"dense": ", activity_regularizer='l2'", "before": "print(len(self.losses))"},
    "half precision": {"dense": ", dtype='mixed_float16'"},
    "one unit": {"setup": "self.one = tf.keras.layers.Dense(1)", "step": "c = c + 0.0 * self.one(x)"},
    "a width that does not fit": {"step": "self.fcXI(tf.concat([x, x], 1))"},
    "an input spec": {"step": "self.fcXI.input_spec = tf.keras.layers.InputSpec(ndim=3)"},
    "without a layer around it": {"head": "free = tf.keras.layers.Dense(3)\nprint(free(tf.ones((2, 4))).shape)\n"},
    "a graph": {"decorator": "@tf.function"},
    "gradients inside": {
        "step": "with tf.GradientTape() as tape:\n            y = tf.reduce_sum(self.fcXI(x) ** 2)\n"
        "        c = c + 0.01 * tf.reduce_mean(tape.gradient(y, self.fcXI.trainable_variables[0]))",
    },
    "second order": {
        "before": "with tf.GradientTape() as outer:\n"
        "            outer.watch(x)\n"
        "            with tf.GradientTape() as inner:\n"
        "                inner.watch(x)\n"
        "                y = tf.reduce_sum(self.cell(x[:, 0], h, c)[0] ** 3)\n"
        "            g = inner.gradient(y, x)\n"
        "        h = h + 0.01 * tf.reduce_mean(outer.gradient(tf.reduce_sum(g), x))",
    },
    "frozen": {"setup": "self.fcXI.trainable = False"},
    "a constraint": {"dense": ", kernel_constraint='nonneg'"},
    "keeps a state": {
        "model_setup": "self.h = None",
        "before": "h = h if self.h is None else self.h\n        self.h = h + 1",
    },
    "counts its calls": {"model_setup": "self.calls = 0", "before": "self.calls += 1\n        print(self.calls)"},
    "prints": {"before": "print(type(x).__name__, x.shape)"},
    "draws": {"before": "h = h + tf.random.normal(h.shape)"},
    "makes a layer": {"before": "made = tf.keras.layers.Dense(4)\n        print(made.name)"},
    "is told of a trace": {"before": "h = h + (1.0 if tf.executing_eagerly() else 2.0)"},
    "dropout": {"setup": "self.drop = tf.keras.layers.Dropout(0.5)", "step": "h = self.drop(h, training=True)"},
    "raises": {"before": "raise RuntimeError('no')"},
    "raises in a trace": {"before": "h = h + float(tf.reduce_sum(x[:1, 0, 0]).numpy())"},
    "a layer that is not called": {"setup": "self.spare = LSTM(3) if h_size < 0 else tf.keras.layers.Dense(h_size)"},
    "built by hand": {"model_setup": "self.cell.build((None, 4))"},
    "names of its variables": {
        "before": "print(sorted(v.path if hasattr(v, 'path') else v.name for v in self.variables))"
    },
}


class Recorder:
    """The box, with what came out of it."""

    def __init__(self, sandbox: ForkSandbox) -> None:
        self.sandbox = sandbox
        self.outcomes: list[Outcome] = []

    def run(self, kind: Kind, content: bytes, limits: Limits) -> Outcome:
        self.outcomes.append(self.sandbox.run(kind, content, limits))
        return self.outcomes[-1]


Said = Callable[[str | bytes, str, bool], tuple[Reading, Any]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ForkSandbox]:
    with ForkSandbox(slots=1) as box:
        yield box


@pytest.fixture(scope="module")
def said(sandbox: ForkSandbox, references: ReferenceStore) -> Said:
    """Everything that the runs of a submission said, but for times."""
    cases = references.load([case.spec() for case in ASSIGNMENT.cases], digest=ASSIGNMENT.digest)

    def run(source: str | bytes, generation: str, prepared: bool) -> tuple[Reading, Any]:
        content = source.encode() if isinstance(source, str) else source
        reading = read(Submission("submission.py", content), ASSIGNMENT, sandbox)
        box = Recorder(sandbox)
        Runner(reading, ASSIGNMENT, cases, box, references.table, prepared=prepared).run(generation)
        return reading, [_content(outcome) for outcome in box.outcomes]

    return run


def _content(outcome: Outcome) -> Any:
    events, complete = decode_events(outcome.result, ended_by_itself=outcome.killed_for is None)
    return (
        [
            (
                _told(event),
                {name: (a.shape, a.dtype, a.tobytes()) for name, a in arrays.items()},
            )
            for event, arrays in events
        ],
        complete,
        outcome.stdout,
        outcome.exit_code,
    )


def _told(event: Any) -> dict[str, Any]:
    """An event without times, and without what names our lines."""
    told = event.model_dump(exclude={"phases"})
    return {key: WHERE_MADE.sub("", value) if isinstance(value, str) else value for key, value in told.items()}


@pytest.mark.parametrize("generation", ["3", "2"])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_short_way_is_not_told_from_keras_own(said: Said, name: str, generation: str) -> None:
    source = SOURCE.format(**{**PARTS, "input_gate": "self.fcXI(x)", **ADVERSARIAL[name]})
    reading, prepared = said(source, generation, True)
    assert reading.error is None
    assert prepared == said(source, generation, False)[1]


@pytest.mark.parametrize("generation", ["3", "2"])
def test_the_short_way_leaves_the_parts_of_keras_call_out(said: Said, generation: str) -> None:
    """Else the test above compares a thing with itself: what Keras calls on the way to `Dense.call` is counted."""
    counting = {
        "setup": "self.fcXI._set_mask_metadata = lambda *a, **k: print('asked')",
        "input_gate": "self.fcXI(x)",
    }
    source = SOURCE.format(**{**PARTS, **counting})
    prepared, unprepared = (said(source, generation, way)[1][0][2].count(b"asked") for way in (True, False))
    assert prepared < unprepared


def test_the_course_class_only_computes(said: Said) -> None:
    assert said(BENCHMARK.read_bytes(), "3", True)[0].only_computes
