"""Platforms without LTI: what a teacher puts into VPL, CodeRunner and PrairieLearn, run as each of them does."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.acceptance.conftest import CORPUS, Server
from tests.ports import free_port

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SCHEMAS = ROOT / "tests" / "unit" / "grader" / "formats" / "schemas"
WRONG = (CORPUS / "wrong_swap_if" / "submission.py").read_text(encoding="utf-8")


def conforms(document: object, name: str) -> bool:
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))
    return True


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """The folder in which VPL and CodeRunner run, with the script for them, set up by a teacher of this service."""
    with server.client() as client:
        answer = client.post("/api/v1/tokens", json={"name": "course script", "role": "submitter"}).raise_for_status()
    script = (DEPLOY / "lms" / "hand_in.py").read_text(encoding="utf-8")
    script = script.replace("https://grader.example.edu", server.url).replace('"TOKEN"', f'"{answer.json()["token"]}"')
    (tmp_path / "hand_in.py").write_text(script, encoding="utf-8")
    # A student's module of this name must not become part of the script.
    (tmp_path / "json.py").write_text("raise SystemExit('the script runs what students hand in')")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def evaluate(folder: Path, who: str) -> tuple[str, str]:
    """Evaluate as VPL does. Returns: what was printed, and what the execution that was left prints; "" without one."""
    names = {"MOODLE_USER_ID": who, "VPL_SUBFILE0": "LSTM by hand.py"}
    exports = "".join(f"export {name}='{value}'\n" for name, value in names.items())
    (folder / "vpl_environment.sh").write_text(exports)
    (folder / "vpl_execution").unlink(missing_ok=True)
    shutil.copy(DEPLOY / "lms" / "vpl_evaluate.sh", folder)
    printed = run(folder, "bash", "vpl_evaluate.sh")
    left = run(folder, "./vpl_execution").stdout if (folder / "vpl_execution").exists() else ""
    return printed.stdout + printed.stderr, left


def test_vpl_gives_the_points_and_the_same_file_is_one_attempt(folder, server):
    (folder / "LSTM by hand.py").write_text(WRONG, encoding="utf-8")
    for _ in range(2):
        printed, left = evaluate(folder, "moodle-7")
        assert (printed, re.findall(r"^Grade :=>>(.*)$", left, re.MULTILINE)) == ("", ["45"])
        assert "Input and forget" in left or "are swapped" in left
    with server.client() as client:
        listed = client.get("/api/v1/submissions", params={"student": "moodle-7"}).raise_for_status().json()
    assert len(listed["items"]) == 1


def test_vpl_gives_no_grade_and_says_why(folder, server):
    (folder / "LSTM by hand.py").write_text("", encoding="utf-8")
    printed, left = evaluate(folder, "moodle-7")
    assert (left, "0 bytes" in printed) == ("", True)
    script = (folder / "hand_in.py").read_text(encoding="utf-8")
    (folder / "hand_in.py").write_text(script.replace(server.url, f"http://127.0.0.1:{free_port()}"), encoding="utf-8")
    printed, left = evaluate(folder, "moodle-7")
    assert (left, "cannot be reached" in printed) == ("", True)


def test_coderunner_gets_the_json_of_a_combinator(folder):
    template = (DEPLOY / "lms" / "coderunner.py").read_text(encoding="utf-8")
    # Twig's escaper for Python doubles backslashes and escapes quotes.
    answer = WRONG.replace("\\", "\\\\").replace('"', '\\"')
    program = template.replace("{{ STUDENT_ANSWER | e('py') }}", answer)
    (folder / "prog.py").write_text(program.replace("{{ STUDENT.username | e('py') }}", "ivanov"), encoding="utf-8")
    ended = run(folder, sys.executable, "prog.py")
    results = json.loads(ended.stdout)
    assert (ended.returncode, results["fraction"], conforms(results, "coderunner")) == (0, 0.45, True)


def test_prairielearn_grades_what_lies_in_its_folder(tmp_path, cache_dir):
    question = json.loads((DEPLOY / "prairielearn" / "info.json").read_text(encoding="utf-8"))
    assert conforms(question, "prairielearn_question")
    shutil.copytree(DEPLOY / "prairielearn" / "tests", tmp_path / "tests")
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "LSTM.py").write_text(WRONG, encoding="utf-8")
    entrypoint = question["externalGradingOptions"]["entrypoint"].replace("/grade/", f"{tmp_path}/").split()
    environment = {"PRAIRIELEARN_JOB": str(tmp_path), "LSTM_GRADER_CACHE_DIR": str(cache_dir)}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(entrypoint, env={"PATH": path, **environment}, check=True)
    results = json.loads((tmp_path / "results" / "results.json").read_text(encoding="utf-8"))
    assert (results["score"], conforms(results, "prairielearn")) == (0.45, True)
