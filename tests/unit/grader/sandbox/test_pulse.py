"""A silent process counts as stuck after a while, by a clock that the tests move."""

import os
import subprocess
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import psutil
import pytest

from grader.sandbox.pulse import BUSY_SECONDS, SILENT_SECONDS, Pulse
from tests.waiting import wait_until

Silence = Callable[..., float]


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Silence:
    """Look every second until the process counts as stuck, and return the seconds until then."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("grader.sandbox.pulse.time", SimpleNamespace(monotonic=lambda: clock.now))

    def look(pulse: Pulse, step: float = 1.0) -> float:
        seconds = step
        clock.now += step
        while pulse.beats(False):
            seconds += step
            clock.now += step
            assert seconds < 1000
        return seconds

    return look


@pytest.fixture
def asleep() -> Iterator[int]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING)
        yield process.pid
        process.kill()


def test_a_sleeping_process_is_stuck_after_seconds(silence: Silence, asleep: int) -> None:
    assert silence(Pulse(asleep)) == SILENT_SECONDS


def test_process_that_could_run_is_stuck_after_a_minute_and_one_that_is_gone_after_seconds(silence: Silence) -> None:
    assert silence(Pulse(os.getpid())) == BUSY_SECONDS
    assert silence(Pulse(2**22 + 1)) == SILENT_SECONDS


def test_a_word_begins_the_silence_anew(silence: Silence, asleep: int) -> None:
    pulse = Pulse(asleep)
    for _ in range(3):
        silence(pulse)
        assert pulse.beats(True)
    assert silence(pulse) == SILENT_SECONDS


def test_a_pause_of_both_is_no_silence(silence: Silence, asleep: int) -> None:
    """So long a step, in which nobody could listen, counts as one and a half seconds."""
    assert silence(Pulse(asleep), step=100.0) == 400.0
