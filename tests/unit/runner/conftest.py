"""The box's programs are started by path, with their folder first on the search path; so are these tests' imports."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUNNER = str(Path(__file__).parents[3] / "grader" / "runner")
if RUNNER not in sys.path:
    sys.path.insert(0, RUNNER)

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}

Read = Callable[..., dict[str, Any]]


@pytest.fixture
def read() -> Read:
    """Reads a text or bytes as a file of the given name."""
    from reader import upload

    def run(content: str | bytes, filename: str = "solution.py") -> dict[str, Any]:
        raw = content.encode() if isinstance(content, str) else content
        reading: dict[str, Any] = upload.read(raw, filename, SIZES)
        assert json.loads(json.dumps(reading)) == reading
        return reading

    return run


@pytest.fixture
def read_cells(read: Read) -> Read:
    """Reads a notebook of format 4 with these code cells."""

    def run(*cells: str, **parts: Any) -> dict[str, Any]:
        body = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells]
        notebook = {"nbformat": 4, "nbformat_minor": 0, "metadata": {}, "cells": body, **parts}
        return read(json.dumps(notebook), "notebook.ipynb")

    return run


@pytest.fixture
def run_lines() -> Callable[[dict[str, Any]], list[str]]:
    """The first line of every statement that is run."""

    def list_them(reading: dict[str, Any]) -> list[str]:
        lines = reading["source"].split("\n")
        return [lines[s["first_line"] - 1].strip() for s in reading["statements"] if s["run"]]

    return list_them
