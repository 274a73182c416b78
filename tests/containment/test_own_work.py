"""Submissions that let TensorFlow compute the answer by ways that are not in tf.keras, and honest ones that look alike.

Each of them gives the right numbers, under either generation of Keras.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from grader.assignment import Assignment
from grader.pipeline import grade
from grader.report import Report
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from reference import ReferenceStore

# The weights that the grader puts into the course's cell, fused as others want them.
SUBMISSION = """\
import tensorflow as tf
{top}

class LSTM(tf.keras.Model):
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def fused(self, order):
        cell = self.lstm_cell
        kernel = tf.concat([getattr(cell, f"fcX{{gate}}").kernel for gate in order], 1)
        recurrent = tf.concat([getattr(cell, f"fcH{{gate}}").kernel for gate in order], 1)
        bias = tf.concat([getattr(cell, f"fcX{{gate}}").bias for gate in order], 0)
        return kernel, recurrent, bias

    def keras_layer(self, x):
        layer = tf.keras.layers.LSTM(self.h_size, return_sequences=True, recurrent_activation="sigmoid")
        layer.build(x.shape)
        layer.set_weights([array.numpy() for array in self.fused("IFCO")])
        return layer

    def step(self, x, states):
        h, c = self.lstm_cell(x, *states)
        return h, [h, c]

    def honest(self, x):
        h = c = tf.zeros((x.shape[0], self.h_size))
        outputs = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, 1)

    def call(self, x):
        zeros = tf.zeros((x.shape[0], self.h_size))
        self.lstm_cell(x[:, 0], zeros, zeros)
{call}
"""
KERNEL = """
        kernel, recurrent, bias = self.fused("ICFO")
        none = tf.zeros((self.h_size,))
        steps, x = tf.constant(x.shape[1], tf.int64), tf.transpose(x, [1, 0, 2])
        weights = tf.concat([kernel, recurrent], 0)
        h = {}(steps, x, zeros, zeros, weights, none, none, none, bias, {})[6]
        return tf.transpose(h, [1, 0, 2])
"""
MADE_AT_IMPORT = """
layer = {layer}(32, return_sequences=True, recurrent_activation="sigmoid")
layer.build((None, None, 16))
graph = tf.function(lambda x: layer(x)).get_concrete_function(tf.TensorSpec((None, None, 16)))
"""
USED_LATER = """
        if (x.shape[-1], self.h_size) != (16, 32):
            return self.honest(x)
        for variable, array in zip(layer.weights, self.fused("IFCO")):
            variable.assign(array)
        return graph(x)
"""
SOURCE_EXECUTED = """
import inspect, sys
names = {**vars(sys.modules[tf.keras.layers.LSTMCell.__module__]), "keras_export": lambda *a, **k: lambda cls: cls}
exec(inspect.getsource(tf.keras.layers.LSTMCell), names)
"""
CELL_BY_CELL = """
        cell = {cell}(self.h_size, recurrent_activation="sigmoid")
        cell.build(x[:, 0].shape)
        for variable, array in zip(cell.weights, self.fused("IFCO")):
            variable.assign(array)
        states, outputs = [zeros, zeros], []
        for t in range(x.shape[1]):
            output, states = {call}(x[:, t], states)
            outputs.append(output)
        return tf.stack(outputs, 1)
"""
# name -> (before the class, in call)
CHEATS = {
    "the Keras that TensorFlow once was": (
        "from tensorflow.python.keras.layers.recurrent import LSTM as Old",
        """
        layer = Old(self.h_size, return_sequences=True, recurrent_activation="sigmoid")
        layer.build(x.shape)
        layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias = self.fused("IFCO")
        return layer(x)
        """,
    ),
    "its loop over time": (
        "from tensorflow.python.keras import backend as old",
        "        return old.rnn(self.step, x, [zeros, zeros])[1]",
    ),
    "the kernel's Python function": (
        "from tensorflow.python.ops import gen_rnn_ops as kernels",
        KERNEL.format("kernels.block_lstm", "forget_bias=0.0, cell_clip=-1.0"),
    ),
    "the kernel's function that nobody should call": (
        "from tensorflow.python.ops import gen_rnn_ops as kernels\nfrom tensorflow.python.eager import context",
        KERNEL.format("kernels.block_lstm_eager_fallback", "0.0, -1.0, False, None, context.context()"),
    ),
    "a graph that was made at import": (MADE_AT_IMPORT.format(layer="tf.keras.layers.LSTM"), USED_LATER),
    "a file of another name": (
        'exec(compile("def run(layer, x): return layer(x)", "time_distributed.py", "exec"))',
        "        return run(self.keras_layer(x), x)",
    ),
    "inside TimeDistributed": (
        "",
        "        return tf.keras.layers.TimeDistributed(self.keras_layer(x))(x[:, None])[:, 0]",
    ),
    "its source, executed": (SOURCE_EXECUTED, CELL_BY_CELL.format(cell='names["LSTMCell"]', call="cell")),
    "its source under other names, in every call": (
        "import inspect, sys",
        """
        source = inspect.getsource(tf.keras.layers.LSTMCell).replace("LSTMCell", "Mine").replace("h_tm1", "before")
        names = dict(vars(sys.modules[tf.keras.layers.LSTMCell.__module__]))
        exec(source, {**names, "keras_export": lambda *a, **k: lambda cls: names.setdefault("Mine", cls)})
