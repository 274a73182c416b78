"""Submissions that use more than their share of time, memory or output."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "attack_code",
    [
        pytest.param({"call": "while True: pass"}, id="endless loop in call"),
        pytest.param(
            {"class_body": "while True:\n    try:\n        while True: len('x')\n    except BaseException: pass"},
            id="endless loop that catches everything, at import",
        ),
        pytest.param({"call": "time.sleep(1e6)"}, id="sleep in call"),
        pytest.param({"call": "threading.Event().wait()"}, id="waiting for a lock"),
        pytest.param({"call": "os.kill(os.getpid(), signal.SIGSTOP)"}, id="stops itself"),
        pytest.param(
            {
                "call": """
                for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
                    signal.signal(number, signal.SIG_IGN)
                while True: pass
                """
            },
            id="ignores every signal",
        ),
        pytest.param(
            {"class_body": "signal.signal(signal.SIGALRM, signal.SIG_IGN)\ntime.sleep(1e6)"},
            id="ignores the alarm of a statement",
        ),
        pytest.param(
            {"call": "for _ in range(8): threading.Thread(target=sum, args=[iter(int, 1)]).start()\nsum(iter(int, 1))"},
            id="endless threads",
        ),
        pytest.param({"call": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"}, id="endless inside one C call"),
    ],
)
def test_a_run_without_an_end_is_a_time_limit(attack, attack_code):
    report = attack(**attack_code, cpu_seconds=2, wall_seconds=4.0)
    assert (report.status, report.points) == ("time_limit", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["timeout"]


@pytest.mark.parametrize(
    "attack_code",
    [
        pytest.param({"call": "junk = np.ones(10 * 2**30 // 8)"}, id="10 GB of NumPy"),
        pytest.param({"call": "junk = np.zeros(10 * 2**30 // 8)"}, id="10 GB of NumPy that are never touched"),
        pytest.param({"call": "junk = tf.ones((10, 2**30 // 4))"}, id="10 GB of TensorFlow"),
        pytest.param({"call": "junk = []\nwhile True: junk.append([0] * 2**20)"}, id="a list that grows"),
        pytest.param({"call": "junk = bytearray(10 * 2**30)"}, id="10 GB of bytes"),
        pytest.param({"class_body": "junk = np.ones(10 * 2**30 // 8)"}, id="10 GB at import"),
        pytest.param(
            {
                "call": "while True: tf.Variable(tf.ones((2**22,))), _KEPT.append(tf.ones((2**22,)))",
                "class_body": "global _KEPT\n_KEPT = []",
            },
            id="tensors that are kept",
        ),
    ],
)
def test_too_much_memory_is_a_memory_limit(attack, attack_code):
    # The default assignment's time: Keras traces a hundred steps of the exercise's own input before memory runs out.
    report = attack(**attack_code, cpu_seconds=20, wall_seconds=60.0)
    assert (report.status, report.points) == ("memory_limit", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["memory"]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("while True: print('x' * 1000)", id="print without end"),
        pytest.param("print('x' * 100_000_000)", id="100 MB in one print"),
        pytest.param("while True: os.write(2, b'x' * 65536)", id="standard error"),
        pytest.param("while True: os.write(3, b'x' * 65536)", id="the result pipe"),
    ],
)
def test_a_flood_is_an_output_limit(attack, call):
    report = attack(call=call)
    assert (report.status, report.points) == ("output_limit", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["output_flood"]
    assert len(report.model_dump_json()) < 200_000


def test_much_output_below_the_flood_is_cut_and_graded(attack):
    report = attack(call="print('x' * 200_000)")
    assert (report.status, report.points) == ("passed", 100)
    assert report.output.truncated
    assert len(report.output.stdout) == 65536


def test_a_statement_that_sleeps_loses_itself_and_not_the_class(attack):
    report = attack(top="waited = time.sleep(1e6)", call="used = lambda: waited")
    assert (report.status, report.points) == ("passed", 100)
    assert "cell_timed_out" in [cell.code for cell in report.extraction.cells_skipped]


@pytest.mark.parametrize(
    "place",
    [pytest.param("call", id="in call"), pytest.param("class_body", id="at import")],
)
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("for n in range(5000): open(f'{n}', 'w')", id="many files"),
        pytest.param("for n in range(20): open(f'{n}', 'wb').write(bytes(10 * 2**20))", id="200 MB"),
    ],
)
def test_a_full_disk_is_an_output_limit_with_a_name_of_its_own(attack, code, place):
    report = attack(**{place: f"{code}\ntime.sleep(5)"})
    assert (report.status, report.points) == ("output_limit", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["disk_full"]


THREADS = (
    "threading.stack_size(65536)\nwhile True: threading.Thread(target=time.sleep, args=[1000], daemon=True).start()"
)


@pytest.mark.parametrize(
    "attack_code",
    [
        pytest.param({"call": THREADS}, id="in call"),
        pytest.param({"class_body": THREADS}, id="at import"),
    ],
)
def test_too_many_threads_are_a_runtime_error_with_a_name_of_its_own(attack, attack_code):
    report = attack(**attack_code)
    assert (report.status, report.points) == ("runtime_error", 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["too_many_threads"]


def test_files_beyond_the_size_limit_cannot_be_written(attack):
    report = attack(call="open('big', 'wb').truncate(2**30)")
    assert report.status == "runtime_error"
    assert report.points == 0


def test_time_and_memory_of_a_run_are_in_the_report(attack):
    report = attack(call="while True: pass")
    assert 4 <= report.timing.cpu_seconds <= 7
