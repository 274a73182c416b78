"""Connections to PostgreSQL, with timeouts that detect a server or a client that has silently gone."""

import asyncio
import select
from typing import Any, Self

import psycopg
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError

# For libpq: detects within half a minute, instead of hours, that the peer has silently gone.
ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # In milliseconds; needed because unacknowledged data suspends the keepalives.
    "application_name": "lstm-grader",
}
# Needed because a proxy acknowledges data that never arrives. Only the statements of an upgrade take this long.
ANSWER_SECONDS = 30.0
# A process that freezes inside a transaction would keep its locks, and stop all grading.
IDLE_IN_TRANSACTION = "SET idle_in_transaction_session_timeout = '15s'"


class Connection(psycopg.AsyncConnection[Any]):
    """A connection with a timeout. Attributes: answer_seconds: the limit for one statement; None: no limit."""

    answer_seconds: float | None = ANSWER_SECONDS

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        connection: Self = await super().connect(*args, **kwargs)
        try:
            await connection.execute(IDLE_IN_TRANSACTION)
            await connection.commit()
        except BaseException:  # For example, of a request that was cancelled.
            await connection.close()
            raise
        return connection

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for the server. Raises: psycopg.OperationalError: it took too long; the connection is closed."""
        try:
            async with asyncio.timeout(self.answer_seconds):
                return await super().wait(*args, **kwargs)
        except TimeoutError:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"PostgreSQL did not answer for {self.answer_seconds:.0f} s") from None


def check(connection: DBAPIConnection, _record: Any, _proxy: Any) -> None:
    """Detect, without a round trip, that the server has closed a pooled connection. For `checkout`.

    Raises:
        DisconnectionError: the pool must take another connection.
    """
    # On an idle connection, the server only sends its reason for closing. (select() fails for descriptors above 1023.)
    raw, poll = connection.driver_connection, select.poll()
    if not raw.closed:
        poll.register(raw, select.POLLIN)
    if raw.closed or poll.poll(0):
        raise DisconnectionError


def leave_read_only_server(context: ExceptionContext) -> None:
    """Reconnect after a failover, when our server has become read-only. For `handle_error`."""
    if isinstance(context.original_exception, ReadOnlySqlTransaction):
        context.is_disconnect = True
