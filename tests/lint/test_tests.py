"""Tests wait for states, and each can fail; docstrings and names of tests open with a verb or a noun."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
#: Submissions, which are written as students write.
CORPUS = [TESTS / "corpus" / folder for folder in ("lstm_layer", "lstm_notebook")]
#: The one module that polls, and figures, which measure times.
LEFT_OUT = [*CORPUS, TESTS / "waiting.py", TESTS / "benchmarks"]
REASON = "# Sleeps: "
#: Helpers that fail a test have a name that begins like this; so do those of pytest, Playwright and jsonschema.
ASSERTING = ("assert_", "expect", "raises", "until", "validate", "wait_until")

RELATIVE = re.compile(r"(How|That|Those|What|When|Where|Which|Who|Whoever|Whom|Whose|Why)\b")
RELATIVE_NAME = re.compile(r"test_(how|that|those|what|where|which|who|whoever|whom|whose|why)_")


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def sleeps_without_a_reason(source: str) -> Iterator[int]:
    """Find calls of `sleep` whose line does not say why; `sleep(0)` only lets others have a turn."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        waits = isinstance(node, ast.Call) and _called(node) == "sleep" and ast.unparse(node.args[0]) != "0"
        if waits and REASON not in lines[node.lineno - 1]:
            yield node.lineno


def loops_with_a_deadline(source: str) -> Iterator[int]:
    """Find loops that ask the clock for their end."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        polls = isinstance(node, ast.While) and "monotonic()" in ast.unparse(node.test)
        if polls and REASON not in "".join(lines[node.lineno - 1 : node.end_lineno]):
            yield node.lineno


def unable_to_fail(source: str) -> Iterator[int]:
    """Find tests without an assertion, and without a helper whose name says that it asserts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            parts = list(ast.walk(node))
            calls = [_called(part).lstrip("_") for part in parts if isinstance(part, ast.Call)]
            asserts = any(isinstance(part, ast.Assert) for part in parts)
            if not asserts and not any(name.startswith(ASSERTING) for name in calls):
                yield node.lineno


def relative_openings(source: str) -> Iterator[int]:
    """Find docstrings and names of tests that open with a relative clause ("What ...", "Who ...")."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and RELATIVE.match(ast.get_docstring(node) or ""):
            yield node.body[0].lineno
        if isinstance(node, documented[1:]) and RELATIVE_NAME.match(node.name):
            yield node.lineno


def lines_that(find: Callable[[str], Iterator[int]], folders: Sequence[Path], left_out: Sequence[Path]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{line}"
        for folder in folders
        for file in sorted(folder.rglob("*.py"))
        if not any(file.is_relative_to(each) for each in left_out)
        for line in find(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("find", [sleeps_without_a_reason, loops_with_a_deadline, unable_to_fail])
def test_no_module_has_any(find: Callable[[str], Iterator[int]]) -> None:
    found = lines_that(find, [TESTS], LEFT_OUT)
    assert not found, f"{find.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize("package", ["app", "grader", "reference", "tests"])
def test_docstrings_open_with_a_verb_or_a_noun(package: str) -> None:
    found = lines_that(relative_openings, [ROOT / package], CORPUS)
    assert not found, "rewrite these:\n" + "\n".join(found)
