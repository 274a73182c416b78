"""`.ci/matrix` in a project that is a commit with a `.ci/run` of ours."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Which commit, which Python; and the newest fails.
RUN = """#!/bin/sh
cd "$(dirname "$0")/.."
echo "ran $PYTHON on $(cat state)"
case $PYTHON in *3.13) exit 1 ;; esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".ci").mkdir(parents=True)
    for name in (".ci/matrix", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".ci" / "run").write_text(RUN)
    (folder / ".ci" / "run").chmod(0o755)
    (folder / "state").write_text("the last commit")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    (folder / "state").write_text("the working tree")
    return folder


def matrix(project: Path, *pythons: str) -> subprocess.CompletedProcess[str]:
    clones = project.parent / "clones"
    clones.mkdir(exist_ok=True)
    ended = subprocess.run(
        [str(project / ".ci" / "matrix"), *pythons],
        env={**os.environ, "TMPDIR": str(clones)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not list(clones.iterdir())
    return ended


def test_each_listed_or_named_python_runs_on_the_last_commit_and_a_failure_stops_none(project):
    ended = matrix(project)
    ran = [line for line in ended.stdout.splitlines() if line.startswith("ran ")]
    assert ran == [f"ran python{version} on the last commit" for version in ("3.11", "3.12", "3.13")]
    assert ended.stdout.splitlines()[-3:] == ["python3.11: passed", "python3.12: passed", "python3.13: failed"]
    assert ended.returncode == 1
    ended = matrix(project, "/opt/python3.12")
    assert ended.stdout.splitlines()[1:] == ["ran /opt/python3.12 on the last commit", "/opt/python3.12: passed"]
    assert ended.returncode == 0
