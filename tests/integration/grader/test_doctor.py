"""The first line of `doctor` on a host that has all it needs but one thing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli


def test_reference_answers_that_cannot_be_kept_are_why_the_host_cannot_grade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    (cache / "lock").mkdir(parents=True)
    monkeypatch.setenv("LSTM_GRADER_CACHE_DIR", str(cache))
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 3, result.output
    why = f"the reference cannot be built or stored in {cache}: Is a directory"
    assert result.stdout.partition("\n")[0] == f"this host cannot grade: {why}"
