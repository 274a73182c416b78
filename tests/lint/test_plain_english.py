"""Docstrings and names of tests open with a verb or a noun, not with a relative clause ("What ...", "Who ...")."""

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
