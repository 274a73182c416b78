"""Submissions that end their own process, or take away what it speaks through."""

from tests.containment.conftest import verdict

EXITS = {"class_body": ["os._exit(0)"], "call": ["os._exit(0)", "os._exit(97)", "sys.exit(0)"]}
CRASHES = {
    6: "os.abort()",
    11: "ctypes.string_at(0)",
}
OTHER_WAYS_OUT = {
    "exit() of libc": "ctypes.CDLL(None).exit(0)",
    "from a thread": "thread = threading.Thread(target=os._exit, args=[0])\nthread.start()\nthread.join()",
    "an interrupt from within": "import _thread\n_thread.interrupt_main()\nthreading.Event().wait()",
    "an alarm": "signal.signal(14, signal.SIG_DFL)\nsignal.setitimer(signal.ITIMER_REAL, 0.1)\nsignal.pause()",
    "the signal of seccomp": "os.kill(os.getpid(), signal.SIGSYS)",
    "the signal of a time limit": "signal.raise_signal(signal.SIGXCPU)",
    "SIGXFSZ": "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nopen('f', 'wb').truncate(1 << 40)",
    "with its pipe moved away": "os.close(0), os.dup2(3, 0), os.close(3)\nos._exit(0)",
}
HARMLESS = {
    "closes the log pipes": "os.close(1)\nos.close(2)",
    "speaks after the end": "import atexit\natexit.register(lambda: os.write(3, b'after'))",
}
LINGER = {
    "a stream that flushes for ever": """
        class Slow:
            def write(self, text): return len(text)
            def flush(self):
                while True: pass
        sys.stdout = Slow()
        """,
    "an object that does not want to go": """
        class Clock:
            def __del__(self):
                while True: pass
        kept_until_the_end = Clock()
        sys.stderr = Clock()
        """,
}


def test_leaving_is_a_runtime_error_that_says_exits(attack):
    for place, ways in EXITS.items():
        for leave in ways:
            assert verdict(attack(**{place: leave})) == ("runtime_error", 0, "exits"), (place, leave)


def test_a_crash_is_a_runtime_error_that_names_the_signal(attack):
    for signal, call in CRASHES.items():
        report = attack(call=call)
        assert verdict(report) == ("runtime_error", 0, "crash"), call
        assert report.diagnoses[0].params["signal"] == signal, call


def test_every_way_out_is_a_runtime_error_without_points(attack):
    for name, call in OTHER_WAYS_OUT.items():
        assert verdict(attack(call=call))[:2] == ("runtime_error", 0), name


def test_a_run_that_closes_all_its_pipes_gets_no_points(attack):
    report = attack(call="os.closerange(0, 256)")
    assert (str(report.status), report.points) in [("runtime_error", 0), ("invalid_output", 0)]


def test_closing_or_saying_more_does_no_harm(attack):
    for name, body in HARMLESS.items():
        assert verdict(attack(class_body=body)) == ("passed", 100), name


def test_a_run_is_over_with_its_last_answer_whatever_it_does_then(attack, assignment):
    for name, body in LINGER.items():
        report = attack(class_body=body)
        assert (report.status, report.points) == ("passed", 100), (name, report.error, report.diagnoses)
        # Else it goes on until its limit.
        assert report.timing.cpu_seconds < assignment.limits.cpu_seconds, name
