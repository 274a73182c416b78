"""Formulas of a step, read from the code of a class: in the names of the definition, or not at all."""

import ast
import re
from pathlib import Path

import pytest

import grader
from grader.numerics.written_formulas import written_mistake
from tests.unit.runner.test_parts import CELL, SIZES

GRADER = Path(grader.__file__).parent
CLASS = re.compile(r"^class LSTMCell\(.*\n(?:(?: .*)?\n)+", re.MULTILINE)
RIGHT = {
    "i": "sigmoid(x_i + h_i)", "f": "sigmoid(x_f + h_f)", "g": "tanh(x_g + h_g)", "o": "sigmoid(x_o + h_o)",
    "c_new": "f * c + i * g", "h_new": "o * tanh(c_new)",
}  # fmt: skip

FUSED = """class LSTM(tf.keras.Model):
    def build(self, shape):
        self.W = self.add_weight(shape=(shape[-1], 4 * 3))
        self.U = self.add_weight(shape=(3, 4 * 3))
        self.b = self.add_weight(shape=(4 * 3,))
    def call(self, x):
        h, c = tf.zeros((2, 3)), tf.zeros((2, 3))
        hs = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(x[:, t] @ self.W + h @ self.U + self.b, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            hs.append(h)
        return tf.stack(hs, axis=1)
"""


def formulas_of(source: str) -> dict[str, str]:
    from reader import upload

    first, second = upload.answers(source.encode(), "solution.py", SIZES)
    assert first["error"] is None
    return {name: ast.unparse(ast.parse(text, mode="eval")) for name, text in second["formulas"].items()}


@pytest.mark.parametrize(
    "source",
    [
        CELL,
        FUSED,
        CELL.replace("f * c + i * ch", "tf.add(tf.multiply(f, c), i * ch)"),
        CELL.replace("self.fcXI(x) + self.fcHI(h)", "self.fcHI(h) + self.fcXI(tf.cast(x, tf.float32))"),
        CELL.replace("for t in range(x.shape[1])", "for x_t in tf.unstack(x, axis=1)").replace("x[:, t]", "x_t"),
        # A row of the weights that is a bias.
        FUSED.replace("x[:, t] @ self.W", "np.concatenate([np.ones((2, 1)), x[:, t], h], axis=1) @ self.W").replace(
            " + h @ self.U + self.b", ""
        ),
        FUSED.replace("x[:, t] @ self.W", "(self.W @ x[:, t].T).T"),
        # States at the end of a list, in a named tuple, and of a fold.
        CELL.replace("hs = []", "hs, cs = [h], [c]").replace(
            "h, c = self.cell(x[:, t], h, c)", "h, c = self.cell(x[:, t], hs[-1], cs[-1]); cs.append(c)"
        ),
        CELL.replace("hs = []", "hs, s = [], collections.namedtuple('S', 'h c')(h, c)").replace(
            "h, c = self.cell(x[:, t], h, c)", "h, c = self.cell(x[:, t], s.h, s.c); s = s._replace(h=h, c=c)"
        ),
        "class S(NamedTuple):\n    h: tf.Tensor\n    c: tf.Tensor\n"
        + CELL.replace("hs = []", "hs, s = [], S(h, c)").replace(
            "h, c = self.cell(x[:, t], h, c)", "s = S(*self.cell(x[:, t], *s)); h = s.h"
        ),
        CELL[: CELL.index("        hs = []")]
        + "        step = lambda s, x_t: self.cell(x_t, *s)\n"
        + "        steps = itertools.accumulate(tf.unstack(x, axis=1), step, initial=(h, c))\n"
        + "        return tf.stack([h for h, _ in steps][1:], axis=1)\n",
        CELL.replace("h, c = self.cell(x[:, t], h, c)", "two = self.cell(x[:, t], h, c); h, c = two[-2], two[-1]"),
    ],
)
def test_right_formulas_are_read_in_any_style(source: str) -> None:
    found = formulas_of(source)
    assert {name: "".join(sorted(text)) for name, text in found.items()} == {
        name: "".join(sorted(text)) for name, text in RIGHT.items()
    }


@pytest.mark.parametrize(
    "path", [path for path in GRADER.rglob("*") if path.suffix in (".txt", ".py") and CLASS.search(path.read_text())]
)
def test_code_that_students_get_has_the_formulas_of_the_definition(path: Path) -> None:
    [cell] = CLASS.findall(path.read_text(encoding="utf-8"))
    found = formulas_of(cell + CELL[CELL.index("class LSTM(") :])
    assert found.keys() == RIGHT.keys()
    assert written_mistake(found) is None


