"""Fingerprints of code: equal for copies in disguise, different for different code, and the course's own is known."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader.fingerprints import MOST_NODES, fingerprints
from reader.module_text import code_cell, join_cells

from grader import handout
from grader.assignment import load_assignments
from grader.report.fingerprint import KNOWN, Fingerprint, StatementPrint

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CORPUS = Path(__file__).parents[2] / "corpus"
PUBLISHED = CORPUS / "lstm_notebook" / "course_published" / "submission.ipynb"
#: They look names up in texts, or are not written as Python in UTF-8.
NOT_RENAMED = ("setattr", "getattr", "exec(", "globals(", "__dict__", "eval(")
#: Names that Python, Keras or the grader looks for.
NOT_OWN = {"LSTM", "call", "build", "built", "x", "H_SIZE", "BATCH_SIZE", "SEQ_LEN", "EMB_SIZE"}


def prints_of(*cells: str) -> list[StatementPrint]:
    module = join_cells([code_cell(0, cell) for cell in cells], SIZES.values(), is_script=True)
    return [StatementPrint.model_validate(each) for each in fingerprints(module)]


def fingerprint(source: str) -> Fingerprint:
    return Fingerprint.of(prints_of(source))


def _plain(folder: Path) -> str | None:
    try:
        source = (folder / "submission.py").read_text(encoding="utf-8")
        compile(source, "submission.py", "exec")
    except (OSError, ValueError, SyntaxError):
        return None
    return source if "\nclass " in source and not any(word in source for word in NOT_RENAMED) else None


SOURCES = {
    folder.name: source
    for kind in ("correct", "style", "wrong")
    for folder in sorted(CORPUS.glob(f"*/{kind}_*/"))
    if (source := _plain(folder)) is not None
}


class Disguise(ast.NodeTransformer):
    """Hands in somebody's code as one's own: other names, comments, prints, and another order of methods."""

    def __init__(self, tree: ast.Module, rng: random.Random) -> None:
        self._rng = rng
        nodes = list(ast.walk(tree))
        imported = {(each.asname or each.name).split(".")[0] for each in nodes if isinstance(each, ast.alias)}
        self._names = self._others({name for node in nodes for name in _names_made(node)} - imported)
        self._attributes = self._others({name for node in nodes for name in _attributes_made(node)})

    def _others(self, names: set[str]) -> dict[str, str]:
        own = sorted(name for name in names - NOT_OWN if not name.startswith("__"))
        return {name: f"{name[0]}{number}_{self._rng.randrange(1000)}" for number, name in enumerate(own)}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        return ast.Attribute(self.visit(node.value), self._attributes.get(node.attr, node.attr), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._names.get(node.arg, node.arg))

    def visit_Call(self, node: ast.Call) -> ast.Call:
        is_own = getattr(node.func, "id", "") in self._names or getattr(node.func, "attr", "") in self._attributes
        self.generic_visit(node)
        for keyword in node.keywords if is_own else ():
            keyword.arg = self._names.get(keyword.arg or "", keyword.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.name = {**self._names, **self._attributes}.get(node.name, node.name)
        node.returns = ast.Name("object", ast.Load())
        node.body = [*ast.parse("'''Mine.'''\nprint('here')").body, *node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        node.name = self._names.get(node.name, node.name)
        if all(isinstance(each, ast.FunctionDef) for each in node.body):
            self._rng.shuffle(node.body)
        return node


def _names_made(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name):
            yield name
        case ast.Module() | ast.FunctionDef():
            yield from (each.name for each in node.body if isinstance(each, ast.FunctionDef))


def _attributes_made(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.ClassDef(body=body):
            yield from (each.name for each in body if isinstance(each, ast.FunctionDef))


@given(st.sampled_from(sorted(SOURCES)), st.integers(0, 10_000))
@settings(max_examples=60)
def test_a_copy_in_disguise_has_the_same_form_and_another_text(name: str, seed: int) -> None:
    tree = ast.parse(SOURCES[name])
    copy = ast.unparse(ast.fix_missing_locations(Disguise(tree, random.Random(seed)).visit(tree)))
    before, after = fingerprint(SOURCES[name]), fingerprint(copy)
    assert (before.form, before.statements) == (after.form, after.statements), copy
    assert before.text != after.text


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
