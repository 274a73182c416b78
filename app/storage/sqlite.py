"""A connection to SQLite with only one switch to its thread for each statement.

SQLite blocks, so aiosqlite gives each connection a thread. SQLAlchemy asks that thread four times for one statement:
for a cursor, to execute, for the rows, to close. While grading keeps all cores busy, each switch waits for a core.
Here the thread opens the cursor, executes, reads all rows and closes, in one switch.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import aiosqlite


class Connection(aiosqlite.Connection):
    """A connection that SQLAlchemy's dialect for aiosqlite accepts."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def rollback(self) -> None:
        """Roll back if there is a transaction. The pool calls this each time, mostly without one."""
        if self.in_transaction:
            await super().rollback()

    async def run(self, statement: Callable[[sqlite3.Cursor], object]) -> tuple[sqlite3.Cursor, list[Any]]:
        """Run the statement in the connection's thread; return the closed cursor and all rows."""

        def in_thread() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn.cursor()
            try:
                statement(cursor)
                return cursor, cursor.fetchall()
            finally:
                cursor.close()

        result: tuple[sqlite3.Cursor, list[Any]] = await self._execute(in_thread)  # type: ignore[no-untyped-call]
        return result


class Cursor:
    """The part of a cursor that SQLAlchemy uses. It fetches all rows at once."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closed: sqlite3.Cursor | None = None
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> None:
        self._closed, self._rows = await self._connection.run(lambda cursor: cursor.execute(sql, tuple(parameters)))

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> None:
        self._closed, self._rows = await self._connection.run(lambda cursor: cursor.executemany(sql, parameters))

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """Do nothing: the cursor is closed already, and its results are kept."""

    @property
    def description(self) -> Any:
        return self._closed and self._closed.description

    @property
    def rowcount(self) -> int:
        return self._closed.rowcount if self._closed else -1

    @property
    def lastrowid(self) -> int | None:
        return self._closed.lastrowid if self._closed else None


async def connect(database: str | Path, **options: Any) -> Connection:
    """Connect like `aiosqlite.connect`. For SQLAlchemy's ``async_creator_fn``.

    If the caller is cancelled meanwhile, the connection is closed; aiosqlite would leave it open.
    """
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # As SQLAlchemy does: a process that ends must not wait for the thread.
    opening = asyncio.ensure_future(connection)
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening])
        if opening.exception() is None:
            await connection.close()
        raise
    except sqlite3.Error:
        # The thread calls the event loop before it ends, so it must end before the loop is closed.
        await asyncio.to_thread(connection._thread.join)
        raise
    return connection
