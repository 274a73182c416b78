"""Records the stages of a running grade, for the watchers of the submission."""

import asyncio
import contextlib
import logging
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from app.queue import claims
from app.queue.claims import Claim
from app.storage.database import Database

logger = logging.getLogger(__name__)


class StageRecorder:
    """A recorder of the stages of one grade. The async context writes them, and ends when all are written.

    Grading never waits for it: stages that begin during one write are written together by the next. A stage that
    cannot be written is dropped.
    """

    def __init__(self, database: Database, claim: Claim) -> None:
        self._database = database
        self._claim = claim
        self._loop = asyncio.get_running_loop()
        self._begun: list[str] = []
        self._changed = asyncio.Event()
        self._over = False
        self._by = task_name()

    def begin(self, stage: str) -> None:
        """Record a stage. Call this from the thread that grades."""
        with contextlib.suppress(RuntimeError):  # The service has stopped meanwhile.
            self._loop.call_soon_threadsafe(self._add, str(stage))

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._over = True
        self._changed.set()
        await self._writer

    def _add(self, stage: str) -> None:
        self._begun.append(stage)
        self._changed.set()

    async def _write(self) -> None:
        while not self._over or self._begun:
            await self._changed.wait()
            self._changed.clear()
            stages, self._begun = self._begun, []
            if not stages:
                continue
            try:
                async with self._database.write() as session:
                    await claims.add_stages(session, self._claim, stages)
            except SQLAlchemyError as exc:  # Storing the report comes next, and logs when that works.
                self._database.outage.record_failure(self._by, exc)


def task_name() -> str:
    task = asyncio.current_task()
    assert task is not None
    return task.get_name()
