"""The archive for Gradescope, unpacked and run as Gradescope does: /autograder/source, submission, results."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus" / "lstm_layer"
SCHEMA = ROOT / "tests" / "unit" / "grader" / "formats" / "schemas" / "gradescope.json"
WITHOUT_LANDLOCK = """
import errno, os, sys, pyseccomp
calls = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "landlock_create_ruleset")
calls.load()
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass
class Autograder:
    """The folder that is /autograder there, and the one that is /opt/lstm-grader."""

    folder: Path
    installed: Path

    @property
    def results(self) -> Path:
        return self.folder / "results" / "results.json"

    def run(self, files: dict[str, str], *before: str) -> subprocess.CompletedProcess[str]:
        """Put a student's files there and run the autograder."""
        for name in ("submission", "results"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        for name, text in files.items():
            (self.folder / "submission" / name).write_text(text, encoding="utf-8")
        return self.call(*before, str(self.folder / "run_autograder"))

    def grade(self, files: dict[str, str]) -> Any:
        """Run the autograder. Returns: the results, which have the form that Gradescope asks for."""
        process = self.run(files)
        assert process.returncode == 0, process.stderr
        results = json.loads(self.results.read_text(encoding="utf-8"))
        jsonschema.validate(results, json.loads(SCHEMA.read_text(encoding="utf-8")))
        return results

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "LSTM_GRADER_INSTALLED": str(self.installed),
        }
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def autograder(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Autograder:
    """The archive after `setup.sh`; Python's packages are those of the tests."""
    folder = tmp_path_factory.mktemp("autograder")
    autograder = Autograder(folder, tmp_path_factory.mktemp("opt"))
    archive = folder / "gradescope.zip"
    subprocess.run(
        ["bash", "deploy/gradescope/zip.sh", sys.executable, "lstm-layer", "ru", archive], cwd=ROOT, check=True
    )
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            path = Path(packed.extract(info, folder / "source"))
            path.chmod(info.external_attr >> 16)
    shutil.copy(folder / "source" / "run_autograder", folder)
    python = autograder.installed / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    cache_dir.mkdir(exist_ok=True)
    (autograder.installed / "cache").symlink_to(cache_dir)
    process = autograder.call(str(folder / "source" / "setup.sh"))
    assert process.returncode == 0, process.stderr
    assert "this host can grade" in process.stdout
    return autograder


def source(name: str) -> str:
    return (CORPUS / name / "submission.py").read_text(encoding="utf-8")


@pytest.mark.thorough
def test_grade_of_each_check_arrives_in_the_language_of_the_archive(autograder: Autograder) -> None:
    results = autograder.grade({"LSTM.py": source("wrong_swap_if")})
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 45
    assert "поменялись местами" in results["output"]


@pytest.mark.thorough
def test_a_right_answer_beside_a_picture_gets_full_marks(autograder: Autograder) -> None:
    assert autograder.grade({"LSTM.py": source("correct_add_multiply_layers"), "plot.png": ""})["score"] == 100


@pytest.mark.thorough
def test_files_without_one_answer_get_a_sentence(autograder: Autograder) -> None:
    results = autograder.grade({"a.py": "1", "b.py": "2"})
    assert results["score"] == 0
    assert "a.py" in results["output"]
    assert "Файл не сдан" in autograder.grade({})["output"]


@pytest.mark.thorough
def test_code_that_attacks_the_grader_waits_for_the_teacher(autograder: Autograder) -> None:
    process = autograder.run({"LSTM.py": source("cheat_frame_walk")})
    assert (process.returncode, "grade it by hand" in process.stderr) == (1, True)
    assert "Учитель" in process.stdout or "преподаватель" in process.stdout
    assert list(autograder.results.parent.iterdir()) == []


@pytest.mark.thorough
def test_host_without_the_wall_gives_no_grade_and_says_why(autograder: Autograder) -> None:
    process = autograder.run({"LSTM.py": source("correct_add_multiply_layers")}, sys.executable, "-c", WITHOUT_LANDLOCK)
    assert process.returncode == 3, process.stderr
    assert "Landlock" in process.stderr
    assert "It costs the student nothing" in process.stderr
    assert list(autograder.results.parent.iterdir()) == []


def test_archive_of_no_assignment_is_refused() -> None:
    command = ["bash", "deploy/gradescope/zip.sh", sys.executable, "lstm-lair", "ru"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (process.returncode, "'lstm-lair' is no id" in process.stderr) == (2, True)
