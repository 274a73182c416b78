"""Arguments that make no sense end before anything is started."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from grader.cli import USAGE, cli


@pytest.mark.parametrize("points", ["nan", "-1"])
def test_a_threshold_that_is_no_number_of_points_is_wrong_usage(tmp_path, points):
    file = tmp_path / "submission.py"
    file.write_text("class LSTM: pass")
    result = CliRunner().invoke(cli, ["grade", str(file), "--fail-under", points])
    assert result.exit_code == USAGE
    assert f"--fail-under is {points}" in result.stderr
