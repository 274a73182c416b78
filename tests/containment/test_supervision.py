"""Runs that somebody stops, starves or kills: what was not the submission's doing is graded again, and only that."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.containment.conftest import WAITING_SECONDS, verdict
from tests.processes import ended, parent
from tests.waiting import wait_until

WALL = 4.0
NOTE = "open('asleep', 'w').write(str(os.getpid()))"
# It says that it is there, and goes on when it is told to: the test decides when, however slow the machine is.
WAIT = f"{NOTE}\nwhile not os.path.exists('woken'): time.sleep(0.02)"
# A second of work, and an end at once: an answer takes a second more, in which a slow machine could lose the run.
WORK = "sum(range(6 * 10**7))"
END = "os._exit(0)"
ENDED = ("runtime_error", 0, "exits")


@pytest.fixture(autouse=True, scope="module")
def _warm(graded, written):
    """Start TensorFlow and make the references first; neither is timed here."""
    assert graded(written()).points == 100


def _logged(caplog) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("grader.sandbox")]


@contextlib.contextmanager
def _hogs(core: int) -> Iterator[Callable[[], None]]:
    """Fifty processes that share a core as soon as the call says so; the kernel divides it by their sessions."""
    start, told = os.pipe()
    code = f"import os; os.sched_setaffinity(0, {{{core}}}); os.read({start}, 1)\nwhile True: pass"
    command = [sys.executable, "-S", "-c", code]
    processes = [subprocess.Popen(command, start_new_session=True, pass_fds=[start]) for _ in range(50)]
    os.close(start)
    writing = os.fdopen(told, "wb")
    try:
        yield writing.close
    finally:
        writing.close()
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def test_a_run_that_somebody_else_killed_is_graded_again(graded, written, asleep, caplog):
    given = written(call=f"if not os.path.exists('asleep'):\n{textwrap.indent(WAIT, '    ')}")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WAITING_SECONDS)
        killed = asleep().pid
        os.kill(killed, signal.SIGKILL)
        again = wait_until(lambda: (found := asleep()).pid != killed and found)
        (again.folder / "woken").touch()
        assert (report.result().status, report.result().points) == ("passed", 100)
    assert _logged(caplog) == ["run_killed_by_others"]


def test_a_run_that_always_kills_itself_is_judged_after_three_tries(attack, caplog):
    report = attack(call="os.kill(os.getpid(), signal.SIGKILL)")
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [(diagnosis.code, diagnosis.params["signal"]) for diagnosis in report.diagnoses] == [("crash", 9)]
    assert _logged(caplog) == ["run_killed_by_others"] * 2


@pytest.mark.alone
def test_a_run_that_has_no_core_is_graded_again_on_the_same_warm_process(sandbox, graded, written, asleep, caplog):
    """It gets next to nothing of a core that others use."""
    warm, core = sandbox.pids(), min(os.sched_getaffinity(0))
    with ThreadPoolExecutor(1) as pool:
        with _hogs(core) as hog:
            # A statement, which has an alarm.
            given = written(class_body=f"{WAIT}\n{WORK}\n{END}")
            report = pool.submit(graded, given, wall_seconds=3.0, statement_seconds=3.0)
            starved = asleep()
            for thread in map(int, os.listdir(f"/proc/{starved.pid}/task")):
                os.sched_setaffinity(thread, {core})
            hog()
            (starved.folder / "woken").touch()
            wait_until(lambda: report.done() or _logged(caplog))
        again = wait_until(lambda: report.done() or ((found := asleep()).pid != starved.pid and found))
        assert again is not True, verdict(report.result())
        (again.folder / "woken").touch()
        assert verdict(report.result()) == ENDED
    assert _logged(caplog) == ["run_lost"]
    assert sandbox.pids() == warm


@pytest.mark.parametrize(
    "waiting",
    [
        "time.sleep(1000)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        f"time.sleep({WALL - 0.5})\nos.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_runs_that_only_wait_hold_a_slot_no_longer_than_one_of_them_may(sandbox, graded, written, monkeypatch, waiting):
    """Not once more under Keras 2, nor because something killed them; without the time in which they had no core."""
    seconds, once = [], sandbox._try

    def try_once(*arguments, **options):
        outcome = once(*arguments, **options)
        seconds.append(outcome.idle_seconds)
        return outcome

    monkeypatch.setattr(sandbox, "_try", try_once)
    assert graded(written(call=waiting), "auto", wall_seconds=WALL).points == 0
    assert WALL - 1 < sum(seconds) < 2 * WALL - 1


def test_a_run_whose_threads_keep_each_other_from_running_is_over_the_time_limit_too(graded, written):
    """Each of them waits for a core most of the time, and the run as a whole for nothing, or once on a busy host."""
    call = """
        import hashlib
        def burst():
            while True:
                for _ in range(20): hashlib.sha256(bytes(20000)).digest()
                time.sleep(0.05)
        for _ in range(40): threading.Thread(target=burst, daemon=True).start()
        time.sleep(1000)"""
    report = graded(written(call=call), wall_seconds=2.0)
    assert (report.status, report.points) == ("time_limit", 0)


def test_the_time_in_which_everything_was_stopped_does_not_count(graded, written, asleep, caplog):
    """As when a container is paused: the warm process and its runs stop and go on together."""
    # It is looked at for a second before it ends.
    given = written(call=f"{WAIT}\ntime.sleep(1)\n{END}")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        found = asleep()
        both = [found.pid, parent(parent(found.pid))]
        for each in both:
            os.kill(each, signal.SIGSTOP)
        time.sleep(WALL)  # Sleeps: a pause beyond the limit of the run's wall time.
        (found.folder / "woken").touch()
        for each in both:
            os.kill(each, signal.SIGCONT)
        assert verdict(report.result()) == ENDED
    assert _logged(caplog) == []


def test_a_stopped_run_of_a_stopped_warm_process_is_gone_with_it(sandbox, graded, written, asleep, caplog):
    given = written(class_body=f"{NOTE}\nos.kill(os.getpid(), signal.SIGSTOP)")
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(graded, given, wall_seconds=WALL)
        pid = asleep().pid
        warm = parent(parent(pid))
        os.kill(warm, signal.SIGSTOP)
        wait_until(lambda: ended(pid))
        assert ended(warm)
        assert warm not in sandbox.pids()
        # Nothing stops the second try but the submission itself.
        assert (report.result().status, report.result().points) == ("time_limit", 0)
    assert _logged(caplog) == ["run_lost", "zygote_replaced"]
