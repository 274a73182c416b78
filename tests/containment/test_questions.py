"""Classes that answer by what a question looks like, by its place, or by what an earlier call or run left behind."""

import base64
import json
import textwrap

import numpy as np
import pytest
import safetensors.numpy

from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.sandbox import Kind
from grader.sandbox.protocol import encode, split_frames
from grader.submission import Submission
from reference import LSTMWeights, lstm_forward
from tests.containment.conftest import ROOMY
from tests.exercises import right_class

# `honest` is right; each attack puts something else into `call`, which Keras also traces to build it.
HONEST = """
def honest(self, x, h=None, c=None):
    h = tf.zeros((x.shape[0], self.h_size)) if h is None else h
    c = tf.zeros((x.shape[0], self.h_size)) if c is None else c
    outputs = []
    for t in range(x.shape[1]):
        h, c = self.lstm_cell(x[:, t], h, c)
        outputs.append(h)
    return tf.stack(outputs, axis=1), h, c
"""
TRACED = "if not tf.executing_eagerly(): return self.honest(x)[0]"
KEPT = """
import base64
import numpy as np
import tensorflow as tf

class Kept:
    def __init__(self):
        self.calls, self.of_shape, self.last = 0, {}, None
"""
STATEFUL = {
    "the first questions of a shape only": """
        shape = tuple(x.shape)
        self.kept.of_shape.setdefault(shape, [])
        earlier = self.kept.of_shape[shape]
        if len(earlier) < 2:  # the call that builds a model is one
            earlier.append(self.honest(x)[0])
        return earlier[-1]
    """,
    "counts its calls, and forgets what it keeps when the second call used to come": """
        self.kept.calls += 1
        last = self.kept.last
        if last is None or self.kept.calls <= 3 or last[0].shape[0] != x.shape[0]:
            last = None, None
        y, *self.kept.last = self.honest(x, *last)
        return y
    """,
    "keeps its state": """
        last = self.kept.last
        if last is None or last[0].shape[0] != x.shape[0]:
            last = None, None
        y, *self.kept.last = self.honest(x, *last)
        return y
    """,
}
# Answers that are known: of the case that x is the input of, or in the order of the assignment.
KNOWN = """
def array(text, shape):
    return np.frombuffer(base64.b64decode(text), np.float32).reshape(shape)

KNOWN = [(array(x, shape), array(y, (*shape[:2], units))) for x, y, shape, units in {known}]
order = iter(range(10**6))
"""
BY_HEART = {
    "all published and hidden numbers, by the input": """
        for given, answer in KNOWN:
            if given.shape == tuple(x.shape) and np.array_equal(given, x):
                return tf.constant(answer) + 0.0 * self.honest(x)[0]
        return 0.0 * self.honest(x)[0]
    """,
    "the same, by the shape": """
        for given, answer in KNOWN:
            if given.shape == tuple(x.shape):
                return tf.constant(answer) + 0.0 * self.honest(x)[0]
        return 0.0 * self.honest(x)[0]
    """,
    "in the order of the assignment": """
        known = KNOWN[max(0, next(order) - 1) % len(KNOWN)][1]
        mine = self.honest(x)[0]
        return tf.constant(np.resize(known, mine.shape)) + 0.0 * mine
    """,
}


@pytest.fixture(scope="module")
def known(references, assignment):
    cases = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)

    def text(array):
        return base64.b64encode(array.tobytes()).decode()

    return [(text(case.x), text(case.expected), case.x.shape, case.spec.units) for case in cases]


def attacking(call: str, top: str = "") -> Submission:
    call = f"{TRACED}\n{textwrap.dedent(call)}"
    source = right_class(top=KEPT + top, body=HONEST, init="self.kept = Kept()", call=call)
    return Submission("submission.py", source.encode())


@pytest.fixture
def graded_as(graded):
    return lambda call, top="", **changes: graded(attacking(call, top), **ROOMY, **changes)


def test_the_class_that_they_hide_behind_is_right(graded_as):
    report = graded_as("return self.honest(x)[0]")
    assert (report.status, report.points) == ("passed", 100), report.error


@pytest.mark.parametrize("order", [0, *(pytest.param(order, marks=pytest.mark.thorough) for order in (1, 2))])
def test_leftovers_of_an_earlier_call_show_wherever_the_second_one_comes(graded_as, order):
    for name, call in STATEFUL.items():
        report = graded_as(call, f"ORDER = {order}\n")
        checks = {check.id: check for check in report.checks}
        assert report.status == "failed", (name, report.error)
        assert not checks["statelessness"].points, (name, checks, report.error, report.diagnoses)
        assert report.diagnoses, name


def test_leftovers_show_where_the_exercise_is_the_smallest_case(graded_as, assignment):
    asked = assignment.model_dump()
    asked["cases"][0] |= {"timesteps": 6, "features": 5, "units": 3}
    report = graded_as(STATEFUL["the first questions of a shape only"], under=Assignment.model_validate(asked))
    checks = {check.id: check.points for check in report.checks}
    assert (checks["equivalence"], checks["statelessness"]) == (50, 0), report.checks


def test_answers_that_are_known_by_heart_are_worth_their_form(graded_as, known):
    for name, call in BY_HEART.items():
        report = graded_as(call, KNOWN.format(known=known))
        checks = {check.id: (check.points, check.code) for check in report.checks}
        assert (report.status, report.points) == ("failed", 10), (name, checks)


