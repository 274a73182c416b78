"""Backs up and restores an SQLite database. PostgreSQL has pg_dump and pg_restore for that."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path

from app.errors.commands import BackupElsewhere, BackupUnusable
from app.settings import Settings
from app.storage.database_file import DatabaseFile, copied
from app.storage.engines import database_url
from app.storage.revisions import OURS, known_revisions

DAMAGED = "it is damaged, or no backup made by `db backup` ({problem}). Take another copy"


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
        OSError: there is no database, the target exists, or it cannot be written.
        DatabaseLost: there was a database.
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
        The new path of the file from before; None: there was none.
    Raises:
        BackupUnusable: the copy is damaged, is no database of ours, or comes from a newer version.
        OSError: there is no room, or no permission to write; the database is unchanged.
    """
    count = _check(backup)
    file = DatabaseFile(database)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = _free_name(database) if database.exists() else None
    with copied(_address(backup), database) as unfinished:
        # SQLite would play the old file's log into the new one. Neither is read here: they may be damaged.
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
        raise BackupUnusable(backup=str(backup), reason=DAMAGED.format(problem=exc)) from exc
    if problems != ["ok"]:
        raise BackupUnusable(backup=str(backup), reason=DAMAGED.format(problem=problems[0].splitlines()[-1]))
    if unknown := set(revisions) - known_revisions():
        reason = f"a newer lstm-grader has made it (revision {unknown.pop()})"
        raise BackupUnusable(backup=str(backup), reason=reason)
    return count


def _address(backup: Path) -> str:
    file = DatabaseFile(backup)
    # Nothing has it open. `immutable` keeps SQLite from making files beside it, so its folder can be read-only.
    return f"{file.address}?mode=ro{'' if file.log.exists() else '&immutable=1'}"
