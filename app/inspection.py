"""What `lstm-grader doctor` says of the database and the queue. It only looks: nothing is made, upgraded or locked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app import repository
from app.database import Database, database_url, known_revisions
from app.database_file import DatabaseFile
from app.settings import Settings


@dataclass(frozen=True)
class Inspection:
    """Attributes: wrong: why no service could start on it, as far as that can be seen."""

    lines: list[str]
    wrong: str | None = None


async def inspect_database(settings: Settings) -> Inspection:
    url = database_url(settings.database_url)
    is_sqlite = url.get_backend_name() == "sqlite"
    # What follows a question mark may be a secret, too.
    server = url.set(drivername="postgresql", query={}).render_as_string()
    lines = [f"database: {f'SQLite, {url.database}' if is_sqlite else f'PostgreSQL, {server}'}"]
    try:
        if is_sqlite and (reason := DatabaseFile(Path(url.database or "")).lost()):
            return Inspection([f"{lines[0]}: it {reason}, and was there before"], f"the database {reason}")
        if is_sqlite and not DatabaseFile(Path(url.database or "")).exists:
            return Inspection([f"{lines[0]}: not there yet; a service makes it when it starts"])
        database = Database(settings.database_url, read_only=True)
        try:
            current, newest = await database.revisions()
            revision = f"revision: {current or 'none'}, {_meaning(current, newest, is_sqlite)}"
            lines.append(revision)
            if current == newest:
                async with database.read() as session:
                    lines.append(_queue(await repository.queue_state(session)))
        finally:
            await database.close()
    except (SQLAlchemyError, OSError) as exc:
        reason = str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0]
        return Inspection([*lines, f"it cannot be used: {reason}"], reason)
    is_usable = current == newest or (is_sqlite and _is_older(current))
    return Inspection(lines, None if is_usable else revision)


def _is_older(revision: str | None) -> bool:
    return revision is None or revision in known_revisions()


def _meaning(current: str | None, newest: str, is_sqlite: bool) -> str:
    if current == newest:
        return "the newest"
    if not _is_older(current):
        return f"of another version of lstm-grader; this one works with {newest}"
    upgrade = "a service upgrades it when it starts" if is_sqlite else "run lstm-grader db upgrade"
    return f"the newest is {newest}: {upgrade}"


def _queue(state: repository.QueueState) -> str:
    oldest = f" (the oldest upload for {state.oldest_seconds:.0f} s)" if state.oldest_seconds else ""
    return f"queue: {state.queued} waiting{oldest}, {state.running} being graded"
