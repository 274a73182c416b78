"""The backlog of the queue, read at most once a second for all requests of this process.

Uploads are refused while earlier ones wait too long: coming back later is better than waiting for hours.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import Overloaded
from app.queue.claims import live_workers
from app.queue.heartbeat import STALLED_SECONDS
from app.storage.announcements import is_postgresql
from app.storage.database import Database
from app.storage.models import JobStatus, Submission, utc_now
from app.submissions import positions

RETRY_AFTER_SECONDS = 60
# Each upload and each waiting page asks, and the answer is the same for all.
KEPT_SECONDS = 1.0
# Workers come and go, and grades take longer while all slots are busy.
PACE_KEPT_SECONDS = 10.0
LAST_GRADES = 20
#: A report that is late by less is not called late.
LATE_SECONDS = 10.0


@dataclass(frozen=True)
class Pace:
    """The speed of grading.

    Attributes:
        grading_seconds: the median of the latest grades.
        slots: the number of submissions that all workers alive grade at the same time.
    """

    grading_seconds: float
    slots: int

    def seconds_to_report(self, place: int) -> float | None:
        """Estimate the time until the submission at this place in the queue is graded; None: no worker is alive."""
        return (place / self.slots + 1) * self.grading_seconds if self.slots else None

    @property
    def late_seconds(self) -> float:
        """The time after which a report takes longer than usual, counted from the estimate."""
        return max(self.grading_seconds, LATE_SECONDS)


async def pace_of(session: AsyncSession, own_slots: int) -> Pace | None:
    """Measure the speed of grading; None: nothing was graded yet.

    Args:
        own_slots: those of this process, which grades alone on SQLite.
    """
    seconds = await positions.last_grading_seconds(session, LAST_GRADES)
    if not seconds:
        return None
    if is_postgresql(session):
        own_slots = sum(about.get("slots", 1) for about in await live_workers(session, STALLED_SECONDS))
    return Pace(statistics.median(seconds), own_slots)


class Backlog:
    """The waiting times and positions in the queue, at most a second old.

    Args:
        limit_seconds: while an upload has waited longer than this, others are refused.
        slots: see `pace_of`.
        clock: seconds that never go back.
    """

    def __init__(
        self, database: Database, limit_seconds: float, slots: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._limit_seconds = limit_seconds
        self._slots = slots
        self._clock = clock
        self._asked_at = float("-inf")
        self._oldest_seconds = 0.0
        self._placed_at = float("-inf")
        # The place of each waiting submission, and the time since which it has been there.
        self._places: Mapping[str, tuple[int, float]] = {}
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
        await self._find_places()
        place, _ = self._places.get(submission_id, (None, 0.0))
        return place

    async def count(self) -> int:
        """Return how many submissions waited a second ago."""
        await self._find_places()
        return len(self._places)

    async def pace(self) -> Pace | None:
        """Return the speed of grading of a moment ago; None: nothing was graded yet."""
        if self._clock() - self._paced_at > PACE_KEPT_SECONDS:
            self._paced_at = self._clock()  # Before the answer, so that only one of many asks.
            async with self._database.read() as session:
                self._pace = await pace_of(session, self._slots)
        return self._pace

    async def seconds_left(self, submission: Submission) -> float | None:
        """Estimate the time until the report.

        A place in the queue that does not change makes it no longer, so the estimate never stands still.

        Returns:
            Less than 0: the report is overdue. None: it is unknown, or the submission does not wait.
        """
        if submission.job_status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            return None  # Most submissions that are read are done, and nobody needs the queue for them.
        pace = await self.pace()
        if pace is None:
            return None
        if submission.job_status == JobStatus.RUNNING and submission.started_at is not None:
            return pace.grading_seconds - max(0.0, (utc_now() - submission.started_at).total_seconds())
        if await self.place(submission.id) is None:
            return None
        place, since = self._places[submission.id]
        seconds = pace.seconds_to_report(place)
        return None if seconds is None else seconds - (self._clock() - since)

    async def _find_places(self) -> None:
        async with self._placing:
            now = self._clock()
            if now - self._placed_at > KEPT_SECONDS:
                async with self._database.read() as session:
                    places = await positions.queue_places(session)
                before, self._placed_at = self._places, now
                self._places = {
                    id: before[id] if id in before and before[id][0] == place else (place, now)
                    for id, place in places.items()
                }
