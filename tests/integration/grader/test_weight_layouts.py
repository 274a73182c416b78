"""Right classes whose weights stand as no layer of Keras has them, and a layer of one unit: all get full marks.

Those that compute in NumPy lose the points of the gradients, and no others.
"""

import pytest

from grader.assignment import Assignment
from tests.integration.grader.conftest import LAYER, GradeSource
from tests.tiers import sampled

SOURCE = """\
import collections, functools, types
import numpy as np
import tensorflow as tf

KEPT = {{}}

class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def build(self, shape):
        m, n = shape[-1], self.n
        new = lambda name, *shape: self.add_weight(name=name, shape=shape)
        {build}

    def call(self, x):
        n = self.n
        h = c = tf.zeros((tf.shape(x)[0], n))
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t]
            {step}
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""
FUSED = 'self.W, self.U, self.b = new("W", m, 4 * n), new("U", n, 4 * n), new("b", 4 * n)'
LAYOUTS = {
    # The corpus has plain ones, and tests/unit/grader/execution/test_recognition.py other orders.
    "a_matrix_for_each_unit": (
        'self.units = [new("u%d" % k, m + n + 1, 4) for k in range(n)]',
        (
            "v = tf.concat([a, h, tf.ones_like(a[:, :1])], 1); "
            "i, f, g, o = tf.unstack(tf.stack([v @ w for w in self.units], axis=1), axis=2)"
        ),
    ),
    "two_biases": (
        FUSED + '; self.more = new("more", 4 * n)',
        "z = tf.reshape(a @ self.W + self.b + h @ self.U + self.more, (-1, n, 4)); o, g, f, i = tf.unstack(z, axis=2)",
    ),
    "factors_and_a_learned_start": (
        (
            "self.out, self.start_c = (self.add_weight(shape=(n,), initializer=k) for k in ('ones', 'zeros')); "
            "self.k = [[self.add_weight(name=a + b, shape=s, initializer=c) for b in 'ifgo'] for a, s, c in"
            " (('gain_', (n,), 'ones'), ('b_', (n,), 'zeros'), ('W_', (m, n), None), ('U_', (n, n), None))]"
        ),
        (
            "h, c = (self.out * h, c) if t else (h, c + self.start_c); "
            "i, f, g, o = [p * (a @ W + h @ U) + b for p, b, W, U in zip(*self.k)]"
        ),
    ),
    "a_factor_for_each_column": (
        FUSED + '; self.scale = tf.Variable(np.repeat([1, 2, 1, 1], n).astype("f"))',
        "z = self.scale * (a @ self.W + h @ self.U + self.b); f, g, o, i = tf.split(z, 4, axis=1); g /= 2",
    ),
    "a_mask_of_sigmoids_with_gates_last": (
        (
            "self.W, self.U, self.b = new('W', m, n, 4), new('U', n, n, 4), new('b', n, 4); "
            "self.is_gate = tf.Variable(np.tile([1, 0, 1, 1], (n, 1)).astype('f'))"
        ),
        (
            "z = tf.tensordot(a, self.W, 1) + tf.tensordot(h, self.U, 1) + self.b; "
            "z *= 2 * self.is_gate - 1; o, g, i, f = tf.unstack(z, axis=2); g = -g"
        ),
    ),
    "keras_names_in_another_order": (
        'self.kernel, self.recurrent_kernel, self.bias = new("k", m, 4 * n), new("r", n, 4 * n), new("b", 4 * n)',
        (
            "z = a @ self.kernel + h @ self.recurrent_kernel + self.bias; "
            "(f, i, o), g = tf.split(z[:, : 3 * n], 3, axis=1), z[:, 3 * n :]"
        ),
    ),
    "kernels_of_layers_under_second_names": (
        (
            "D = tf.keras.layers.Dense; self.kernels = (); "
            "self.x, self.h = ([D(n, use_bias=each) for _ in range(4)] for each in (True, False))"
        ),
        (
            "o, i, g, f = [d(a) + e(h) for d, e in zip(self.x, self.h)]; "
            "self.kernels, self.last = [d.kernel for d in self.x], self.h[3].kernel"
        ),
    ),
    "a_bias_of_one_gate_and_double_precision": (
        (
            "self.d, self.e = (tf.keras.layers.Dense(4 * n, use_bias=k, dtype='float64') for k in (True, False)); "
            "self.keep = self.add_weight(shape=(n,), initializer='ones')"
        ),
        (
            "z = tf.reshape(tf.cast(self.d(a) + self.e(h), 'float32'), (-1, n, 4)); "
            "i, o, f, g = tf.unstack(z, axis=2); f += self.keep"
        ),
    ),
    "leftover_biases_beside_those_of_layers": (
        (
            "[setattr(self, a + k, new(a + k, *s)) for k in 'ifgo' for a, s in (('W_', (m, n)), ('b_', (n,)))]; "
            "self.U_i, self.U_f, self.U_g, self.U_o = (tf.keras.layers.Dense(n) for _ in 'ifgo')"
        ),
        "i, f, g, o = [a @ getattr(self, 'W_' + k) + getattr(self, 'U_' + k)(h) for k in 'ifgo']",
    ),
    "states_of_any_size": (
        (
            "self.d = tf.keras.layers.Dense(4 * n); "
            "self.h, self.all = (tf.Variable(tf.zeros([1] * k + [n]), shape=[None] * k + [n]) for k in (1, 2))"
        ),
        (
            "i, o, g, f = tf.unstack(tf.reshape(self.d(tf.concat([a, h], 1)), (-1, n, 4)), axis=2); "
            "self.h.assign(h); self.all.assign(tf.stack([h, c]))"
        ),
    ),
    "held_by_objects_of_python": (
        (
            "D, E = (functools.partial(tf.keras.layers.Dense, n, use_bias=each) for each in (True, False)); "
            "self.i = functools.partial(lambda d, e, a, h: d(a) + e(h), D(), E()); "
            "self.f = types.MethodType(lambda both, a, h: both[0](a) + both[1](h), (D(), E())); "
            "self.g = collections.deque([D(), E()]); "
            "self.o = types.SimpleNamespace(both=np.array([D(), E()], object))"
        ),
        "i, f, g, o = self.i(a, h), self.f(a, h), self.g[0](a) + self.g[1](h), self.o.both[0](a) + self.o.both[1](h)",
    ),
}


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """An assignment whose layers have one unit, or one feature, too; two cases of different batches have the same."""
    sizes = {
        "exercise": (2, 5, 4, 8),
        "other_shape": (5, 3, 1, 2),
        "larger_values": (3, 7, 1, 2),
        "other_seed": (9, 4, 3, 1),
    }
    cases = [
        case.model_copy(update=dict(zip(("batch", "timesteps", "features", "units"), sizes[case.id], strict=True)))
        for case in LAYER.cases
        if case.id in sizes
    ]
    return LAYER.model_copy(update={"cases": cases})


@pytest.mark.parametrize("layout", sampled(LAYOUTS, every=3))
def test_weights_may_stand_as_they_like(layout: str, assignment: Assignment, grade_source: GradeSource) -> None:
    build, step = LAYOUTS[layout]
    report = grade_source(SOURCE.format(build=build, step=step), assignment, keras="auto")
    assert report.points == 100, [(check.id, check.code) for check in report.checks]


def test_weights_may_be_kept_outside_of_the_class(grade_source: GradeSource) -> None:
    source = SOURCE.format(
        build="self.key = m, n; KEPT[m, n] = [tf.Variable(np.ones((k, 4 * n), 'f')) for k in (m, n, 1)]",
        step="W, U, b = KEPT[self.key]; i, f, g, o = tf.split(a @ W + h @ U + b, 4, axis=1)",
    )
    report = grade_source(source, LAYER, keras="auto")
    assert report.points == 100, [(check.id, check.code) for check in report.checks]


def test_weights_of_a_class_in_double_precision_are_recognised(grade_source: GradeSource) -> None:
    source = SOURCE.format(
        build="self.d = tf.keras.layers.Dense(4 * n, dtype='float64')",
        step="z = self.d(tf.concat([tf.cast(a, 'float64'), h], 1)); o, i, g, f = (z[:, k::4] for k in range(4))",
    )
    report = grade_source(source.replace("[0], n))", "[0], n), 'float64')"), LAYER, keras="auto")
    assert {check.id: check.code for check in report.checks if check.code} == {"contract": "dtype_float64"}


FORMS = {
    "tf.stack(outputs, axis=1).numpy().tolist()": ("returns_list", 80, "returns_list"),
    "outputs": ("returns_list", 45, None),
    "[h.numpy().tolist() for h in outputs]": ("returns_list", 35, "returns_list"),
    "tf.stack(outputs, axis=1), h": ("returns_tuple", 45, None),
    "tf.stack(outputs)": ("time_major", 45, None),
    "h": ("returns_last_only", 45, None),
}


@pytest.mark.parametrize("returned", sampled(FORMS, every=2))
def test_a_wrong_form_costs_the_same_however_the_weights_stand(returned: str, grade_source: GradeSource) -> None:
    source = SOURCE.format(
        build="self.d = tf.keras.layers.Dense(4 * n)",
        step="z = self.d(tf.concat([a, h], 1)); o, i, g, f = (z[:, k::4] for k in range(4))",
    )
    report = grade_source(source.replace("tf.stack(outputs, axis=1)", returned))
    checks = {check.id: check for check in report.checks}
    cause = checks["trainability"].params.get("follows_from")
    assert (checks["contract"].code, report.points, cause) == FORMS[returned]


def test_a_scale_of_the_input_and_a_counter_are_no_weights_of_the_layer(grade_source: GradeSource) -> None:
    source = SOURCE.format(
        build="self.d = tf.keras.layers.Dense(4 * n); self.scale = self.add_weight(shape=(m,), initializer='ones'); "
        "self.steps = tf.Variable(0.0)",
        step="self.steps.assign_add(1.0); "
        "z = self.d(tf.concat([self.scale * a, h], 1)); o, i, g, f = (z[:, k::4] for k in range(4))",
    )
    report = grade_source(source, LAYER, keras="auto")
    assert report.points == 100, [(check.id, check.code) for check in report.checks]


HIDDEN = {
    "interleaved": (
        FUSED,
        ("z = a @ self.W.numpy() + h @ self.U.numpy() + self.b.numpy(); i, f, g, o = (z[:, k::4] for k in range(4))"),
    ),
    "flat_bias_first": (
        'self.m, self.p = m, new("p", 4 * n * (m + n + 1))',
        (
            "b, U, W = np.split(self.p.numpy(), [4 * n, 4 * n + 4 * n * n]); "
            "f, i, o, g = np.split(a @ W.reshape(self.m, -1) + h @ U.reshape(n, -1) + b, 4, axis=1)"
        ),
    ),
    "gates_of_rows_with_a_bias": (
        'self.W = new("W", 4, n + m + 1, n)',
        "v = np.hstack([h, a, np.ones((len(a), 1), 'f')]); o, g, f, i = (v @ w for w in self.W.numpy())",
    ),
    "constant_tensors": (
        "self.kept = [{'a': tf.ones((k, 4 * n))} for k in (m, n, 1)]",
        "W, U, b = (each['a'] for each in self.kept); o, i, g, f = np.split(a @ W + h @ U + b, 4, axis=1)",
    ),
    "arrays_of_numpy": (
        "self.W, self.U, self.b = (np.ones(size, 'f') for size in ((m, 4, n), (4, n, n), (1, 4, n)))",
        "o, i, g, f = (np.tensordot(a, self.W, 1) + self.b).transpose(1, 0, 2) + h @ self.U",
    ),
}


@pytest.mark.parametrize("layout", sampled(HIDDEN, every=3))
def test_weights_that_no_gradient_reaches_may_stand_as_they_like_too(layout: str, grade_source: GradeSource) -> None:
    build, step = HIDDEN[layout]
    source = SOURCE.format(build=build, step=step).replace("a = x[:, t]", "a = x[:, t].numpy()")
    source = source.replace("tf.zeros((tf.shape(x)[0], n))", "np.zeros((len(x), n), 'f')")
    source = source.replace("tf.sigmoid", "(lambda z: 1 / (1 + np.exp(-z)))").replace("tf.tanh", "np.tanh")
    report = grade_source(f"import numpy as np\n{source}", LAYER, keras="auto")
    assert {check.id for check in report.checks if check.code} == {"trainability"}, report.points
