"""The backlog of the queue, read at most once a second for all requests of this process.

Uploads are refused while earlier ones wait too long: coming back later is better than waiting for hours.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.errors.uploads import Overloaded
from app.storage.database import Database
from app.submissions import positions

RETRY_AFTER_SECONDS = 60
# Each upload and each waiting page asks, and the answer is the same for all.
KEPT_SECONDS = 1.0
# The duration of a grade depends on the machine and the week, and changes slowly.
PACE_KEPT_SECONDS = 30.0
LAST_GRADES = 50


@dataclass(frozen=True)
class Pace:
    """The duration of grades, measured by the latest ones.

    Attributes:
        grading_seconds: their median.
        running: submissions in grading now.
    """

    grading_seconds: float
    running: int

    def waiting_seconds(self, place: int) -> float | None:
        """Estimate the wait from this position in the queue; None: unknown, because nothing is being graded."""
        return place * self.grading_seconds / self.running if self.running else None


class Backlog:
    """The waiting times and positions in the queue, at most a second old.

    Args:
        limit_seconds: while an upload has waited longer than this, others are refused.
        clock: seconds that never go back.
    """

    def __init__(self, database: Database, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._asked_at = float("-inf")
        self._oldest_seconds = 0.0
        self._placed_at = float("-inf")
        self._places: Mapping[str, int] = {}
        self._placing = asyncio.Lock()
        self._paced_at = float("-inf")
        self._pace: Pace | None = None

    async def check(self) -> None:
        """Raises: Overloaded: no upload is accepted now."""
        if self._clock() - self._asked_at > KEPT_SECONDS:
            self._asked_at = self._clock()  # Before the answer, so that only one of many asks.
            async with self._database.read() as session:
                self._oldest_seconds = await positions.oldest_upload_seconds(session)
        if self._oldest_seconds > self._limit_seconds:
            raise Overloaded(retry_after_seconds=RETRY_AFTER_SECONDS)

    async def place(self, submission_id: str) -> int | None:
        """Return the position in the queue: 1 is graded next; None: it was not waiting a second ago."""
        async with self._placing:
            if self._clock() - self._placed_at > KEPT_SECONDS:
                async with self._database.read() as session:
                    self._places = await positions.queue_places(session)
                self._placed_at = self._clock()
        return self._places.get(submission_id)

    async def pace(self) -> Pace | None:
        """Return the duration of grades, at most half a minute old; None: nothing was graded yet."""
        if self._clock() - self._paced_at > PACE_KEPT_SECONDS:
            self._paced_at = self._clock()  # Before the answer, so that only one of many asks.
            async with self._database.read() as session:
                seconds = await positions.last_grading_seconds(session, LAST_GRADES)
                state = await positions.queue_state(session)
            self._pace = Pace(statistics.median(seconds), state.running) if seconds else None
        return self._pace
