"""Continuous integration installs every program that tests start."""

import re
from pathlib import Path

from tests.programs import PACKAGES

ROOT = Path(__file__).parents[2]


def test_ci_installs_every_program_that_tests_start() -> None:
    (table,) = re.findall(r"<<'PROGRAMS'\n(.*?)PROGRAMS", (ROOT / ".ci" / "run").read_text(), re.DOTALL)
    assert dict(line.split() for line in table.splitlines()) == PACKAGES
