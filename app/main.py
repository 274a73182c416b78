"""Puts the service together. Importing this module starts nothing and imports no TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.routing import BaseRoute

from app.access import tokens
from app.access.limits import RateLimit
from app.access.lost_links import LostLinks
from app.access.tokens import hash_secret, new_token
from app.api import openapi
from app.api import routes as api_routes
from app.api.endpoints import operations
from app.errors.commands import OwnerTokenMissing
from app.http import problems
from app.http.auth.guard import check_guarded
from app.http.auth.holders import holders
from app.http.frames import FrameMiddleware
from app.http.methods import MethodMiddleware
from app.http.middleware import RequestMiddleware, expect_requests
from app.lti.frames import FrameSites
from app.lti.grades.sender import ScoreSender
from app.lti.nightly import Nightly
from app.lti.platform_keys import PlatformKeys
from app.lti.platform_services import PlatformServices
from app.mail.mailer import Mailer
from app.oidc.issuer import Issuer
from app.operations.about import About
from app.operations.charts import ChartProcess, Charts
from app.operations.engine import grading_parts
from app.operations.metrics import Metrics
from app.operations.probe import WriteProbe
from app.operations.selftest import SelfTest
from app.outgoing.client import Outgoing
from app.privacy.retention import Retention
from app.queue import EmbeddedJobs, Engine, Jobs, PostgreSQLJobs, locked
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.services import Operations, Services
from app.settings import Settings
from app.stopping import grading_seconds
from app.storage.database import Database
from app.web import manage
from app.web import routes as web_routes
from app.web.course import routes as course_pages
from app.web.lti import arriving, choosing, connection, launching, platforms, registering, window
from app.web.operation import batch, grade_book, regrades, status
from app.webhooks.sender import WebhookSender
from grader import Assignment, load_assignments
from grader.formats import html
from grader.sandbox import ForkSandbox

STATIC_FILES = Path(__file__).parent / "web" / "static"
# Compression would delay event streams. Uploaded files are returned unchanged. The secrets of forms are masked, because
# pages are compressed (`app.http.masking`).
NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")
COMPRESSION = 6


def create_app(
    settings: Settings,
    *,
    owner_token: str | None = None,
    sandbox: ForkSandbox | None = None,
    grade_with: Engine | None = None,
    draw_with: Charts | None = None,
) -> FastAPI:
    """Make the whole service as one ASGI application. On SQLite its lifespan also runs the worker.

    Args:
        owner_token: its holder may do everything; None: a random one that nobody learns.
        sandbox: for grading on SQLite, see `app.operations.engine.warm_engine`.
        grade_with: grades on SQLite; None: the engine with `sandbox`. Tests pass a faster one.
        draw_with: draws pictures; None: a process of its own.
    Raises:
        AssignmentError: an assignment file is wrong.
        OwnerTokenMissing: the settings lack one on PostgreSQL (raised by the lifespan).
        DatabaseOutdated: PostgreSQL's tables are of another version (raised by the lifespan).
        DataDirInUse: another service runs on the same data (raised by the lifespan).
        SandboxUnavailable: this host does not have the device that the settings ask for (raised by the lifespan).
    """
    assignments = load_assignments(settings.assignments_dir)
    metrics = Metrics()
    frame_sites = FrameSites()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            charts = draw_with
            if charts is None:
                charts = await stack.enter_async_context(ChartProcess())
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            jobs: Jobs
            self_test = None
            about = About(settings.slots) if database.is_sqlite else None
            if about is not None:
                embedded = _embedded(settings, database, assignments, metrics, about, grade_with, sandbox)
                jobs, self_test = await stack.enter_async_context(embedded)
            else:
                if settings.owner_token is None:
                    raise OwnerTokenMissing
                await database.check_revision()
                jobs = await stack.enter_async_context(PostgreSQLJobs(database))
            async with database.write() as session:
                chosen = settings.owner_token is not None
                await tokens.set_owner_token(session, hash_secret(owner_token or new_token()), chosen=chosen)
            private = settings.webhook_private_targets
            sender = WebhookSender(database, assignments, private=private, tried=metrics.webhook_tried)
            await stack.enter_async_context(sender)
            limit, backlog = RateLimit(settings.token_requests_per_minute), Backlog(database, settings.queue_seconds)
            per_minute = settings.student_uploads_per_minute
            inbox = Inbox(database, assignments, jobs, backlog, uploads_per_minute=per_minute)
            server = settings.mail_server
            mailer = await stack.enter_async_context(Mailer(server)) if server else None
            lost_links = None
            if mailer is not None:
                lost_links = await stack.enter_async_context(LostLinks(database, mailer, settings.url()))
            registration = settings.registration
            issuer = await stack.enter_async_context(Issuer(registration)) if registration else None
            found = holders(database)
            outgoing = await stack.enter_async_context(Outgoing(private=settings.lti_private_targets))
            platform_services = PlatformServices(database, outgoing)
            await stack.enter_async_context(ScoreSender(database, assignments, platform_services))
            await stack.enter_async_context(Nightly(database, assignments, platform_services))
            await frame_sites.of(database).read()
            await stack.enter_async_context(frame_sites)
            app.state.services = Services(
                settings,
                assignments,
                database,
                jobs,
                limit,
                backlog,
                inbox,
                found,
                charts,
                mailer,
                issuer,
                lost_links,
                PlatformKeys(outgoing),
                platform_services,
                outgoing,
                frame_sites,
            )
            await stack.enter_async_context(Retention(database, settings.retention_days))
            look = jobs.has_workers if isinstance(jobs, PostgreSQLJobs) else None
            probe = WriteProbe(database, room_bytes=settings.upload_bytes, look=look)
            await stack.enter_async_context(probe)
            app.state.operations = Operations(
                settings, database, lambda: jobs.is_working, self_test, probe, metrics, about
            )
            yield

    app = FastAPI(
        routes=_routes(),
        title="LSTM grader",
        summary="Grades the class LSTM against tf.keras.layers.LSTM.",
        version=version("lstm-grader"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.add_handlers(app)
    check_guarded(app.routes)
    openapi.describe(app, sorted(assignments))
    expect_requests(app, metrics)
    app.add_middleware(MethodMiddleware, routes=app.routes)
    app.add_middleware(GZipMiddleware, compresslevel=COMPRESSION, exclude_content_types=NOT_COMPRESSED)
    app.add_middleware(RequestMiddleware, metrics=metrics, routes=app.routes, frame_ancestors=frame_sites)
    app.add_middleware(FrameMiddleware)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Make the routes. Applications of one process share them: FastAPI takes a third of a second to prepare them."""
    operation = (regrades, batch, grade_book, status)
    # `manage` before `course`: one has /courses/new, and the other /courses/{course_id}.
    pages = (
        manage,
        web_routes,
        launching,
        arriving,
        window,
        registering,
        connection,
        choosing,
        platforms,
        *operation,
        course_pages,
    )
    router = APIRouter(generate_unique_id_function=openapi.operation_id)
    router.include_router(operations.router)
    router.include_router(api_routes.api, prefix=api_routes.PREFIX)
    for each in (openapi.router, *(each.router for each in pages)):
        router.include_router(each)
    router.mount("/static/swagger", StaticFiles(directory=str(openapi.SWAGGER_FILES)))
    router.mount("/static/report", StaticFiles(directory=html.STATIC_FILES))
    router.mount("/static", StaticFiles(directory=STATIC_FILES))
    return router.routes


@contextlib.asynccontextmanager
async def _embedded(
    settings: Settings,
    database: Database,
    assignments: Mapping[str, Assignment],
    metrics: Metrics,
    about: About,
    grade_with: Engine | None,
    sandbox: ForkSandbox | None,
) -> AsyncIterator[tuple[Jobs, SelfTest]]:
    """Run the queue of a service that also grades. It alone uses the data folder and the database in it."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data_dir))
        # The known answer is graded while the tables are made.
        parts = grading_parts(settings, database, assignments, metrics, about, grade_with, sandbox)
        grading, self_test = await stack.enter_async_context(parts)
        await database.upgrade()
        jobs = EmbeddedJobs(
            database, grading, slots=settings.slots, shutdown_seconds=grading_seconds(settings.shutdown_seconds)
        )
        yield await stack.enter_async_context(jobs), self_test
