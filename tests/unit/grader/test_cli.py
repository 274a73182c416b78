"""The command line before it starts anything: settings that make no sense, and what this host lacks."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from app.cli import cli
from grader.doctor import _keras_agrees
from grader.errors import SandboxUnavailable
from grader.sandbox import Device
from grader.shell import USAGE
from reference.cases import cases_to_arrays

REASON = "a GPU is asked for, and there is none that it can use: missing /dev/nvidiactl"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host without a GPU, whatever runs the tests; the list gets what was asked for."""
    asked = []

    def choose_device(wanted: str) -> None:
        asked.append(wanted)
        raise SandboxUnavailable(REASON)

    monkeypatch.setattr("grader.doctor.choose_device", choose_device)
    monkeypatch.setattr("grader.sandbox.launcher.choose_device", choose_device)
    return asked


@pytest.mark.parametrize("command", [["grade", __file__], ["doctor"]], ids=lambda command: command[0])
def test_an_unknown_device_is_wrong_usage_and_the_possible_ones_are_named(monkeypatch, command):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "tpu")
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, result.stderr) == (
        2,
        "lstm-grader: LSTM_GRADER_DEVICE is tpu; possible are cpu, gpu and auto\n",
    )


def test_an_unknown_device_stops_the_service_before_it_starts(monkeypatch):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "tpu")
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 2
    assert result.stderr.startswith("lstm-grader: LSTM_GRADER_DEVICE: ")
    assert all(f"'{name}'" in result.stderr for name in ("cpu", "gpu", "auto"))


@pytest.mark.parametrize("command", [["grade", __file__], ["doctor"]], ids=lambda command: command[0])
def test_a_gpu_that_is_required_and_missing_is_our_failure_in_one_sentence(monkeypatch, no_gpu, command):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "gpu")
    result = CliRunner().invoke(cli, command)
    assert (result.exit_code, result.stderr) == (3, f"lstm-grader: the sandbox cannot be used here: {REASON}\n")
    assert no_gpu == ["gpu"]


def test_doctor_gpu_requires_one_whatever_the_setting_says(monkeypatch, no_gpu):
    monkeypatch.setenv("LSTM_GRADER_DEVICE", "cpu")
    result = CliRunner().invoke(cli, ["doctor", "--gpu"])
    assert (result.exit_code, result.stderr) == (3, f"lstm-grader: the sandbox cannot be used here: {REASON}\n")
    assert no_gpu == ["gpu"]


@pytest.mark.parametrize(("off_by", "agrees"), [(0, True), (5e-6, True), (1e-3, False), (float("nan"), False)])
def test_doctor_shows_how_far_keras_is_from_the_exact_answers(monkeypatch, assignment, cases, off_by, agrees):
    given = []

    def build(specs, *, gpu):
        given.append(gpu)
        *right, last = cases
        return cases_to_arrays([*right, dataclasses.replace(last, expected=last.expected + last.x.dtype.type(off_by))])

    monkeypatch.setattr("grader.doctor.build_with_keras", build)
    device = Device("NVIDIA L4", ("/dev/nvidia0",))
    console = Console(file=io.StringIO(), width=120)
    assert _keras_agrees(device, assignment, console) is agrees
    printed = console.file.getvalue()
    assert given == [device.environment()]
    assert "Keras on gpu (NVIDIA L4), compared with the float64 oracle" in printed
    assert all(case.id in printed for case in assignment.cases)
    assert "1e-05 + 1e-05 of the value" in printed
    assert (" no " in printed) is not agrees


@pytest.mark.parametrize("points", ["nan", "-1"])
def test_a_threshold_that_is_no_number_of_points_is_wrong_usage(tmp_path, points):
    file = tmp_path / "submission.py"
    file.write_text("class LSTM: pass")
    result = CliRunner().invoke(cli, ["grade", str(file), "--fail-under", points])
    assert result.exit_code == USAGE
    assert f"--fail-under is {points}" in result.stderr
