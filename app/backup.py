"""Copies an SQLite database, and puts a copy back in its place. PostgreSQL has pg_dump and pg_restore for that."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from app.database import copy_sqlite, known_revisions
from app.errors import BackupUnusable


def back_up(database: Path, target: Path) -> None:
    """Copy a database that may be in use.

    Raises:
        OSError: there is none, or there is something where the copy would go.
    """
    if not database.exists():
        raise FileNotFoundError(f"there is no database {database}")
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    copy_sqlite(database, target)


def restore(database: Path, backup: Path) -> Path | None:
    """Replace the database by a copy. To be called by who holds the data folder; nothing may be connected.

    Returns:
        Where a copy of what was there before is now; None: there was nothing.
    Raises:
        BackupUnusable: the copy is damaged, is no database of ours, or comes from a newer version.
    """
    _check(backup)
    before = None
    if database.exists():
        before = database.with_name(f"{database.name}.before-restore")
        copy_sqlite(database, before)
    # They belong to the old file, and would be played into the new one.
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    copy_sqlite(backup, database)
    return before


def _check(backup: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(f"{backup.resolve().as_uri()}?immutable=1", uri=True)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            revisions = [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.Error as exc:
        raise BackupUnusable(backup=str(backup), reason=str(exc)) from exc
    if problems != ["ok"]:
        raise BackupUnusable(backup=str(backup), reason=problems[0])
    if unknown := set(revisions) - known_revisions():
        raise BackupUnusable(backup=str(backup), reason=f"revision {unknown.pop()} is not known to this version")
