"""Short ways around Keras' bookkeeping change nothing: prepared and unprepared runs say the same, bit for bit."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from grader import Submission, load_assignments
from grader.assignment import CaseEntry
from grader.execution.execution import Roles
from grader.execution.reading import read
from grader.execution.runner import Runner
from grader.sandbox import ForkSandbox, Kind, Limits, Outcome
from grader.sandbox.protocol import decode_events
from grader.task2 import NotebookRunner
from reference.misconceptions.table import PLACES, Table
from tests.exercises import answered, shorter
from tests.integration.grader.mutants.slips import ALL
from tests.integration.grader.mutants.styles import STYLES
from tests.tiers import sampled

# Two sizes as small as they can be: two models, and a model that gets calls of two shapes, for `reference.probes` come
# with six features and four units. Each call is made several times, and of one the gradients are taken.
CASES = [
    CaseEntry(id="exercise", category="exercise", batch=2, timesteps=3, features=6, units=4, seed=1),
    CaseEntry(id="other_shape", category="other_shape", batch=4, timesteps=3, features=5, units=7, seed=2),
]
ASSIGNMENT = load_assignments()["lstm-layer"].model_copy(update={"cases": CASES})
NO_TABLE = Table(np.empty((0, 2), np.int16), np.empty((PLACES, 0), np.float32), np.empty(0, np.float32))
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "submission.py"
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

# Counts what Keras calls on the way to `Dense.call`.
COUNTING = "self.fcXI._set_mask_metadata = lambda *a, **k: print('asked')"

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
    "a training flag": {"input_gate": "self.fcXI(x, training=True)"},
    "its call": {"input_gate": "self.fcXI.call(x)"},
    "whole numbers": {"input_gate": "self.fcXI(tf.cast(10 * x, tf.int32))"},
    "ragged rows": {"input_gate": "self.fcXI(tf.RaggedTensor.from_tensor(x))"},
    "a variable's name": {
        "setup": "self.own = tf.Variable(tf.zeros(2), name='own')",
        "before": "print(self.cell.own.name, self.cell.own.handle.dtype, self.cell.own)",
    },
    "a variable that is gone": {
        "setup": "self.own = tf.Variable(tf.zeros(2), name='own')",
        "step": "tf.raw_ops.DestroyResourceOp(resource=self.own.handle)\n        c = c + self.own[0]",
    },
    "no rows": {"before": "print(self.cell.fcXI(x[:0, 0]).shape)"},
    "a graph of one layer": {"setup": "self.traced = tf.function(self.fcXI)", "input_gate": "self.traced(x)"},
    "double precision": {"dense": ", dtype='float64'"},
    "no casting": {"dense": ", autocast=False"},
    "a mask of one layer": {"setup": "self.fcXI.compute_mask = lambda *a, **k: print('asked')"},
    "an attribute of the class": {
        "before": "tf.keras.layers.Dense.activation = property(lambda self: tf.tanh, lambda self, value: None)"
    },
    "a function of the constructor": {"setup": "self.tell = lambda: print('told')", "step": "self.tell()"},
    "looking at attributes": {
        "head": "SEEN = []\nwas = tf.keras.layers.Dense.__getattribute__\n"
        "def seen(self, name):\n    SEEN.append(name)\n    return was(self, name)\n"
        "tf.keras.layers.Dense.__getattribute__ = seen\n",
        "before": "print(len(SEEN))",
    },
    "a tensor as kernel": {
        "setup": "self.fcXI.build((None, 6))\n        held = vars(self.fcXI)\n"
        "        held['_kernel' if '_kernel' in held else 'kernel'] = tf.ones((6, h_size))",
    },
    "a tensor as bias": {"setup": "self.fcXI.build((None, 6))\n        vars(self.fcXI)['bias'] = tf.ones(h_size)"},
    "a bias taken away": {"setup": "self.fcXI.build((None, 6))\n        vars(self.fcXI)['bias'] = None"},
    "a bias switched off": {"setup": "self.fcXI.build((None, 6))\n        self.fcXI.use_bias = False"},
    "low rank": {
        "setup": "self.fcXI.build((None, 6))\n        self.fcXI.enable_lora(2, b_initializer='ones')",
    },
    "quantized": {"setup": "self.fcXI.build((None, 6))\n        self.fcXI.quantize('int8')"},
    "computed again": {
        "setup": "with tf.keras.RematScope('full'):\n            self.fcXI = tf.keras.layers.Dense(h_size)",
    },
    "activations computed again": {
        "setup": "with tf.keras.RematScope('activations'):\n"
        "            self.fcXI = tf.keras.layers.Dense(h_size, activation='relu')",
    },
    "called within such a scope": {"before": "with tf.keras.RematScope('full'):\n            self.cell.fcXI(x[:, 0])"},
    "distributed": {
        "head": "from keras.src.backend.common import global_state\n"
        "class Layout:\n    def get_tensor_layout(self, path):\n        print('asked')\n"
        "    def get_variable_layout(self, variable):\n        return None\n"
        "global_state.set_global_attribute('distribution', Layout())\n",
    },
    "without a state": {
        "step": "with tf.keras.StatelessScope(state_mapping=[(v, 0.5 * v.value) for v in self.fcXI.variables]):\n"
        "            c = c + self.fcXI(x)",
    },
    "cast on the way": {
        "head": "from keras.src.backend.common.variables import AutocastScope\n",
        "step": "with AutocastScope('float16'):\n            c = c + tf.cast(self.fcXI(x), tf.float32)",
    },
    "in symbols": {
        "head": "from keras.src.backend.common.symbolic_scope import SymbolicScope\n",
        "step": "with SymbolicScope():\n            c = c + self.fcXI(x)",
    },
    "forwards": {
        "step": "with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forwards:\n"
        "            y = self.fcXI(x)\n        c = c + 0.01 * forwards.jvp(y)",
    },
    "a tape that watches nothing": {
        "step": "with tf.GradientTape(watch_accessed_variables=False) as tape:\n            y = self.fcXI(x)\n"
        "        c = c if tape.gradient(y, self.fcXI.trainable_variables[0]) is None else c + 1.0",
    },
    "another thread": {
        "head": "import threading\n",
        "before": "ready = []\n"
        "        other = threading.Thread(target=lambda: ready.append(self.cell.fcXI(x[:, 0])))\n"
        "        other.start()\n        other.join()\n        print(len(ready))",
    },
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


SEED, SOME_MUTANTS = 7, 32
NOTEBOOKS = Path(__file__).parents[2] / "corpus" / "lstm_notebook"


class Recorder:
    """The box, with what came out of it."""

    def __init__(self, sandbox: ForkSandbox) -> None:
        self.sandbox = sandbox
        self.outcomes: list[Outcome] = []

    def run(self, kind: Kind, content: bytes, limits: Limits) -> Outcome:
        self.outcomes.append(self.sandbox.run(kind, content, limits))
        return self.outcomes[-1]


#: What a source's prepared and unprepared runs say under a generation of Keras.
Said = Callable[[str, str], tuple[Any, Any]]


@pytest.fixture(scope="module")
def said(sandbox: ForkSandbox) -> Said:
    """Everything that the runs of a submission said, but for times."""
    cases = [answered(entry.spec()) for entry in CASES]

    def run(source: str, generation: str) -> tuple[Any, Any]:
        reading = read(Submission("submission.py", source.encode()), ASSIGNMENT, sandbox)
        assert reading.error is None
        ways = []
        for prepared in (True, False):
            box = Recorder(sandbox)
            Runner(reading, ASSIGNMENT, cases, box, lambda case: NO_TABLE, prepared=prepared).run(generation)
            ways.append([_content(outcome) for outcome in box.outcomes])
        return ways[0], ways[1]

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


def _under_both(names: Iterable[str], *, every: dict[str, int]) -> list[ParameterSet]:
    """Names with a generation of Keras. One of so many is tried always, which `every` says of each generation."""
    return [
        pytest.param(name, generation, marks=() if at % every[generation] == 0 else pytest.mark.thorough)
        for generation in every
        for at, name in enumerate(names)
    ]


# A clause that is lost shows in one case alone, mostly.
@pytest.mark.parametrize(("name", "generation"), _under_both(ADVERSARIAL, every={"3": 3, "2": 9}))
def test_a_short_way_is_not_told_from_keras_own(said: Said, name: str, generation: str) -> None:
    source = SOURCE.format(**{**PARTS, "input_gate": "self.fcXI(x)", **ADVERSARIAL[name]})
    prepared, unprepared = said(source, generation)
    assert prepared == unprepared


@pytest.mark.parametrize("generation", ["3", "2"])
def test_the_short_way_leaves_the_parts_of_keras_call_out(said: Said, generation: str) -> None:
    """Else the test above compares a thing with itself."""
    source = SOURCE.format(**{**PARTS, "input_gate": "self.fcXI(x)", "setup": COUNTING})
    prepared, unprepared = (runs[0][2].count(b"asked") for runs in said(source, generation))
    assert prepared < unprepared


def test_the_course_class_only_computes(sandbox: ForkSandbox) -> None:
    assert read(Submission("submission.py", BENCHMARK.read_bytes()), ASSIGNMENT, sandbox).only_computes


def _mutants() -> Iterator[tuple[str, str]]:
    """Mistakes, in the styles in turns: a name and the source."""
    for index, slip in enumerate(random.Random(SEED).sample(ALL, SOME_MUTANTS)):
        possible = [(style, source) for style in STYLES if (source := style.write(slip.changes)) is not None]
        if possible:
            style, source = possible[index % len(possible)]
            yield f"{index} {slip.code}, {style.name}", source


MUTANTS = dict(_mutants())


@pytest.mark.parametrize("name", sampled(MUTANTS, every=16))
def test_a_mistaken_answer_is_the_same_in_either_way(said: Said, name: str) -> None:
    generation = "32"[list(MUTANTS).index(name) % 4 == 3]
    prepared, unprepared = said(MUTANTS[name], generation)
    assert prepared == unprepared


@pytest.mark.parametrize(
    ("name", "generation"),
    _under_both((folder.name for folder in sorted(NOTEBOOKS.iterdir())), every={"3": 10, "2": 30}),
)
def test_a_notebook_is_the_same_in_either_way(sandbox: ForkSandbox, name: str, generation: str) -> None:
    (path,) = (NOTEBOOKS / name).glob("submission.*")
    source = path.read_text().replace("SEQ_LEN = 100", "SEQ_LEN = 5")  # a step is like another
    assignment = shorter(load_assignments()["lstm-notebook"])
    reading = read(Submission(path.name, source.encode()), assignment, sandbox)
    said = []
    for prepared in (True, False):
        box = Recorder(sandbox)
        NotebookRunner(reading, assignment, box, generation=generation, roles=Roles(), prepared=prepared).run(
            {0: {"by": "shift", "amount": 1.0}}
        )
        said.append(_content(box.outcomes[0]))
    assert said[0] == said[1]


def test_the_short_way_is_taken_in_a_notebook_too(sandbox: ForkSandbox) -> None:
    """Though its models are watched by a function in the place of `Layer.__call__`."""
    source = (
        SOURCE.format(**{**PARTS, "input_gate": "self.fcXI(x)", "setup": COUNTING}) + "LSTM(4)(tf.ones((2, 5, 3)))\n"
    )
    assignment = load_assignments()["lstm-notebook"]
    reading = read(Submission("submission.py", source.encode()), assignment, sandbox)
    counts = []
    for prepared in (True, False):
        box = Recorder(sandbox)
        NotebookRunner(reading, assignment, box, generation="3", roles=Roles(), prepared=prepared).run()
        counts.append(box.outcomes[0].stdout.count(b"asked"))
    assert counts[0] < counts[1]
