"""Connections to PostgreSQL, with limits that reveal a server or a client that has silently gone."""

from __future__ import annotations

import asyncio
import select
from typing import Any, Self

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError

# For libpq. A peer that has silently gone is noticed in half a minute instead of hours.
ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # Milliseconds; unacknowledged data stops the keepalives.
    "application_name": "lstm-grader",
}
# A proxy acknowledges data that never arrives. Only the statements of an upgrade take this long.
ANSWER_SECONDS = 30.0
# A process that freezes inside a transaction would keep its locks, and stop all grading.
IDLE_IN_TRANSACTION = "SET idle_in_transaction_session_timeout = '15s'"


class Connection(psycopg.AsyncConnection[Any]):
    """A connection that gives up. Attributes: answer_seconds: limit for one statement; None: no limit."""

    answer_seconds: float | None = ANSWER_SECONDS

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        connection: Self = await super().connect(*args, **kwargs)
        try:
            await connection.execute(IDLE_IN_TRANSACTION)
            await connection.commit()
        except BaseException:  # Such as that of a request that is given up.
            await connection.close()
            raise
        return connection

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Raises: psycopg.OperationalError: nothing came for too long; the connection is closed."""
        try:
            async with asyncio.timeout(self.answer_seconds):
                return await super().wait(*args, **kwargs)
        except TimeoutError:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"PostgreSQL did not answer for {self.answer_seconds:.0f} s") from None


def check(connection: DBAPIConnection, _record: Any, _proxy: Any) -> None:
    """Notice that the server has closed a connection of the pool, without a round trip. For `checkout`.

    Raises:
        DisconnectionError: the pool must take another connection.
    """
    # Unasked, the server only sends its reason for closing. (select() knows no descriptors above 1023.)
    raw, poll = connection.driver_connection, select.poll()
    if not raw.closed:
        poll.register(raw, select.POLLIN)
    if raw.closed or poll.poll(0):
        raise DisconnectionError


def leave_copies(context: ExceptionContext) -> None:
    """Connect again after a failover, when our server takes no more changes. For `handle_error`."""
    if isinstance(context.original_exception, ReadOnlySqlTransaction):
        context.is_disconnect = True
