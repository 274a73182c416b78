"""The connection to the database, its transactions, and the upgrade of its tables.

There are two kinds. An SQLite database belongs to one service, which copies it and upgrades the tables when it starts.
PostgreSQL is shared by processes that start at any time, so the operator runs ``lstm-grader db upgrade`` once.

SQLite lets one transaction write at a time. A transaction that reads first and writes later would fail if another wrote
in between, so a writing transaction starts with ``BEGIN IMMEDIATE``. Those of this process also wait for one another in
order, by a lock here, because SQLite would have them poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError as SQLAlchemyArgumentError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from app.errors import (
    CommitUnanswered,
    DatabaseForeign,
    DatabaseMissing,
    DatabaseNewer,
    DatabaseOutdated,
)
from app.storage import postgresql, sqlite
from app.storage.announcements import CHANNEL
from app.storage.database_file import DatabaseFile
from app.storage.outage import Outage

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BUSY_TIMEOUT_MILLISECONDS = 20_000
# Under heavy load it is better to wait than to come again; proxies wait for a minute.
CONNECTION_WAIT_SECONDS = 60
CONNECTIONS = 15
# A PostgreSQL that does not answer a commit for so long is given up.
COMMIT_SECONDS = 30.0
# The low bytes of SQLite's error codes for a commit that changed nothing. After an I/O error the transaction may still
# come back out of the log.
SQLITE_UNDONE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)
# Written to PostgreSQL's temporary files and thrown away. It needs the room, but no log and no table.
ROOM = """
    WITH room AS MATERIALIZED (SELECT repeat('x', 32000) FROM generate_series(1, :count)) SELECT count(*) FROM room
"""
# The table that every version has had.
OURS = "submissions"
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}

#: Whether a transaction of this request or task was committed, or may have been. The answer to a failure depends on it.
may_have_changed: contextvars.ContextVar[bool] = contextvars.ContextVar("may_have_changed", default=False)


def database_url(url: str) -> URL:
    """Return the URL with our driver in it.

    Raises:
        ValueError: it is no URL of SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (SQLAlchemyArgumentError, ValueError) as exc:  # Such as a port that is no number.
        raise ValueError("expected a URL such as postgresql://user:password@host/name") from exc
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError(f"expected a URL that begins with {' or '.join(f'{name}:' for name in DRIVERS)}")
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("expected the path of a file, such as sqlite:////srv/lstm-grader/db.sqlite3")
    return parsed.set(drivername=driver)


