"""The connection to the database, how a transaction begins, and the upgrade of its tables.

SQLite lets one transaction write at a time. One that reads first and writes later would fail when another wrote in
between, so a writing transaction says so at its start (``BEGIN IMMEDIATE``); those of this process also wait for one
another here, in order, where SQLite would have them poll.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MILLISECONDS = 20_000


class Database:
    """Opens read and write transactions. Nothing is connected before the first one.

    Args:
        url: an SQLAlchemy URL with an async driver; the folder of an SQLite file is made if it does not exist.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        # Parameters hold names and source code, which are not for error messages.
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = create_async_engine(parsed, hide_parameters=True, pool_pre_ping=not self._is_sqlite)
        self._write_lock = asyncio.Lock()
        if self._is_sqlite:
            if parsed.database:
                Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            event.listen(self._engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        self._writing = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries; what it changes is not kept."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session in one transaction: committed at the end, rolled back when an exception leaves the block."""
        async with contextlib.AsyncExitStack() as stack:
            if self._is_sqlite:
                await stack.enter_async_context(self._write_lock)
            session = await stack.enter_async_context(AsyncSession(self._writing, expire_on_commit=False))
            async with session.begin():
                yield session

    async def upgrade(self) -> None:
        """Bring the tables to the newest form."""
        async with self._writing.begin() as connection:
            await connection.run_sync(_upgrade)

    async def close(self) -> None:
        await self._engine.dispose()


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


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _upgrade(connection: Connection) -> None:
    # Alembic takes 0.2 s to import and is needed once.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
