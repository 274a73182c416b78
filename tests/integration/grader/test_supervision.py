"""Runs whose warm process stops, fails or is killed.

With the warm process that reads, which starts in a second.
"""

import contextlib
import json
import logging
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.errors import RunStarved, SandboxStartFailed
from grader.sandbox import ForkSandbox, Kind, Outcome
from grader.sandbox.limits import READER_LIMITS
from grader.sandbox.namespaces import without_ring
from grader.sandbox.protocol import decode_json, encode, split_frames
from grader.sandbox.warm_process import Zygote
from tests.processes import children, ended, parent, runs
from tests.waiting import wait_until

RUNNER = Path(__file__).parents[3] / "grader" / "runner"
NICENESS = 5
SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ForkSandbox]:
    with ForkSandbox(slots=2) as box:
        yield box


@pytest.fixture
def warm(sandbox: ForkSandbox) -> int:
    """The process id of a warm process that works."""
    assert _reads(sandbox)
    return sandbox.pids()[0]


def _reads(sandbox: ForkSandbox, megabytes: float = 0.0) -> bool:
    """Whether a file is read; one of 10 MB takes about a second."""
    content = b"class LSTM:\n    pass\n" + b"# filler\n" * int(megabytes * 2**20 / 9)
    request = encode({"filename": "submission.py", "canonical": SIZES}) + content
    outcome = sandbox.run(Kind.READER, request, READER_LIMITS)
    if (outcome.exit_code, outcome.killed_for) != (0, None):
        return False
    frames, _ = split_frames(outcome.result)
    return decode_json(frames[0][0])["class_line"] == 1


def _each_run_of(warm: int, do: Callable[[int], None], *, times: int) -> threading.Thread:
    """Do something to the next runs of a warm process, as soon as each is there."""

    def watch() -> None:
        seen: set[int] = set()

        def done() -> bool:
            for child in set(runs(warm)) - seen:
                seen.add(child)
                do(child)
            return len(seen) >= times

        wait_until(done, pause=0)  # A run may be over in milliseconds.

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


# --- runs and the service -----------------------------------------------------------------------------------------


def test_a_run_leaves_the_cores_to_the_service_where_both_want_one(sandbox, warm):
    own = min(19, os.getpriority(os.PRIO_PROCESS, warm) + NICENESS)
    yielding: list[int] = []

    def look(child: int) -> None:
        session = Path(f"/proc/{child}/autogroup")  # Not every kernel has it.
        while not ended(child):
            with contextlib.suppress(OSError):
                yields = os.getpriority(os.PRIO_PROCESS, child) == own
                if yields and (not session.exists() or session.read_text().split()[-1] == str(NICENESS)):
                    yielding.append(child)
                    return

    for _ in range(10):  # A run may have ended before it was looked at.
        looking = _each_run_of(warm, look, times=1)
        assert _reads(sandbox, megabytes=10)
        looking.join()
        if yielding:
            break
    assert yielding
    assert os.getpriority(os.PRIO_PROCESS, warm) == os.getpriority(os.PRIO_PROCESS, 0)


def test_a_run_that_had_no_core_has_a_full_share_at_its_second_try_and_no_third(sandbox, warm, monkeypatch):
    once, tries, priorities = sandbox._try, [], set()

    def try_once(*given: object, yields: bool) -> Outcome:
        tries.append(yields)
        return once(*given, yields=yields) if len(tries) == 2 else Outcome(result=b"", killed_for="starved")

    def look(child: int) -> None:
        while not ended(child):
            with contextlib.suppress(OSError):
                priorities.add(os.getpriority(os.PRIO_PROCESS, child))

    monkeypatch.setattr(sandbox, "_try", try_once)
    looking = _each_run_of(warm, look, times=1)
    assert _reads(sandbox, megabytes=10)
    looking.join()
    assert priorities == {os.getpriority(os.PRIO_PROCESS, warm)}
    with pytest.raises(RunStarved):
        _reads(sandbox)
    assert tries == [True, False] * 2


def test_as_many_runs_as_slots_go_on_at_a_time_and_no_more(sandbox, warm):
    with ThreadPoolExecutor(5) as pool:
        readings = [pool.submit(_reads, sandbox, 3) for _ in range(5)]
        seen = set()
        wait_until(lambda: seen.add(len(runs(warm))) or all(reading.done() for reading in readings), pause=0.005)
    assert all(reading.result() for reading in readings)
    assert max(seen) == sandbox.slots == 2


