"""How far the queue is behind, asked for by a process once a second at most, for everybody who wants to know.

Uploads are refused while those before them wait too long: better to be told to come back than to wait for hours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from app.errors import Overloaded
from app.storage.database import Database
from app.submissions import repository

RETRY_AFTER_SECONDS = 60
# Asked with each upload and by each page that waits, and the same for all of them.
KEPT_SECONDS = 1.0


class Backlog:
    """What is known of the queue.

    Args:
        limit_seconds: an upload that has waited longer than this closes the door for others.
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

    async def check(self) -> None:
        """Raises: Overloaded: no upload is taken now."""
        if self._clock() - self._asked_at > KEPT_SECONDS:
            self._asked_at = self._clock()  # Before the answer, so that of many at once only one asks.
            async with self._database.read() as session:
                self._oldest_seconds = await repository.oldest_upload_seconds(session)
        if self._oldest_seconds > self._limit_seconds:
            raise Overloaded(retry_after_seconds=RETRY_AFTER_SECONDS)

    async def place(self, submission_id: str) -> int | None:
        """1 for the submission that is graded next; None for one that did not wait a second ago."""
        async with self._placing:
            if self._clock() - self._placed_at > KEPT_SECONDS:
                async with self._database.read() as session:
                    self._places = await repository.queue_places(session)
                self._placed_at = self._clock()
        return self._places.get(submission_id)
