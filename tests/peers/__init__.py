"""Learning platforms that others have written, each a process in the environment that `make peers` makes."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PYTHON = FOLDER.parents[1] / ".venv-peers" / "bin" / "python"


@contextlib.contextmanager
def peer(name: str, *arguments: str | Path) -> Iterator[str]:
    """Start a platform and return its first line, in which it says where it is. Without `make peers` skip the test."""
    if not PYTHON.exists():
        pytest.skip("the platforms are not installed (make peers)")
    process = subprocess.Popen([PYTHON, FOLDER / f"{name}.py", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        first_line = process.stdout.readline()
        assert first_line, f"{name} did not start; it says above why"
        yield first_line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
