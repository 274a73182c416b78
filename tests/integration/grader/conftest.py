"""One box for all files: its warm processes take ten seconds of a core to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.sandbox import ForkSandbox, Kind


@pytest.fixture(scope="session")
def sandbox(cores: int) -> Iterator[ForkSandbox]:
    """Two slots at least. Tests that stop, close or starve a box have one of their own."""
    with ForkSandbox(slots=max(2, cores)) as box:
        box.start(Kind.READER, Kind.KERAS3)
        yield box