@pytest.mark.parametrize(
    ("was", "becomes", "name", "formula"),
    [
        ("f * c + i * ch", "f * c - i * ch", "c_new", "f * c - i * g"),
        ("f * c + i * ch", "f * c + (1 - f) * ch", "c_new", "f * c + (1 - f) * g"),
        ("f * c + i * ch", "f * h + i * ch / 2", "c_new", "f * h + i * g / 2"),
        ("f * c + i * ch", "tf.maximum(f * c, i * ch)", "c_new", "maximum(f * c, i * g)"),
        ("o * tf.tanh(c)", "o * tf.nn.relu(c)", "h_new", "o * relu(c_new)"),
        ("tf.tanh(self.fcXC(x) + self.fcHC(h))", "tf.tanh(self.fcXC(x))", "g", "tanh(x_g)"),
        ("self.fcXF(x) + self", "tf.nn.relu(self.fcXF(x)) - self", "f", "sigmoid(relu(x_f) - h_f)"),
        ("self.fcXF(x) + ", "self.fcXF(x) + 1.5 + ", "f", "sigmoid(x_f + 1.5 + h_f)"),
        ("self.fcXF(x) + ", "self.fcXI(x) + ", "f", "sigmoid(x_i + h_f)"),
        ("self.fcXF(x) + self.fcHF(h)", "self.fcXF(x) + self.fcHF(h) + c", "f", "sigmoid(x_f + h_f + c)"),
        ("self.fcXF(x) + self.fcHF(h)", "2 * (self.fcXF(x) + self.fcHF(h))", "f", "sigmoid(2 * (x_f + h_f))"),
        ("self.fcXF(x) + self.fcHF(h)", "1 - (self.fcXF(x) + self.fcHF(h))", "f", "sigmoid(1 - (x_f + h_f))"),
        (
            "tf.sigmoid(self.fcXF(x) + self.fcHF(h))",
            "-tf.nn.relu(self.fcXF(x) + self.fcHF(h))",
            "f",
            "-relu(x_f + h_f)",
        ),
        ("tf.sigmoid(self.fcXF(x) + self.fcHF(h))", "2 / (1 + tf.exp(-self.fcXF(x)))", "f", "2 / (1 + exp(-x_f))"),
        (
            "tf.tanh(self.fcXC(x) + self.fcHC(h))",
            "(lambda z: 0.5 * (tf.exp(z) - tf.exp(-z)))(self.fcXC(x))",
            "g",
            "0.5 * (exp(x_g) - exp(-x_g))",
        ),
        (
            "o * tf.tanh(c)",
            "o * ((1 - tf.exp(-c)) / (1 + tf.exp(-c)))",
            "h_new",
            "o * ((1 - exp(-c_new)) / (1 + exp(-c_new)))",
        ),
        ("f * c + i * ch", "f * c + i * ch * -1.5", "c_new", "f * c + i * g * -1.5"),
        ("o * tf.tanh(c)", "0.9 * (o * tf.tanh(c)) + 0.01", "h_new", "0.9 * (o * tanh(c_new)) + 0.01"),
        ("f * c + i * ch", "0.8 * (f * c + i * ch)", "c_new", "0.8 * (f * c + i * g)"),
        ("o * tf.tanh(c)", "o * tf.tanh(c) ** 2", "h_new", "o * square(tanh(c_new))"),
        ("self.fcHF(h))\n", "self.fcHF(h)) ** 0.5\n", "f", "sqrt(sigmoid(x_f + h_f))"),
        ("f = tf.sigmoid(self", "f = 0.001 + tf.sqrt(self", "f", "0.001 + sqrt(x_f + h_f)"),
    ],
)
def test_another_formula_is_read_as_it_stands(was: str, becomes: str, name: str, formula: str) -> None:
    assert was in CELL
    found = formulas_of(CELL.replace(was, becomes))
    # A gate that is not used any more is not followed.
    assert found.items() <= {**formulas_of(CELL), name: formula}.items()
    assert found[name] == formula


def test_the_one_gate_without_a_name_is_the_one_that_is_left() -> None:
    made = "        self.first, self.second = tf.keras.layers.Dense(n), tf.keras.layers.Dense(n, use_bias=False)\n"
    unnamed = CELL.replace("    def call(self, x, h, c):", f"{made}    def call(self, x, h, c):")
    unnamed = unnamed.replace("ch = tf.tanh(self.fcXC(x) + self.fcHC(h))", "s = self.first(x) + self.second(h)")
    unnamed = unnamed.replace("i * ch", "i * tf.tanh(s)")
    assert formulas_of(unnamed)["g"] == RIGHT["g"]


