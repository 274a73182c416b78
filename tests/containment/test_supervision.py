"""Runs that somebody stops, starves or kills: what was not the submission's doing is graded again, and only that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import ended, parent
from tests.waiting import wait_until

WALL = 4.0
NOTE = "open('asleep', 'w').write(str(os.getpid()))"
# Half a second of work.
WORK = "sum(range(3 * 10**7))"


@pytest.fixture(autouse=True)
def _warm(graded, written):
    """Start TensorFlow and make the references first; neither is timed here."""
    assert graded(written(), wall_seconds=WALL).points == 100


def _logged(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("grader.sandbox")]


@contextlib.contextmanager
def _hogged_core() -> Iterator[int]:
    """A core that fifty processes share, each of a session of its own: that is what the kernel divides it by."""
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    processes = [subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True) for _ in range(50)]
    try:
        yield core
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_run_that_somebody_else_killed_is_graded_again(graded, written, asleep, caplog):
    given = written(class_body=f"{NOTE}\ntime.sleep(1)")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        os.kill(asleep().pid, signal.SIGKILL)
        assert (report.result().status, report.result().points) == ("passed", 100)
    assert _logged(caplog) == ["run_killed_by_others"]


def test_a_run_that_always_kills_itself_is_judged_after_three_tries(attack, caplog):
    report = attack(call="os.kill(os.getpid(), signal.SIGKILL)")
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [(diagnosis.code, diagnosis.params["signal"]) for diagnosis in report.diagnoses] == [("crash", 9)]
    assert _logged(caplog) == ["run_killed_by_others"] * 2


@pytest.mark.alone
@pytest.mark.parametrize(
    "attack_code",
    [
        pytest.param({"class_body": f"{NOTE}\ntime.sleep(1)\n{WORK}"}, id="in a statement, which has an alarm"),
        pytest.param(
            {
                "call": f"""
                if not os.path.exists('asleep'):
                    {NOTE}
                    time.sleep(1)
                    thread = threading.Thread(target=lambda: {WORK})
                    thread.start()
                    thread.join()
                """
            },
            id="in a thread that the main thread waits for",
        ),
    ],
)
def test_a_run_that_has_no_core_is_graded_again_on_the_same_warm_process(
    box, graded, written, asleep, caplog, attack_code
):
    """It gets next to nothing of a core that others use."""
    given = written(**attack_code)
    warm = box.pids()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        pid = asleep().pid
        with _hogged_core() as core:
            for thread in map(int, os.listdir(f"/proc/{pid}/task")):
                os.sched_setaffinity(thread, {core})
            wait_until(lambda: report.done() or _logged(caplog), 120)
        assert (report.result().status, report.result().points) == ("passed", 100)
    assert _logged(caplog) == ["run_lost"]
    assert box.pids() == warm


def test_a_run_that_sleeps_is_over_the_time_limit_at_once(graded, written, caplog):
    report = graded(written(call="time.sleep(1000)"), wall_seconds=WALL)
    assert (report.status, report.points) == ("time_limit", 0)
    assert report.timing.wall_seconds < 3 * WALL
    assert _logged(caplog) == []


def test_a_run_whose_threads_keep_each_other_from_running_is_over_the_time_limit_too(graded, written, caplog):
    """Each of them waits for a core most of the time, and the run as a whole for nothing."""
    call = """
        import hashlib
        def burst():
            while True:
                for _ in range(20): hashlib.sha256(bytes(20000)).digest()
                time.sleep(0.05)
        for _ in range(40): threading.Thread(target=burst, daemon=True).start()
        time.sleep(1000)"""
    report = graded(written(call=call), wall_seconds=WALL)
    assert (report.status, report.points) == ("time_limit", 0)
    assert report.timing.wall_seconds < 3 * WALL
    assert _logged(caplog) == []


def test_the_time_in_which_everything_was_stopped_does_not_count(graded, written, asleep, caplog):
    """As when a container is paused: the warm process and its runs stop and go on together."""
    given = written(call=f"if not os.path.exists('asleep'):\n    {NOTE}\n    time.sleep(1.5)")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        pid = asleep().pid
        both = [pid, parent(pid)]
        for each in both:
            os.kill(each, signal.SIGSTOP)
        time.sleep(3.5)  # Sleeps: a pause beyond the limit of the run's wall time.
        for each in both:
            os.kill(each, signal.SIGCONT)
        assert (report.result().status, report.result().points) == ("passed", 100)
    assert _logged(caplog) == []


def test_a_stopped_run_of_a_stopped_warm_process_is_gone_with_it(box, graded, written, asleep, caplog):
    given = written(class_body=f"{NOTE}\nos.kill(os.getpid(), signal.SIGSTOP)")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        pid = asleep().pid
        warm = parent(pid)
        os.kill(warm, signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: ended(pid))
        assert time.monotonic() - stopped < 10
        assert ended(warm)
        assert warm not in box.pids()
        # Nothing stops the second try but the submission itself.
        assert (report.result().status, report.result().points) == ("time_limit", 0)
    assert _logged(caplog) == ["run_lost", "zygote_replaced"]