class Database:
    """Opens read and write transactions. The first one connects.

    Args:
        url: as `database_url` takes it; only `upgrade` makes an SQLite file.
        read_only: open an existing SQLite file so that neither it nor its folder changes.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.url = database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = DatabaseFile(Path(self.url.database or "")) if self.is_sqlite else None
        self._read_only = read_only
        self._engine = self._new_engine(
            # No overflow: under load each extra connection would be opened for one request and closed again.
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,  # The connection used last has its statements prepared.
            pool_timeout=CONNECTION_WAIT_SECONDS,
        )
        self._aside = self._new_engine(poolclass=NullPool)
        #: Called with each id that a transaction on SQLite has announced (`announcements`), when it is committed.
        self.announced: Callable[[str], None] = lambda submission_id: None
        self.outage = Outage()
        self._write_lock = asyncio.Lock()
        self._writing = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # On PostgreSQL each statement sees the newest commits, even inside a transaction, so a transaction would only
        # cost two more round trips. On SQLite all statements of a transaction see one state of the file.
        self._reading = (
            self._engine.execution_options()
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="AUTOCOMMIT")
        )

    def _new_engine(self, **options: Any) -> AsyncEngine:
        engine = create_async_engine(
            _address(self.url, self.file, self._read_only) if self.file else self.url,
            hide_parameters=True,  # They hold names and source code, which must not get into error messages.
            connect_args=(
                {"async_creator_fn": sqlite.connect}
                if self.is_sqlite
                else {**postgresql.ARGUMENTS, "async_creator_fn": postgresql.Connection.connect}
            ),
            **options,
        )
        if self.is_sqlite:
            event.listen(engine.sync_engine, "connect", _prepare_reading if self._read_only else _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        else:
            event.listen(engine.sync_engine, "checkout", postgresql.check)
            event.listen(engine.sync_engine, "handle_error", postgresql.leave_copies)
        return engine

    @property
    def conninfo(self) -> str:
        """The URL of the same PostgreSQL for libpq."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for queries only.

        Raises:
            DatabaseMoved: the file is no longer where it was.
        """
        self._check_place()
        async with AsyncSession(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a session in one transaction: committed at the end, rolled back when an exception leaves the block.

        Raises:
            CommitUnanswered: it may have been committed, or not.
            DatabaseMoved: nothing was committed, because the file is no longer where it was.
        """
        self._check_place()
        async with contextlib.AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._write_lock)
            session = await stack.enter_async_context(AsyncSession(self._writing, expire_on_commit=False))
            yield session
            await self._commit(session)
        for submission_id in session.info.get(CHANNEL, ()):
            self.announced(submission_id)

    def _check_place(self) -> None:
        if self.file:
            self.file.check_held()

    async def _commit(self, session: AsyncSession) -> None:
        await session.flush()
        self._check_place()
        before = may_have_changed.get()
        may_have_changed.set(True)
        try:
            async with asyncio.timeout(None if self.is_sqlite else COMMIT_SECONDS):
                await session.commit()
        except DBAPIError as exc:
            if not _was_undone(exc):
                raise CommitUnanswered from exc
            may_have_changed.set(before)
            raise
        except TimeoutError as exc:
            raise CommitUnanswered from exc

    @contextlib.asynccontextmanager
    async def aside(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction on a connection of its own, without waiting for the pool."""
        async with AsyncSession(self._aside) as session, session.begin():
            yield session

    async def probe(self, room_bytes: int) -> None:
        """Store something, as an upload does, and check that `room_bytes` more would fit.

        Raises:
            SQLAlchemyError, sqlite3.Error, OSError: nothing can be stored now.
        """
        self._check_place()
        if self.file:
            await asyncio.to_thread(self.file.check_room, room_bytes)
            # A thread ends by itself. A cancelled task would leave a connection of the engine open.
            await asyncio.to_thread(self.file.count_on)
            return
        async with self.aside() as session:
            # It changes no value, but PostgreSQL writes it.
            await session.execute(text("UPDATE alembic_version SET version_num = version_num"))
            await session.execute(text("SET LOCAL work_mem = '64kB'"))
            await session.execute(text(ROOM), {"count": room_bytes // 32_000 + 1})

    async def upgrade(self) -> None:
        """Upgrade the tables to the newest form, all or nothing. An SQLite file with data is copied before.

        Raises:
            DatabaseLost: there was an SQLite file, and it is gone, empty or older than it was.
            DatabaseForeign: the SQLite file is another program's.
            DatabaseNewer: a newer version has made the tables.
        """
        if self.file:
            self.file.check()
            if not self.file.exists:
                self.file.create()
                logger.warning("database_created", extra={"database": str(self.file.path)})
        current, newest = await self.check_ours()
        if self.file and current not in (None, newest):
            copy = Path(f"{self.file.path}.before-{newest}")
            await self.back_up(copy)
            logger.warning("database_copied_before_upgrade", extra={"revision": current, "copy": str(copy)})
        async with self._writing.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            if isinstance(raw, postgresql.Connection):
                raw.answer_seconds = None
            if self.is_sqlite:
                # Migrations replace tables, dropping them for a moment. The switch has no effect inside a transaction.
                await raw.execute("PRAGMA foreign_keys = OFF")
            try:
                async with connection.begin():
                    await connection.run_sync(_upgrade)
            finally:
                if self.is_sqlite:
                    await raw.execute("PRAGMA foreign_keys = ON")
        if current != newest:
            logger.info("database_upgraded", extra={"revision_before": current, "revision": newest})
        if self.file:
            self.file.count_on()
            self.file.hold()

    async def check_ours(self) -> tuple[str | None, str]:
        """Check that the tables can be upgraded to the form of this version. An SQLite file must exist.

        Returns:
            The revision of the tables, None if there are none, and the newest revision.
        Raises:
            DatabaseLost: an SQLite file is older than it was.
            DatabaseForeign: another program has made the tables.
            DatabaseNewer: a newer version has made the tables.
        """
        async with self._engine.connect() as connection:
            current, newest = await connection.run_sync(_revisions)
            tables = await connection.run_sync(_tables)
            if tables and OURS not in tables and (self.file or "alembic_version" in tables):
                raise DatabaseForeign(database=self.url.database)
            if not _is_known(current):
                raise DatabaseNewer(current=current, expected=newest)
            if self.file:
                self.file.check((await connection.exec_driver_sql("PRAGMA user_version")).scalar_one())
        return current, newest

    async def check_revision(self) -> None:
        """Check that the tables are those of this version. Call this first on an existing database.

        Raises:
            DatabaseMissing: there is no SQLite file.
            DatabaseOutdated: the tables are missing, or of an older version.
            DatabaseLost, DatabaseForeign, DatabaseNewer: see `check_ours`.
        """
        if self.file:
            self.file.check()
            if not self.file.exists:
                raise DatabaseMissing(database=str(self.file.path))
        current, newest = await self.check_ours()
        if current != newest:
            raise DatabaseOutdated(current=current or "none", expected=newest)

    async def back_up(self, target: Path) -> None:
        """Copy an SQLite database as it is now, whole or not at all. Others may read and write meanwhile."""
        assert self.file
        await asyncio.to_thread(self.file.copy_to, target)

    @contextlib.asynccontextmanager
    async def erasing(self, session: AsyncSession) -> AsyncIterator[None]:
        """Overwrite rows that are deleted in this block. SQLite would only mark their pages as free."""
        if self.is_sqlite:
            await session.execute(text("PRAGMA secure_delete = ON"))
        yield
        if self.is_sqlite:
            await session.execute(text("PRAGMA secure_delete = OFF"))

    async def erased(self) -> None:
        """Empty SQLite's log, which still holds the erased rows. Call this after committing such a transaction.

        Raises:
            OperationalError: the log could not be emptied.
        """
        if self.is_sqlite:
            async with self._engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert raw is not None
                try:
                    await (await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()
                except sqlite3.Error as exc:
                    raise OperationalError("PRAGMA wal_checkpoint", None, exc) from exc

    async def close(self) -> None:
        await self._engine.dispose()
        if self.file:
            self.file.release()


def _was_undone(error: DBAPIError) -> bool:
    """Tell whether a failed commit is known to have changed nothing."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_UNDONE
    # PostgreSQL has answered that it did not commit.
    return not error.connection_invalidated


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    # The driver would begin transactions too late, so `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # An upload that was answered with 202 survives a power cut.
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()  # This ends its thread, too.
        raise
    cursor.close()


def _prepare_reading(connection: DBAPIConnection, _record: Any) -> None:
    connection.isolation_level = None


def _address(url: URL, file: DatabaseFile, read_only: bool) -> URL:
    """Return the URL of the file, with a mode that does not create a missing one."""
    query = {**url.query, "uri": "true", "mode": "ro" if read_only else "rw"}
    if read_only and not file.log.exists():
        # Nothing has it open. Without `immutable` SQLite would make a log and leave it behind.
        query["immutable"] = "1"
    return url.set(database=file.address, query=query)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def _is_known(revision: str | None) -> bool:
    return revision is None or revision in known_revisions()


def known_revisions() -> set[str]:
    """Return the revisions that can be upgraded to the form of this version."""
    # Imported here and below because it takes 0.2 s and is needed once.
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def _revisions(connection: Connection) -> tuple[str | None, str]:
    """Return the revision of the tables, and the newest one."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None
    return MigrationContext.configure(connection).get_current_revision(), newest


def _upgrade(connection: Connection, revision: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        # If two upgrade at the same time, the second waits and finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('lstm-grader upgrade', 0))"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