# --- warm processes that do not work any more -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "around"),
    [(signal.SIGKILL, False), (signal.SIGSTOP, False), (signal.SIGSTOP, True)],
    ids=["killed", "stopped", "stopped together with bubblewrap"],
)
def test_a_warm_process_that_works_no_longer_is_replaced(sandbox, warm, end, around):
    if around and (outer := parent(warm)) != os.getpid():
        os.kill(outer, end)
    os.kill(warm, end)
    assert _reads(sandbox)
    assert sandbox.pids() != [warm]
    assert ended(warm)


def test_a_warm_process_whose_template_is_killed_is_replaced(sandbox, warm):
    os.kill(children(warm)[0], signal.SIGKILL)
    assert _reads(sandbox)
    assert sandbox.pids() != [warm]


def test_a_run_whose_warm_process_is_killed_is_done_again(sandbox, warm):
    killing = _each_run_of(warm, lambda child: os.kill(warm, signal.SIGKILL), times=1)
    assert _reads(sandbox, 10)
    killing.join()
    assert sandbox.pids() != [warm]


@pytest.mark.parametrize(
    "template",
    [False, pytest.param(True, marks=pytest.mark.thorough)],
    ids=["cannot start a run", "starts runs that refuse"],
)
def test_a_warm_process_that_loses_every_run_is_replaced(sandbox, warm, template, caplog):
    """It or its template runs out of descriptors: they can take the five or four of a run, and have no other."""
    pid = children(warm)[0] if template else warm
    taken = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    most = next(most for most in range(1000) if len(set(range(most)) - taken) == 5 - template)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    with caplog.at_level(logging.WARNING), pytest.raises(Exception, match=r"verdict|close the box"):
        _reads(sandbox)
    assert [record.message for record in caplog.records] == ["run_lost"] * 3
    assert _reads(sandbox)
    assert sandbox.pids() != [warm]


def test_a_warm_process_that_is_killed_while_it_starts_is_started_again():
    with ForkSandbox(slots=1) as box:
        box.start(Kind.READER)
        os.kill(box.pids()[0], signal.SIGKILL)
        assert _reads(box)


def test_a_failed_start_is_said_to_everybody_who_waits_for_it():
    zygote = Zygote(Kind.READER, without_ring("not needed to start"))
    os.kill(zygote.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(SandboxStartFailed, match="did not start: it ended and printed nothing"):
            zygote.wait_ready()
    zygote.close()


# --- runs that somebody else kills, as a supervisor sees them: the rest is in tests/containment/test_supervision.py ---


@pytest.fixture
def bury(tmp_path, monkeypatch):
    """Ask a supervisor about the end of a process that it has not ended."""
    monkeypatch.syspath_prepend(str(RUNNER))
    import supervisor
    import template

    class Parent:
        """In place of the template: the process is our child."""

        pid = os.getpid()

        def wait(self, pid: int, meanwhile: object) -> template.End:
            _, status, usage = os.wait4(pid, 0)
            return template.End(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)

    def bury_it(process: subprocess.Popen[bytes], **limits: float) -> dict[str, object]:
        control, other_end = socket.socketpair()
        watching = supervisor.Supervisor(control, Parent(), strays=False)
        reader, writer = os.pipe()
        child = supervisor.Child(
            pid=process.pid,
            pidfd=os.pidfd_open(process.pid),
            proc_fd=os.open(f"/proc/{process.pid}/status", os.O_RDONLY),
            status_fd=writer,
            folder_fd=os.open(tmp_path, os.O_RDONLY),
            limits=limits,
            started=time.monotonic(),
            base_memory=0,
            starved_factor=2,
        )
        watching._children["run"] = child
        watching._selector.register(child.pidfd, select.POLLIN, "run")
        watching._selector.select()
        watching._bury("run")
        process.returncode = 0
        with control, other_end, open(reader, "rb") as status:
            return json.load(status)

    return bury_it


def test_a_run_that_the_kernel_ends_for_its_cpu_time_is_over_the_limit_and_not_killed_by_others(bury):
    code = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (2, 2))\nwhile True: pass"
    verdict = bury(subprocess.Popen([sys.executable, "-c", code]), cpu_seconds=1)
    assert (verdict["exit_code"], verdict["killed_for"]) == (-9, "cpu")


