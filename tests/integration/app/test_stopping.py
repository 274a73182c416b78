"""A stop that hangs is ended in time."""

import subprocess
import sys

import pytest

from app.stopping import connection_seconds, grading_seconds
from tests.waiting import SECONDS

HANGING = """
import logging, threading
from app import stopping
logging.basicConfig()
stopping.LEAST_SECONDS = 0
threading.Thread(target=threading.Event().wait).start()
stopping.end_in_time(0.2)
"""


def test_a_process_that_does_not_end_by_itself_is_ended() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (ended.returncode, "stop_cut_short" in ended.stderr) == (0, True)


@pytest.mark.parametrize("stop_seconds", [0.5, 4, 60])
def test_open_requests_end_before_the_stop_does(stop_seconds: float) -> None:
    assert (
        0 < connection_seconds(stop_seconds) <= grading_seconds(stop_seconds) <= stop_seconds - min(2, stop_seconds / 2)
    )
