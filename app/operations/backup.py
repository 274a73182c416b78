"""Backs up and restores an SQLite database, and copies one into PostgreSQL, which has pg_dump and pg_restore itself."""

import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, func, insert, literal, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors.commands import BackupElsewhere, BackupUnusable, DatabaseOutdated, NotPossible
from app.queue import hold_data_dir
from app.settings import Settings
from app.storage.database import Database
from app.storage.database_file import DatabaseFile, copy_beside
from app.storage.models import DEFAULT_COURSE, Base, Course
from app.storage.revisions import OURS, known_revisions
from app.storage.urls import database_url

#: Rows copied in one step. A report has some 20 kB.
BATCH = 200
DAMAGED = "it is damaged, or `db backup` has not made it ({problem}). Choose another backup"
UNREADABLE = "it cannot be read ({problem}). Copy it, with the file {log} beside it, to a folder that can be written"
#: The errors for a database that was not closed, whose log SQLite may not create or read.
NOT_OPENED = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_READONLY_DIRECTORY", "SQLITE_READONLY_CANTINIT")


def sqlite_file(settings: Settings) -> Path:
    """Return the path of the SQLite database.

    Raises:
        BackupElsewhere: the settings name a PostgreSQL.
    """
    url = database_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise BackupElsewhere
    return Path(url.database or "")


def back_up(database: Path, target: Path) -> None:
    """Copy a database that may be in use.

    Raises:
        OSError: there is no database, or the target exists or cannot be written.
        DatabaseLost: the database has disappeared.
    """
    file = DatabaseFile(database)
    file.check()
    if not file.exists:
        raise FileNotFoundError(f"there is no database {database}")
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {target.parent}")
    file.copy_to(target)


def restore(database: Path, backup: Path) -> Path | None:
    """Replace the database by a copy. The caller holds the data folder, and nothing is connected.

    Returns:
        The new path of the old file; None: there was none.
    Raises:
        BackupUnusable: the copy is damaged, is no database of ours, or comes from a newer version.
        OSError: there is no room, or no permission to write; the database is unchanged.
    """
    count = _check(backup)
    file = DatabaseFile(database)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = _free_name(database) if database.exists() else None
    with copy_beside(_address(backup), database) as unfinished:
        # SQLite would apply the old file's log to the new one. Neither is read here, because they may be damaged.
        for suffix in ("-wal", "-shm", ""):
            old, kept = (path.with_name(path.name + suffix) for path in (database, before or database))
            if before:
                with contextlib.suppress(FileNotFoundError):
                    old.rename(kept)
            else:
                old.unlink(missing_ok=True)
        unfinished.replace(database)
    file.mark(count)
    return before


async def bring(settings: Settings, file: Path) -> int:
    """Copy everything in an SQLite database into the PostgreSQL of the settings, all or nothing.

    Args:
        file: the database of a stopped service, or a copy by `back_up`. It is not changed.
    Returns:
        The number of rows.
    Raises:
        NotPossible: the settings name no PostgreSQL, it already holds data or rejects a value, or the file is damaged,
            of another version, or not one of ours.
        DataDirInUse: a service runs on the file.
        DatabaseLost: the file is not as the last service left it.
    """
    target = Database(settings.database_url)
    if target.is_sqlite:
        raise NotPossible(reason="set LSTM_GRADER_DATABASE_URL to the PostgreSQL that is to hold the data")
    source = Database(f"sqlite:///{file.absolute()}", read_only=True)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(target.close)
        stack.push_async_callback(source.close)
        if (file.parent / "worker.lock").exists():
            stack.enter_context(hold_data_dir(file.parent))
        try:
            _check(file)
            await source.check_revision()
        except BackupUnusable as exc:
            raise NotPossible(reason=f"{file} cannot be imported: {exc.params['reason']}") from exc
        except DatabaseOutdated as exc:
            raise NotPossible(
                reason=f"{file} is of an older version (revision {exc.params['current']}, and this one works with "
                f"{exc.params['expected']}). Start a service of this version on it once, stop it, and import it then"
            ) from exc
        await target.upgrade()
        old, new = [await stack.enter_async_context(each) for each in (source.read(), target.write())]
        await _check_empty(new)
        # The only row that an upgrade creates.
        await new.execute(delete(Course))
        return sum([await _copy(table, old, new) for table in Base.metadata.sorted_tables])


