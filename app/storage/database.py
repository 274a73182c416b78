"""The database: its transactions, its probe, and the upgrade of its tables.

There are two kinds. An SQLite database belongs to one service, which backs it up and upgrades the tables at its start.
PostgreSQL is shared by processes that start at any time, so the operator runs ``lstm-grader db upgrade`` once.

SQLite lets one transaction write at a time. A transaction that reads first and writes later would fail if another wrote
in between, so a writing transaction starts with ``BEGIN IMMEDIATE``. Those of this process also queue for a lock
here, because SQLite would make them poll.
"""

import asyncio
import contextlib
import contextvars
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors.commands import DatabaseForeign, DatabaseMissing, DatabaseNewer, DatabaseOutdated
from app.storage import postgresql, revisions
from app.storage.announcements import CHANNEL, QUEUED_CHANNEL
from app.storage.database_file import DatabaseFile
from app.storage.engines import new_engine
from app.storage.outage import Outage
from app.storage.urls import database_url

logger = logging.getLogger(__name__)

# Under heavy load it is better to wait than to retry; proxies wait for a minute.
CONNECTION_WAIT_SECONDS = 60
CONNECTIONS = 15
# The limit for PostgreSQL's answer to a commit.
COMMIT_SECONDS = 30.0
# The low bytes of SQLite's error codes for a commit without effect. After an I/O error the transaction may still return
# from the log.
SQLITE_UNDONE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)
# Written to PostgreSQL's temporary files and discarded. It needs the room, but no log and no table.
ROOM = """
    WITH room AS MATERIALIZED (SELECT repeat('x', 32000) FROM generate_series(1, :count)) SELECT count(*) FROM room
"""

#: Whether this request or task has, or may have, committed a transaction. The answer to a failure depends on it.
may_have_changed: contextvars.ContextVar[bool] = contextvars.ContextVar("may_have_changed", default=False)


class CommitUnanswered(SQLAlchemyError):
    """The database did not say whether it committed a transaction."""


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
        self._engine = new_engine(
            self.url,
            self.file,
            read_only=read_only,
            # No overflow: under load, each extra connection would be opened for a single request.
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,  # The connection used last has prepared statements.
            pool_timeout=CONNECTION_WAIT_SECONDS,
        )
        self._aside = new_engine(self.url, self.file, read_only=read_only, poolclass=NullPool)
        #: Called with each id that a committed transaction on SQLite has announced (`announcements`).
        self.announced: Callable[[str], None] = lambda submission_id: None
        #: Called when a committed transaction on SQLite has queued a submission.
        self.queued: Callable[[], None] = lambda: None
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

    @property
    def conninfo(self) -> str:
        """The URL of this PostgreSQL for libpq."""
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
            CommitUnanswered: it is unknown whether it was committed.
            DatabaseMoved: the file is no longer where it was, so nothing was committed.
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
        if QUEUED_CHANNEL in session.info:
            self.queued()

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
        """Store something, as an upload does, and check that there is room for `room_bytes` more.

        Raises:
            SQLAlchemyError, sqlite3.Error, OSError: nothing can be stored now.
        """
        self._check_place()
        if self.file:
            await asyncio.to_thread(self.file.check_room, room_bytes)
            # A thread finishes by itself, whereas a cancelled task would leave a connection of the engine open.
            await asyncio.to_thread(self.file.count_on)
            return
        async with self.aside() as session:
            # This changes no value, but PostgreSQL writes it.
            await session.execute(text("UPDATE alembic_version SET version_num = version_num"))
            await session.execute(text("SET LOCAL work_mem = '64kB'"))
            await session.execute(text(ROOM), {"count": room_bytes // 32_000 + 1})

    async def upgrade(self) -> str:
        """Upgrade the tables to the newest schema, all or nothing. An SQLite file with data is backed up first.

        Returns:
            The newest revision.
        Raises:
            DatabaseLost: the SQLite file has disappeared, is empty, or older than it was.
            DatabaseForeign: the SQLite file is another program's.
            DatabaseNewer: a newer version has made the tables.
        """
        if self.file:
            self.file.check()
            if not self.file.exists:
                self.file.create()
                logger.warning("database_created", extra={"database": str(self.file.path)})
        current, newest = await self.check_ours()
        if current != newest:
            await self._change_tables(current, newest)
        if self.file:
            self.file.count_on()
            self.file.hold()
        return newest

    async def _change_tables(self, current: str | None, newest: str) -> None:
        if self.file and current is not None:
            copy = Path(f"{self.file.path}.before-{newest}")
            await self.back_up(copy)
            logger.warning("database_copied_before_upgrade", extra={"revision": current, "copy": str(copy)})
        async with self._writing.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            if isinstance(raw, postgresql.Connection):
                raw.answer_seconds = None
            if self.is_sqlite:
                # Migrations replace tables, dropping them briefly. The pragma has no effect inside a transaction.
                await raw.execute("PRAGMA foreign_keys = OFF")
            try:
                async with connection.begin():
                    await connection.run_sync(revisions.upgrade)
            finally:
                if self.is_sqlite:
                    await raw.execute("PRAGMA foreign_keys = ON")
        logger.info("database_upgraded", extra={"revision_before": current, "revision": newest})
        if self.file and current is not None:
            await self._compact()

    async def _compact(self) -> None:
        """Rewrite SQLite's file, because data that earlier versions deleted is still in its free pages."""
        try:
            await self._run_alone("VACUUM")
            await self.empty_log()
        except (SQLAlchemyError, sqlite3.Error) as exc:  # For example, a disk without room for a copy.
            logger.warning("database_not_compacted", extra={"reason": str(exc)})

    async def check_ours(self) -> tuple[str | None, str]:
        """Check that the tables can be upgraded to the schema of this version. An SQLite file must exist.

        Returns:
            The revision of the tables, None if there are none, and the newest revision.
        Raises:
            DatabaseLost: an SQLite file is older than it was.
            DatabaseForeign: another program has made the tables.
            DatabaseNewer: a newer version has made the tables.
        """
        async with self._engine.connect() as connection:
            current, newest = await connection.run_sync(revisions.revisions_of)
            tables = await connection.run_sync(revisions.tables_of)
            if tables and revisions.OURS not in tables and (self.file or "alembic_version" in tables):
                raise DatabaseForeign(database=self.url.database)
            if not revisions.is_known(current):
                raise DatabaseNewer(current=current, expected=newest)
            if self.file:
                self.file.check((await connection.exec_driver_sql("PRAGMA user_version")).scalar_one())
        return current, newest

    async def check_revision(self) -> None:
        """Check that the tables have the schema of this version. Call this first on an existing database.

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
        """Copy an SQLite database in its current state, completely or not at all, while others may read and write."""
        assert self.file
        await asyncio.to_thread(self.file.copy_to, target)

    async def empty_log(self) -> None:
        """Empty SQLite's log, which still holds deleted rows. Call this after committing a deletion of personal data.

        In the database file itself deleted rows are overwritten (`engines`).

        Raises:
            OperationalError: the log could not be emptied.
        """
        if self.is_sqlite:
            try:
                await self._run_alone("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as exc:
                raise OperationalError("PRAGMA wal_checkpoint", None, exc) from exc

    async def _run_alone(self, statement: str) -> None:
        """Run a statement of SQLite's outside any transaction. Raises: sqlite3.Error"""
        async with self._engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await (await raw.execute(statement)).close()

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