def test_the_activation_of_a_layer_is_part_of_the_formula() -> None:
    found = formulas_of(CELL.replace("Dense(n))", "Dense(n, activation='relu'))"))
    assert (found["f"], found["g"]) == ("sigmoid(relu(x_f) + h_f)", "tanh(relu(x_g) + h_g)")


def test_a_layer_of_both_inputs_is_one_term_of_a_product() -> None:
    joined = CELL.replace("self.fcXF(x) + self.fcHF(h)", "2 * self.fcXF(tf.concat([x, h], axis=-1))")
    assert formulas_of(joined)["f"] == "sigmoid(2 * (x_f + h_f))"


def test_a_layer_may_stand_in_an_update() -> None:
    found = formulas_of(CELL.replace("f * c + i * ch", "f * c + self.fcXO(x) * i * ch"))
    # Two values are named after one gate then, so neither has its name.
    updates = {"c_new": "f * c + x_o * i * g", "h_new": "sigmoid(x_o + h_o) * tanh(c_new)"}
    assert found == {name: text for name, text in {**formulas_of(CELL), **updates}.items() if name != "o"}


def test_softmax_over_the_columns_of_several_gates_is_none_of_a_gate() -> None:
    joined = FUSED.replace("tf.split(x", "tf.split(tf.nn.softmax(x").replace("+ self.b,", "+ self.b),")
    assert formulas_of(joined).keys() == {"c_new", "h_new"}


@pytest.mark.parametrize(
    ("was", "becomes", "lost"),
    [
        # A gate is left out where something about it has no name.
        ("self.fcXF(x) + ", "self.fcXF(tf.square(x)) + ", {"f"}),
        ("self.fcXF(x) + ", "self.fcXF(x) + (lambda k: k)() + ", {"f"}),
        ("self.fcHF(h))\n", "self.fcHF(c))\n", {"f"}),
        ("self.fcXF(x) + self.fcHF(h)", "self.fcXF(tf.concat([x, h, h], axis=-1))", {"f"}),
        ("self.fcXF(x) + ", "self.fcXF(x) + " * 40, {"f"}),
        # A number that Python refuses to write.
        ("self.fcXF(x) + ", f"self.fcXF(x) + 0x{'f' * 4000} * ", {"f"}),
        # Other numbers than the function of that name gives, and a type that numbers lose digits in.
        ("tf.sigmoid(self.fcXF(x)", "tf.nn.leaky_relu(alpha=0.01, features=self.fcXF(x)", {"f"}),
        ("self.fcHF(h))\n", "self.fcHF(tf.cast(h, tf.int32)))\n", {"f"}),
        ("self.fcXF(x) + self.fcHF(h)", "tf.clip_by_value(self.fcXF(x) + self.fcHF(h), -1, 1)", {"f"}),
        ("tf.sigmoid(self.fcXF(x) + self.fcHF(h))", "tf.round(tf.sigmoid(self.fcXF(x) + self.fcHF(h)))", {"f"}),
        ("o * tf.tanh(c)", "o * tf.nn.softmax(c, axis=0)", RIGHT.keys()),
        ("o * tf.tanh(c)", "o * tf.tanh(tf.cast(c, 'float16'))", RIGHT.keys()),
        # One layer under the names of two gates.
        ("    def call(self, x, h, c)", "        self.fcXF = self.fcXI\n    def call(self, x, h, c)", {"i", "f"}),
        # Without the updates, nothing says what a gate is for.
        ("f * c + i * ch", "tf.where(f > 0, c, i) * ch", RIGHT.keys()),
        ("f * c + i * ch", "f * c + i * ch if x is None else f", RIGHT.keys()),
        ("o * tf.tanh(c)", "o * tf.nn.relu(c) + i", RIGHT.keys()),
        ("return h, c\n", "return c, h\n", RIGHT.keys()),
    ],
)  # fmt: skip
def test_a_doubtful_formula_is_left_out(was: str, becomes: str, lost: set[str]) -> None:
    assert was in CELL
    found = formulas_of(CELL.replace(was, becomes))
    assert found.keys() == RIGHT.keys() - lost
    assert found.items() <= formulas_of(CELL).items()
