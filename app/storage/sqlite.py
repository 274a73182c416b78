"""A connection to SQLite that crosses into its thread once for each statement.

SQLite blocks, so aiosqlite gives each connection a thread. SQLAlchemy asks that thread four times for one statement:
for a cursor, to execute, for the rows, to close. While grading keeps all cores busy, each crossing waits for a core.
Here the thread opens the cursor, executes, reads all rows and closes, in one crossing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import aiosqlite


class Connection(aiosqlite.Connection):
    """What SQLAlchemy's dialect takes for one of aiosqlite."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def rollback(self) -> None:
        """The pool asks for it each time, and mostly there is nothing to undo."""
        if self.in_transaction:
            await super().rollback()

    async def run(self, statement: Callable[[sqlite3.Cursor], object]) -> tuple[sqlite3.Cursor, list[Any]]:
        """Run this in the connection's thread, with a cursor that is then closed; returns it with all rows it gave."""

        def in_thread() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn.cursor()
            try:
                statement(cursor)
                return cursor, cursor.fetchall()
            finally:
                cursor.close()

        found: tuple[sqlite3.Cursor, list[Any]] = await self._execute(in_thread)  # type: ignore[no-untyped-call]
        return found


class Cursor:
    """What SQLAlchemy uses of a cursor, which it asks for all rows at once."""

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
        """It is closed, and what it knows stays."""

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
    """As `aiosqlite.connect`; to be given to SQLAlchemy as ``async_creator_fn``.

    A connection whose opener is cancelled meanwhile is closed; aiosqlite would lose it, open.
    """
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # As SQLAlchemy makes it: a process that ends does not wait for it.
    opening = asyncio.ensure_future(connection)
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening])
        if opening.exception() is None:
            await connection.close()
        raise
    except sqlite3.Error:
        # Its thread ends by itself, but not before it has told an event loop, which could be closed by then.
        await asyncio.to_thread(connection._thread.join)
        raise
    return connection
