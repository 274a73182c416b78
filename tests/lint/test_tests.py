"""Tests wait for states, not for times, and each of them can fail."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
#: The one module that polls, the submissions of students, and figures, which measure times.
LEFT_OUT = [TESTS / name for name in ("waiting.py", "corpus/lstm_layer", "corpus/lstm_notebook", "benchmarks")]
REASON = "# Sleeps: "
#: Helpers that fail a test have a name that begins like this; so do those of pytest, Playwright and jsonschema.
ASSERTING = ("assert_", "expect", "raises", "until", "validate", "wait_until")


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


@pytest.mark.parametrize("find", [sleeps_without_a_reason, loops_with_a_deadline, unable_to_fail])
def test_no_module_has_any(find: Callable[[str], Iterator[int]]) -> None:
    found = [
        f"{file.relative_to(TESTS)}:{line}"
        for file in sorted(TESTS.rglob("*.py"))
        if not any(file.is_relative_to(left_out) for left_out in LEFT_OUT)
        for line in find(file.read_text(encoding="utf-8"))
    ]
    assert not found, f"{find.__doc__}\n" + "\n".join(found)
