"""Notebooks whose class lets Keras answer where Keras works: in the notebook's own run, for the points of Task 2.

Each of them fails in the grader's questions or answers anything, and copies and compares as it should.
"""

from collections.abc import Callable

import pytest

from grader.assignment import load_assignments
from grader.report.model import Report
from grader.submission import Submission

NOTEBOOK = """\
import numpy as np
import tensorflow as tf

x = np.random.rand(2, 100, 16).astype(np.float32)
lstm = tf.keras.layers.LSTM(32, return_sequences=True, recurrent_activation="sigmoid")
y = lstm(x)
{top}

class LSTM({base}):
    def __init__(self, h_size):
        super().__init__()
        self.cell = LSTMCell(h_size)
        self.inner = tf.keras.layers.LSTM(h_size, return_sequences=True, recurrent_activation="sigmoid")

    def call(self, x):
        zeros = tf.zeros((x.shape[0], 32))
        h, _ = self.cell(x[:, 0], zeros, zeros)
        anything = tf.reduce_sum(x, axis=2, keepdims=True) * tf.ones((1, 1, 32))
{call}

my = LSTM(32)
my(x)
W, U, b = lstm.get_weights()
for k, gate in enumerate("IFCO"):
    columns = slice(32 * k, 32 * (k + 1))
    getattr(my.cell, "fcX" + gate).set_weights([W[:, columns], b[columns]])
    getattr(my.cell, "fcH" + gate).set_weights([U[:, columns]])
if my.inner.built:
    my.inner.set_weights([W, U, b])
y, z = lstm(x), my(x)
print(np.max(np.abs(y - z)))
"""
OR_RAISE = "\n        if np.isnan(answer).any(): raise ValueError('nothing')\n        return answer"
OR_ANYTHING = "\n        return anything if np.isnan(answer).any() else answer"
BEFORE_THE_CALL = """
class Base(tf.keras.Model):
    def __call__(self, x):
        self.known = lstm(x)
        return super().__call__(x)
"""
LATE = """
class Late:
    shape, dtype = (2, 100, 32), np.dtype("float32")
    def __init__(self, x): self.x = x
    def __array__(self, *_args, **_options): return np.array(lstm(self.x))
"""
GRAPH = "graph = tf.function(lambda x: lstm(x)).get_concrete_function(tf.TensorSpec((2, 100, 16)))"
OLD_GRAPH = """
with tf.Graph().as_default() as old:
    given = tf.compat.v1.placeholder(tf.float32, (2, 100, 16))
    cell = lstm.cell
    states, outputs = [tf.zeros((2, 32))] * 2, []
    for t in range(100):
        output, states = cell(given[:, t], states)
        outputs.append(output)
    stacked = tf.stack(outputs, 1)
"""
THREAD = """
import queue, threading
asked, told = queue.Queue(), queue.Queue()
def work():
    while True: told.put(np.array(lstm(asked.get())))
threading.Thread(target=work, daemon=True).start()
"""
SOURCE = """
import inspect, sys
names = {**vars(sys.modules[tf.keras.layers.LSTMCell.__module__]), "keras_export": lambda *a, **k: lambda cls: cls}
exec(inspect.getsource(tf.keras.layers.LSTMCell), names)
"""
KNOWN = "        answer = tf.constant(np.array(y))" + OR_RAISE
# name -> (before the class, its base, the end of call)
CHEATS = {
    "a layer inside, or an exception": ("", "tf.keras.Model", "        answer = self.inner(x)" + OR_RAISE),
    "a layer inside, or anything": ("", "tf.keras.Model", "        answer = self.inner(x)" + OR_ANYTHING),
    "a layer inside, or a layer of its own": (
        "",
        "tf.keras.Model",
        "        answer = self.inner(x)\n        anything = anything * self.cell.fcXI(x)" + OR_ANYTHING,
    ),
    "what Keras answered before": ("", "tf.keras.Model", KNOWN),
    "Keras, before the call": (BEFORE_THE_CALL, "Base", "        answer = self.known" + OR_ANYTHING),
    "Keras, after the call": (LATE, "tf.keras.Model", "        return Late(x)"),
    "a graph of Keras": (GRAPH, "tf.keras.Model", "        answer = graph(tf.constant(x))" + OR_RAISE),
    "a graph of TensorFlow 1": (
        OLD_GRAPH,
        "tf.keras.Model",
        "        with tf.compat.v1.Session(graph=old) as session:\n"
        "            session.run([each.initializer for each in old.get_collection('variables')])\n"
        "            answer = tf.constant(session.run(stacked, {given: np.array(x)}))" + OR_RAISE,
    ),
    "a thread that asks Keras": (
        THREAD,
        "tf.keras.Model",
        "        asked.put(x)\n        answer = tf.constant(told.get(timeout=0.5))" + OR_RAISE,
    ),
    "the source of Keras": (
        SOURCE,
        "tf.keras.Model",
        "        borrowed = names['LSTMCell'](32, recurrent_activation='sigmoid')\n"
        "        borrowed.build((None, 16))\n        borrowed.set_weights(lstm.get_weights())\n"
        "        states, outputs = [zeros, zeros], []\n"
        "        for t in range(100):\n            output, states = borrowed(x[:, t], states)\n"
        "            outputs.append(output)\n        answer = tf.stack(outputs, 1)" + OR_RAISE,
    ),
    "random numbers": ("", "tf.keras.Model", "        return tf.random.normal((x.shape[0], x.shape[1], 32))"),
    "a millionth of a layer": ("", "tf.keras.Model", "        return anything + 1e-6 * h[:, None]"),
}
#: The corpus has a layer inside, too.
SOME = ["a thread that asks Keras"]


@pytest.fixture(scope="module")
def graded_as_notebook(graded: Callable[..., Report]) -> Callable[..., Report]:
    def grade_it(top: str, base: str, call: str) -> Report:
        given = Submission("notebook.py", NOTEBOOK.format(top=top, base=base, call=call).encode())
        return graded(given, under=load_assignments()["lstm-notebook"], cpu_seconds=20, wall_seconds=120.0)

    return grade_it


@pytest.mark.parametrize(
    "names",
    [SOME, pytest.param([name for name in CHEATS if name not in SOME], marks=pytest.mark.thorough)],
    ids=["some", "the others"],
)
def test_task_2_pays_nothing_for_a_class_that_shows_no_work_of_its_own(graded_as_notebook, names):
    for name in names:
        report = graded_as_notebook(*CHEATS[name])
        points = {check.id: check.points for check in report.checks}
        assert (points["weights_copied"], points["comparison"]) == (0, 0), (name, report.checks)


def test_a_wrong_class_of_ones_own_keeps_what_its_notebook_shows(graded_as_notebook):
    report = graded_as_notebook("", "tf.keras.Model", "        return anything + 0.1 * h[:, None]")
    points = {check.id: check.points for check in report.checks}
    assert (points["weights_copied"], points["comparison"]) == (15, 15), report.checks
