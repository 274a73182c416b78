"""An application on a port of this machine, with limits on slow connections.

A request's headers have a deadline, and few connections may be unfinished at once. Uvicorn waits for ever for the rest
of a header, and of a body that was answered early; h11 only limits the size of a header. There is no limit by address,
because a whole classroom shares one. Bodies have deadlines of their own (`app.http.bodies`, `app.http.middleware`), and
idle connections have uvicorn's.
"""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.settings import Settings
from app.stopping import connection_seconds

HEADER_SECONDS = 10.0
# A browser shows the page of a refusal when it has sent its whole file.
REST_SECONDS = 300.0
MOST_UNFINISHED = 256
# Most new connections are about to send their headers, so the youngest are spared.
YOUNG_SECONDS = 2.0
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
# Longer than a proxy keeps an idle connection (nginx 60 seconds). Closed by us, a request may just be on its way.
KEPT_SECONDS = 75


class UnfinishedConnections:
    """The connections of one server that still owe a header, or the rest of an answered body, the oldest first.

    Args:
        seconds: until they are closed.
        clock: seconds that never go back.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[H11Protocol, float] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: H11Protocol) -> None:
        """Start the deadline of a connection, if it does not run yet."""
        self._since.setdefault(connection, self._clock())
        if len(self._since) > MOST_UNFINISHED:
            self._close_older_than(YOUNG_SECONDS, keep=MOST_UNFINISHED)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._seconds, self._close_overdue)

    def discard(self, connection: H11Protocol) -> None:
        """Forget a connection that owes nothing, or is closed."""
        self._since.pop(connection, None)

    def _close_overdue(self) -> None:
        self._sweep = None
        self._close_older_than(self._seconds)
        if self._since:
            left = next(iter(self._since.values())) + self._seconds - self._clock()
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
    """HTTP/1.1 as uvicorn speaks it, with deadlines for headers and for bodies that were answered early."""

    def __init__(
        self, *args: Any, unfinished: UnfinishedConnections, answered: UnfinishedConnections, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._unfinished, self._answered = unfinished, answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unfinished.add(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_open = not self.transport.is_closing()
        for connections, owes in (
            (self._unfinished, self.conn.their_state is h11.IDLE),
            (self._answered, self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE),
        ):
            if owes and is_open:
                connections.add(self)
            else:
                connections.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unfinished.discard(self)
        self._answered.discard(self)
        super().connection_lost(exc)


def listen(host: str, port: int) -> socket.socket:
    """Raises: OSError: the address cannot be listened on; the message says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        what = f"cannot listen on {host} port {port}: {exc.strerror or exc}"
        if exc.errno == errno.EADDRINUSE:
            what += ". Stop the program that uses it, or choose another port: LSTM_GRADER_PORT=8001"
        raise OSError(what) from exc


class Server(uvicorn.Server):
    """A server that leaves the signals to us. uvicorn's own raises them again after serving, which ends the process."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        unfinished, answered = UnfinishedConnections(HEADER_SECONDS), UnfinishedConnections(REST_SECONDS)
        timed = partial(Protocol, unfinished=unfinished, answered=answered)
        protocol = "h11" if settings.behind_proxy else timed
        config = uvicorn.Config(
            app,
            http=protocol,  # type: ignore[arg-type]
            lifespan="off",  # Ours is around the server, so that its errors reach the command line.
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=KEPT_SECONDS if settings.behind_proxy else 5,
            # A proxy in another container, or on another machine, has any address.
            forwarded_allow_ips="*" if settings.behind_proxy else "127.0.0.1",
            # It takes fractions of seconds, although it is annotated as int.
            timeout_graceful_shutdown=connection_seconds(settings.shutdown_seconds),  # type: ignore[arg-type]
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
