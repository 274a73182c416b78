"""Fingerprints of code: equal for copies in disguise, different for different code, and the course's own is known."""

import json
import re
from pathlib import Path

import pytest
from reader.fingerprints import MOST_NODES, fingerprints
from reader.module_text import code_cell, join_cells

from grader import handout
from grader.assignment import load_assignments
from grader.report.fingerprint import KNOWN, Fingerprint, StatementPrint

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CORPUS = Path(__file__).parents[2] / "corpus"
PUBLISHED = CORPUS / "lstm_notebook" / "course_published" / "submission.ipynb"


def prints_of(*cells: str) -> list[StatementPrint]:
    module = join_cells([code_cell(0, cell) for cell in cells], SIZES.values(), is_script=True)
    return [StatementPrint.model_validate(each) for each in fingerprints(module)]


def fingerprint(source: str) -> Fingerprint:
    return Fingerprint.of(prints_of(source))


STEP = """
class LSTM(tf.keras.Model):
    def __init__(self, n):
        super().__init__()
        self.a, self.b = Dense(4 * n), Dense(4 * n, use_bias=False)
        self.n = n

    def call(self, x):
        h = tf.zeros((2, self.n))
        c = tf.zeros((2, self.n))
        out = []
        for t in range(x.shape[1]):
            i, f, g, o = tf.split(self.a(x[:, t]) + self.b(h), 4, 1)
            i = tf.sigmoid(i)
            f = tf.sigmoid(f)
            c = f * c + i * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            out.append(h)
        return tf.stack(out, 1)
"""


OWN = """
def squash(z, *, slope):
    return tf.sigmoid(slope * z)

class Cell(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.gates, self.units = Dense(4 * units), units

    def step(self, x, h, c, scale=1.0):
        i, f, g, o = tf.split(self.gates(tf.concat([x, h], 1)), 4, 1)
        c = squash(f, slope=1.0) * c + squash(i, slope=scale) * tf.tanh(g)
        return squash(o, slope=1.0) * tf.tanh(c), c

class LSTM(tf.keras.Model):
    def __init__(self, units):
        super().__init__()
        self.cell = Cell(units)

    def call(self, x):
        h = c = tf.zeros((2, self.cell.units))
        out = []
        for t in range(x.shape[1]):
            h, c = self.cell.step(x[:, t], h, c, scale=1.0)
            out.append(h)
        return tf.stack([each for each in out], 1)
"""
#: Handed in as one's own: other names, of keywords too, comments, prints, annotations, another order of methods.
DISGUISED = """
def sig(value, *, k) -> object:
    '''Mine.'''
    return tf.sigmoid(k * value)

class Zelle(tf.keras.layers.Layer):
    def schritt(self, inp, a, b, s=1.0):
        print('here')
        tf.print(inp)
        w1, w2, w3, w4 = tf.split(self.w(tf.concat([inp, a], 1)), 4, 1)
        b = sig(w2, k=1.0) * b + sig(w1, k=s) * tf.tanh(w3)
        return sig(w4, k=1.0) * tf.tanh(b), b  # the states

    def __init__(self, size: int):
        super().__init__()
        self.w, self.size = Dense(4 * size), size

class LSTM(tf.keras.Model):
    def call(self, x):
        a = b = tf.zeros((2, self.zelle.size))
        result = []
        for step in range(x.shape[1]):
            a, b = self.zelle.schritt(x[:, step], a, b, s=1.0)
            result.append(a)
        return tf.stack([y for y in result], 1)

    def __init__(self, size):
        super().__init__()
        self.zelle = Zelle(size)
"""


def test_a_copy_in_disguise_has_the_same_form_and_another_text() -> None:
    before, after = fingerprint(OWN), fingerprint(DISGUISED)
    assert (before.form, before.statements) == (after.form, after.statements)
    assert before.text != after.text
    assert fingerprint(DISGUISED.replace("a, b, s=1.0)", "b, a, s=1.0)", 1)).form != before.form


