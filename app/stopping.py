"""The stop of a process: its signals, its time limit, and the shares of running grades and open connections in that.

The operator sets the time from the signal to the end of the process. A container platform kills slower processes.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

logger = logging.getLogger(__name__)

# The time to queue unfinished submissions again and to end the warm processes on a busy host.
RESERVE_SECONDS = 2.0
# The shortest limit of a stop, because even an idle process needs about one second.
LEAST_SECONDS = 3.0
# Enough to finish an answer. Requests that wait for a grade are answered at once when the service stops.
CONNECTION_SECONDS = 3.0


def grading_seconds(stop_seconds: float) -> float:
    """Return the time for running grades."""
    return max(stop_seconds - RESERVE_SECONDS, stop_seconds / 4)


def connection_seconds(stop_seconds: float) -> float:
    """Return the time for open connections, which runs at the same time."""
    return min(CONNECTION_SECONDS, grading_seconds(stop_seconds))


def call_on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT. A second signal ends the process at once."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def handle() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
        stop()

    for number in numbers:
        loop.add_signal_handler(number, handle)


def end_in_time(stop_seconds: float) -> None:
    """End the process if it has not stopped in time. Call this when a stop begins.

    As after a kill, nothing is lost: the next start or other workers queue running submissions again.
    """
    timer = threading.Timer(max(stop_seconds, LEAST_SECONDS), _cut_short)
    timer.daemon = True
    timer.start()


def _cut_short() -> NoReturn:
    logger.warning("stop_cut_short")
    leave()


def leave() -> NoReturn:
    """End the process after all our parts are closed. Python's own shutdown would take up to a second longer."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
