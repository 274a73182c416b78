"""Limits on slow connections: a deadline for a request's headers, and a limit on how many connections are unfinished.

Uvicorn waits for ever for the rest of a header, and h11 only limits its size. There is no limit by address, because a
whole classroom shares one. Bodies have a deadline of their own (`uploads`), and idle connections have uvicorn's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
MOST_UNFINISHED = 256
# Most new connections are about to send their headers, so the youngest are spared.
YOUNG_SECONDS = 2.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class UnfinishedConnections:
    """The connections of one server that still owe a header, the oldest first.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[H11Protocol, float] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: H11Protocol) -> None:
        """Start the deadline of a connection's header, if it does not run yet."""
        self._since.setdefault(connection, self._clock())
        if len(self._since) > MOST_UNFINISHED:
            self._close_older_than(YOUNG_SECONDS, keep=MOST_UNFINISHED)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(HEADER_SECONDS, self._close_overdue)

    def discard(self, connection: H11Protocol) -> None:
        """Forget a connection whose header has arrived, or that is closed."""
        self._since.pop(connection, None)

    def _close_overdue(self) -> None:
        self._sweep = None
        self._close_older_than(HEADER_SECONDS)
        if self._since:
            left = next(iter(self._since.values())) + HEADER_SECONDS - self._clock()
            self._sweep = asyncio.get_running_loop().call_later(max(left, 0.0), self._close_overdue)

    def _close_older_than(self, seconds: float, keep: int = 0) -> None:
        before = self._clock() - seconds
        while len(self._since) > keep:
            connection, since = next(iter(self._since.items()))
            if since > before:
                return
            del self._since[connection]
            connection.transport.write(TIMED_OUT)
            connection.transport.close()


class Protocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a deadline for headers."""

    def __init__(self, *args: Any, unfinished: UnfinishedConnections, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unfinished = unfinished

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unfinished.add(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._unfinished.add(self)
        else:
            self._unfinished.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unfinished.discard(self)
        super().connection_lost(exc)
