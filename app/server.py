"""Runs the application in this process: takes the port, starts the worker, prints the address, serves, stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI

from app.access.tokens import new_token, sign_in_link
from app.api.endpoints import operations
from app.http import problems
from app.http.connections import Protocol, Unfinished
from app.http.methods import MethodMiddleware
from app.http.middleware import RequestMiddleware, expect_requests
from app.main import create_app
from app.operations.collecting import not_collecting
from app.services import Operations, Services
from app.settings import Settings
from app.stopping import call_on_signal, connection_seconds, end_in_time
from grader.sandbox import ForkSandbox

logger = logging.getLogger(__name__)

# Longer than a proxy keeps an idle connection (nginx 60 seconds). Closed by us, a request may just be on its way.
KEPT_SECONDS = 75


def run(settings: Settings, sandbox: ForkSandbox | None = None) -> None:
    """Serve until SIGTERM or SIGINT. A second signal ends the process at once; the next start repeats running grades.

    Args:
        sandbox: see `app.operations.engine.warm_engine`.
    Raises:
        OSError: the address cannot be listened on, or a folder cannot be used.
        AssignmentError, DataDirInUse, SandboxUnavailable: see `create_app`.
    """
    asyncio.run(_run(settings, sandbox))


async def _run(settings: Settings, sandbox: ForkSandbox | None) -> None:
    given = settings.owner_token
    token = given.get_secret_value() if given else new_token()
    with not_collecting():
        app = create_app(settings, owner_token=token, sandbox=sandbox)
    with listen(settings.host, settings.port) as listener:
        async with app.router.lifespan_context(app):
            services: Services = app.state.services
            server = _Server(_config(app, settings))

            def stop() -> None:
                end_in_time(settings.shutdown_seconds)
                services.jobs.stop_watching()
                server.should_exit = True

            # Before the address is printed: whoever reads it may stop the service at once.
            call_on_signal(stop)
            # The operator knows a token of the settings, and others may read this output.
            print(greeting(settings.url(listener.getsockname()[1]), None if given else token), flush=True)
            await server.serve([listener])
            logger.info("stopping")


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


def greeting(url: str, token: str | None) -> str:
    """Write the message for the owner, the only one that shows a token.

    Args:
        token: made for this start; None: the settings have the owner's token, which is never shown.
    """
    if token is None:
        sign_in = f"""Sign in with the token that is set in LSTM_GRADER_OWNER_TOKEN:
    {url}/enter"""
    else:
        sign_in = f"""Open this link to sign in. It makes you the owner, so keep it to yourself:
    {sign_in_link(url, token)}"""
    return f"""
lstm-grader {version("lstm-grader")} runs on {url}

  {sign_in}

  Submit a file from a terminal:
    curl -H "Authorization: Bearer {token or "$LSTM_GRADER_OWNER_TOKEN"}" -F file=@LSTM.ipynb -F student=ivanov \
-F assignment=lstm-layer "{url}/api/v1/submissions?wait=60"

  The API is described at {url}/docs. Ctrl-C stops the service.
"""


@contextlib.asynccontextmanager
async def answering(state: Operations, port: int) -> AsyncIterator[None]:
    """Answer a worker's /healthz, /readyz and /metrics on this port.

    Raises:
        OSError: the port cannot be listened on.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.operations = state
    problems.add_handlers(app)
    app.include_router(operations.router)
    expect_requests(app, state.metrics)
    app.add_middleware(MethodMiddleware, routes=app.routes)
    app.add_middleware(RequestMiddleware, metrics=state.metrics, routes=app.routes)
    with listen(state.settings.host, port) as listener:
        server = _Server(_config(app, state.settings))
        task = asyncio.create_task(server.serve([listener]), name="status")
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    protocol = "h11" if settings.behind_proxy else partial(Protocol, unfinished=Unfinished())
    return uvicorn.Config(
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


class _Server(uvicorn.Server):
    """A server that leaves the signals to us. uvicorn's own raises them again after serving, which ends the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
