"""Logs an outage of the database: at its beginning, once a minute, and at its end.

All background tasks that use the database report to it and share one log line. The line has a traceback only for a
wrong statement, which is a fault of ours.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

logger = logging.getLogger(__name__)

REMIND_SECONDS = 60.0
#: The code of PostgreSQL's error (SQLSTATE, "disk_full").
DISK_FULL = "53100"


class Outage:
    """The record of a database's outages in one process.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing: set[str] = set()
        self._began_at = self._told_at = 0.0

    @contextlib.contextmanager
    def watch(self, by: str, errors: tuple[type[Exception], ...] = (SQLAlchemyError,)) -> Iterator[None]:
        """Record whether the task `by` can use the database in this block. These errors are suppressed."""
        try:
            yield
        except errors as exc:
            self.record_failure(by, exc)
        else:
            self.record_success(by)

    def record_failure(self, by: str, error: Exception) -> None:
        """Record that the task `by` could not use the database, and will try again."""
        now = self._clock()
        if not self._failing:
            self._began_at = now
        if not self._failing or now - self._told_at >= REMIND_SECONDS:
            self._told_at = now
            facts = {"reason": reason_of(error), "by": by, "seconds": round(now - self._began_at)}
            logger.error("database_failing", exc_info=error if is_ours(error) else None, extra=facts)
        self._failing.add(by)

    def record_success(self, by: str) -> None:
        """Record that the task `by` has used the database."""
        if by not in self._failing:
            return
        self._failing.discard(by)
        if not self._failing:
            logger.info("database_works_again", extra={"seconds": round(self._clock() - self._began_at)})


def is_ours(error: Exception) -> bool:
    """Tell whether an error is our fault: a wrong statement or value."""
    return isinstance(error, ProgrammingError | IntegrityError | DataError)


def is_full(error: BaseException) -> bool:
    """Tell whether a disk has no room: ours, or that of PostgreSQL."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return getattr(cause, "sqlstate", None) == DISK_FULL


def reason_of(error: Exception) -> str:
    """Return the message of the database or the operating system in one line."""
    return str(getattr(error, "orig", None) or error or type(error).__name__).strip().partition("\n")[0]
