"""Puts the service together. Importing this module starts nothing, and nothing here imports TensorFlow."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from app import problems, repository
from app.api import openapi
from app.api import routes as api_routes
from app.artefacts import ArtefactFolder
from app.auth import check_guarded, hash_secret, new_token
from app.database import Database
from app.jobs import EmbeddedJobs, Grade, locked
from app.limits import Limits
from app.middleware import RequestMiddleware
from app.services import Services
from app.settings import Settings
from app.web import routes as web_routes
from grader import Assignment, SandboxError, grade, load_assignments
from grader.artefacts import Sink
from grader.formats import html
from grader.sandbox import ForkSandbox, Kind
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable

logger = logging.getLogger(__name__)

STATIC_FILES = Path(__file__).parent / "web" / "static"


def create_app(settings: Settings, *, owner_token: str | None = None, grade_with: Grade | None = None) -> FastAPI:
    """The whole service as one ASGI application; its lifespan starts the worker and stops it.

    Args:
        owner_token: its holder may do everything; None: a random one that nobody learns.
        grade_with: what grades; None: the engine with a sandbox of its own. Tests put something faster here.
    Raises:
        AssignmentError: an assignment file is wrong.
        DataDirInUse: another service runs on the same data (raised by the lifespan).
        SandboxUnavailable: this host does not have the device that the settings ask for (raised by the lifespan).
    """
    assignments = load_assignments(settings.assignments_dir)
    artefacts = ArtefactFolder(settings.data_dir / "artefacts")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(locked(settings.data_dir))
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            await database.upgrade()
            async with database.write() as session:
                await repository.set_owner_token(session, hash_secret(owner_token or new_token()))
            # Left in the opposite order: the worker stops, the sandbox ends what still runs, then the threads are free.
            threads = stack.enter_context(ThreadPoolExecutor(settings.slots, thread_name_prefix="grade"))
            grade_one = grade_with or stack.enter_context(warm_engine(settings, assignments, artefacts.keep))
            jobs = EmbeddedJobs(
                database,
                assignments,
                grade_one,
                threads,
                slots=settings.slots,
                shutdown_seconds=settings.shutdown_seconds,
            )
            await stack.enter_async_context(jobs)
            app.state.services = Services(settings, assignments, database, jobs, artefacts, Limits.of(settings))
            yield

    app = FastAPI(
        title="LSTM grader",
        summary="Grades the class LSTM against tf.keras.layers.LSTM.",
        version=version("lstm-grader"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.add_handlers(app)
    for router in (api_routes.router, api_routes.api, openapi.router, web_routes.router):
        app.include_router(router)
    app.mount("/static/swagger", StaticFiles(directory=str(openapi.SWAGGER_FILES)))
    app.mount("/static/report", StaticFiles(directory=html.STATIC_FILES))
    app.mount("/static", StaticFiles(directory=STATIC_FILES))
    check_guarded(app.routes)
    openapi.describe(app, sorted(assignments))
    app.add_middleware(RequestMiddleware)
    return app


@contextlib.contextmanager
def warm_engine(settings: Settings, assignments: Mapping[str, Assignment], artefacts: Sink) -> Iterator[Grade]:
    """The engine with a sandbox that lives as long as the context, and warms up without keeping anybody waiting."""
    references = ReferenceStore(settings.cache_dir)
    with ForkSandbox(settings.slots, accept_missing=settings.missing_parts, device=settings.device) as sandbox:
        logger.info("device_chosen", extra={"device": str(sandbox.device), "reason": sandbox.device.reason})
        threading.Thread(target=_warm_up, args=(sandbox, references, assignments), name="warm-up", daemon=True).start()
        yield functools.partial(grade, sandbox=sandbox, references=references, artefacts=artefacts)


def _warm_up(sandbox: ForkSandbox, references: ReferenceStore, assignments: Mapping[str, Assignment]) -> None:
    """Import TensorFlow in the warm process and build the reference answers, before the first student waits for it."""
    try:
        # The process for Keras 2 is started when a submission needs it.
        sandbox.warm_up(Kind.READER, Kind.KERAS3)
        for assignment in assignments.values():
            references.prepare([case.spec() for case in assignment.cases], digest=assignment.digest)
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable):
        logger.exception("warm_up_failed")
    else:
        logger.info("ready_to_grade")
