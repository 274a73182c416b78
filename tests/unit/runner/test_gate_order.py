"""The order of the parts of a fused product in the class that the reader follows."""

from typing import Any

import pytest

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
START = """class LSTM(tf.keras.Model):
    def __init__(self, n):
        self.n = n
        self.kernel, self.bias = self.add_weight((3, 4 * n)), self.add_weight((4 * n,))
        self.both, self.dense = self.add_weight((3 + n, 4 * n)), tf.keras.layers.Dense(4 * n)
    def call(self, x):
        n, z, h = self.n, x @ self.kernel, tf.zeros((2, 3))
        for t in range(x.shape[1]):
"""
END = """            h = h + tf.sigmoid(i) + tf.sigmoid(f) + tf.tanh(g) + tf.sigmoid(o)
        return h
"""


def followed(source: str) -> dict[str, Any]:
    from reader import upload

    first, second = upload.answers(source.encode(), "solution.py", SIZES)
    assert first["error"] is None
    return dict(second)


def in_step(*lines: str) -> str:
    return START + "".join(f"            {line}\n" for line in lines) + END


@pytest.mark.parametrize(
    "lines",
    [
        ["i, f, g, o = tf.split(z, 4, axis=1)"],
        ["i, f, g, o = [z[:, k*n:(k+1)*n] for k in range(4)]"],
        ["i, f, g, o = z[:, :n], z[:, n:2*n], z[:, 2*n:3*n], z[:, 3*n:]"],
        ["o = tf.sigmoid(z[:, 96:])", "i = z[:, :32]", "g = tf.tanh(z[:, 64:96])", "f = z[:, 32:64]"],
        ["i = z[:, :self.n]", "f = z[:, self.n:2*self.n]", "g = z[:, self.n*2:self.n*3]", "o = z[:, 3*self.n:]"],
        ["i, f, g, o = z[:, :-3*n], z[:, -3*n:-2*n], z[:, -2*n:-n], z[:, -n:]"],
        ["i, f, g, o = [tf.slice(z, [0, k * n], [-1, n]) for k in range(4)]"],
        ["p = tf.split(z, 4)", "i = p[0]", "f = p[1]", "g = p[2]", "o = p[3]"],
        ["g, o, i, f = z[:, 2::4], z[:, 3::4], z[:, 0::4], z[:, 1::4]"],
        ["f, i, o, g = [z[:, k::4] for k in (1, 0, 3, 2)]"],
        ["i, f, g, o = [z[:, k:k+n] for k in range(0, 4*n, n)]"],
        ["i = z[:, :n] + b[:]", "f = z[:, n:2*n] + b[:]", "g = z[:, 2*n:3*n]", "o = z[:, 3*n:]"],
        ["p = [z[k] for k in (1, 0, 3, 2)]", "f, i, o, g = p"],
        ["def parts(z): return z[:, n:2*n], z[:, :n], z[:, 3*n:], z[:, 2*n:3*n]", "f, i, o, g = parts(z)"],
        ["def parts(z): return tf.split(z, 4)", "i, f, g, o = parts(z)"],
        ["def parts(z): a, b, c, d = tf.split(z, 4); return d, c, a, b", "o, g, i, f = parts(z)"],
        ["p = lambda k: z[:, k * n:(k + 1) * n]", "i, f, g, o = p(0), p(1), p(2), p(3)"],
        ["i, f, g, o = tf.unstack(tf.reshape(z, (-1, 4, n)), axis=1)"],
        ["y = tf.reshape(z, (-1, 4, n))", "i, f, g, o = y[:, 0, :], y[:, 1, :], y[:, 2, :], y[:, 3, :]"],
        ["s = tf.sigmoid(z[:, :2*n])", "i, f = tf.split(s, 2)", "g, o = z[:, 2*n:3*n], z[:, 3*n:]"],
        ["(i, f), (g, o) = [tf.split(each, 2) for each in (z[:, :2*n], z[:, 2*n:])]"],
        ["p = {'i': z[:, :n], 'f': z[:, n:2*n], 'g': z[:, 2*n:3*n], 'o': z[:, 3*n:]}", "i, f, g, o = p.values()"],
        ["i, f, g, o = tf.split(self.dense(x), 4)"],
        ["w = tf.reshape(self.bias[: 3 * n], (3, 4 * n))", "i, f, g, o = tf.split(x @ w, 4)"],
    ],
)
def test_the_order_of_a_four_way_split(lines: list[str]) -> None:
    assert followed(in_step(*lines))["unpack_names"] == [["i", "f", "g", "o"]]


