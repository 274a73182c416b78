"""Submissions that spend time where it is not looked for: outside the main thread, in signals, out of turn."""

from __future__ import annotations

import time

import pytest

BURN = """
    # Machine code that loops for ever: no interpreter that anybody could interrupt.
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(b'\\xeb\\xfe')
    burn = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
"""


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(BURN + "    burn()", id="machine code"),
        pytest.param(
            BURN + "    for _ in range(4): threading.Thread(target=burn, daemon=True).start()\n    time.sleep(1000)",
            id="threads of machine code while the main thread sleeps",
        ),
        pytest.param(
            """
            signal.signal(signal.SIGXCPU, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
            while True: pass
            """,
            id="SIGXCPU ignored and every signal blocked",
        ),
        pytest.param(
            """
            signal.signal(signal.SIGALRM, lambda *a: None)
            signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
            while True: time.sleep(1000)
            """,
            id="a storm of alarms",
        ),
        pytest.param("while True: os.sched_yield()", id="giving way all the time"),
        pytest.param("while True: os.listdir('/usr/lib')", id="time in the kernel"),
        pytest.param("for n in itertools.count(): os.path.exists(f'/usr/lib/{n}')", id="names that do not exist"),
        pytest.param("np.linalg.svd(np.ones((9000, 9000), np.float32))", id="linear algebra"),
        pytest.param("tf.while_loop(lambda i: True, lambda i: [i + 1], [tf.constant(0)])", id="a loop in TensorFlow"),
        pytest.param("for _ in itertools.repeat(0): pass", id="a loop in C"),
    ],
)
def test_time_is_counted_wherever_it_is_spent(attack, call):
    started = time.monotonic()
    report = attack(top="import itertools", call=call, cpu_seconds=1, wall_seconds=5.0)
    assert (report.status, report.points) == ("time_limit", 0)
    assert report.timing.cpu_seconds < 3
    assert time.monotonic() - started < 60


def test_a_clock_that_is_set_back_for_python_changes_nothing(attack):
    report = attack(call="time.monotonic = time.time = lambda: 0.0\nwhile True: pass", cpu_seconds=1)
    assert (report.status, report.points) == ("time_limit", 0)


def test_a_statement_that_takes_too_long_in_a_class_that_wants_no_end(attack):
    """The alarm that ends a statement belongs to the student's process; what ends the run does not."""
    report = attack(
        class_body="""
        signal.setitimer = lambda *a: None
        while True:
            try: time.sleep(1000)
            except BaseException: pass
        """,
        wall_seconds=3.0,
    )
    assert (report.status, report.points) == ("time_limit", 0)


@pytest.mark.parametrize(
    "match",
    [
        pytest.param("import re\nre.match('(a|a)*$', 'a' * 40 + 'b')", id="alternatives"),
        pytest.param("import re\nre.match('(.*,){20}x', ',' * 60)", id="groups"),
        pytest.param("int('9' * 10 ** 7 if sys.set_int_max_str_digits(0) is None else '')", id="a huge number"),
        pytest.param("hash((((),) * 3,) * 3); a = ()\nfor _ in range(40): a = (a, a)\nhash(a)", id="a hash"),
    ],
)
def test_a_short_text_that_takes_for_ever_is_a_time_limit(attack, match):
    report = attack(call=match, cpu_seconds=1)
    assert (report.status, report.points) == ("time_limit", 0)
