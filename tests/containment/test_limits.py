"""Submissions that use more than their share of time, memory or output."""

import time

from tests.containment.conftest import verdict

ENDLESS = {
    "endless loop in call": {"call": "while True: pass"},
    "endless loop that catches everything, at import": {
        "class_body": "while True:\n    try:\n        while True: len('x')\n    except BaseException: pass"
    },
}
ASLEEP = {
    "sleep in call": {"call": "time.sleep(1e6)"},
    "stops itself": {"call": "os.kill(os.getpid(), signal.SIGSTOP)"},
    "ignores the alarm of a statement": {
        "class_body": "signal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(1e6)"
    },
}
GREEDY = {
    "10 GB of NumPy": {"call": "junk = np.ones(10 * 2**30 // 8)"},
    "10 GB of TensorFlow": {"call": "junk = tf.ones((10, 2**30 // 4))"},
    "a list that grows": {"call": "junk = []\nwhile True: junk.append([0] * 2**20)"},
    "10 GB at import": {"class_body": "junk = np.ones(10 * 2**30 // 8)"},
}
FLOODS = {
    "print without end": "while True: print('x' * 1000)",
    "standard error": "while True: os.write(2, b'x' * 65536)",
    "the result pipe": "while True: os.write(3, b'x' * 65536)",
}


def test_a_run_without_an_end_is_a_time_limit(attack):
    for name, parts in ENDLESS.items():
        report = attack(**parts, cpu_seconds=1)
        assert verdict(report) == ("time_limit", 0, "timeout"), name
        # The supervisor may look late, and the kernel ends it at twice the limit.
        assert 0.8 <= report.timing.cpu_seconds <= 2.2, name
    for name, parts in ASLEEP.items():
        assert verdict(attack(**parts, wall_seconds=2.0)) == ("time_limit", 0, "timeout"), name


def test_too_much_memory_is_a_memory_limit(attack):
    # The default assignment's time: Keras traces a hundred steps of the exercise's own input before memory runs out.
    for name, parts in GREEDY.items():
        report = attack(**parts, cpu_seconds=20, wall_seconds=60.0)
        assert verdict(report) == ("memory_limit", 0, "memory"), name


def test_a_flood_is_an_output_limit(attack):
    for name, call in FLOODS.items():
        report = attack(call=call)
        assert verdict(report) == ("output_limit", 0, "output_flood"), name
        assert len(report.model_dump_json()) < 200_000, name


def test_a_run_that_says_little_at_a_time_costs_us_less_than_itself(attack):
    attack(call="os._exit(0)")  # Whatever comes first builds the reference answers.
    before = time.process_time()
    report = attack(call="for _ in range(30_000):\n    os.write(1, b'x'); time.sleep(0.00005)\nos._exit(0)")
    assert time.process_time() - before < 0.3 * report.timing.cpu_seconds + 0.05


def test_as_much_output_as_may_be_is_cut_and_graded(attack):
    report = attack(class_body="print('x' * 199_999)", flood_bytes=200_000)
    assert (report.status, report.points) == ("passed", 100)
    assert report.output.truncated
    assert len(report.output.stdout) == 65536


def test_a_statement_that_sleeps_loses_itself_and_not_the_class(attack):
    report = attack(top="waited = time.sleep(1e6)", call="used = lambda: waited")
    assert (report.status, report.points) == ("passed", 100)
    assert "cell_timed_out" in [cell.code for cell in report.extraction.cells_skipped]


def test_a_source_longer_than_the_files_that_a_run_may_write_is_graded(attack):
    report = attack(file_bytes=100)
    assert (report.status, report.points) == ("passed", 100), report.error
