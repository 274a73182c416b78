"""Docstrings and names of tests open with a verb or a noun, not with a relative clause ("What ...", "Who ...")."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "grader", "reference", "tests")
#: Submissions, which are written as students write.
CORPUS = [ROOT / "tests" / "corpus" / folder for folder in ("lstm_layer", "lstm_notebook")]
RELATIVE = re.compile(r"(How|That|Those|What|When|Where|Which|Who|Whoever|Whom|Whose|Why)\b")
RELATIVE_NAME = re.compile(r"test_(how|that|those|what|where|which|who|whoever|whom|whose|why)_")


def relative_openings(source: str, name: str) -> list[str]:
    """List docstrings and names of tests that open with a relative clause, each with its file and line."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and RELATIVE.match(text := ast.get_docstring(node) or ""):
            found.append(f"{name}:{node.body[0].lineno}: {text.splitlines()[0]}")
        if isinstance(node, documented[1:]) and RELATIVE_NAME.match(node.name):
            found.append(f"{name}:{node.lineno}: {node.name}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_a_verb_or_a_noun(package: str) -> None:
    files = [
        file
        for file in sorted((ROOT / package).rglob("*.py"))
        if not any(file.is_relative_to(folder) for folder in CORPUS)
    ]
    assert files
    found = [
        line
        for file in files
        for line in relative_openings(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))
    ]
    assert not found, "rewrite these:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "docstring", ["What it does.", "Who asks.", "Those that wait.", "How much there was.", "That which is left."]
)
def test_a_relative_clause_is_found_with_its_file_and_line(docstring: str) -> None:
    source = f'"""A module."""\n\n\nasync def work():\n    """{docstring}"""\n'
    assert relative_openings(source, "app/module.py") == [f"app/module.py:5: {docstring}"]


def test_a_relative_clause_in_the_name_of_a_test_is_found() -> None:
    source = "def test_what_waits_is_kept():\n    assert order()\n"
    assert relative_openings(source, "tests/test_queue.py") == ["tests/test_queue.py:1: test_what_waits_is_kept"]


def test_other_openings_are_left_alone() -> None:
    source = '"""Stores what comes."""\n\n\nclass Store:\n    """The store, and what it holds."""\n'
    assert relative_openings(source, "app/module.py") == []
