"""Grading on a GPU, as far as it shows without one; what is marked `gpu` needs a card that TensorFlow can use."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli
from grader.assignment import load_assignments
from grader.known_answer import SOURCE, correct_submission
from grader.pipeline import grade
from grader.report.model import Report
from grader.sandbox import Device, ForkSandbox, Kind, choose_device
from grader.submission import Submission
from reference import ReferenceStore, new_seed


def _grade(
    box: ForkSandbox, references: ReferenceStore, submission: Submission | None = None, keras: str = "3"
) -> Report:
    assignment = load_assignments()["lstm-layer"].model_copy(update={"keras": keras})
    return grade(submission or correct_submission(), assignment, seed=new_seed(), sandbox=box, references=references)


# --- a host without a GPU ---------------------------------------------------------------------------------------------


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this host has, it looks empty to who chooses."""
    monkeypatch.setattr("grader.sandbox.launcher.choose_device", functools.partial(choose_device, root=tmp_path))


def test_a_service_for_a_gpu_does_not_start_and_says_what_is_missing(no_gpu, monkeypatch, tmp_path):
    settings = {"DEVICE": "gpu", "PORT": "0", "DATA_DIR": str(tmp_path / "data"), "CACHE_DIR": str(tmp_path / "cache")}
    for name, value in settings.items():
        monkeypatch.setenv(f"LSTM_GRADER_{name}", value)
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 3, result.output
    assert "lstm-grader: the sandbox cannot be used here: a GPU is asked for" in result.stderr
    assert "Traceback" not in result.output


# --- a GPU that does not start in the box -----------------------------------------------------------------------------


def test_a_gpu_that_does_not_start_is_our_failure_and_no_grade(monkeypatch, references, caplog):
    """Never the CPU instead: the report would say something else than what was done."""
    stand_in = Device("a card that is none", ("/dev/full",))
    monkeypatch.setattr("grader.sandbox.launcher.choose_device", lambda wanted: stand_in)
    with ForkSandbox(slots=1, device="gpu") as box:
        report = _grade(box, references)
        opens = box.opens()
    assert (report.status, report.points) == ("internal_error", None)
    assert "CUDA did not start" in caplog.text
    assert "TensorFlow finds no GPU in the box" in caplog.text
    assert opens["device nodes"] == "/dev/full"
    assert set(opens) >= {"ioctl", "shared memory", "unix socket"}


# --- a host with one --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gpu_box() -> Iterator[ForkSandbox]:
    with ForkSandbox(slots=2, device="gpu") as box:
        box.start(Kind.READER, Kind.KERAS3)
        yield box


def _with(class_body: str) -> Submission:
    head, tail = SOURCE.split("\n", 1)
    return Submission("submission.py", f"import json, os, socket\n{head}\n    {class_body}\n{tail}".encode())


@pytest.mark.gpu
@pytest.mark.parametrize("generation", ["3", "2"])
def test_both_generations_of_keras_grade_a_correct_answer_on_the_gpu(gpu_box, references, generation):
    report = _grade(gpu_box, references, keras=generation)
    assert (report.status, report.points) == ("passed", 100)
    assert report.environment.device.startswith("gpu")
    assert report.environment.keras_generation == generation


@pytest.mark.gpu
def test_the_model_computes_on_the_gpu_without_tf32(gpu_box, references):
    printed = "print(json.dumps([(tf.ones((2, 2)) @ tf.ones((2, 2))).device, "
    printed += "tf.config.experimental.tensor_float_32_execution_enabled()]))"
    device, tf32 = json.loads(_grade(gpu_box, references, _with(printed)).output.stdout)
    assert device.endswith("GPU:0")
    assert tf32 is False


@pytest.mark.gpu
def test_slots_share_the_gpu(gpu_box, references):
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: _grade(gpu_box, references), range(4)))
    assert [report.points for report in reports] == [100] * 4


@pytest.mark.gpu
def test_the_warm_process_never_starts_cuda(gpu_box, references):
    _grade(gpu_box, references)
    paths = [os.readlink(fd) for pid in gpu_box.pids() for fd in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [path for path in paths if path.startswith("/dev/nvidia")]


@pytest.mark.gpu
@pytest.mark.parametrize(
    "reach",
    ["socket.create_connection(('127.0.0.1', 9))", "os.fork()", "open('/etc/passwd')", "os.memfd_create('x')"],
)
def test_the_rest_of_the_wall_stands_on_a_gpu(gpu_box, references, reach):
    report = _grade(gpu_box, references, _with(reach))
    assert report.points == 0
    # What a diagnosis tells is not listed again.
    findings = [*report.diagnoses, *report.extraction.cells_skipped]
    assert "PermissionError" in [part.params.get("type") for part in findings]


@pytest.mark.gpu
def test_doctor_compares_keras_on_the_gpu_with_the_exact_answers():
    doctor = subprocess.run(
        [sys.executable, "-m", "grader", "doctor", "--gpu"], capture_output=True, text=True, check=False
    )
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "compared with the float64 oracle" in doctor.stdout
