"""Whatever is uploaded: the reader never raises, and what it says has the documented form and agrees with itself."""

import ast
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from reader import upload

from grader.execution.reading import Followed, Reading

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return x.shape\n"
#: The others come with the second answer.
DOCUMENTED = Reading.model_fields.keys() - {"source_cells", *Followed.model_fields, "fingerprint"}


def assert_documented(reading: dict[str, Any]) -> None:
    assert json.loads(json.dumps(reading, allow_nan=False)) == reading
    assert reading.keys() <= DOCUMENTED
    reading = Reading.model_validate(reading, strict=True).model_dump()
    reading["source"].encode("utf-8")
    _assert_lines(reading)


def _assert_lines(reading: dict[str, Any]) -> None:
    height = reading["source"].count("\n") + 1
    last = 0
    for cell in reading["cells"]:
        assert last < cell["first_line"] <= cell["last_line"] <= height
        last = cell["last_line"]
    indices = {cell["index"] for cell in reading["cells"]}
    assert {s["cell"] for s in reading["statements"]} | {s["index"] for s in reading["skipped"]} <= indices
    if reading["error"] is None:
        body = ast.parse(reading["source"]).body
        assert [s["last_line"] for s in reading["statements"]] == [node.end_lineno for node in body]
        places = {cell["index"]: cell for cell in reading["cells"]}
        for statement in reading["statements"]:
            cell = places[statement["cell"]]
            assert cell["first_line"] <= statement["first_line"] <= statement["last_line"] <= cell["last_line"]
        assert reading["class_line"] is None or 1 <= reading["class_line"] <= height


names = st.sampled_from(["LSTM", "x", "h", "H_SIZE", "tf", "np", "LSTMCell", "х", "a.b", "self.c", "f(x)", "d['k']"])
statements = st.one_of(
    st.builds("{} = {}".format, names, names),
    st.builds("{}".format, names),
    st.builds("class {}({}): pass".format, st.sampled_from(["LSTM", "LSTMCell", "Lstm", "LSТM"]), names),
    st.builds(
        "def {}(x={}):\n    global LSTM\n    LSTM = {}\n    return x".format, st.sampled_from("fgh"), names, names
    ),
    st.builds(
        "from {} import {}".format,
        st.sampled_from(["tensorflow.keras.layers", "os", "z"]),
        st.sampled_from(["*", "LSTM"]),
    ),
    st.builds("for i in {}:\n    {} = i".format, names, names),
    st.builds("if __name__ == '__main__':\n    {} = {}".format, names, names),
    st.builds("exec({})".format, names),
    st.builds("i, f, g, o = {}".format, names),
    st.sampled_from(
        ["%time LSTM = 1", "!ls", "a = !ls", "%%time", "%%bash", "x?", "await f()", "  y = 1", "(", '"""', "\\"]
    ),
    st.sampled_from(
        [CLASS, "# coding: cp1251", "from __future__ import annotations", "\x0c", "\u2028", "\ufeff", "é = 'ф'"]
    ),
    st.text(max_size=30),
)
cells = st.lists(statements, max_size=6).map("\n".join)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
sources = cells | cells.map(lambda text: text.splitlines(keepends=True)) | junk
notebook_cells = (
    st.fixed_dictionaries(
        {"cell_type": st.sampled_from(["code", "markdown", "raw", "heading"]) | junk},
        optional={
            **dict.fromkeys(("source", "input", "code"), sources),
            **dict.fromkeys(("outputs", "metadata", "language"), junk),
        },
    )
    | junk
)
notebooks = st.fixed_dictionaries(
    {},
    optional={
        "nbformat": st.integers(0, 6) | junk,
        "nbformat_minor": st.integers(0, 9) | junk,
        "metadata": st.fixed_dictionaries({}, optional={"kernelspec": junk, "language_info": junk}) | junk,
        "cells": st.lists(notebook_cells, max_size=5) | junk,
        "worksheets": st.lists(
            st.fixed_dictionaries({"cells": st.lists(notebook_cells, max_size=3)}) | junk, max_size=2
        )
        | junk,
    },
)
filenames = st.sampled_from(["a.py", "a.ipynb", "a.txt", "a", "a.html", "тетрадь.IPYNB", "../../etc/passwd", ""])


@given(notebooks | junk, filenames)
@example({"cells": [{"cell_type": "code", "source": "x = 1 \\"}, {"cell_type": "code", "source": CLASS}]}, "a.ipynb")
@example({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "html", "source": [1, CLASS]}]}]}, "a.ipynb")
def test_any_notebook_has_the_documented_answer(notebook: Any, filename: str) -> None:
    assert_documented(upload.read(json.dumps(notebook).encode(), filename, SIZES))


@given(st.binary(max_size=200) | cells.map(lambda text: text.encode("utf-8", "surrogatepass")), filenames)
def test_any_bytes_have_the_documented_answer(content: bytes, filename: str) -> None:
    assert_documented(upload.read(content, filename, SIZES))


@given(cells, st.sampled_from(["utf-8-sig", "utf-16", "cp1251", "koi8-r"]))
def test_any_encoding_has_the_documented_answer(text: str, encoding: str) -> None:
    assert_documented(upload.read(text.encode(encoding, "replace"), "a.py", SIZES))


@given(st.lists(cells, min_size=1, max_size=4), st.integers(1, 400))
def test_a_notebook_cut_off_anywhere_has_the_documented_answer(texts: list[str], end: int) -> None:
    body = [{"cell_type": "code", "source": text} for text in texts]
    content = json.dumps({"nbformat": 4, "cells": body}).encode()
    assert_documented(upload.read(content[:-end], "a.ipynb", SIZES))


@given(st.lists(cells, max_size=5))
def test_the_class_is_found_whatever_the_other_cells_hold(texts: list[str]) -> None:
    body = [{"cell_type": "code", "source": text} for text in [*texts, "", CLASS]]
    reading = upload.read(json.dumps({"nbformat": 4, "cells": body}).encode(), "a.ipynb", SIZES)
    assert_documented(reading)
    assert reading["error"] is None
    assert any(s["run"] for s in reading["statements"] if s["cell"] == len(texts) + 1)
