"""The box with real processes: what a run finds around it, and what becomes of the warm processes."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.errors import SandboxClosed
from grader.sandbox import ForkSandbox, Kind
from grader.sandbox.limits import READER_LIMITS
from grader.sandbox.protocol import decode_json, encode, split_frames
from tests.exercises import right_class
from tests.integration.grader.conftest import GradeSource

IMPORTS = "import json, os, sys, time\nimport tensorflow as tf"


@pytest.fixture(scope="module")
def grade_it(grade_source: GradeSource) -> GradeSource:
    """Grades a correct answer that runs `class_body` when its class is made."""
    return lambda class_body="", **how: grade_source(right_class(top=IMPORTS, body=class_body), **how)


def _read(sandbox: ForkSandbox, content: bytes) -> dict:
    canonical = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
    request = encode({"filename": "submission.py", "canonical": canonical}) + content
    outcome = sandbox.run(Kind.READER, request, READER_LIMITS)
    assert (outcome.exit_code, outcome.killed_for) == (0, None), outcome.stderr
    frames, _ = split_frames(outcome.result)
    return decode_json(frames[0][0])


# --- grading ----------------------------------------------------------------------------------------------------------


def test_the_report_says_what_wall_was_around_the_run(grade_it, sandbox):
    enforced = {name for name, mechanism in sandbox.wall(Kind.KERAS3).items() if mechanism.enforced}
    assert set(grade_it().environment.wall) == enforced
    assert {"descriptors", "rlimits", "empty environment"} <= enforced


def test_a_warm_process_has_started_no_thread_and_its_runs_can_trace_and_train(grade_it, sandbox):
    """One that had run an operation would have threads, and `tf.function`, `fit` and `predict` hang in its children."""
    sandbox.warm_up(Kind.KERAS3)
    assert len(os.listdir(f"/proc/{sandbox._zygotes[Kind.KERAS3].pid}/task")) == 1
    steps = (
        "traced = tf.function(lambda x: tf.matmul(x, x))(tf.ones((2, 2)))",
        "model = tf.keras.Sequential([tf.keras.layers.Dense(1)])",
        "model.compile('sgd', 'mse')",
        "history = model.fit(tf.ones((4, 2)), tf.ones((4, 1)), verbose=0).history",
        "answer = model.predict(tf.ones((3, 2)), verbose=0)",
        "print(json.dumps([float(traced[0, 0]), len(history['loss']), answer.shape]))",
    )
    report = grade_it("\n".join(steps))
    assert report.status == "passed", report.error
    assert json.loads(report.output.stdout) == [2.0, 1, [3, 1]]


# --- what a run finds around it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keras", ["3", "2"])
def test_warnings_of_the_submission_are_output_and_those_of_a_library_are_not(grade_it, keras):
    """Keras warns of `input_shape`, and NumPy of a mean of nothing: neither was printed by the student."""
    report = grade_it(
        "import warnings; warnings.warn('mine'); layer = tf.keras.layers.Dense(3, input_shape=(2,)); "
        "import numpy; numpy.mean([]); tf.get_logger().warning('of TensorFlow')",
        keras=keras,
    )
    assert (report.points, report.environment.keras_generation, report.environment.keras[0]) == (100, keras, keras)
    warned = [line for line in report.output.stderr.splitlines() if "arning" in line]
    assert warned
    assert all("mine" in line for line in warned)


# --- await outside of functions, as notebooks allow it ----------------------------------------------------------------

AWAITS = """\
import asyncio
async def answer(number):
    await asyncio.sleep(0)
    return number
"""
NEEDS_IT = right_class(top=IMPORTS, body="used = lambda self: needed")


def test_a_coroutine_that_does_not_wait_is_run(grade_source):
    report = grade_source(f"{AWAITS}needed = await answer(32)\n{NEEDS_IT}")
    assert (report.points, report.extraction.cells_skipped) == (100, [])


@pytest.mark.parametrize("waited", ["asyncio.sleep(1)", "asyncio.create_task(answer(1))"])
def test_code_that_needs_an_event_loop_says_so_and_costs_no_points(grade_source, waited):
    report = grade_source(f"{AWAITS}needed = await {waited}\n{NEEDS_IT}")
    assert report.points == 100, report.error
    (skipped,) = report.extraction.cells_skipped
    assert (skipped.code, skipped.params["type"]) == ("cell_failed", "EventLoopUnavailable")
    assert "need not wait" in str(skipped.params["message"])


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_of_20_megabytes_arrives_whole(sandbox):
    content = b"class LSTM:\n    pass\n" + b"# filler\n" * (20 * 2**20 // 9)
    reading = _read(sandbox, content)
    assert reading["error"] is None
    assert reading["source"].rstrip() == content.decode().rstrip()


def test_runs_at_the_same_time_do_not_mix_up_their_answers(sandbox):
    sources = [f"class LSTM:\n    number = {number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        readings = list(pool.map(lambda source: _read(sandbox, source.encode()), sources))
    assert [reading["source"].strip() for reading in readings] == sources


# --- warm processes ---------------------------------------------------------------------------------------------------


def test_closing_ends_the_warm_processes_and_removes_what_runs_wrote():
    box = ForkSandbox(slots=1)
    box.warm_up(Kind.READER)
    pids, directory = box.pids(), Path(box._directory)
    # A terminal sends its signals to the service alone, which ends them in order.
    assert os.getsid(0) not in map(os.getsid, pids)
    box.close()
    box.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not directory.exists()
    with pytest.raises(SandboxClosed):
        box.run(Kind.READER, b"", READER_LIMITS)


# --- settings that make no sense --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "name"), [({"slots": 0}, "0"), ({"slots": 1, "accept_missing": ["seccom"]}, "seccom")]
)
def test_a_sandbox_without_slots_or_with_an_unknown_part_of_the_wall_is_refused(settings, name):
    with pytest.raises(ValueError, match=name):
        ForkSandbox(**settings)
