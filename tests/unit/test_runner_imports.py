"""Import Linter does not look into `grader/runner`, which is no package; this does. The box imports nothing of ours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "grader" / "runner"
FILES = sorted(RUNNER.glob("*.py"))
ALLOWED = {"IPython", "landlockpy", "nbformat", "numpy", "pyseccomp", "safetensors", "tensorflow"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_box_imports_only_what_it_may(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0] if not node.level else "a relative import")
    assert imported <= ALLOWED | {sibling.stem for sibling in FILES} | sys.stdlib_module_names


def test_the_box_is_no_package() -> None:
    assert FILES
    assert not (RUNNER / "__init__.py").exists()
