"""Tells workers on PostgreSQL which of them are alive, without a clock that two of them would have to share.

Every few seconds each worker counts up the claims that it holds, and looks at those that others hold. A claim that has
not moved for `STALLED_SECONDS` is nobody's: its worker has died, or has lost PostgreSQL, or never learned that it got
the claim. The submission is queued again, and what the old claim brings is not stored. Only time spent looking counts:
when PostgreSQL was away, for one worker or for all, everybody has a fresh start afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from app.queue import claims
from app.queue.claims import Held
from app.storage.database import Database
from app.storage.models import new_id

logger = logging.getLogger(__name__)

HEARTBEAT = "heartbeat"
BEAT_SECONDS = 3.0
#: A worker that has been silent for so long is taken for dead, and its submissions are graded by others.
STALLED_SECONDS = 15.0
# One beat may take as long. A connection over which nothing comes any more is given up then.
ANSWER_SECONDS = 5.0


class Heartbeat:
    """As an async context manager it beats.

    Args:
        held: the claims of this process.
        clock: seconds that never go back.
    """

    def __init__(
        self, database: Database, held: Callable[[], Collection[str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._held = held
        self._clock = clock
        self._worker = new_id()
        self._beaten_at = float("-inf")
        # Of each claim of others, since when it has stood at this beat.
        self._seen: dict[Held, float] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def is_beating(self) -> bool:
        """Whether others know that this worker lives."""
        return self._clock() - self._beaten_at < STALLED_SECONDS

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._beat_for_ever(), name=HEARTBEAT)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _beat_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.beat()
            except (SQLAlchemyError, OSError) as exc:  # TimeoutError is an OSError.
                self._database.outage.failed(HEARTBEAT, exc)
            else:
                self._database.outage.ended(HEARTBEAT)
            await asyncio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        """Count up our claims, look at the others, and queue again what has not moved.

        Raises:
            SQLAlchemyError, OSError: PostgreSQL does not answer, or takes no changes.
        """
        now = self._clock()
        if now - self._beaten_at > STALLED_SECONDS / 2:
            self._seen = {}
        async with self._database.write() as session:
            others = await claims.beat(session, self._worker, self._held())
            seen = {other: self._seen.get(other, now) for other in others}
            for other, since in seen.items():
                if now - since >= STALLED_SECONDS and await claims.requeue_silent(session, other):
                    logger.warning("job_rescued", extra={"submission_id": other.submission_id})
        self._seen = seen
        self._beaten_at = self._clock()

    async def leave(self) -> None:
        """Say that this worker is gone."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._database.write() as session:
                await claims.leave(session, self._worker)
        except (SQLAlchemyError, OSError) as exc:
            self._database.outage.failed(HEARTBEAT, exc)