def test_a_run_that_was_killed_below_its_cpu_limit_has_no_reason(bury):
    code = "import os; os.kill(os.getpid(), 9)"
    verdict = bury(subprocess.Popen([sys.executable, "-c", code]), cpu_seconds=1)
    assert (verdict["exit_code"], verdict["killed_for"]) == (-9, None)


@pytest.mark.parametrize(("waited", "paused"), [(0.0, 3.0), (2.9, 0.0)], ids=["it was stopped", "it had no core"])
def test_a_late_supervisor_takes_its_runs_for_paused_only_if_it_did_not_wait_for_a_core(monkeypatch, waited, paused):
    monkeypatch.syspath_prepend(str(RUNNER))
    import supervisor

    clock = {"now": 100.0, "waited": 7.0}
    control, other_end = socket.socketpair()
    watching = supervisor.Supervisor(control, SimpleNamespace(pid=os.getpid()), strays=False)
    child = watching._children["run"] = SimpleNamespace(paused=0.0, pidfd=os.pidfd_open(os.getpid()))

    def wait_for_events(seconds: float) -> list[object]:
        clock["now"] += 3.0
        clock["waited"] += waited
        other_end.close()
        return [(SimpleNamespace(data=None), select.POLLIN)]

    monkeypatch.setattr(watching, "_selector", SimpleNamespace(select=wait_for_events))
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: clock["now"]))
    monkeypatch.setattr(supervisor, "waits", lambda pid: {str(pid): clock["waited"]})
    monkeypatch.setattr(supervisor.signal, "pidfd_send_signal", lambda pidfd, number: os.close(pidfd))
    with control:
        watching.serve()
    assert child.paused == paused


@pytest.mark.parametrize(
    ("cpu", "waits", "factor", "reason", "seconds"),
    [
        pytest.param(0.1, {"1": 0.9}, "STARVED_FACTOR", "starved", 23, id="it waits for a core"),
        pytest.param(0.1, {"1": 0.7}, "STARVED_FACTOR", "starved", 29, id="it waits for a core most of the time"),
        pytest.param(0.1, {"1": 0.4}, "STARVED_FACTOR", "wall", 17, id="it waits for a core, and sleeps as long"),
        pytest.param(0.0, {"1": 0.0}, "STARVED_FACTOR", "wall", 11, id="it is stopped"),
        pytest.param(0.1, dict.fromkeys("12345678", 0.11), "STARVED_FACTOR", "wall", 12, id="threads hand a core on"),
        pytest.param(0.9, {"1": 0.1}, "STARVED_FACTOR", "cpu", 6, id="it computes"),
        pytest.param(0.015625, {"1": 0.984375}, "LAST_STARVED_FACTOR", "cpu", 321, id="the last try loops, starved"),
        pytest.param(0.0125, {"1": 0.9375}, "LAST_STARVED_FACTOR", "wall", 161, id="the last try sleeps, starved"),
        pytest.param(0.0, {"1": 1.0}, "LAST_STARVED_FACTOR", "starved", 331, id="the last try never has a core"),
    ],
)
def test_a_run_is_starved_where_it_waited_and_idle_where_it_did_not(
    tmp_path, monkeypatch, cpu, waits, factor, reason, seconds
):
    monkeypatch.syspath_prepend(str(RUNNER))
    import supervisor

    now, killed = 0, []
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(supervisor, "cpu_seconds", lambda pid: now * cpu)
    monkeypatch.setattr(supervisor, "waits", lambda pid: {thread: now * wait for thread, wait in waits.items()})
    control, other_end = socket.socketpair()
    reader, writer = os.pipe()
    watching = supervisor.Supervisor(control, SimpleNamespace(pid=os.getpid()), strays=False)
    monkeypatch.setattr(watching, "_kill", lambda child, reason: killed.append(reason))
    with control, other_end, open(reader, "rb"), open(writer, "wb"), open("/proc/self/status", "rb") as status:
        folder = os.open(tmp_path, os.O_RDONLY)
        limits = {"memory_bytes": 1 << 40, "cpu_seconds": 5, "wall_seconds": 10.0, "threads": 1000}
        limits |= {"disk_bytes": 1, "disk_files": 1}
        given = (os.getpid(), 0, status.fileno(), writer, folder, limits)
        child = supervisor.Child(*given, started=0.0, base_memory=0, starved_factor=getattr(supervisor, factor))
        watching._children["run"] = child
        while not killed:
            now += 1
            watching._beat()
            watching._check(child)
        os.close(folder)
    assert (killed, now) == ([reason], seconds)
