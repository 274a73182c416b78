"""Puts the service together, and runs it. Importing this module starts nothing and imports no TensorFlow."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
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
from app.access.tokens import hash_secret, new_token, sign_in_link
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
from app.http.serving import Server, listen
from app.lti.frames import FrameSites
from app.lti.grades.sender import ScoreSender
from app.lti.nightly import Nightly
from app.lti.platform_keys import PlatformKeys
from app.lti.platform_services import PlatformServices
from app.mail.mailer import Mailer
from app.oidc.issuer import Issuer
from app.operations.about import About
from app.operations.charts import ChartProcess, Charts
from app.operations.collecting import not_collecting
from app.operations.engine import grading_parts
from app.operations.memory import return_large_blocks
from app.operations.metrics import Metrics
from app.operations.probe import WriteProbe
from app.outgoing.client import Outgoing
from app.privacy.retention import Retention
from app.queue import EmbeddedJobs, Engine, Jobs, PostgreSQLJobs, hold_data_dir
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.services import Operations, Services
from app.settings import Settings
from app.stopping import call_on_signal, end_in_time, grading_seconds
from app.storage.database import Database
from app.teaching.letters import LetterSender
from app.teaching.news_mail import NewsSender
from app.web import course as course_pages
from app.web import manage
from app.web import routes as web_routes
from app.web.lti import arriving, connection, launching, platforms, registering
from app.web.operation import batch, grade_book, regrades, status
from app.webhooks.sender import WebhookSender
from grader import load_assignments
from grader.formats import html
from grader.sandbox import ForkSandbox

logger = logging.getLogger(__name__)

STATIC_FILES = Path(__file__).parent / "web" / "static"
# Compression would delay event streams. Uploaded files are returned unchanged. The secrets of forms are masked, because
# pages are compressed (`app.http.auth.proof`).
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
            enter = stack.enter_async_context
            database = Database(settings.database_url)
            stack.push_async_callback(database.close)
            jobs: Jobs
            look = about = self_test = None
            if database.is_sqlite:
                about = About(settings.slots)
                # Nobody else uses the data folder and the database in it.
                stack.enter_context(hold_data_dir(settings.data_dir))
                # The known answer is graded while the tables are made.
                grading, self_test = await enter(
                    grading_parts(settings, database, assignments, metrics, about, grade_with, sandbox)
                )
                await database.upgrade()
                seconds = grading_seconds(settings.shutdown_seconds)
                jobs = await enter(EmbeddedJobs(database, grading, slots=settings.slots, shutdown_seconds=seconds))
            else:
                if settings.owner_token is None:
                    raise OwnerTokenMissing
                await database.check_revision()
                jobs = shared = await enter(PostgreSQLJobs(database))
                look = shared.has_workers
            async with database.write() as session:
                chosen = settings.owner_token is not None
                await tokens.set_owner_token(session, hash_secret(owner_token or new_token()), chosen=chosen)
            backlog = Backlog(database, settings.queue_seconds, settings.slots)
            mailer = await enter(Mailer(settings.mail_server)) if settings.mail_server else None
            outgoing = await enter(Outgoing(private=settings.lti_private_targets))
            platform_services = PlatformServices(database, outgoing)
            app.state.services = Services(
                settings=settings,
                assignments=assignments,
                database=database,
                jobs=jobs,
                request_limit=RateLimit(settings.token_requests_per_minute),
                backlog=backlog,
                inbox=Inbox(
                    database,
                    assignments,
                    jobs,
                    backlog,
                    uploads_per_minute=settings.student_uploads_per_minute,
                    upload_bytes=settings.upload_bytes,
                ),
                holders=holders(database),
                charts=await enter(ChartProcess()) if draw_with is None else draw_with,
                mailer=mailer,
                issuer=await enter(Issuer(settings.registration)) if settings.registration else None,
                lost_links=await enter(LostLinks(database, mailer, settings.url())) if mailer else None,
                platform_keys=PlatformKeys(outgoing),
                platform_services=platform_services,
                outgoing=outgoing,
                frame_sites=await enter(frame_sites.of(database)),
            )
            app.state.operations = Operations(
                settings=settings,
                database=database,
                is_working=lambda: jobs.is_working,
                self_test=self_test,
                probe=await enter(WriteProbe(database, room_bytes=settings.upload_bytes, look=look)),
                metrics=metrics,
                about=about,
            )
            private, tried = settings.webhook_private_targets, metrics.webhook_tried
            await enter(WebhookSender(database, assignments, private=private, on_try=tried))
            await enter(ScoreSender(database, assignments, platform_services))
            await enter(Nightly(database, assignments, platform_services))
            await enter(Retention(database, settings.retention_days))
            if mailer is not None:
                await enter(NewsSender(database, assignments, mailer, settings.url()))
                await enter(LetterSender(database, mailer, settings.url()))
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
    router = APIRouter(generate_unique_id_function=openapi.operation_id)
    router.include_router(operations.router)
    router.include_router(api_routes.api, prefix=api_routes.PREFIX)
    router.include_router(api_routes.of_strangers, prefix=api_routes.PREFIX)
    for each in (
        openapi,
        # Before `course_pages`: one has /courses/new, and the other /courses/{course_id}.
        manage,
        web_routes,
        launching,
        arriving,
        registering,
        connection,
        platforms,
        regrades,
        batch,
        grade_book,
        status,
        course_pages,
    ):
        router.include_router(each.router)
    router.mount("/static/swagger", StaticFiles(directory=str(openapi.SWAGGER_FILES)))
    router.mount("/static/report", StaticFiles(directory=html.STATIC_FILES))
    router.mount("/static", StaticFiles(directory=STATIC_FILES))
    return router.routes


def run(settings: Settings, sandbox: ForkSandbox | None = None) -> None:
    """Serve until SIGTERM or SIGINT. A second signal ends the process at once; the next start repeats running grades.

    Args:
        sandbox: see `app.operations.engine.warm_engine`.
    Raises:
        OSError: the address cannot be listened on, or a folder cannot be used.
        AssignmentError, DataDirInUse, SandboxUnavailable: see `create_app`.
    """
    return_large_blocks()
    asyncio.run(_run(settings, sandbox))


async def _run(settings: Settings, sandbox: ForkSandbox | None) -> None:
    given = settings.owner_token
    token = given.get_secret_value() if given else new_token()
    with not_collecting():
        app = create_app(settings, owner_token=token, sandbox=sandbox)
    with listen(settings.host, settings.port) as listener:
        async with app.router.lifespan_context(app):
            services: Services = app.state.services
            server = Server(app, settings)

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