async def _check_empty(session: AsyncSession) -> None:
    """Raises: NotPossible: there are rows."""
    for table in Base.metadata.sorted_tables:
        rows = (
            select(table) if table.name != Course.__tablename__ else select(Course).where(Course.id != DEFAULT_COURSE)
        )
        if (await session.execute(rows.limit(1))).first() is not None:
            raise NotPossible(
                reason=f"the PostgreSQL already holds data (in the table {table.name}); nothing was changed. Make an "
                "empty database, and start no service on it before"
            )


async def _copy(table: Table, old: AsyncSession, new: AsyncSession) -> int:
    """Copy the rows of a table; return their number. Raises: NotPossible: PostgreSQL rejects one."""
    count = 0
    try:
        async for rows in _batches(table, old):
            await new.execute(insert(table), rows)
            count += len(rows)
    except DBAPIError as exc:
        # For example, a NUL in a text from before we refused those.
        raise NotPossible(reason=f"a row of the table {table.name} cannot be copied; nothing was: {exc.orig}") from exc
    number = table.autoincrement_column
    if number is not None and count:
        # PostgreSQL's sequence would begin with 1.
        newest = select(func.max(number)).scalar_subquery()
        await new.execute(select(func.setval(func.pg_get_serial_sequence(table.name, number.name), newest)))
    return count


async def _batches(table: Table, session: AsyncSession) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows in batches, in the order of their keys, without holding a whole course's pictures in memory."""
    key = list(table.primary_key)
    page = select(table).order_by(*key).limit(BATCH)
    rows = (await session.execute(page)).mappings().all()
    while rows:
        yield [dict(row) for row in rows]
        last = tuple_(*(literal(rows[-1][column.name], column.type) for column in key))
        rows = (await session.execute(page.where(tuple_(*key) > last))).mappings().all()


def _free_name(database: Path) -> Path:
    """Choose a name to keep the old file under. A file that an earlier restore kept may be the only copy, and stays."""
    names = itertools.chain(["before-restore"], (f"before-restore-{number}" for number in itertools.count(2)))
    paths = (database.with_name(f"{database.name}.{name}") for name in names)
    return next(path for path in paths if not path.exists())


def _check(backup: Path) -> int:
    """Check the backup, and return its count (`DatabaseFile`)."""
    if backup.is_dir():
        raise BackupUnusable(backup=str(backup), reason="it is a folder; the name of a file is needed")
    if not backup.exists():
        raise BackupUnusable(backup=str(backup), reason="there is no such file")
    if not backup.is_file() or not backup.stat().st_size:
        raise BackupUnusable(backup=str(backup), reason="it is empty, or no file")
    try:
        with contextlib.closing(sqlite3.connect(_address(backup), uri=True)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            if not {"alembic_version", OURS} <= tables:
                raise BackupUnusable(backup=str(backup), reason="it is not a database of lstm-grader")
            revisions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
            count: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as exc:
        reason = UNREADABLE if exc.sqlite_errorname in NOT_OPENED else DAMAGED
        raise BackupUnusable(
            backup=str(backup), reason=reason.format(problem=exc, log=DatabaseFile(backup).log.name)
        ) from exc
    if problems != ["ok"]:
        raise BackupUnusable(backup=str(backup), reason=DAMAGED.format(problem=problems[0].splitlines()[-1]))
    if unknown := set(revisions) - known_revisions():
        reason = f"a newer lstm-grader has made it, or one from before 1.0.0 (revision {unknown.pop()})"
        raise BackupUnusable(backup=str(backup), reason=reason)
    return count


def _address(backup: Path) -> str:
    file = DatabaseFile(backup)
    # Nothing has it open. `immutable` prevents SQLite from creating files beside it, so its folder can be read-only.
    return f"{file.address}?mode=ro{'' if file.log.exists() else '&immutable=1'}"
