"""The reader's second answer: the source for showing it. A grade never depends on it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from grader.report.source import MOST_LINES, Cells, read_cells

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return x  # why\n"
Shown = Callable[[str, str], Cells | None]


@pytest.fixture
def shown() -> Shown:
    """Reads a file and returns its source as the trusted side accepts it; None for none."""
    from reader import upload

    def run(content: str, filename: str = "solution.py") -> Cells | None:
        first, *rest = upload.answers(content.encode(), filename, SIZES)
        assert first == upload.read(content.encode(), filename, SIZES)
        return read_cells(json.loads(json.dumps(rest[0]))["cells"]) if rest else None

    return run


def texts(cells: Cells | None) -> dict[int, list[str]]:
    assert cells is not None
    return {cell.index: [line.text for line in cell.lines] for cell in cells}


def test_lines_are_those_of_the_file_with_kinds_of_their_tokens(shown: Shown) -> None:
    cells = shown(CLASS, "solution.py")
    assert texts(cells) == {0: CLASS.split("\n")}
    assert cells is not None
    assert cells[0].lines[0].tokens()[:3] == [("k", "class"), ("", " "), ("f", "LSTM")]
    assert cells[0].lines[2].tokens()[-1] == ("c", "# why")


def test_a_class_that_is_long_is_shown_without_colours(shown: Shown) -> None:
    cells = shown(CLASS + "        y = 1\n" * 1000, "solution.py")
    assert cells is not None
    assert {kind for line in cells[0].lines for kind, _ in line.tokens()} == {""}


def test_lines_of_a_notebook_are_those_of_its_cells_magics_included(shown: Shown) -> None:
    cells = [{"cell_type": kind, "source": text} for kind, text in (("markdown", "#"), ("code", "%time a\n!ls"))]
    body: Any = {"nbformat": 4, "cells": [*cells, {"cell_type": "code", "source": CLASS}]}
    assert texts(shown(json.dumps(body), "n.ipynb")) == {1: ["%time a", "!ls"], 2: CLASS.rstrip("\n").split("\n")}


def test_a_file_with_a_syntax_error_is_shown_too(shown: Shown) -> None:
    assert texts(shown("class LSTM(\n    def call(self x)\n", "solution.py"))[0][1] == "    def call(self x)"


def test_a_file_that_is_no_notebook_has_no_source(shown: Shown) -> None:
    assert shown("{", "n.ipynb") is None


@pytest.mark.parametrize(
    "hostile",
    [
        "x = '" + "a" * 1_000_000 + "'",
        "x = " + "(" * 90 + ")" * 90,
        "\t\n" * 50_000,
        "x = [" + "1, " * 20_000 + "]",
        "# \u202e\u2066 \x1b[31m </span><script>",
        "s = '''" + "'\\" * 20_000 + "'''",
        pytest.param("\n".join(f"def f{n}(): return f'{{{n}}}'" for n in range(20_000)), marks=pytest.mark.thorough),
    ],
    ids=["one line", "deep", "tabs", "tokens", "bidi", "quotes", "functions"],
)
def test_hostile_text_is_bounded(shown: Shown, hostile: str) -> None:
    cells = shown(f"{hostile}\n{CLASS}", "solution.py")
    assert cells is not None
    assert 0 < sum(len(cell.lines) for cell in cells) <= MOST_LINES


@pytest.mark.parametrize(("function", "source"), [("source_cells", None), ("parts", CLASS.split("\n"))])
def test_a_failure_there_leaves_the_rest_as_it_is(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, function: str, source: list[str] | None
) -> None:
    from reader import upload

    def fails(_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(upload, function, fails)
    cells = shown(CLASS, "solution.py")
    assert (cells and texts(cells)) == (source and {0: source})
