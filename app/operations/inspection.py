"""Inspects the database and the queue for `lstm-grader doctor`. It creates, upgrades and locks nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.errors.commands import CannotStart
from app.settings import Settings
from app.storage.database import Database
from app.storage.outage import reason_of
from app.submissions import positions


@dataclass(frozen=True)
class Inspection:
    """The result of an inspection. Attributes: wrong: the reason why a service could not start; None: none found."""

    lines: list[str]
    wrong: str | None = None


async def inspect_database(settings: Settings) -> Inspection:
    database = Database(settings.database_url, read_only=True)
    # The query part may also hold a secret.
    server = database.url.set(drivername="postgresql", query={}).render_as_string()
    lines = [f"database: {f'SQLite, {database.url.database}' if database.is_sqlite else f'PostgreSQL, {server}'}"]
    try:
        wrong = await _look(database, lines)
    except CannotStart as exc:
        wrong = str(exc)
    except (SQLAlchemyError, OSError) as exc:
        wrong = reason_of(exc)
    finally:
        await database.close()
    return Inspection([*lines, f"it cannot be used: {wrong}"] if wrong else lines, wrong)


async def _look(database: Database, lines: list[str]) -> str | None:
    """Return the fault, if any, and add the findings to `lines`.

    Raises:
        CannotStart, SQLAlchemyError, OSError: as a start would.
    """
    if database.file:
        database.file.check()
        if reason := _not_writable(database.file.path):
            return reason
        if not database.file.exists:
            lines[0] += ": not there yet; a service makes it when it starts"
            return None
    current, newest = await database.check_ours()
    if current != newest:
        upgrade = "a service upgrades it when it starts" if database.is_sqlite else "run lstm-grader db upgrade"
        lines.append(f"revision: {current or 'none'}, the newest is {newest}: {upgrade}")
        return None if database.is_sqlite else f"it is at revision {current or 'none'}; {upgrade}"
    lines.append(f"revision: {current}, the newest")
    async with database.read() as session:
        lines.append(_queue(await positions.queue_state(session)))
    return None


def _not_writable(path: Path) -> str | None:
    """Return why a service could not write to this file, or beside it; None: it could."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        return f"{folder} is no folder"
    unwritable = next((each for each in (path, folder) if each.exists() and not os.access(each, os.W_OK)), None)
    return f"{unwritable} cannot be written: permission denied, or the disk is read-only" if unwritable else None


def _queue(state: positions.QueueState) -> str:
    oldest = f" (the oldest upload for {state.oldest_seconds:.0f} s)" if state.oldest_seconds else ""
    return f"queue: {state.queued} waiting{oldest}, {state.running} being graded"
