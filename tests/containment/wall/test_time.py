"""Submissions that spend time where it is not looked for: outside the main thread, in signals, out of turn."""

from tests.containment.conftest import verdict

BURN = """
    # Machine code that loops for ever: no interpreter that anybody could interrupt.
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(b'\\xeb\\xfe')
    burn = ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
"""


ENDLESS = {
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
    "time in the kernel": "while True: os.listdir('/usr/lib')",
    "a regular expression": "import re\nre.match('(a|a)*$', 'a' * 40 + 'b')",
    "a loop in TensorFlow": "tf.while_loop(lambda i: True, lambda i: [i + 1], [tf.constant(0)])",
}


def test_time_is_counted_wherever_it_is_spent(attack):
    for name, call in ENDLESS.items():
        report = attack(call=call, cpu_seconds=1)
        assert verdict(report)[:2] == ("time_limit", 0), name
        assert report.timing.cpu_seconds < 3, name


def test_a_clock_that_is_set_back_for_python_changes_nothing(attack):
    report = attack(call="time.monotonic = time.time = lambda: 0.0\nwhile True: pass", cpu_seconds=1)
    assert (report.status, report.points) == ("time_limit", 0)
