"""Grading in processes of their own, with the box's part played here."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.assignment import Assignment, load_assignments
from grader.errors import SandboxClosed
from grader.pipeline import grade
from grader.processes import GradeProcesses, GradeProcessLost
from grader.report.model import Report
from grader.sandbox import Kind, Limits, Outcome, Sandbox, protocol
from grader.sandbox.protocol import HEADER, encode
from grader.submission import Submission
from reference import SEED_BYTES, ReferenceStore
from reference.cases import cases_to_arrays
from tests.exercises import answered
from tests.processes import children, command_line, ended
from tests.unit.grader.sandbox.test_protocol import OUTPUT
from tests.unit.grader.student_class import StudentClass, box
from tests.waiting import wait_until

GIVEN = Submission("lstm.py", b"class LSTM: ...")
SEED = bytes(SEED_BYTES)
SLOTS = 2
MIB = 2**20


class Box:
    """A sandbox whose part another one plays, which may change."""

    def __init__(self) -> None:
        self.plays: Sandbox = StudentClass().sandbox()

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        return self.plays.run(kind, request, limits)


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    return load_assignments()["lstm-layer"]


@pytest.fixture(scope="module")
def own_references(tmp_path_factory: pytest.TempPathFactory) -> ReferenceStore:
    """Answers of the oracle, which Keras does not take seconds to make."""
    folder = tmp_path_factory.mktemp("answers")
    return ReferenceStore(folder, build=lambda specs: cases_to_arrays(list(map(answered, specs))))


@pytest.fixture(scope="module")
def actor() -> Box:
    return Box()


@pytest.fixture(scope="module")
def processes(own_references: ReferenceStore, actor: Box) -> Iterator[GradeProcesses]:
    with GradeProcesses(actor, own_references, own_references._cache_dir, SLOTS) as processes:
        yield processes


def _same(report: Report) -> str:
    return report.model_copy(update={"timing": None, "receipt": None}).model_dump_json()


@pytest.mark.parametrize("content", ["right", "wrong"])
def test_a_report_is_the_one_of_this_process(processes, actor, assignment, own_references, content):
    actor.plays = StudentClass(*([] if content == "right" else [lambda asked: 0 * asked.case.expected])).sandbox()
    stages, artefacts, here = [], {}, {}
    report = processes(GIVEN, assignment, seed=SEED, progress=stages.append, artefacts=artefacts.__setitem__)
    own = grade(GIVEN, assignment, seed=SEED, sandbox=actor, references=own_references, artefacts=here.__setitem__)
    assert _same(report) == _same(own)
    assert (report.points == 100) == (content == "right")
    assert stages == ["reading", "reference", "running", "checking"]
    assert artefacts == here
    assert artefacts


HOSTILE = {
    "an array": HEADER.pack(2, 63 * MIB) + b"{}" + bytes(63 * MIB),
    "lists": HEADER.pack(MIB, 0) + b"[" + b"[]," * (MIB // 3 - 1) + b"[]]",
    "events": encode(OUTPUT | {"inside": [["0"] * 4000] * 8}) * 50,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_answer_is_decoded_elsewhere(processes, actor, assignment, monkeypatch, name):
    hostile = Outcome(result=HOSTILE[name])
    actor.plays = box(dict.fromkeys([Kind.KERAS2, Kind.KERAS3], lambda request: hostile))
    monkeypatch.setattr(protocol, "split_frames", None)  # Nobody can read an answer in this process.
    assert processes(GIVEN, assignment, seed=SEED).points == 0


def test_a_process_that_dies_loses_its_grade_and_no_other(processes, actor, assignment):
    asked, goes_on = threading.Barrier(SLOTS + 1), threading.Event()
    actor.plays = box({Kind.KERAS3: lambda request: _held(request, asked, goes_on)})
    with ThreadPoolExecutor(SLOTS) as pool:
        grades = [pool.submit(processes, GIVEN, assignment, seed=SEED) for _ in range(SLOTS)]
        asked.wait()
        os.kill(_serving()[0], signal.SIGKILL)
        goes_on.set()
        ends = [grade.exception() or grade.result().points for grade in grades]
    assert sorted(map(type, ends), key=str) == [float, GradeProcessLost]
    actor.plays = StudentClass().sandbox()
    with ThreadPoolExecutor(SLOTS) as pool:
        reports = list(pool.map(lambda _: processes(GIVEN, assignment, seed=SEED), range(SLOTS)))
    assert [report.points for report in reports] == [100] * SLOTS


def test_processes_that_died_while_nobody_asked_are_replaced(processes, actor, assignment):
    actor.plays = StudentClass().sandbox()
    processes(GIVEN, assignment, seed=SEED)
    dead = _serving()
    for pid in dead:
        with contextlib.suppress(ProcessLookupError):  # one of an earlier test may just end
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(map(ended, dead)))
    assert [processes(GIVEN, assignment, seed=SEED).points for _ in range(SLOTS + 1)] == [100] * (SLOTS + 1)


def _held(request: bytes, asked: threading.Barrier, goes_on: threading.Event) -> Outcome:
    if not goes_on.is_set():
        asked.wait()
        goes_on.wait()
    return StudentClass().run(request)


def _serving() -> list[int]:
    """The processes that grade: forks of one, or started alone. A box of other tests has processes here, too."""
    ours = [pid for pid in children(os.getpid(), recursive=True) if "grader.processes" in command_line(pid)]
    return [pid for pid in ours if not children(pid) and not ended(pid)]


def test_an_error_of_the_box_is_raised_there_and_a_line_of_the_log_written_here(processes, actor, assignment, caplog):
    class Closed:
        def run(self, *_: object) -> Outcome:
            raise SandboxClosed("closing")

    class Broken:
        def run(self, *_: object) -> Outcome:
            raise ZeroDivisionError("ours")

    actor.plays = Closed()
    with caplog.at_level(logging.INFO):
        assert processes(GIVEN, assignment, seed=SEED).error.type == "SandboxClosed"
    assert [record.message for record in caplog.records] == ["grading_ended"]
    assert caplog.records[0].submission_sha256 == GIVEN.sha256
    actor.plays = Broken()
    with pytest.raises(ZeroDivisionError) as raised:
        processes(GIVEN, assignment, seed=SEED)
    assert "in read" in raised.value.__notes__[0]


def test_no_process_is_left_behind_and_none_has_our_environment(own_references, actor, assignment, monkeypatch):
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN", "a secret")
    before = set(children(os.getpid(), recursive=True))
    actor.plays = StudentClass().sandbox()
    with GradeProcesses(actor, own_references, own_references._cache_dir, SLOTS) as processes:
        assert processes(GIVEN, assignment, seed=SEED).points == 100
        new = set(wait_until(lambda: _more(before, 1 + SLOTS)))
        for pid in new:
            variables = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
            assert {each.partition("=")[0] for each in variables} == {"PYTHONPATH", "OPENBLAS_NUM_THREADS"}
    assert not new & set(children(os.getpid(), recursive=True))
    assert not any(Path(f"/proc/{pid}").exists() and children(pid) for pid in new)


def _more(before: set[int], count: int) -> set[int] | None:
    new = set(children(os.getpid(), recursive=True)) - before
    return new if len(new) == count else None
