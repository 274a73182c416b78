"""Submissions that spend time where it is not looked for: outside the main thread, in signals, out of turn."""

from __future__ import annotations

import pytest

from tests.containment.conftest import verdict
from tests.tiers import sampled

BURN = """
    # Machine code that loops for ever: no interpreter that anybody could interrupt.
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(b'\\xeb\\xfe')
    burn = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
"""


ENDLESS = {
    "machine code": BURN + "    burn()",
    "threads of machine code while the main thread sleeps": (
        BURN + "    for _ in range(4): threading.Thread(target=burn, daemon=True).start()\n    time.sleep(1000)"
    ),
    "SIGXCPU ignored and every signal blocked": """
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        while True: pass
        """,
    "a storm of alarms": """
        signal.signal(signal.SIGALRM, lambda *a: None)
        signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
        while True: time.sleep(1000)
        """,
    "giving way all the time": "while True: os.sched_yield()",
    "time in the kernel": "while True: os.listdir('/usr/lib')",
    "names that do not exist": "for n in itertools.count(): os.path.exists(f'/usr/lib/{n}')",
    "linear algebra": "np.linalg.svd(np.ones((9000, 9000), np.float32))",
    "a loop in TensorFlow": "tf.while_loop(lambda i: True, lambda i: [i + 1], [tf.constant(0)])",
    "a loop in C": "for _ in itertools.repeat(0): pass",
}
SHORT_TEXTS = {
    "alternatives": "import re\nre.match('(a|a)*$', 'a' * 40 + 'b')",
    "groups": "import re\nre.match('(.*,){20}x', ',' * 60)",
    "a huge number": "int('9' * 10 ** 7 if sys.set_int_max_str_digits(0) is None else '')",
    "a hash": "hash((((),) * 3,) * 3); a = ()\nfor _ in range(40): a = (a, a)\nhash(a)",
}


ALWAYS = [
    "threads of machine code while the main thread sleeps",
    "SIGXCPU ignored and every signal blocked",
    "a storm of alarms",
    "time in the kernel",
    "a loop in TensorFlow",
]


@pytest.mark.parametrize(
    "names", [ALWAYS, pytest.param(ENDLESS.keys() - ALWAYS, marks=pytest.mark.thorough)], ids=["some", "the others"]
)
def test_time_is_counted_wherever_it_is_spent(attack, names):
    for name in names:
        report = attack(top="import itertools", call=ENDLESS[name], cpu_seconds=1)
        assert verdict(report)[:2] == ("time_limit", 0), name
        assert report.timing.cpu_seconds < 3, name


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
        wall_seconds=4.0,
    )
    assert (report.status, report.points) == ("time_limit", 0)


@pytest.mark.parametrize("name", sampled(SHORT_TEXTS, every=4))
def test_a_short_text_that_takes_for_ever_is_a_time_limit(attack, name):
    assert verdict(attack(call=SHORT_TEXTS[name], cpu_seconds=1))[:2] == ("time_limit", 0)