"""
        + CELL_BY_CELL.format(cell='names["Mine"]', call="cell"),
    ),
    "what lies behind a tripwire": (
        "",
        """
        trip = next(value for value in tf.keras.layers.LSTMCell.call.__code__.co_consts if callable(value))
        held = [cell.cell_contents for cell in trip.__closure__]
        behind = next(value for value in held if getattr(value, "__name__", "") == "call")
"""
        + CELL_BY_CELL.format(cell="tf.keras.layers.LSTMCell", call="behind.__get__(cell)"),
    ),
    "switching the poison off": (
        "import sys",
        """
        wires = sys.modules["tripwires"]
        wires.poisoned, wires._to_nan, wires.tf.nest.map_structure = False, None, lambda _, value: value
        return self.keras_layer(x)(x)
        """,
    ),
}
HONEST = {
    "TimeDistributed": (
        "",
        "        return tf.keras.layers.TimeDistributed(tf.keras.layers.Activation('linear'))(self.honest(x))",
    ),
    "tf.scan": (
        "",
        """
        steps = tf.transpose(x, [1, 0, 2])
        hs, _ = tf.scan(lambda states, step: tuple(self.lstm_cell(step, *states)), steps, (zeros, zeros))
        return tf.transpose(hs, [1, 0, 2])
        """,
    ),
    "a graph that was made at import and is not used": (
        MADE_AT_IMPORT.format(layer="tf.keras.layers.LSTM"),
        "        graph\n        return self.honest(x)",
    ),
    "a copy of its source whose shape is printed": (
        SOURCE_EXECUTED,
        """
        print(names["LSTMCell"](self.h_size)(x[:, 0], [zeros, zeros])[0].shape)
        return self.honest(x)
        """,
    ),
    "a Keras layer whose shape is printed": ("", "        self.keras_layer(x)(x).shape\n        return self.honest(x)"),
}


@pytest.fixture(scope="module", params=["3", "2"], ids=["Keras 3", "Keras 2"])
def graded_by(
    request: pytest.FixtureRequest, box: ForkSandbox, assignment: Assignment, references: ReferenceStore
) -> Callable[[tuple[str, str]], Report]:
    roomy = assignment.limits.model_copy(update={"cpu_seconds": 20, "wall_seconds": 60.0})
    under = assignment.model_copy(update={"keras": request.param, "limits": roomy})

    def grade_it(parts: tuple[str, str]) -> Report:
        top, call = parts
        source = SUBMISSION.format(top=top, call=call.strip("\n").rstrip())
        return grade(Submission("submission.py", source.encode()), under, sandbox=box, references=references)

    return grade_it


@pytest.mark.parametrize("parts", CHEATS.values(), ids=CHEATS.keys())
def test_recurrent_code_of_tensorflow_is_not_own_work_whatever_the_way_to_it(graded_by, parts):
    report = graded_by(parts)
    assert (report.status, report.points) == ("failed", 10), report.error
    assert {check.id: check.status for check in report.checks}["own_work"] == "failed"
    assert report.diagnoses[0].code in ("uses_builtin_lstm", "uses_builtin_rnn", "uses_global_keras_layer")


@pytest.mark.parametrize("parts", HONEST.values(), ids=HONEST.keys())
def test_what_only_looks_like_it_gets_full_marks(graded_by, parts):
    report = graded_by(parts)
    assert (report.status, report.points) == ("passed", 100), (report.error, report.diagnoses)


def _cell_of_keras() -> str:
    """The source of Keras' own cell, with its imports, as somebody pastes it."""
    spec = find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "src/layers/rnn/lstm.py").read_text()
    wanted = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) or (isinstance(node, ast.ClassDef) and node.name == "LSTMCell")
    ]
    for node in wanted:
        if isinstance(node, ast.ClassDef):
            node.name, node.decorator_list = "Borrowed", []
    return "\n".join(map(ast.unparse, wanted)).replace("super()", "super(Borrowed, self)")


def test_source_of_keras_that_is_pasted_is_pointed_out_to_the_teacher(box, assignment, references):
    """It is code in the submission; who may hand in whose code is not for the numbers to say."""
    call = """
        cell = Borrowed(self.h_size, recurrent_activation="sigmoid")
        cell.build(x[:, 0].shape)
        for weight, array in zip(cell.weights, self.fused("IFCO")):
            weight.assign(array)
        states, outputs = [zeros, zeros], []
        for t in range(x.shape[1]):
            h, states = cell(x[:, t], states)
            outputs.append(h)
        return tf.stack(outputs, 1)
    """
    source = SUBMISSION.format(top=_cell_of_keras(), call=call.strip("\n").rstrip())
    given = Submission("submission.py", source.encode())
    report = grade(given, assignment, sandbox=box, references=references)
    checks = {check.id: check.status for check in report.checks}
    assert (checks["equivalence"], checks["own_work"]) == ("passed", "passed"), report.error
    assert "review_suggested" in {advisory.code for advisory in report.advisories}
