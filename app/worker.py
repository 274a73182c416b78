"""Runs a worker in this process: grades what services accept, until it is stopped."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI

from app.api.endpoints import operations
from app.errors.commands import NothingToShare
from app.http import problems
from app.http.methods import MethodMiddleware
from app.http.middleware import RequestMiddleware, expect_requests
from app.http.serving import Server, listen
from app.operations.about import About
from app.operations.engine import grading_parts
from app.operations.memory import return_large_blocks
from app.operations.metrics import Metrics
from app.operations.probe import REPORT_BYTES, WriteProbe
from app.queue import Worker
from app.services import Operations
from app.settings import Settings
from app.stopping import call_on_signal, end_in_time, grading_seconds
from app.storage.database import Database
from grader import load_assignments
from grader.sandbox import ForkSandbox

logger = logging.getLogger(__name__)


def run(settings: Settings, sandbox: ForkSandbox | None = None) -> None:
    """Work until SIGTERM or SIGINT. A second signal ends the process at once; other workers take over its submissions.

    Args:
        sandbox: see `app.operations.engine.warm_engine`.
    Raises:
        NothingToShare: the database is no PostgreSQL.
        DatabaseOutdated, AssignmentError, SandboxUnavailable: see `app.main.create_app`.
    """
    return_large_blocks()
    asyncio.run(_run(settings, sandbox))


async def _run(settings: Settings, sandbox: ForkSandbox | None) -> None:
    database = Database(settings.database_url)
    if database.is_sqlite:
        raise NothingToShare
    assignments = load_assignments(settings.assignments_dir)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        await database.check_revision()
        stopped = asyncio.Event()
        call_on_signal(stopped.set)
        metrics = Metrics()
        about = About(settings.slots)
        parts = grading_parts(settings, database, assignments, metrics, about, sandbox=sandbox)
        grading, self_test = await stack.enter_async_context(parts)
        worker = await stack.enter_async_context(
            Worker(
                database,
                grading,
                slots=settings.slots,
                shutdown_seconds=grading_seconds(settings.shutdown_seconds),
                about=about.as_json,
            )
        )
        probe = await stack.enter_async_context(WriteProbe(database, room_bytes=REPORT_BYTES))
        state = Operations(settings, database, lambda: worker.is_working, self_test, probe, metrics)
        if settings.worker_port is not None:
            await stack.enter_async_context(answering(state, settings.worker_port))
        logger.info("worker_started", extra={"slots": settings.slots})
        await stopped.wait()
        end_in_time(settings.shutdown_seconds)
        worker.stop()
        logger.info("stopping")


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
        server = Server(app, state.settings)
        task = asyncio.create_task(server.serve([listener]), name="status")
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
