"""The command line before it starts anything: settings that make no sense, and what this host lacks."""

import contextlib
import dataclasses
import errno
import io
import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from app.cli import cli
from grader.cli import Sentences, _write
from grader.doctor import _keras_agrees
from grader.errors import SandboxUnavailable
from grader.formats.view import View
from grader.report.model import Status
from grader.sandbox import CAN_BE_MISSING, Device
from grader.sandbox.outcome import Mechanism
from grader.shell import USAGE, Language, reading_language, write_everything
from reference import ReferenceStore, ReferenceUnavailable
from tests.unit.grader.make_reports import make_report, passed

REASON = "a GPU is asked for, and there is none that it can use: missing /dev/nvidiactl"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A host without a GPU, whatever runs the tests; the list gets what was asked for."""
    monkeypatch.setenv("LSTM_GRADER_CACHE_DIR", str(tmp_path / "cache"))  # Its user may have no home.
    asked = []

    def choose_device(wanted: str) -> None:
        asked.append(wanted)
        raise SandboxUnavailable(REASON)

    monkeypatch.setattr("grader.doctor.choose_device", choose_device)
    monkeypatch.setattr("grader.sandbox.launcher.choose_device", choose_device)
    return asked


@pytest.mark.parametrize("command", [["grade", __file__], ["doctor"], ["serve"]], ids=lambda command: command[0])
def test_an_unknown_device_is_wrong_usage_and_the_possible_ones_are_named(monkeypatch, command):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "tpu")
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, result.stderr) == (
        2,
        "lstm-grader: LSTM_GRADER_DEVICE: expected 'cpu', 'gpu' or 'auto' (got 'tpu')\n",
    )


def test_a_gpu_that_is_required_and_missing_is_our_failure_in_one_sentence(monkeypatch, no_gpu):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "gpu")
    result = CliRunner().invoke(cli, ["grade", __file__])
    assert (result.exit_code, result.stderr) == (3, f"lstm-grader: the sandbox cannot be used here: {REASON}\n")
    assert no_gpu == ["gpu"]


@pytest.mark.parametrize(("setting", "options"), [("gpu", []), ("cpu", ["--gpu"])], ids=["by setting", "by option"])
def test_doctor_opens_with_why_the_host_cannot_grade(monkeypatch, no_gpu, tmp_path, setting, options):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", setting)
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(cli, ["doctor", *options])
    verdict, second = result.stdout.splitlines()[:2]
    assert (result.exit_code, result.stderr) == (3, "")
    assert verdict == f"this host cannot grade: the sandbox cannot be used here: {REASON}"
    assert second.startswith("lstm-grader ")
    assert no_gpu == ["gpu"]


def test_doctor_opens_with_what_is_wrong_with_the_database_too(monkeypatch, no_gpu, tmp_path):
    (tmp_path / "lstm-grader.sqlite3").write_text("no database " * 1000)
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(cli, ["doctor", "--gpu"])
    assert result.exit_code == 3, result.output
    assert result.stdout.partition("\n")[0].endswith("; but the database cannot be used: file is not a database")


def test_doctor_names_a_part_of_the_wall_that_the_operator_does_without(monkeypatch, tmp_path, cases):
    class WithoutLandlock(contextlib.nullcontext):
        slots = 1
        start, opens = (lambda self, kind: None), (lambda self: {})

        def __init__(self, *, accept_missing, device):
            self.wall = lambda kind: {name: Mechanism(name not in accept_missing, name) for name in CAN_BE_MISSING}
            super().__init__(self)

    for name, value in (("DATA_DIR", str(tmp_path)), ("CACHE_DIR", str(tmp_path)), ("ACCEPT_MISSING", "landlock")):
        monkeypatch.setenv(f"LSTM_GRADER_{name}", value)
    monkeypatch.setattr("grader.doctor.ForkSandbox", WithoutLandlock)
    monkeypatch.setattr(ReferenceStore, "load", lambda *given, **named: cases)
    monkeypatch.setattr("grader.doctor.answer_with_keras", lambda cases, *, gpu: cases)
    monkeypatch.setattr("grader.doctor.grade", lambda *given, **named: make_report(status=Status.PASSED))
    result = CliRunner().invoke(cli, ["doctor"])
    assert (result.exit_code, result.stdout.partition("\n")[0]) == (0, "this host can grade")
    states = dict(re.findall(r"│ (\w+) +│ (not enforced|enforced) +│", result.stdout))
    assert states == {"namespaces": "enforced", "landlock": "not enforced", "seccomp": "enforced"}


@pytest.mark.parametrize(("off_by", "agrees"), [(0, True), (5e-6, True), (1e-3, False), (float("nan"), False)])
def test_doctor_shows_how_far_keras_is_from_the_exact_answers(monkeypatch, assignment, cases, off_by, agrees):
    environments = []

    def answer(cases, *, gpu):
        environments.append(gpu)
        *right, last = cases
        return [*right, dataclasses.replace(last, expected=last.expected + last.x.dtype.type(off_by))]

    monkeypatch.setattr("grader.doctor.answer_with_keras", answer)
    device = Device("NVIDIA L4", ("/dev/nvidia0",))
    console = Console(file=io.StringIO(), width=120)
    assert _keras_agrees(device, cases, assignment, console) is agrees
    printed = console.file.getvalue()
    assert environments == [device.environment()]
    assert "Keras on gpu (NVIDIA L4), compared with the float64 oracle" in printed
    assert all(case.id in printed for case in assignment.cases)
    assert "1e-05 + 1e-05 of the value" in printed
    assert (" no " in printed) is not agrees


@pytest.mark.parametrize("points", ["nan", "-1"])
def test_a_threshold_that_is_no_number_of_points_is_wrong_usage(tmp_path, points):
    file = tmp_path / "submission.py"
    file.write_text("class LSTM: pass")
    result = CliRunner().invoke(cli, ["grade", str(file), "--fail-under", points])
    assert result.exit_code == USAGE, result.output
    assert f"--fail-under is {points}" in result.stderr


@pytest.mark.parametrize("command", ["grade", "batch"])
@pytest.mark.parametrize(
    ("output", "says"),
    [
        pytest.param("nowhere/report", "there is no folder {tmp}/nowhere", id="no such folder"),
        pytest.param("text/report", "there is no folder {tmp}/text", id="a file in the place of the folder"),
        pytest.param("", "{tmp} is a folder", id="a folder"),
        pytest.param("locked/report", "permission denied", id="a folder that may not be written"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_anything_is_graded(
    monkeypatch, tmp_path, command, output, says
):
    def start(*given, **named):
        raise AssertionError("it has begun")

    monkeypatch.setattr("grader.cli.ForkSandbox", start)
    monkeypatch.setattr("grader.batch.command.ForkSandbox", start)
    (tmp_path / "text").write_text("")
    (tmp_path / "locked").mkdir()
    # Root may write everywhere.
    monkeypatch.setattr("grader.shell.os.access", lambda path, mode: path != tmp_path / "locked")
    result = CliRunner().invoke(cli, [command, __file__, "--output", str(tmp_path / output)])
    assert (result.exit_code, result.stderr.count("\n")) == (USAGE, 1)
    assert says.format(tmp=tmp_path) in result.stderr


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "ru"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "fr_FR.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_MESSAGES": "en_GB", "LC_ALL": "ru_RU"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, "ru"),
        ({"LANG": "fr_FR.UTF-8", "LANGUAGE": "fr:en_US:ru"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "fr"}, "en"),
        ({"LANG": "C.UTF-8", "LANGUAGE": "ru"}, "en"),
        ({"LANGUAGE": "en"}, "ru"),
    ],
    ids=str,
)
def test_the_language_is_the_locales(monkeypatch, variables, language):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert reading_language(None, otherwise="ru") == language
    assert reading_language(Language.EN, otherwise="ru") == "en"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(None, "there is no file nofile.toml", id="no such file"),
        pytest.param("folder", "nofile.toml is a folder", id="a folder"),
        pytest.param(b"[points", "nofile.toml is not valid TOML", id="no TOML"),
        pytest.param(b"a = " + b"[" * 5000, "nofile.toml is not valid TOML", id="nested too deeply"),
        pytest.param(b"id = '\xff'", "nofile.toml is not text in UTF-8: see byte 7", id="not UTF-8"),
        pytest.param(b"pionts = 1", "pionts is no key of an assignment", id="a key that does not exist"),
    ],
)
def test_faults_of_an_assignment_file_are_told_in_one_line(monkeypatch, tmp_path, content, says):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "nofile.toml"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    for command in (["assignments", "check", file.name], ["grade", __file__, "--assignment", file.name]):
        result = CliRunner().invoke(cli, command)
        assert (result.exit_code, result.stderr.count("\n")) == (USAGE, 1)
        assert says in result.stderr
        assert "Errno" not in result.stderr


@pytest.mark.parametrize("command", [["serve"], ["grade", __file__]], ids=lambda command: command[0])
def test_a_home_that_cannot_be_written_is_told_with_what_to_set(monkeypatch, tmp_path, command):
    (tmp_path / "text").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "text"))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("grader.cli.ForkSandbox", contextlib.nullcontext)
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, result.stderr.count("\n")) == (USAGE, 1)
    assert "cannot be used: Not a directory. Set LSTM_GRADER_" in result.stderr


@pytest.mark.parametrize(("output", "name"), [(Path("/dev/full"), "/dev/full"), (None, "standard output")])
def test_a_report_for_which_there_is_no_room_names_the_place(monkeypatch, capsys, output, name):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("sys.stdout", Mock(write=Mock(side_effect=full)))
    with pytest.raises(typer.Exit) as refused:
        _write(View.of(make_report(), "en"), "json", output)
    assert refused.value.exit_code == USAGE
    assert capsys.readouterr().err == f"lstm-grader: {name}: No space left on device\n"


@pytest.mark.parametrize("command", [["grade"], ["diff", "/proc/self/mem"]], ids=["grade", "diff"])
def test_a_file_that_opens_and_cannot_be_read_is_named(command):
    result = CliRunner().invoke(cli, [*command, "/proc/self/mem"])
    assert (result.exit_code, result.stderr) == (USAGE, "lstm-grader: /proc/self/mem: Input/output error\n")


def test_letters_that_the_terminal_lacks_end_no_command(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="latin-1"))
    write_everything()
    print("Класс LSTM", flush=True)
    assert written.getvalue() == b"????? LSTM\n"


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        (SandboxUnavailable("no room"), "ERROR grader failed\nthe sandbox cannot be used here: no room"),
        (ReferenceUnavailable("no room"), "ERROR grader failed\nno room"),
    ],
    ids=["sandbox", "reference"],
)
def test_a_failure_that_has_words_is_logged_without_a_traceback(failure, shown):
    record = logging.makeLogRecord(
        {"levelname": "ERROR", "name": "grader", "msg": "failed", "exc_info": (type(failure), failure, None)}
    )
    assert Sentences("%(levelname)s %(name)s %(message)s").format(record) == shown


def test_failure_that_nobody_foresaw_is_logged_with_its_traceback():
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (ZeroDivisionError, ZeroDivisionError(), None)})
    assert "ZeroDivisionError" in Sentences("%(message)s").format(record)


@pytest.mark.parametrize("command", ["grade", "batch"])
@pytest.mark.parametrize("seed", ["beef", "0" * 63, "g" * 64, " " + "0" * 63, "٣" * 64, "0" * 200])
def test_a_seed_that_no_grade_has_printed_is_wrong_usage(command, seed):
    result = CliRunner().invoke(cli, [command, __file__, "--seed", seed])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (USAGE, "", 1)
    for told in (repr(seed[:80]), f"with {len(seed)} characters", "64 hexadecimal digits", "Without --seed"):
        assert told in result.stderr


@pytest.mark.parametrize("command", ["grade", "batch"])
def test_a_seed_is_printed_beside_the_report_and_can_be_given_again(monkeypatch, tmp_path, command):
    asked = []

    def grade(*_, seed, **__):
        asked.append(seed)
        return passed()

    sandbox = SimpleNamespace(slots=1, start=lambda *_: None)
    for module in ("grader.cli", "grader.batch.command"):
        monkeypatch.setattr(f"{module}.grade", grade)
        monkeypatch.setattr(f"{module}.ForkSandbox", lambda **_: contextlib.nullcontext(sandbox))
    monkeypatch.setattr("grader.shell.reference_store", lambda settings: Mock())
    (tmp_path / "LSTM.py").write_text("class LSTM: ...")
    arguments = [command, str(tmp_path / "LSTM.py"), "--lang", "en"]
    results = [CliRunner().invoke(cli, [*arguments, *given]) for given in ([], [], ["--seed", "A" * 64])]
    assert [result.exit_code for result in results] == [0, 0, 0]
    assert asked[0] != asked[1]
    assert asked[2] == bytes.fromhex("A" * 64)
    for seed, result in zip(asked, results, strict=True):
        assert result.stderr.startswith(f"Seed: {seed.hex()}. ")
        assert seed.hex() not in result.stdout
