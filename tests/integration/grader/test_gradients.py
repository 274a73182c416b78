"""Right answers whose gradients are cut on the way: neither the means nor the number of steps makes a difference."""

import textwrap

import pytest

from grader.pipeline import grade
from grader.report.model import Check, Report
from grader.submission import Submission
from tests.exercises import right_class
from tests.integration.grader.conftest import LAYER, SHORT, GradeSource
from tests.tiers import sampled

IMPORTS = "import numpy as np\nimport tensorflow as tf\n"

# (before the class, in __init__, every so many steps)
TRUNCATED = {
    "stop_gradient": ("", "", "h, c = tf.stop_gradient(h), tf.stop_gradient(c)"),
    "numpy": ("", "", "h, c = h.numpy(), c.numpy()"),
    "assign": (
        "",
        "self.states = None",
        """
        if self.states is None or self.states.shape[1:] != h.shape:
            self.states = tf.Variable(tf.stack([h, c]), trainable=False)
        self.states.assign(tf.stack([h, c]))
        h, c = tf.unstack(self.states)
        """,
    ),
    "custom_gradient": (
        """
        @tf.custom_gradient
        def cut(h, c):
            return (tf.identity(h), tf.identity(c)), lambda dh, dc: (tf.zeros_like(dh), tf.zeros_like(dc))
        """,
        "",
        "h, c = cut(h, c)",
    ),
    "a tape that looks away": (
        "from tensorflow.python.eager import record",
        "",
        """
        with record.stop_recording():
            h, c = tf.identity(h), tf.identity(c)
        """,
    ),
}
DIFFERENT = {
    "clipped": (
        """
        @tf.custom_gradient
        def clipped(c):
            return tf.identity(c), lambda dc: tf.clip_by_value(dc, -0.01, 0.01)
        """,
        "",
        "c = clipped(c)",
    ),
    "one state only": ("", "", "h = tf.constant(h.numpy())"),
    "one unit": ("", "", "c = tf.concat([c[:, 1:][:, -1:] * 0 + c.numpy()[:, :1], c[:, 1:]], axis=1)"),
}
HONEST = {
    "a copy by NumPy that is not used": ("", "", "seen = np.array(h).mean()"),
    "a gradient of one's own that is right": (
        """
        @tf.custom_gradient
        def same(h):
            return tf.identity(h), lambda dh: dh
        """,
        "",
        "h = same(h)",
    ),
    "called back, which TensorFlow differentiates once": (
        "",
        "",
        "h = tf.ensure_shape(tf.py_function(lambda h: tf.identity(h), [h], tf.float32), h.shape)",
    ),
    "computed again on the way back": ("", "", "h, c = tf.recompute_grad(lambda h, c: (1.0 * h, 1.0 * c))(h, c)"),
}
# Under this seed the gradient of one bias is less than a thousandth of the largest, on three steps and on eight.
SMALL_GRADIENT = bytes([40, *[0] * 31])
BIAS_OF_EACH_NEURON = """
class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.kernel = tf.keras.layers.Dense(4 * n, use_bias=False)
        self.recurrent_kernel = tf.keras.layers.Dense(4 * n, use_bias=False)
        self.b_i, self.b_f, self.b_c, self.b_o = ([tf.Variable(0.0) for _ in range(n)] for _ in range(4))

    def call(self, x):
        h = c = tf.zeros((x.shape[0], self.n))
        all_h = []
        for t in range(x.shape[1]):
            bias = tf.stack([*self.b_i, *self.b_f, *self.b_c, *self.b_o])
            i, f, g, o = tf.split(self.kernel(x[:, t]) + self.recurrent_kernel(h) + bias, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            all_h.append(h)
        return tf.stack(all_h, axis=1)
"""


@pytest.fixture(scope="module")
def grade_it(grade_source: GradeSource) -> GradeSource:
    def run(parts: tuple[str, str, str], *, every: int, keras: str = "3") -> Report:
        top, setup, cut = parts
        step = f"if t and t % {every} == 0:\n{textwrap.indent(textwrap.dedent(cut), ' ' * 4)}"
        return grade_source(right_class(top=IMPORTS + textwrap.dedent(top), init=setup, step=step), LAYER, keras=keras)

    return run


def _trainability(report: Report) -> Check:
    assert report.error is None
    return next(check for check in report.checks if check.id == "trainability")


@pytest.mark.parametrize("name", sampled(TRUNCATED, every=3))
def test_gradients_that_are_cut_every_so_many_steps_are_truncated(grade_it, name):
    report = grade_it(TRUNCATED[name], every=20)
    check = _trainability(report)
    assert (report.points, check.code, check.params["steps"]) == (90, "gradient_truncated", 20)


@pytest.mark.parametrize("name", sampled(DIFFERENT, every=2))
def test_gradients_that_are_changed_every_so_many_steps_differ(grade_it, name):
    report = grade_it(DIFFERENT[name], every=30)
    assert (report.points, _trainability(report).code) == (90, "gradient_differs")


@pytest.mark.parametrize("name", sampled(HONEST, every=2))
def test_code_that_cuts_no_gradient_costs_nothing(grade_it, name):
    assert grade_it(HONEST[name], every=20).points == 100


def test_the_gradient_of_one_neuron_may_be_small(sandbox, references):
    submission = Submission("submission.py", BIAS_OF_EACH_NEURON.encode())
    report = grade(submission, SHORT, seed=SMALL_GRADIENT, sandbox=sandbox, references=references)
    assert (report.points, _trainability(report).code) == (100, None)


@pytest.mark.parametrize(
    ("parts", "points"),
    [
        (TRUNCATED["numpy"], 90),
        pytest.param(DIFFERENT["clipped"], 90, marks=pytest.mark.thorough),
        pytest.param(HONEST["a copy by NumPy that is not used"], 100, marks=pytest.mark.thorough),
    ],
    ids=["truncated", "different", "honest"],
)
def test_points_are_the_same_under_keras_2(grade_it, parts, points):
    assert grade_it(parts, every=20, keras="2").points == points
