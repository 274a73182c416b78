"""Probes in the background whether the database can be written to, so that readiness checks are answered at once.

Reading proves little. With a full disk, a read-only PostgreSQL or a file that was moved away, reads still succeed while
every upload fails.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Background
from app.storage.database import Database

EVERY_SECONDS = 5.0
# Writers take turns, and a disk may be slow. Nobody would wait longer for an upload.
PATIENCE_SECONDS = 15.0
#: The size of a report with the arrays of its pictures.
REPORT_BYTES = 2_000_000


class WriteProbe(Background):
    """The latest proof that the database can be written to. The async context probes at once and every few seconds.

    A probe has a connection of its own, so it does not fail when hundreds of requests wait for one. It commits a few
    bytes, and checks that more would fit without keeping them.

    Args:
        room_bytes: the free room to check for.
        look: a further check on the same connection, such as whether there are workers.
        clock: seconds that never go back.
    """

    NAME = "write-probe"

    def __init__(
        self,
        database: Database,
        *,
        room_bytes: int,
        look: Callable[[AsyncSession], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._room_bytes = room_bytes
        self._look = look
        self._clock = clock
        self._proved_at: float | None = None
        #: The latest result of `look`; None: unknown.
        self.seen: bool | None = None

    async def __aenter__(self) -> Self:
        await self.run()
        return await super().__aenter__()

    @property
    def passed(self) -> bool:
        """Whether a write succeeded a moment ago."""
        if self._proved_at is None:
            return False
        return self._clock() - self._proved_at < EVERY_SECONDS + PATIENCE_SECONDS

    async def run(self) -> None:
        """Store something now."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._database.probe(self._room_bytes)
                if self._look is not None:
                    async with self._database.aside() as session:
                        self.seen = await self._look(session)
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:  # TimeoutError is an OSError.
            self._proved_at = self.seen = None
            self._database.outage.record_failure(self.NAME, exc)
        else:
            self._database.outage.record_success(self.NAME)
            self._proved_at = self._clock()

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.run()