@pytest.mark.parametrize(
    "lines",
    [
        ["p, q, r, s = tf.split(z, 4)", "f, i, g, o = tf.sigmoid(p), tf.sigmoid(q), tf.tanh(r), tf.sigmoid(s)"],
        ["p = tf.split(z, 4)", "i, f, g, o = p[1] + self.bias[1], p[0] + self.bias[0], self.bias[2] + p[2], p[3]"],
        [
            "f, i = 1 / (1 + tf.exp(-z[:, :n])), 1 / (1 + tf.exp(-z[:, n:2*n]))",
            "g, o = tf.tanh(z[:, 2*n:3*n]), tf.sigmoid(z[:, 3*n:])",
        ],
    ],
    ids=["activations", "sums", "by_hand"],
)
def test_parts_without_a_gates_name_have_the_names_around_them(lines: list[str]) -> None:
    assert followed(in_step(*lines))["unpack_names"] == [["f", "i", "g", "o"]]


@pytest.mark.parametrize(
    "line",
    [
        "i, f, g, o = D(n), D(n), D(n), D(n)",
        "i, f, g, o = x.shape",
        "i, f, g, o = x",
        "i, f, g, o = (D(n) for _ in range(4))",
        "i, f, g, o = [z[k] for k in order]",
        "i, f, g, o = [z[:, k:k+n] for k in range(3*n, -1, -n)]",
        "i, f, g, o = y[0], z[0], y[1], z[1]",
        "z = tf.concat([z[:, n:], z[:, :n]], 1); i, f, g, o = tf.split(z, 4, axis=1)",
        "z = tf.concat([z[:, n:], z[:, :n]], 1) + self.bias; i, f, g, o = tf.split(z, 4, axis=1)",
        "w = self.kernel; w = tf.concat([w[:, n:], w[:, :n]], 1); i, f, g, o = tf.split(x @ w, 4, axis=1)",
        "z = tf.gather(z, order, axis=1); i, f, g, o = tf.unstack(z, axis=1)",
        "i, f, g, o = tf.split(tf.roll(z, n, 1), 4, axis=1)",
        "i, f, g, o = tf.split(z, 4)[::-1]",
        "i, f, g, o = reversed(tf.split(z, 4))",
        "i, f, g, o = self.order",
        "i, f, g, o = self.gates(z)",
        "p = lambda z: tf.split(z, 4)[::-1]; i, f, g, o = p(z)",
    ],
)
def test_other_unpacking_is_no_split(line: str) -> None:
    assert followed(in_step(line))["unpack_names"] == []


@pytest.mark.parametrize(
    ("source", "orders"),
    [
        (in_step("i, f, g, o = self.parts(z)") + "    def parts(self, z): return tf.split(z, 4)\n", ["ifgo"]),
        (
            in_step("i, f, g, o = tf.split(z, 4)") + "    def load(self): f, i, g, o = tf.split(self.b, 4)\n",
            ["ifgo"],
        ),
        (in_step("f, i, g, o = tf.split(z, 4)") + in_step("i, f, g, o = tf.split(z, 4)"), ["ifgo"]),
        (
            in_step("p, q, r, s = self.parts(z)", "i, f, g, o = p, q, r, s")
            + "    @property\n    def order(self): return 0, 2, 1, 3\n"
            + "    def parts(self, z): return [tf.split(z, 4)[k] for k in self.order]\n",
            ["igfo"],
        ),
    ],
    ids=["method", "not_called", "superseded", "order_of_a_property"],
)
def test_only_what_the_answer_is_made_of_has_an_order(source: str, orders: list[str]) -> None:
    assert ["".join(names) for names in followed(source)["unpack_names"]] == orders
