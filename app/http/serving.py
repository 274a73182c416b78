"""An application on a port of this machine."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator
from functools import partial

import uvicorn
from fastapi import FastAPI

from app.http.connections import Protocol, UnfinishedConnections
from app.settings import Settings
from app.stopping import connection_seconds

# Longer than a proxy keeps an idle connection (nginx 60 seconds). Closed by us, a request may just be on its way.
KEPT_SECONDS = 75


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
        protocol = "h11" if settings.behind_proxy else partial(Protocol, unfinished=UnfinishedConnections())
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
