"""Submissions that let TensorFlow compute the answer by ways that are not in tf.keras, and honest ones that look alike.

Each of them would give the right numbers, under either generation of Keras, if recurrent code were there.
"""

import ast
import marshal
import textwrap
import types
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from grader.report.model import Report
from tests.containment.conftest import ROOMY, submission

# The weights that the grader puts into the course's cell, fused as others want them.
METHODS = """
def fused(self, order):
    cell = self.lstm_cell
    kernel = tf.concat([getattr(cell, f"fcX{gate}").kernel for gate in order], 1)
    recurrent = tf.concat([getattr(cell, f"fcH{gate}").kernel for gate in order], 1)
    bias = tf.concat([getattr(cell, f"fcX{gate}").bias for gate in order], 0)
    return kernel, recurrent, bias

def keras_layer(self, x):
    layer = tf.keras.layers.LSTM(self.h_size, return_sequences=True, recurrent_activation="sigmoid")
    layer.build(x.shape)
    layer.set_weights([array.numpy() for array in self.fused("IFCO")])
    return layer

def step(self, x, states):
    h, c = self.lstm_cell(x, *states)
    return h, [h, c]
"""
# Before a right answer goes on.
BUILT = """
zeros = tf.zeros((x.shape[0], self.h_size))
self.lstm_cell(x[:, 0], zeros, zeros)
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
layer = tf.keras.layers.LSTM(32, return_sequences=True, recurrent_activation="sigmoid")
layer.build((None, None, 16))
graph = tf.function(lambda x: layer(x)).get_concrete_function(tf.TensorSpec((None, None, 16)))
"""
USED_LATER = """
        if (x.shape[-1], self.h_size) == (16, 32):
            for variable, array in zip(layer.weights, self.fused("IFCO")):
                variable.assign(array)
            return graph(x)
"""
SOURCE_EXECUTED = """
import inspect, sys
names = {**vars(sys.modules[tf.keras.layers.LSTMCell.__module__]), "keras_export": lambda *a, **k: lambda cls: cls}
exec(inspect.getsource(tf.keras.layers.LSTMCell), names)
Borrowed = names["LSTMCell"]
"""
CELL_BY_CELL = """
        cell = Borrowed(self.h_size, recurrent_activation="sigmoid")
        cell.build(x[:, 0].shape)
        for variable, array in zip(cell.weights, self.fused("IFCO")):
            variable.assign(array)
        states, outputs = [zeros, zeros], []
        for t in range(x.shape[1]):
            output, states = cell(x[:, t], states)
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
    "a graph that was made at import": (MADE_AT_IMPORT, USED_LATER),
    "a file of another name": (
        'exec(compile("def run(layer, x): return layer(x)", "time_distributed.py", "exec"))',
        "        return run(self.keras_layer(x), x)",
    ),
    "inside TimeDistributed": (
        "",
        "        return tf.keras.layers.TimeDistributed(self.keras_layer(x))(x[:, None])[:, 0]",
    ),
    "the loops of TensorFlow 1": (
        "from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl as old",
        """
        cell = old.BasicLSTMCell(self.h_size, forget_bias=0.0)
        cell.build(x[:, 0].shape)
        kernel, recurrent, bias = self.fused("ICFO")
        cell.set_weights([tf.concat([kernel, recurrent], 0).numpy(), bias.numpy()])
        return tf.compat.v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)[0]
        """,
    ),
}
# What takes the run over, one way or another. It may end in anything; numbers it has none.
TAKEOVERS = {
    "no pipe to be told on": (
        "import os",
        """
        kept = os.dup(3)
        os.dup2(os.open("null", os.O_CREAT | os.O_WRONLY, 0o600), 3)
        answer = self.keras_layer(x)(x)
        os.dup2(kept, 3)
        return answer
        """,
    ),
    "what is noted, emptied": (
        "import sys",
        """
        answer = self.keras_layer(x)(x)
        for noted in vars(sys.modules["driver.built_in.no_recurrence"]).values():
            if isinstance(noted, (dict, list)): noted.clear()
        return tf.where(tf.math.is_nan(answer), 0.0, answer)
        """,
    ),
    "the kernel below all Python functions": (
        "from tensorflow.python import pywrap_tfe\nfrom tensorflow.python.eager import context",
        KERNEL.format("by_name", "").replace(
            "by_name(steps, x, zeros, zeros, weights, none, none, none, bias, )[6]",
            'pywrap_tfe.TFE_Py_FastPathExecute(context.context(), "BlockLSTM", None, steps, x, zeros, zeros, weights,'
            ' none, none, none, bias, "forget_bias", 0.0, "cell_clip", -1.0, "use_peephole", False)[6]',
        ),
    ),
    "the kernel in a graph": (
        "",
        KERNEL.format("in_graph", "0")
        .replace("        kernel, rec", "        from tensorflow.python.framework import ops\n        kernel, rec")
        .replace(
            "h = in_graph(steps, x, zeros, zeros, weights, none, none, none, bias, 0)[6]",
            "given = [steps, x, zeros, zeros, weights, none, none, none, bias]\n"
            "        run = tf.function(lambda *given: ops.get_default_graph()._create_op_internal("
            '"BlockLSTMV2", list(given), [tf.float32] * 7).outputs[6], autograph=False)\n'
            "        h = run(*given)",
        ),
    ),
    "TensorFlow Lite": (
        "",
        """
        converter = tf.lite.TFLiteConverter.from_keras_model(self.keras_layer(x))
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
        interpreter.allocate_tensors()
        interpreter.set_tensor(0, x.numpy())
        interpreter.invoke()
        return tf.constant(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        """,
    ),
    "its source, read from the disk": (SOURCE_EXECUTED, CELL_BY_CELL),
    "what the memory still knows": (
        "import gc, types",
        """
        def codes(code):
            yield code
            for constant in code.co_consts:
                if isinstance(constant, types.CodeType): yield from codes(constant)
        known = False
        for held in gc.get_objects():
            for value in gc.get_referents(held):
                if isinstance(value, types.CodeType):
                    for code in codes(value):
                        # z, split: names of the formulas in any cell of Keras
                        if code.co_name == "call" and {"recurrent_activation", "kernel"} <= set(code.co_names):
                            known |= "LSTMCell" in getattr(code, "co_qualname", "LSTMCell")
        if not known: return x
        """,
    ),
}
HONEST = {
    "tf.scan": (
        "",
        """
        steps = tf.transpose(x, [1, 0, 2])
        hs, _ = tf.scan(lambda states, step: tuple(self.lstm_cell(step, *states)), steps, (zeros, zeros))
        return tf.transpose(hs, [1, 0, 2])
        """,
    ),
    "a graph that was made at import and is not used": (MADE_AT_IMPORT, "graph"),
    "a Keras layer whose shape is printed": ("", "self.keras_layer(x)(x).shape"),
}


# The same ways under the other generation, which has a warm process of its own.
FIRST = pytest.mark.parametrize(
    "generation", ["3", pytest.param("2", marks=pytest.mark.thorough)], ids=["Keras 3", "Keras 2"]
)


@pytest.fixture(scope="module")
def graded_by(graded: Callable[..., Report]) -> Callable[[str, tuple[str, str]], Report]:
    def grade_it(generation: str, parts: tuple[str, str]) -> Report:
        top, call = parts
        attack = submission(top=top, class_body=METHODS, call=BUILT + textwrap.dedent(call))
        return graded(attack, generation, **ROOMY)

    return grade_it


@pytest.mark.parametrize(
    ("generation", "names"),
    [
        ("3", list(CHEATS)),
        ("2", list(CHEATS)[:2]),
        pytest.param("2", list(CHEATS)[2:], marks=pytest.mark.thorough),
    ],
    ids=["Keras 3", "Keras 2", "Keras 2, the others"],
)
def test_recurrent_code_of_tensorflow_is_not_own_work_whatever_the_way_to_it(graded_by, generation, names):
    codes = ("uses_builtin_lstm", "uses_builtin_rnn", "uses_global_keras_layer")
    for name in names:
        report = graded_by(generation, CHEATS[name])
        assert (report.status, report.points) == ("failed", 10), (name, report.error)
        assert {check.id: check.status for check in report.checks}["own_work"] == "failed", name
        assert report.diagnoses[0].code in codes, name


@FIRST
def test_a_submission_that_takes_the_run_over_has_no_numbers_to_give(graded_by, generation):
    for name, parts in TAKEOVERS.items():
        report = graded_by(generation, parts)
        assert report.status not in ("passed", "internal_error"), name
        assert report.points <= 10, (name, report.diagnoses)


@FIRST
def test_code_that_only_looks_like_it_gets_full_marks(graded_by, generation):
    for name, parts in HONEST.items():
        report = graded_by(generation, parts)
        assert (report.status, report.points) == ("passed", 100), (name, report.error, report.diagnoses)


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


def test_source_of_keras_that_is_pasted_is_pointed_out_to_the_teacher(graded_by):
    """It is code in the submission; who may hand in whose code is not for the numbers to say."""
    report = graded_by("3", (_cell_of_keras(), CELL_BY_CELL))
    checks = {check.id: check.status for check in report.checks}
    assert (checks["equivalence"], checks["own_work"]) == ("passed", "passed"), report.error
    assert "review_suggested" in {advisory.code for advisory in report.advisories}


def test_compiled_code_of_keras_that_is_made_a_function_is_pointed_out_too(graded_by):
    [cell] = [const for const in compile(_cell_of_keras(), "", "exec").co_consts if isinstance(const, types.CodeType)]
    [code] = [const for const in cell.co_consts if getattr(const, "co_name", "") == "call"]
    loads = f"importlib.import_module('mar' + 'shal').loads({marshal.dumps(code)!r})"
    report = graded_by("3", ("import importlib, types", f"types.FunctionType({loads}, {{}})"))
    assert report.points == 100, report.error
    assert [(advisory.code, advisory.params["variant"]) for advisory in report.advisories] == [
        ("review_suggested", "copied")
    ]


UNREADABLE = {
    "3": ("tf_keras/__init__.py", "keras/src/layers/rnn/lstm.py", "keras/src/backend/numpy/rnn.py"),
    "2": ("keras/__init__.py", "tf_keras/src/layers/rnn/lstm.py", "tf_keras/src/backend.py"),
    "both": (
        *("tensorflow/libtensorflow_cc.so.2", "tensorflow/python/keras/backend.py", "tensorflow/python/ops/rnn.py"),
        *("tensorflow/python/keras/layers/recurrent.py", "tensorflow/lite/python/lite.py"),
    ),
}


@pytest.mark.parametrize("generation", ["3", "2"], ids=["Keras 3", "Keras 2"])
def test_no_file_that_recurrent_code_came_from_can_be_read(graded_by, generation):
    call = """
        import glob, os
        packages = os.path.dirname(os.path.dirname(tf.__file__))
        for name in FILES:
            folder, file = os.path.split(os.path.join(packages, name))
            for path in [os.path.join(folder, file), *glob.glob(f"{folder}/__pycache__/{file[:-3]}.*")]:
                try:
                    open(path, "rb").close()
                    print("read", path)
                except PermissionError:
                    print("refused")
    """
    files = UNREADABLE[generation] + UNREADABLE["both"]
    report = graded_by(generation, (f"FILES = {files}", call))
    lines = report.output.stdout.split("\n")
    assert report.points == 100, report.error
    assert set(lines) == {"refused", ""}
    assert len(lines) > len(files)