class Whispering:
    """A box in which every run finds the questions of all runs before it, with the right answers: a perfect channel.

    They stand in `WHISPERED` of the run's module, as input and answer.
    """

    def __init__(self, box):
        self._box, self._known = box, []

    def run(self, kind, content, limits):
        if kind is not Kind.READER:
            [(text, block)], _ = split_frames(content)
            request, arrays = json.loads(text), safetensors.numpy.load(block) if block else {}
            request["source"] = request["source"].replace("WHISPERED = []\n", f"WHISPERED = {self._known!r}\n")
            self._known += [_solved(arrays, name.partition("/")[0]) for name in arrays if name.endswith("/x")]
            content = encode(request, arrays)
        return self._box.run(kind, content, limits)


def _solved(arrays, name):
    weights = LSTMWeights(*(arrays[f"{name}/{weight}"] for weight in ("kernel", "recurrent_kernel", "bias")))
    x = arrays[f"{name}/x"]
    return [array.astype(np.float32).tobytes().hex() for array in (x, lstm_forward(x, weights).h)]


LISTENS = """
WHISPERED = []

FAILS = False

def look_up(x, units):
    if FAILS:
        raise AttributeError("module 'keras' has no attribute 'engine'")
    asked = np.asarray(x, np.float32).tobytes().hex()
    for given, answer in WHISPERED:
        if given == asked:
            return np.frombuffer(bytes.fromhex(answer), np.float32).reshape((*x.shape[:2], units))
    return np.zeros((*x.shape[:2], units), np.float32)
"""
FAILS_UNDER_KERAS_3 = """
FAILS = tf.keras.__version__ >= "3"
"""
# A class that must be asked twice to learn which weight is which, or what its arguments are.
UNNAMED = """
class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        for name in "abcdefgh":
            setattr(self, name, tf.keras.layers.Dense(units))

    def call(self, x, h, c):
        c = tf.sigmoid(self.a(x) + self.e(h)) * c + tf.sigmoid(self.b(x) + self.f(h)) * tf.tanh(self.c(x) + self.g(h))
        return tf.sigmoid(self.d(x) + self.h(h)) * tf.tanh(c), c
"""
JOINED = """
class LSTMCell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.i, self.f, self.c, self.o = (tf.keras.layers.Dense(units) for _ in range(4))

    def call(self, x, h, c):
        z = tf.concat([h, x], axis=1)
        c = tf.sigmoid(self.f(z)) * c + tf.sigmoid(self.i(z)) * tf.tanh(self.c(z))
        return tf.sigmoid(self.o(z)) * tf.tanh(c), c
"""
GUESSED = """
class LSTM(LSTM):
    def __init__(self, h_size, size, width):
        super().__init__(h_size)
"""

# Task 2 as the exercise asks for it, with a class that shows no work of its own.
COPIES_AND_COMPARES = """
x = np.random.rand(2, 100, 16).astype(np.float32)
lstm = tf.keras.layers.LSTM(32, return_sequences=True, recurrent_activation="sigmoid")
my = LSTM(32)
y = lstm(x), my(x)
W, U, b = lstm.get_weights()
for k, gate in enumerate("IFCO"):
    columns = slice(32 * k, 32 * (k + 1))
    getattr(my.lstm_cell, "fcX" + gate).set_weights([W[:, columns], b[columns]])
    getattr(my.lstm_cell, "fcH" + gate).set_weights([U[:, columns]])
print(np.max(np.abs(lstm(x) - my(x))))
"""


@pytest.mark.parametrize(
    ("id", "top", "end", "files"),
    [
        ("lstm-layer", "", "", 2),
        ("lstm-layer", UNNAMED, "", 1),
        pytest.param("lstm-layer", JOINED, "", 1, marks=pytest.mark.thorough),
        pytest.param("lstm-layer", "", GUESSED, 1, marks=pytest.mark.thorough),
        pytest.param("lstm-layer", FAILS_UNDER_KERAS_3, "", 1, marks=pytest.mark.thorough),
        pytest.param("lstm-notebook", "", "", 2, marks=pytest.mark.thorough),
        ("lstm-notebook", "", COPIES_AND_COMPARES, 2),
        pytest.param("lstm-notebook", FAILS_UNDER_KERAS_3, COPIES_AND_COMPARES, 1, marks=pytest.mark.thorough),
    ],
    ids=[
        "a batch",
        "weights without names",
        "joined weights",
        "guessed arguments",
        "both Keras",
        "notebooks without Task 2",
        "notebooks",
        "a notebook under both Keras",
    ],
)
def test_right_answers_to_all_earlier_runs_earn_nothing(sandbox, references, questions_seed, id, top, end, files):
    call = "return tf.constant(look_up(x, self.h_size)) + 0.0 * self.honest(x)[0]"
    source = attacking(call, LISTENS + top).content.decode() + end
    assignment = load_assignments()[id]
    under = assignment.model_copy(update={"limits": assignment.limits.model_copy(update=ROOMY), "keras": "auto"})
    whispering = Whispering(sandbox)
    for number in range(files):
        given = Submission("a.py", f"{source}\n# {number}".encode())
        report = grade(given, under, seed=questions_seed, sandbox=whispering, references=references)
    checks = {check.id: (check.points, check.code) for check in report.checks}
    assert report.points <= 10, (checks, report.error)
    assert {name for name, (points, _) in checks.items() if points} == {"contract"}, (checks, report.error)
    # The published answer was found, and is worth nothing alone.
    assert checks["equivalence"][1] == "known_by_heart", checks