def test_white_space_and_imports_change_neither_form_nor_text() -> None:
    spread = "import os\n" + STEP.replace(" = ", "   =  ").replace("\n", "  \n\n")
    assert fingerprint(STEP) == fingerprint(spread)
    commented = fingerprint(STEP.replace("        h = ", "        # the state\n        h = ", 1))
    assert (commented.form, commented.text != fingerprint(STEP).text) == (fingerprint(STEP).form, True)


def test_the_order_of_statements_that_need_nothing_of_each_other_is_free() -> None:
    lines = STEP.split("\n")
    for words in ("        c = tf.zeros", "        out = []", "            f = "):
        at = next(number for number, line in enumerate(lines) if line.startswith(words))
        lines[at - 1 : at + 1] = lines[at], lines[at - 1]
    assert fingerprint("\n".join(lines)).form == fingerprint(STEP).form
    assert Fingerprint.of(prints_of(OWN)[::-1]) == fingerprint(OWN)


CHANGES = {
    "another activation": ("tf.tanh(g)", "tf.sigmoid(g)"),
    "another sign": ("f * c + i", "f * c - i"),
    "a gate in the other's place": ("f * c + i", "i * c + f"),
    "the other state": ("self.b(h)", "self.b(c)"),
    "the other state collected": ("out.append(h)", "out.append(c)"),
    "another number": ("stack(out, 1)", "stack(out, 0)"),
    "a statement less": ("            out.append(h)\n", ""),
    "a statement outside the loop": ("            out.append(h)\n", "        out.append(h)\n"),
    "the collecting before the step": (
        "            out.append(h)\n",
        "",
        "            i, f, g, o",
        "            out.append(h)\n            i, f, g, o",
    ),
    "h before c": (
        "            h = tf.sigmoid(o) * tf.tanh(c)\n",
        "",
        "            c = f",
        "            h = tf.sigmoid(o) * tf.tanh(c)\n            c = f",
    ),
    "one layer twice": ("+ self.b(h)", "+ self.a(h)"),
    "no bias": ("Dense(4 * n), ", "Dense(4 * n, use_bias=False), "),
    "another name that Keras looks for": ("def call", "def forward"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_code_that_does_something_else_has_another_form(change: str) -> None:
    first, *more = zip(CHANGES[change][::2], CHANGES[change][1::2], strict=True)
    changed = STEP.replace(*first)
    assert changed != STEP
    for old, new in more:
        changed = changed.replace(old, new)
    forms = {fingerprint(STEP).form, fingerprint(changed).form}
    assert len(forms) == 2
    # Names of gates are names: exchanged everywhere, they are the same code.
    assert fingerprint(re.sub(r"\bi\b", "z", STEP)).form in forms


def test_code_that_everybody_has_from_the_course_is_known() -> None:
    given = [
        handout.module(assignment, language).decode()
        for assignment in load_assignments().values()
        for language in ("ru", "en")
    ]
    published = ["".join(cell["source"]) for cell in json.loads(PUBLISHED.read_bytes())["cells"]]
    prints = [each for cells in (*zip(given), published[1:]) for each in prints_of(*cells)]
    assert {hash for each in prints for hash in (each.text, each.form)} == KNOWN
    assert Fingerprint.of(prints).statements == 0

    cell = given[0].partition("class LSTM(")[0]
    own = "class LSTM(Model):\n    def call(self, x):\n        c = LSTMCell(h_size=3)\n        return c.fcXI(x)\n"
    # Pasted without the cell, it is the same, word for word; another cell by that name is not.
    assert fingerprint(own) == fingerprint(cell + own)
    assert fingerprint(f"from keras.layers import LSTMCell\n{own}").form != fingerprint(own).form
    # With i and f exchanged everywhere, a mistake leaves the course's cell its form. It is another text.
    wrong = cell.replace("f * c + i * ch", "i * c + f * ch")
    assert fingerprint(wrong + own).form == fingerprint(cell + own).form
    assert fingerprint(wrong + own).text != fingerprint(cell + own).text
    assert Fingerprint.of([]) == Fingerprint()


def test_a_file_made_to_be_slow_is_not_compared() -> None:
    assert prints_of("class LSTM(Model):\n" + "    a = 1\n" * MOST_NODES) == []
