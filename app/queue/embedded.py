"""The queue of a service that consists of one process, which also grades.

The next start after a crash puts `running` submissions back into the queue. That is safe because a lock on the data
folder proves that no other worker is alive.
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from app.errors.commands import DataDirInUse
from app.queue import claims
from app.queue.grading import Grading
from app.queue.jobs import Jobs
from app.queue.slots import Slots
from app.storage.database import Database

logger = logging.getLogger(__name__)


class EmbeddedJobs(Jobs):
    """Queue and worker; they run while the async context is entered.

    The caller holds the data folder (`hold_data_dir`) before entering, and stops the engine after leaving.

    Args:
        slots: how many are graded at the same time.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
    """

    def __init__(self, database: Database, grading: Grading, *, slots: int, shutdown_seconds: float) -> None:
        super().__init__()
        self._database = database
        self._slots = Slots(grading, count=slots, shutdown_seconds=shutdown_seconds)
        database.announced, database.queued = self.tell, self.wake

    def wake(self) -> None:
        self._slots.wake()

    def stop_watching(self) -> None:
        super().stop_watching()
        self._slots.stop()

    @property
    def is_working(self) -> bool:
        """Whether every slot takes submissions."""
        return self._slots.are_working

    async def __aenter__(self) -> Self:
        async with self._database.write() as session:
            if requeued := await claims.requeue_running(session):
                logger.warning("orphans_requeued", extra={"count": requeued})
        await self._slots.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let running grades finish for `shutdown_seconds`; then queue their submissions again."""
        self.stop_watching()
        await self._slots.__aexit__(*exc_info)


@contextlib.contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the data folder. The lock ends with the process, even after a crash.

    Raises:
        DataDirInUse: another process holds it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "worker.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataDirInUse(data_dir=str(data_dir)) from exc
        yield
