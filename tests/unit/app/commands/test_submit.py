"""The command that hands in a file, against a service whose answers are written down."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from tests.unit.app.client import test_notebook as notebooks
from tests.unit.app.client.test_notebook import DROP, GRADED, NAME, REPORT, RULES, TOKEN, Written

service, pauses, codes = notebooks.service, notebooks.pauses, notebooks.codes


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "LSTM.py"
    file.write_text("import tensorflow as tf\n\nh = 1  # the line\n")
    return file


def run(service: Written, file: Path, *more: str, token: str = TOKEN) -> Result:
    result = CliRunner().invoke(
        cli, ["submit", str(file), "--to", service.url, *more], env={"LSTM_GRADER_TOKEN": token}
    )
    assert TOKEN not in result.output
    assert NAME not in result.output
    return result


def test_token_of_the_environment_needs_no_code(service, file, codes):
    place = {"code": "gates_swapped_if", "file": file.name, "line": 3, "last_line": 3}
    service.will({**GRADED, "report": {**REPORT, "source": {"places": [place]}}})
    result = run(service, file)
    assert (result.exit_code, codes) == (0, [])
    assert "45.5 of 100 points\n" in result.stdout
    assert "    line 3:\n    h = 1  # the line\n" in result.stdout
    ((headers, body),) = service.sent()
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert file.read_bytes() in body


def test_code_is_asked_for_without_a_token(service, file, codes):
    service.will((201, RULES), GRADED)
    assert run(service, file, token="").exit_code == 0
    assert len(codes) == 1


@pytest.mark.parametrize(
    ("answer", "more", "exit_code", "words"),
    [
        (GRADED, ("--fail-under", "45.5"), 0, "45.5 of 100"),
        (GRADED, ("--fail-under", "50"), 1, "45.5 of 100"),
        ((403, {"title": "Closed", "detail": "Since Monday."}), (), 2, "Since Monday."),
        ({**GRADED, "report": {**REPORT, "status": "internal_error", "points": None}}, (), 3, "our fault"),
        (DROP, (), 3, "does not answer"),
    ],
)
def test_exit_codes_are_those_of_grade(service, file, monkeypatch, answer, more, exit_code, words):
    monkeypatch.setattr("app.client.notebook.PATIENCE_SECONDS", 0)
    service.will(answer)
    result = run(service, file, *more)
    assert result.exit_code == exit_code
    assert words in (result.stdout if exit_code < 2 or "fault" in words else result.stderr)


@pytest.mark.parametrize("is_notebook", [True, False])
def test_a_notebook_above_the_limit_is_sent_without_its_outputs(service, file, codes, is_notebook):
    if is_notebook:
        file = file.with_suffix(".ipynb")
        file.write_text(json.dumps(notebooks.notebook_of(notebooks.CLASS, text="o" * 1000)))
    service.will((201, {**RULES, "upload_bytes": 900 if is_notebook else 1}), GRADED)
    result = run(service, file, token="")
    assert result.exit_code == 0, result.output
    assert ("sent without the outputs" in result.output) == is_notebook
    ((_, body),) = service.sent()
    assert b"ooo" not in body


def test_broken_notebook_is_for_the_service_to_judge(service, file):
    broken = file.with_suffix(".ipynb")
    broken.write_text("{")
    service.will(GRADED)
    assert run(service, broken).exit_code == 0


@pytest.mark.parametrize(("name", "content", "words"), [("LSTM.pdf", b"%PDF", "LSTM.pdf"), ("a.py", b"", "0 bytes")])
def test_file_that_the_service_refuses_uses_up_no_code(service, file, codes, name, content, words):
    other = file.with_name(name)
    other.write_bytes(content)
    result = run(service, other, token="")
    assert (result.exit_code, codes, service.asked) == (2, [], [])
    assert words in result.stderr


def test_token_that_does_not_work_is_named_by_its_variable(service, file):
    service.will((401, {"title": "Not signed in", "detail": "Send Authorization: Bearer."}))
    result = run(service, file)
    assert result.exit_code == 2
    assert "LSTM_GRADER_TOKEN holds a token that the service does not take" in result.stderr
    assert "Bearer" not in result.stderr


def test_same_file_is_handed_in_again_only_on_a_yes(service, file):
    service.will(notebooks.SAME)
    result = run(service, file)
    assert (result.exit_code, "Type yes to hand it in once more" in result.stderr) == (2, True)
    assert "Nothing was handed in now." in result.stderr


def test_file_that_is_not_there_is_wrong_usage(service, file):
    result = run(service, file.with_name("other.py"))
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)
