"""Submissions that end their own process, or take away what it speaks through."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("exit_code", [0, 3, 97])
@pytest.mark.parametrize("place", ["class_body", "call"])
def test_leaving_through_the_back_door_is_a_runtime_error_without_points(attack, place, exit_code):
    report = attack(**{place: f"os._exit({exit_code})"})
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["exits"]


@pytest.mark.parametrize("leave", ["sys.exit(0)", "raise SystemExit('bye')", "exit()", "quit()"])
def test_sys_exit_in_call_is_a_runtime_error_that_says_exits(attack, leave):
    report = attack(call=leave)
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["exits"]


@pytest.mark.parametrize(
    ("call", "signal"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", 9, id="SIGKILL"),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM)", 15, id="SIGTERM"),
        pytest.param("os.abort()", 6, id="abort"),
        pytest.param("ctypes.string_at(0)", 11, id="segmentation fault"),
    ],
)
def test_a_crash_is_a_runtime_error_that_names_the_signal(attack, call, signal):
    report = attack(call=call)
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [(diagnosis.code, diagnosis.params["signal"]) for diagnosis in report.diagnoses] == [("crash", signal)]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("ctypes.CDLL(None).exit(0)", id="exit() of libc"),
        pytest.param("ctypes.CDLL(None)._exit(0)", id="_exit() of libc"),
        pytest.param("ctypes.CDLL(None).syscall(231, 0)", id="exit_group, by its number"),
        pytest.param("ctypes.pythonapi.Py_Exit(0)", id="Py_Exit()"),
        pytest.param("ctypes.CDLL(None).pthread_exit(None)", id="the main thread alone"),
        pytest.param("ctypes.CDLL(None).quick_exit(0)", id="quick_exit()"),
        pytest.param(
            "thread = threading.Thread(target=os._exit, args=[0])\nthread.start()\nthread.join()", id="from a thread"
        ),
        pytest.param("import _thread\n_thread.interrupt_main()\ntime.sleep(0.1)", id="an interrupt from within"),
        pytest.param("signal.signal(signal.SIGALRM, signal.SIG_DFL)\nsignal.alarm(1)\ntime.sleep(5)", id="an alarm"),
        pytest.param("os.kill(os.getpid(), signal.SIGSYS)", id="the signal of seccomp"),
        pytest.param("signal.raise_signal(signal.SIGXCPU)", id="the signal of a time limit"),
        pytest.param("signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nopen('f', 'wb').truncate(1 << 40)", id="SIGXFSZ"),
        pytest.param("os.close(0), os.dup2(3, 0), os.close(3)\nos._exit(0)", id="with its pipe moved away"),
    ],
)
def test_every_way_out_is_a_runtime_error_without_points(attack, call):
    report = attack(call=call)
    assert (report.status, report.points) == ("runtime_error", 0)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("os.close(3)", id="closes the result pipe"),
        pytest.param("os.closerange(0, 256)", id="closes everything"),
        pytest.param("os.dup2(os.open(os.devnull, os.O_WRONLY), 3)", id="sends the result nowhere"),
    ],
)
def test_a_run_that_takes_its_own_voice_gets_no_points(attack, call):
    report = attack(call=call)
    assert report.status in ("runtime_error", "invalid_output")
    assert report.points == 0


def test_closing_the_log_pipes_does_no_harm(attack):
    report = attack(class_body="os.close(1)\nos.close(2)")
    assert (report.status, report.points) == ("passed", 100)


def test_an_exit_handler_cannot_speak_after_the_end(attack):
    report = attack(class_body="import atexit\natexit.register(lambda: os.write(3, b'after'))")
    assert (report.status, report.points) == ("passed", 100)


@pytest.mark.parametrize(
    "linger",
    [
        pytest.param(
            "class Slow:\n"
            "    def write(self, text): return len(text)\n"
            "    def flush(self):\n"
            "        while True: pass\n"
            "sys.stdout = Slow()",
            id="a stream that flushes for ever",
        ),
        pytest.param(
            "class Clock:\n"
            "    def __del__(self):\n"
            "        while True: pass\n"
            "kept_until_the_end = Clock()\n"
            "sys.stderr = Clock()",
            id="an object that does not want to go",
        ),
    ],
)
def test_a_run_is_over_with_its_last_answer_whatever_it_does_then(attack, assignment, linger):
    report = attack(class_body=linger)
    assert (report.status, report.points) == ("passed", 100), (report.error, report.diagnoses)
    # Else it goes on until its limit.
    assert report.timing.cpu_seconds < assignment.limits.cpu_seconds
