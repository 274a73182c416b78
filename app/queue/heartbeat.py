"""Shows workers on PostgreSQL which of them are alive, without a shared clock.

Every few seconds each worker increments a counter on its claims, and reads the counters of others. A counter that has
not moved for `STALLED_SECONDS` means that its worker has died, has lost PostgreSQL, or never learned of its claim. The
submission is then queued again, and a late report of the old claim is not stored. Only time with a connection counts:
after an outage of PostgreSQL, for one worker or for all, every count starts anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.background import Background
from app.queue import claims
from app.queue.claims import OtherClaim
from app.storage.database import Database
from app.storage.models import new_id

logger = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
#: After this silence a worker is taken for dead, and others grade its submissions.
STALLED_SECONDS = 15.0
# The limit for one beat. A connection without an answer is given up then.
ANSWER_SECONDS = 5.0
FAILURES = (SQLAlchemyError, OSError)  # TimeoutError is an OSError.


class Heartbeat(Background):
    """The heartbeat of this process; it beats while the async context is entered.

    Args:
        own: the claims of this process.
        about: a description of this process, as JSON.
        clock: seconds that never go back.
    """

    NAME = "heartbeat"

    def __init__(
        self,
        database: Database,
        own: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.monotonic,
        about: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._database = database
        self._claims = own
        self._clock = clock
        self._about = about
        self._worker = new_id()
        self._beaten_at = float("-inf")
        # The time at which each claim of others was first seen at its present count.
        self._seen: dict[OtherClaim, float] = {}

    @property
    def is_beating(self) -> bool:
        """Whether this worker's heartbeats have been stored lately."""
        return self._clock() - self._beaten_at < STALLED_SECONDS

    async def _work(self) -> None:
        while True:
            with self._database.outage.watch(self.NAME, FAILURES):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        """Increment our counters, read those of others, and queue stalled submissions again.

        Raises:
            SQLAlchemyError, OSError: PostgreSQL does not answer, or accepts no changes.
        """
        now = self._clock()
        if now - self._beaten_at > STALLED_SECONDS / 2:
            self._seen = {}
        async with self._database.write() as session:
            others = await claims.beat(session, self._worker, self._claims(), self._about())
            since_when = {other: self._seen.get(other, now) for other in others}
            for other, since in since_when.items():
                if now - since >= STALLED_SECONDS and await claims.requeue_silent(session, other):
                    logger.warning("job_rescued", extra={"submission_id": other.submission_id})
        self._seen = since_when
        self._beaten_at = self._clock()

    async def leave(self) -> None:
        """Tell the others that this worker is gone."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._database.write() as session:
                await claims.leave(session, self._worker)
        except FAILURES as exc:
            self._database.outage.record_failure(self.NAME, exc)
