"""Submissions that use more than their share of time, memory or output."""

from __future__ import annotations

from tests.containment.conftest import verdict

ENDLESS = {
    "endless loop in call": {"call": "while True: pass"},
    "endless loop that catches everything, at import": {
        "class_body": "while True:\n    try:\n        while True: len('x')\n    except BaseException: pass"
    },
    "ignores every signal": {
        "call": """
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True: pass
        """
    },
    "endless threads": {
        "call": "for _ in range(8): threading.Thread(target=sum, args=[iter(int, 1)]).start()\nsum(iter(int, 1))"
    },
    "endless inside one C call": {"call": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"},
}
ASLEEP = {
    "sleep in call": {"call": "time.sleep(1e6)"},
    "waiting for a lock": {"call": "threading.Event().wait()"},
    "stops itself": {"call": "os.kill(os.getpid(), signal.SIGSTOP)"},
    "ignores the alarm of a statement": {
        "class_body": "signal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(1e6)"
    },
}
GREEDY = {
    "10 GB of NumPy": {"call": "junk = np.ones(10 * 2**30 // 8)"},
    "10 GB of NumPy that are never touched": {"call": "junk = np.zeros(10 * 2**30 // 8)"},
    "10 GB of TensorFlow": {"call": "junk = tf.ones((10, 2**30 // 4))"},
    "a list that grows": {"call": "junk = []\nwhile True: junk.append([0] * 2**20)"},
    "10 GB of bytes": {"call": "junk = bytearray(10 * 2**30)"},
    "10 GB at import": {"class_body": "junk = np.ones(10 * 2**30 // 8)"},
    "tensors that are kept": {
        "call": "while True: tf.Variable(tf.ones((2**22,))), _KEPT.append(tf.ones((2**22,)))",
        "class_body": "global _KEPT\n_KEPT = []",
    },
}
FLOODS = {
    "print without end": "while True: print('x' * 1000)",
    "100 MB in one print": "print('x' * 100_000_000)",
    "standard error": "while True: os.write(2, b'x' * 65536)",
    "the result pipe": "while True: os.write(3, b'x' * 65536)",
}
FULL_DISKS = {
    "many files": "for n in range(5000): open(f'{n}', 'w')\nthreading.Event().wait()",
    "200 MB": "for n in range(20): open(f'{n}', 'wb').write(bytes(10 * 2**20))\nthreading.Event().wait()",
}
THREADS = (
    "threading.stack_size(65536)\nwhile True: threading.Thread(target=time.sleep, args=[1000], daemon=True).start()"
)


def test_a_run_without_an_end_is_a_time_limit(attack):
    found = {name: verdict(attack(**parts, cpu_seconds=1)) for name, parts in ENDLESS.items()}
    found |= {name: verdict(attack(**parts, wall_seconds=4.0)) for name, parts in ASLEEP.items()}
    assert {name: seen for name, seen in found.items() if seen != ("time_limit", 0, "timeout")} == {}


def test_too_much_memory_is_a_memory_limit(attack):
    # The default assignment's time: Keras traces a hundred steps of the exercise's own input before memory runs out.
    found = {name: verdict(attack(**parts, cpu_seconds=20, wall_seconds=60.0)) for name, parts in GREEDY.items()}
    assert {name: seen for name, seen in found.items() if seen != ("memory_limit", 0, "memory")} == {}


def test_a_flood_is_an_output_limit(attack):
    for name, call in FLOODS.items():
        report = attack(call=call)
        assert verdict(report) == ("output_limit", 0, "output_flood"), name
        assert len(report.model_dump_json()) < 200_000, name


def test_much_output_below_the_flood_is_cut_and_graded(attack):
    report = attack(call="print('x' * 200_000)")
    assert (report.status, report.points) == ("passed", 100)
    assert report.output.truncated
    assert len(report.output.stdout) == 65536


def test_a_statement_that_sleeps_loses_itself_and_not_the_class(attack):
    report = attack(top="waited = time.sleep(1e6)", call="used = lambda: waited")
    assert (report.status, report.points) == ("passed", 100)
    assert "cell_timed_out" in [cell.code for cell in report.extraction.cells_skipped]


def test_a_full_disk_is_an_output_limit_with_a_name_of_its_own(attack):
    for name, code in FULL_DISKS.items():
        for place in ("call", "class_body"):
            # It waits for nothing that comes; its folder is looked at meanwhile.
            report = attack(**{place: code}, statement_seconds=60.0)
            assert verdict(report) == ("output_limit", 0, "disk_full"), (name, place)


def test_too_many_threads_are_a_runtime_error_with_a_name_of_its_own(attack):
    for place in ("call", "class_body"):
        assert verdict(attack(**{place: THREADS})) == ("runtime_error", 0, "too_many_threads"), place


def test_files_beyond_the_size_limit_cannot_be_written(attack):
    report = attack(call="open('big', 'wb').truncate(2**30)")
    assert report.status == "runtime_error"
    assert report.points == 0


def test_time_and_memory_of_a_run_are_in_the_report(attack):
    report = attack(call="while True: pass", cpu_seconds=3)
    # The supervisor may look late, and the kernel ends it at twice the limit.
    assert 2.5 <= report.timing.cpu_seconds <= 6.5
