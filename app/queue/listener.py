"""Listens to PostgreSQL's notifications."""

import asyncio
from collections.abc import Callable

import psycopg

from app.background import Background
from app.queue.grading import RETRY_SECONDS
from app.storage import postgresql
from app.storage.database import Database

# A connection that is silent for this long is tested, and has `ANSWER_SECONDS` to answer.
SILENT_SECONDS = 15.0
ANSWER_SECONDS = 5.0


class Listener(Background):
    """A connection that listens while the async context is entered, and reconnects when it is lost.

    Args:
        on_notification: called with the payload of each notification.
        on_listening: called when listening begins or begins again; notifications in between are lost.
    """

    NAME = "listener"

    def __init__(
        self,
        database: Database,
        channel: str,
        *,
        on_notification: Callable[[str], None],
        on_listening: Callable[[], None],
    ) -> None:
        self._database = database
        self._channel = channel
        self._heard = on_notification
        self._began = on_listening

    @property
    def is_working(self) -> bool:
        return self._task is not None and not self._task.done()

    async def _work(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as exc:  # TimeoutError is an OSError.
                self._database.outage.record_failure(self.NAME, exc)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._database.conninfo, autocommit=True, **postgresql.ARGUMENTS
        ) as connection:
            question = f"LISTEN {self._channel}"
            while True:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await connection.execute(question)
                if question != "SELECT 1":
                    question = "SELECT 1"
                    self._began()
                    self._database.outage.record_success(self.NAME)
                async for notification in connection.notifies(timeout=SILENT_SECONDS):
                    self._heard(notification.payload)
