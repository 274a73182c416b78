"""A machine may lack a program that tests start; continuous integration may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs import PACKAGES, program

ROOT = Path(__file__).parents[2]


def test_ci_installs_every_program_that_tests_start() -> None:
    (table,) = re.findall(r"<<'PROGRAMS'\n(.*?)PROGRAMS", (ROOT / ".ci" / "run").read_text(), re.DOTALL)
    assert dict(line.split() for line in table.splitlines()) == PACKAGES


def test_a_test_of_a_missing_program_is_skipped_and_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(pytest.skip.Exception, match=re.escape("(Debian, Ubuntu: apt install bubblewrap)")):
        program("bwrap")
