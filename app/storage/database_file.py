"""The file of an SQLite database, with checks that it is still the right one.

A path proves nothing. The file can be moved away, emptied or replaced, and its log (the ``-wal`` file beside it, with
the newest commits) can be deleted, while the service is stopped or while it runs. SQLite would continue silently: it
creates a missing file, and commits into one that no path leads to any more.

So the first start puts a marker beside the file. It holds a number that is also in the database (``PRAGMA
user_version``) and increases with every probe (`Database.probe`). If the database is missing, or behind its marker, it
has lost data. While the service runs, the file and its log must stay the same two files.
"""

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError

from app.errors.commands import DatabaseLost, DatabaseUnusable

# The time for which a probe waits for a writer.
BUSY_SECONDS = 10.0
COUNTED = re.compile(r"counted to (\d+)")
MARKER = """This belongs to {name}, which has counted to {count}.
Without it a service would not notice that its database is gone. To start with an empty database, delete it.
"""


class DatabaseMoved(SQLAlchemyError):
    """The SQLite file is not where it was when the service started."""


class NoRoom(SQLAlchemyError):
    """The disk is about to be full."""


class DatabaseFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.marker = path.with_name(f"{path.name}.marker")
        self.log = path.with_name(f"{path.name}-wal")
        self._holder: sqlite3.Connection | None = None
        self._held: list[tuple[int, int]] = []

    @property
    def exists(self) -> bool:
        return _size(self.path) > 0

    @property
    def address(self) -> str:
        """The beginning of the file's URI for SQLite."""
        return f"file:{quote(os.fsencode(self.path.absolute()))}"

    def loss_of(self, count: int | None = None) -> str | None:
        """Describe the loss of data in a database that is not open; None: none is visible.

        Args:
            count: the number in the database; None: unknown.
        """
        if not self.exists:
            if not self.marker.exists() and not _size(self.log):
                return None
            return "is empty" if self.path.exists() else "is missing"
        if count is not None and count < self._read_marker():
            return f"has lost its newest data (is {self.log.name} gone?), or is an older copy"
        return None

    def check(self, count: int | None = None) -> None:
        """Raises: DatabaseUnusable: the path leads to a folder; DatabaseLost: see `loss_of`."""
        if self.path.is_dir():
            raise DatabaseUnusable(database=str(self.path), reason="is a folder; the name of a file is needed")
        if reason := self.loss_of(count):
            raise DatabaseLost(database=str(self.path), reason=reason, marker=str(self.marker))

    def create(self) -> None:
        """Make an empty file that only its owner can read, if there is none."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch(mode=0o600)

    def count_on(self) -> None:
        """Increment the number in the database, and then in the marker.

        Raises:
            sqlite3.Error, OSError: it cannot be written.
        """
        with contextlib.closing(self._connect(isolation_level=None, timeout=BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            count = connection.execute("PRAGMA user_version").fetchone()[0] + 1
            connection.execute(f"PRAGMA user_version = {count}")
            connection.execute("COMMIT")
        self.mark(count)

    def _connect(self, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(f"{self.address}?mode=rw", uri=True, **options)
        return connection

    def mark(self, count: int) -> None:
        """Write the number into the marker."""
        unfinished = self.marker.with_name(f"{self.marker.name}.unfinished")
        unfinished.write_text(MARKER.format(name=self.path.name, count=count), encoding="utf-8")
        unfinished.replace(self.marker)

    def _read_marker(self) -> int:
        with contextlib.suppress(OSError):
            if match := COUNTED.search(self.marker.read_text(encoding="utf-8", errors="replace")):
                return int(match[1])
        return 0

    def copy_to(self, target: Path) -> None:
        """Copy it completely or not at all, even while it is in use. Only its owner can read the copy.

        Raises:
            OSError: the file cannot be read, or the copy cannot be written.
        """
        with copy_beside(f"{self.address}?mode=rw", target) as unfinished:
            unfinished.replace(target)

    def hold(self) -> None:
        """Remember the file and its log, which must stay in place from now on."""
        self.release()
        # SQLite deletes the log with the last connection, and later creates another. This connection preserves it.
        self._holder = self._connect(check_same_thread=False)
        self._holder.execute("SELECT count(*) FROM sqlite_master").close()
        self._held = self._identities()

    def release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def check_held(self) -> None:
        """Raises: DatabaseMoved: new commits would be lost."""
        if self._holder is not None and not self._is_held():
            raise DatabaseMoved(f"{self.path}, or the log beside it, was moved, emptied or replaced")

    def _is_held(self) -> bool:
        try:
            return self.exists and self._identities() == self._held
        except OSError:  # Its folder has become a file, or is not readable.
            return False

    def _identities(self) -> list[tuple[int, int]]:
        identities = []
        for path in (self.path, self.log):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                identities.append((stat.st_dev, stat.st_ino))
        return identities

    def check_room(self, size: int) -> None:
        """Raises: NoRoom: so many bytes do not fit. On a very small disk, a quarter of the disk is enough."""
        disk = shutil.disk_usage(self.path.parent)
        if disk.free < min(size, disk.total // 4):
            raise NoRoom(f"{self.path.parent} has {disk.free} bytes left, and an upload may have {size}")


@contextlib.contextmanager
def copy_beside(source: str, target: Path) -> Iterator[Path]:
    """Copy the database at this URI to a file beside `target`. The block may move it there; otherwise it is deleted.

    Raises:
        OSError: the source cannot be read, or the copy cannot be written.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        try:
            with (
                contextlib.closing(sqlite3.connect(source, uri=True)) as connection,
                contextlib.closing(sqlite3.connect(unfinished)) as copy,
            ):
                unfinished.chmod(0o600)
                connection.backup(copy)
        except sqlite3.Error as exc:
            raise OSError(f"cannot copy to {target}: {exc}") from exc
        yield unfinished
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
            unfinished.with_name(f"{unfinished.name}-journal").unlink()


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
