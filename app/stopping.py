"""How long a stop may take, and how much of that belongs to running grades and to open connections.

What an operator sets is the time from the signal to the end of the process: a container platform kills what takes
longer, in the middle of anything.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import NoReturn

logger = logging.getLogger(__name__)

# What it takes to queue again what was not finished, and to end the warm processes, on a busy host.
RESERVE_SECONDS = 2.0
# No stop is cut short before, because even an idle process needs about one second.
LEAST_SECONDS = 3.0
# Enough for an answer on its way. Waiters for a grade are answered at once when the service stops.
CONNECTION_SECONDS = 3.0


def grading_seconds(stop_seconds: float) -> float:
    """How long running grades may go on."""
    return max(stop_seconds - RESERVE_SECONDS, stop_seconds / 4)


def connection_seconds(stop_seconds: float) -> float:
    """How long open connections may go on, at the same time."""
    return min(CONNECTION_SECONDS, grading_seconds(stop_seconds))


def end_in_time(stop_seconds: float) -> None:
    """Call this when a stop begins: if the process has not ended by itself in time, it is ended.

    Nothing is lost then, as after a kill: what was being graded is queued again, by the next start or by other workers.
    """
    timer = threading.Timer(max(stop_seconds, LEAST_SECONDS), _cut_short)
    timer.daemon = True
    timer.start()


def _cut_short() -> NoReturn:
    logger.warning("stop_cut_short")
    leave()


def leave() -> NoReturn:
    """End the process, in which everything of ours is closed. Python's own end would take up to a second more."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
