"""The connection to the database, how a transaction begins, and the upgrade of its tables.

There are two kinds. SQLite belongs to one service, which upgrades the tables itself when it starts, after it has made a
copy. PostgreSQL is shared by processes that start at any time, so there ``lstm-grader db upgrade`` does it, once.

SQLite lets one transaction write at a time. One that reads first and writes later would fail when another wrote in
between, so a writing transaction says so at its start (``BEGIN IMMEDIATE``); those of this process also wait for one
another here, in order, where SQLite would have them poll.
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
from urllib.parse import quote

from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError as SQLAlchemyArgumentError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from app import postgresql, sqlite
from app.errors import CommitUnanswered, DatabaseOutdated
from app.events import CHANNEL

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MILLISECONDS = 20_000
# Who comes with hundreds of others had better wait than come again; proxies wait for a minute.
CONNECTION_WAIT_SECONDS = 60
CONNECTIONS = 15
# A PostgreSQL that is reached and says nothing for so long is not waited for.
COMMIT_SECONDS = 30.0
# The low byte of what SQLite says when a commit has changed nothing. After an I/O error the transaction may still come
# back out of the log.
SQLITE_UNDONE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CONSTRAINT}
)
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}

#: Whether a transaction of this request, or of this task, was committed, or may have been. What is said of a failure
#: depends on it.
may_have_changed: contextvars.ContextVar[bool] = contextvars.ContextVar("may_have_changed", default=False)


def database_url(url: str) -> URL:
    """The URL with our driver in it.

    Raises:
        ValueError: it is no URL of a database that we know.
    """
    try:
        parsed = make_url(url)
    except SQLAlchemyArgumentError as exc:
        raise ValueError("expected a URL such as postgresql://user:password@host/name") from exc
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError(f"expected a URL that begins with {' or '.join(f'{name}:' for name in DRIVERS)}")
    return parsed.set(drivername=driver)


class Database:
    """Opens read and write transactions. Nothing is connected before the first one.

    Args:
        url: as `database_url` takes it; the folder of an SQLite file is made if it does not exist.
        read_only: an SQLite file, which must be there, is opened so that neither it nor its folder changes.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self.url = database_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and read_only:
            self.url = _only_read(self.url)
        self._engine = create_async_engine(
            self.url,
            hide_parameters=True,  # They hold names and source code, which are not for error messages.
            # None beyond those that are kept: under load each would be opened for one request, and closed again.
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,  # What was used last has its statements prepared.
            pool_timeout=CONNECTION_WAIT_SECONDS,
            connect_args=(
                {"async_creator_fn": sqlite.connect}
                if self.is_sqlite
                else {**postgresql.ARGUMENTS, "async_creator_fn": postgresql.Connection.connect}
            ),
        )
        #: Called with what a transaction on SQLite has announced (`app.events`), when it is committed.
        self.announced: Callable[[str], None] = lambda submission_id: None
        self._write_lock = asyncio.Lock()
        if self.is_sqlite:
            if self.url.database and not read_only:
                Path(self.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            event.listen(self._engine.sync_engine, "connect", _prepare_reading if read_only else _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        else:
            event.listen(self._engine.sync_engine, "checkout", postgresql.check)
            event.listen(self._engine.sync_engine, "handle_error", postgresql.leave_copies)
        self._writing = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # PostgreSQL shows each statement the newest that was committed, in a transaction too, which would only cost two
        # more round trips. SQLite shows one state of the file to all statements of a transaction.
        self._reading = (
            self._engine.execution_options()
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="AUTOCOMMIT")
        )

    @property
    def conninfo(self) -> str:
        """The same PostgreSQL in the words of libpq."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries only."""
        async with AsyncSession(self._reading, expire_on_commit=False) as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back when an exception leaves the block.

        Raises:
            CommitUnanswered: it may have been committed, or not.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._write_lock)
            session = await stack.enter_async_context(AsyncSession(self._writing, expire_on_commit=False))
            yield session
            await self._commit(session)
        for submission_id in session.info.get(CHANNEL, ()):
            self.announced(submission_id)

    async def _commit(self, session: AsyncSession) -> None:
        await session.flush()
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

    async def upgrade(self) -> None:
        """Bring the tables to the newest form, all or nothing. An SQLite file that holds something is copied before."""
        current, newest = await self.revisions()
        if self.is_sqlite and self.url.database and current not in (None, newest):
            copy = Path(f"{self.url.database}.before-{newest}")
            await self.back_up(copy)
            logger.warning("database_copied_before_upgrade", extra={"revision": current, "copy": str(copy)})
        async with self._writing.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            if isinstance(raw, postgresql.Connection):
                raw.answer_seconds = None
            if self.is_sqlite:
                # A table that is made anew is dropped for a moment. The switch has no effect inside a transaction.
                await raw.execute("PRAGMA foreign_keys = OFF")
            try:
                async with connection.begin():
                    await connection.run_sync(_upgrade)
            finally:
                if self.is_sqlite:
                    await raw.execute("PRAGMA foreign_keys = ON")
        if current != newest:
            logger.info("database_upgraded", extra={"revision_before": current, "revision": newest})

    async def check_revision(self) -> None:
        """Raises: DatabaseOutdated: the tables are not those that this version works with."""
        current, newest = await self.revisions()
        if current != newest:
            raise DatabaseOutdated(current=current, expected=newest)

    async def back_up(self, target: Path) -> None:
        """Copy an SQLite database as it is now, whole or not at all, while others may read and write."""
        assert self.url.database
        await asyncio.to_thread(copy_sqlite, Path(self.url.database), target)

    @contextlib.asynccontextmanager
    async def erasing(self, session: AsyncSession) -> AsyncIterator[None]:
        """What is deleted in this block leaves no trace in the file: SQLite would only mark its pages as free."""
        if self.is_sqlite:
            await session.execute(text("PRAGMA secure_delete = ON"))
        yield
        if self.is_sqlite:
            await session.execute(text("PRAGMA secure_delete = OFF"))

    async def erased(self) -> None:
        """To be called when such a transaction is committed: older pages still stand in SQLite's log."""
        if self.is_sqlite:
            async with self._engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert raw is not None
                await (await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()

    async def revisions(self) -> tuple[str | None, str]:
        """The revision of the tables, None if there are none; and the newest one there is."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_revisions)

    async def close(self) -> None:
        await self._engine.dispose()


def _was_undone(error: DBAPIError) -> bool:
    """Whether a failed commit is known to have changed nothing."""
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_UNDONE
    # PostgreSQL has answered, and the answer was no.
    return not error.connection_invalidated


def _prepare_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    # The driver would begin transactions by itself, and too late; `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",  # What was answered 202 survives a power cut.
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _prepare_reading(connection: DBAPIConnection, _record: Any) -> None:
    connection.isolation_level = None


def _only_read(url: URL) -> URL:
    assert url.database
    query = {"mode": "ro", "uri": "true"}
    if not Path(f"{url.database}-wal").exists():
        # Nobody has it open. SQLite would make the files of those who do, and leave them behind.
        query["immutable"] = "1"
    return url.set(database=f"file:{quote(str(Path(url.database).absolute()))}", query=query)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def copy_sqlite(source: Path, target: Path) -> None:
    """Whole or not at all, whoever reads and writes the source meanwhile; nobody else may read the copy."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source)) as connection,
        contextlib.closing(sqlite3.connect(unfinished)) as copy,
    ):
        connection.backup(copy)
    unfinished.chmod(0o600)
    unfinished.replace(target)


# Alembic takes 0.2 s to import and is needed once.


def known_revisions() -> set[str]:
    """Those that the tables can be brought from to the form of this version."""
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def _revisions(connection: Connection) -> tuple[str | None, str]:
    """The revision of the tables, and the newest one there is."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert newest is not None
    return MigrationContext.configure(connection).get_current_revision(), newest


def _upgrade(connection: Connection, revision: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        # Of two who upgrade at the same time, the second waits and finds nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('lstm-grader upgrade', 0))"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
