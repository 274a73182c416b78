"""The command line as a teacher and another program use it. Each start costs seconds, so each looks at many things."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from grader.report.difference import diff_reports
from grader.report.schema import read_report
from tests.acceptance.conftest import COMMAND, CORPUS, without_times

pytestmark = pytest.mark.thorough


def run(*arguments: object, cache_dir: Path, code: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LSTM_GRADER_CACHE_DIR": str(cache_dir)}
    result = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment)
    assert result.returncode == code, result.stderr
    return result


def test_a_course_is_graded_and_the_same_file_gets_the_same_points(tmp_path, cache_dir):
    right, wrong = (CORPUS / name / "submission.py" for name in ("correct_cell_kwargs", "wrong_swap_if"))
    archive = tmp_path / "course.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, source in enumerate((right, wrong, right, wrong), 1):
            packed.writestr(f"Student {number}_{number}_assignsubmission_file_/LSTM.py", source.read_bytes())
        packed.writestr("Student 5_5_assignsubmission_file_/work.zip", b"no archive")

    result = run("batch", archive, "--lang", "en", cache_dir=cache_dir, code=3)
    rows: list[dict[str, Any]] = [json.loads(line) for line in result.stdout.splitlines()]

    assert [row["student"]["name"] for row in rows] == [f"Student {number}" for number in range(1, 6)]
    assert [row["problem"] for row in rows] == [None, None, None, None, "damaged"]
    assert [row["report"]["points"] for row in rows[:4]] == [100, rows[1]["report"]["points"]] * 2
    for first, second in ((0, 2), (1, 3)):
        diff = diff_reports(*(read_report(json.dumps(rows[number])) for number in (first, second)))
        assert (diff.same_submission, diff.causes) == (True, ())
        assert [(change.key, change.after) for change in diff.changes] == [("advisories", ["plagiarism"])]
    assert "files: 5; Passed: 2" in result.stderr

    seed = re.search("Seed: ([0-9a-f]{64})", result.stderr)
    assert seed[1] not in result.stdout
    (alone := tmp_path / "LSTM.py").write_bytes(wrong.read_bytes())
    again, other = (
        json.loads(run("grade", alone, "--lang", "en", "--format", "json", *given, cache_dir=cache_dir, code=0).stdout)
        for given in (["--seed", seed[1]], [])
    )
    assert without_times(again) == without_times(rows[1]["report"])
    diff = diff_reports(*(read_report(json.dumps(report)) for report in (again, other)))
    assert (diff.only_questions, diff.changes) == (True, ())


def test_the_report_in_the_readme_is_the_one_that_its_command_prints(cache_dir):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("## What comes out")[1].split("```text\n")[1]
    submission = CORPUS / "wrong_swap_if" / "submission.py"
    printed = run("grade", submission, "--lang", "en", cache_dir=cache_dir, code=0).stdout
    # The last line has the time that it took.
    assert shown.split("```")[0].splitlines()[:-1] == printed.splitlines()[:-1]
