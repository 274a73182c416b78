"""Refuses uploads while those before them wait too long: better to be told to come back than to wait for hours."""

from __future__ import annotations

import time
from collections.abc import Callable

from app import repository
from app.database import Database
from app.errors import Overloaded

RETRY_AFTER_SECONDS = 60
# Asked with each upload, and the same for all of them.
KEPT_SECONDS = 1.0


class Backlog:
    """How far the queue is behind.

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

    async def check(self) -> None:
        """Raises: Overloaded: no upload is taken now."""
        if self._clock() - self._asked_at > KEPT_SECONDS:
            self._asked_at = self._clock()  # Before the answer, so that of many at once only one asks.
            async with self._database.read() as session:
                self._oldest_seconds = await repository.oldest_upload_seconds(session)
        if self._oldest_seconds > self._limit_seconds:
            raise Overloaded(retry_after_seconds=RETRY_AFTER_SECONDS)
