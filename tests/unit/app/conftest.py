"""A service without box and sockets: its requests arrive in memory, its grades come from `FakeGrader`.

A service takes a tenth of a second to start, and most tests use it as it comes. So the tests of a module share one,
which is put back behind each of them (`Shared.put_back`): no row, limit, cache or grade of one test is seen by the
next. A test that asks for `settings`, itself or by a fixture, has a service of its own, with them: it looks into the
folder of data, patches what is read at the start, or looks for counters that nothing has counted yet.
"""

import asyncio
import contextlib
import dataclasses
import gzip
import re
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import sessions, tokens
from app.access.limits import RateLimit
from app.access.tokens import hash_secret
from app.http.auth.holders import holders
from app.http.auth.sessions import SESSION_COOKIE
from app.lti.platform_keys import PlatformKeys
from app.main import create_app
from app.queue import Engine
from app.queue.backlog import Backlog
from app.queue.embedded import EmbeddedJobs
from app.queue.inbox import Inbox
from app.services import Operations, Services
from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Base, Course, CourseAssignment, Membership, Person, Role, Token
from app.storage.outage import Outage
from grader import Assignment, Report, Status, Submission
from grader.known_answer import correct_submission
from grader.report.artefacts import Sink
from grader.report.finding import CheckStatus
from grader.report.model import Advisory, AssignmentRef, Check, Receipt, SubmissionRef
from grader.report.pictures import drawing
from reference import name_of
from tests.waiting import SECONDS, Clock, until

OWNER_TOKEN = "token-of-the-owner"
OTHER = "c" * 26
#: A client that asks the API, or opens pages.
Browser = httpx.AsyncClient
Client = TypeVar("Client", bound=Browser)
Answer = TypeVar("Answer")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


#: How long the service waits for what is quick: on a busy machine these would end, and decide, in any test.
DEADLINES = {
    "app.api.endpoints.operations.DATABASE_SECONDS": SECONDS,
    "app.http.watching.SLOW_SECONDS": SECONDS,
    "app.oidc.issuer.REQUEST_SECONDS": SECONDS,
    "app.operations.probe.PATIENCE_SECONDS": SECONDS,
    "app.operations.status.PART_SECONDS": SECONDS,
    "app.web.student.submission.PATIENCE_SECONDS": SECONDS,
    "app.webhooks.sender.LEASE": timedelta(seconds=SECONDS),
}


@pytest.fixture(autouse=True)
def no_deadline_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of a deadline sets its own."""
    for name, long in DEADLINES.items():
        monkeypatch.setattr(name, long)


@pytest.fixture
def impatient(no_deadline_is_met: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of an attempt or a check is shown at once, not when there is a report."""
    monkeypatch.setattr("app.web.student.submission.PATIENCE_SECONDS", 0)


class FakeGrader:
    """Answers what it is told to: `reports` by their status, one after another, the last one again and again."""

    def __init__(self) -> None:
        self.statuses = [Status.PASSED]
        self.self_test = Status.PASSED
        self.stages = ["reading", "running"]
        self.began: list[Submission] = []
        self.beforehand: list[bool] = []
        #: Of what began, and of the self-tests.
        self.seeds: list[bytes] = []
        self.self_test_seeds: list[bytes] = []
        self.graded: list[Submission] = []
        self.artefacts: dict[str, bytes] = {}
        self.released = threading.Event()
        self.released.set()
        self.change: Callable[[Report], Report] = lambda report: report

    def __call__(
        self,
        submission: Submission,
        assignment: Assignment,
        /,
        *,
        seed: bytes,
        progress: Callable[[str], None] | None = None,
        artefacts: Sink | None = None,
        beforehand: bool = False,
    ) -> Report:
        if submission == correct_submission():
            self.self_test_seeds.append(seed)
            return make_report(submission, assignment, self.self_test, 100.0)
        self.seeds.append(seed)
        self.began.append(submission)
        self.beforehand.append(beforehand)
        if progress is not None:
            for stage in self.stages:
                progress(stage)
        assert self.released.wait(SECONDS)
        if artefacts is not None:
            for name, content in self.artefacts.items():
                artefacts(name, content)
        self.graded.append(submission)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if beforehand:
            return self.change(make_check(submission, assignment.beforehand(), status))
        points = None if status == Status.INTERNAL_ERROR else 100.0 if status == Status.PASSED else 10.0
        return self.change(make_report(submission, assignment, status, points, name_of(seed)))


def make_report(
    submission: Submission, assignment: Assignment, status: Status, points: float | None, questions: str | None = None
) -> Report:
    return Report(
        status=status,
        points=points,
        max_points=assignment.max_points,
        score=None if points is None else points / assignment.max_points,
        assignment=AssignmentRef(id=assignment.id, digest=assignment.digest),
        submission=SubmissionRef(filename=submission.filename, sha256=submission.sha256, format="py"),
        checks=[
            Check(id="contract", points=10, max_points=10, status=CheckStatus.PASSED),
            Check(id="equivalence", points=0, max_points=50, status=CheckStatus.FAILED),
        ],
        receipt=Receipt(
            submission_sha256=submission.sha256,
            assignment_digest=assignment.digest,
            grader_version="0",
            created_at=datetime.now(UTC),
            questions=questions,
        ),
    ).sealed()


def make_check(submission: Submission, assignment: Assignment, status: Status) -> Report:
    report = make_report(submission, assignment, status, None)
    checks = [check.model_copy(update={"points": 0, "max_points": 0}) for check in report.checks]
    return report.model_copy(update={"checks": checks, "advisories": [Advisory(code="check_only")]}).sealed()


def settings_in(folder: Path) -> Settings:
    return Settings(
        data_dir=folder / "data",
        cache_dir=folder / "cache",
        slots=2,
        upload_bytes=200_000,
        shutdown_seconds=2,
        owner_token=OWNER_TOKEN,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def grader() -> FakeGrader:
    return FakeGrader()


class Service:
    """A running service, and clients of it."""

    def __init__(self, services: Services, operations: Operations, transport: httpx.ASGITransport) -> None:
        self.services = services
        self.operations = operations
        self._transport = transport

    def client(self, token: str | None = OWNER_TOKEN, kind: type[Client] = httpx.AsyncClient, **headers: str) -> Client:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return kind(transport=self._transport, base_url="http://grader.test", headers=headers)

    @contextlib.asynccontextmanager
    async def browser(self, token: str = OWNER_TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        """A client that followed the link in with `token`."""
        async with self.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as browser:
            assert (await browser.post("/enter", data={"token": token})).status_code == 303
            yield browser

    @contextlib.asynccontextmanager
    async def browser_of(self, person_id: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client that a person has signed in with, as by single sign-on."""
        async with self.services.database.write() as session:
            person = await session.get_one(Person, person_id)
            await sessions.add(session, sha256=hash_secret("cookie"), of=person, lifetime=timedelta(hours=1))
        async with self.client(None, Cookie=f"{SESSION_COOKIE}=cookie", Accept="text/html") as browser:
            yield browser

    async def write(self, do: Callable[..., Awaitable[Answer]], *arguments: Any, **named: Any) -> Answer:
        """Do what takes a session, in a transaction of its own."""
        async with self.services.database.write() as session:
            return await do(session, *arguments, **named)

    async def add(self, *rows: Base) -> None:
        async with self.services.database.write() as session:
            session.add_all(rows)

    async def store(self, table: type[Any], *which: ColumnElement[bool], **values: Any) -> None:
        """Set these values in the rows of a table for which all these conditions hold."""
        await self.write(AsyncSession.execute, update(table).where(*which).values(**values))

    async def rows(self, table: type[Any], *which: ColumnElement[bool]) -> list[Any]:
        """Return the rows of a table for which all these conditions hold, in the order of their keys."""
        async with self.services.database.read() as session:
            return list(await session.scalars(select(table).where(*which).order_by(*table.__table__.primary_key)))

    async def member(self, external_id: str, course_id: str = DEFAULT_COURSE) -> Membership:
        (found,) = await self.rows(Membership, Membership.external_id == external_id, Membership.course_id == course_id)
        return found

    async def member_id(self, external_id: str, course_id: str = DEFAULT_COURSE) -> str:
        return (await self.member(external_id, course_id)).id

    async def add_token(self, token: str, role: Role = Role.SUBMITTER, **values: Any) -> Token:
        made_with = {name: values.pop(name) for name in ("student", "course_id") if name in values}
        async with self.services.database.write() as session:
            added = await tokens.add_token(session, name="test", role=role, sha256=hash_secret(token), **made_with)
            for name, value in values.items():
                setattr(added, name, value)
        return added


class ChartsInThisProcess:
    """Draws here, in place of the service's own process for it."""

    async def svg(self, spec: dict[str, Any]) -> str:
        return drawing.svg(spec)

    async def javascript(self) -> bytes:
        return gzip.compress(b"window.vegaEmbed = null;" + b" " * 1000)


def application(settings: Settings, engine: Engine) -> FastAPI:
    return create_app(settings, owner_token=OWNER_TOKEN, grade_with=engine, draw_with=ChartsInThisProcess())


@contextlib.asynccontextmanager
async def running(settings: Settings, grader: FakeGrader) -> AsyncIterator[Service]:
    app = application(settings, grader)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        try:
            yield Service(app.state.services, app.state.operations, transport)
        except BaseException:
            grader.released.set()  # Else a failed test would wait for a grade that nobody awaits.
            raise


#: The parts of `Services` that keep nothing of a request, or whose memory `Shared` empties. All others are made anew.
KEPT = {
    *("assignments", "database", "jobs", "charts", "mailer", "issuer", "lost_links"),
    *("platform_services", "outgoing", "frame_sites"),
}


#: The tasks that the running test has started; None: what is running belongs to the service.
started_by_test: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("started_by_test", default=None)


def _noting_tasks(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(coroutine, loop=loop, **options)
    # SQLAlchemy closes the connection of a cancelled request in a task, which would never end if it was cancelled, too.
    is_closing = "sqlalchemy" in str(getattr(coroutine, "cr_code", ""))
    if (noted := started_by_test.get()) is not None and not is_closing:
        noted.add(task)
    return task


class Shared:
    """A running service that the tests of a module borrow, one after another."""

    def __init__(self, app: FastAPI, grader_of: dict[str, FakeGrader]) -> None:
        self._app = app
        self._services: Services = app.state.services
        self._grader_of = grader_of
        self._is_put_back = True
        file = self._services.database.file
        self._rows = sqlite3.connect(file.path, isolation_level=None)
        self._rows.execute("PRAGMA synchronous = OFF")
        self._schema = self._schema_version()
        self._self_test = dict(vars(app.state.operations.self_test))
        self._first = {table: self._rows.execute(f"SELECT * FROM {table}").fetchall() for table in Base.metadata.tables}

    def _schema_version(self) -> int:
        return int(self._rows.execute("PRAGMA schema_version").fetchone()[0])

    @contextlib.asynccontextmanager
    async def lent(self, grader: FakeGrader) -> AsyncIterator[Service]:
        assert self._is_put_back, "an earlier test of this module left what could not be put back; it says what"
        self._is_put_back = False
        self._grader_of["test"] = grader
        state = self._app.state
        state.services = services = self._with_new_parts()
        state.operations = dataclasses.replace(state.operations, settings=services.settings)
        started: set[asyncio.Task[Any]] = set()
        asyncio.get_running_loop().set_task_factory(_noting_tasks)
        started_by_test.set(started)
        yield Service(services, state.operations, httpx.ASGITransport(self._app, raise_app_exceptions=False))
        started_by_test.set(None)
        grader.released.set()
        for task in started:
            task.cancel()
        await until(lambda: all(task.done() for task in started))
        await self.put_back()

    def _with_new_parts(self) -> Services:
        kept = self._services
        database, per_minute = kept.database, kept.settings.student_uploads_per_minute
        backlog = Backlog(database, kept.settings.queue_seconds)
        new: dict[str, Any] = {
            "settings": kept.settings.model_copy(),  # Some tests change one.
            "request_limit": RateLimit(kept.settings.token_requests_per_minute),
            "backlog": backlog,
            "inbox": Inbox(
                database,
                kept.assignments,
                kept.jobs,
                backlog,
                uploads_per_minute=per_minute,
                upload_bytes=kept.settings.upload_bytes,
            ),
            "holders": holders(database),
            "platform_keys": PlatformKeys(kept.outgoing),
        }
        for field in dataclasses.fields(Services):
            if callable(field.default_factory):
                new[field.name] = part = field.default_factory()
                if isinstance(part, RateLimit):
                    part._clock = Clock()  # However slow the machine is, nobody may come again meanwhile.
        unknown = {field.name for field in dataclasses.fields(Services)} - KEPT - new.keys()
        assert not unknown, f"is kept from test to test, or made anew? {unknown}"
        return dataclasses.replace(kept, **new)

    async def put_back(self) -> None:
        """Make everything as it was when the service had started."""
        database, jobs = self._services.database, self._services.jobs
        assert isinstance(jobs, EmbeddedJobs)
        assert self._schema_version() == self._schema, "a test that changes tables asks for `settings`"
        assert jobs.is_working, "a test that stops the service asks for `settings`"
        async with database.write():  # This process writes through other connections, which wait for each other here.
            self._rows.execute("BEGIN IMMEDIATE")
            for table, rows in self._first.items():
                self._rows.execute(f"DELETE FROM {table}")
                for row in rows:
                    self._rows.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            self._rows.execute("COMMIT")
        # Its submission is gone, so nothing is stored; but it would call the next test's grader.
        await until(lambda: not jobs._slots._grading.running_claims())
        database.outage = Outage()
        operations = self._app.state.operations
        operations.failed_requests.clear()
        for metric in vars(operations.metrics).values():
            if isinstance(metric, Counter | Histogram):
                metric.clear()
        vars(operations.self_test).update(self._self_test)
        if self._services.frame_sites():
            await self._services.frame_sites.read()
        self._is_put_back = True

    def close(self) -> None:
        self._rows.close()


@pytest.fixture(scope="module")
async def shared(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path
) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp("service")
    settings = settings_in(folder)
    shutil.copytree(empty_sqlite, settings.data_dir)
    grader_of = {"test": FakeGrader()}

    def grade(*submitted: Any, **watching: Any) -> Report:
        return grader_of["test"](*submitted, **watching)

    app = application(settings, grade)
    async with app.router.lifespan_context(app):
        await until(lambda: app.state.operations.self_test.has_ended)
        shared = Shared(app, grader_of)
        yield shared
        shared.close()
    shutil.rmtree(folder)


@pytest.fixture
async def shared_service(anyio_backend: str, shared: Shared, grader: FakeGrader) -> AsyncIterator[Service]:
    async with shared.lent(grader) as service:
        yield service


@pytest.fixture
def with_tables(settings: Settings, empty_sqlite: Path) -> None:
    """The service finds its tables, which it would take half a second to make."""
    shutil.copytree(empty_sqlite, settings.data_dir)


@pytest.fixture
async def own_service(
    anyio_backend: str, settings: Settings, grader: FakeGrader, with_tables: None
) -> AsyncIterator[Service]:
    async with running(settings, grader) as service:
        yield service
        grader.released.set()


@pytest.fixture
def service(anyio_backend: str, request: pytest.FixtureRequest) -> Service:
    has_own = "settings" in request.fixturenames
    service: Service = request.getfixturevalue("own_service" if has_own else "shared_service")
    return service


@pytest.fixture
async def owner(service: Service) -> AsyncIterator[Browser]:
    """A program with the owner's token, which asks the API."""
    async with service.client() as owner:
        yield owner


@pytest.fixture
async def teacher(service: Service) -> AsyncIterator[Browser]:
    """A program of a teacher of the course Default."""
    await service.add_token("teacher", Role.TEACHER)
    async with service.client("teacher") as teacher:
        yield teacher


@pytest.fixture
async def ivanov(service: Service) -> AsyncIterator[Browser]:
    """A program of a student of the course Default."""
    await service.add_token("of-ivanov", student="ivanov")
    async with service.client("of-ivanov") as ivanov:
        yield ivanov


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    """The browser of the owner, who is signed in."""
    async with service.browser() as browser:
        yield browser


@pytest.fixture
async def anna(service: Service) -> AsyncIterator[Browser]:
    """The browser of a student, who is signed in by a token of the own."""
    await service.add_token("of-anna", student="anna")
    async with service.browser("of-anna") as browser:
        yield browser


@pytest.fixture
async def visitor(service: Service) -> AsyncIterator[Browser]:
    """The browser of somebody who is not signed in."""
    async with service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as browser:
        yield browser


@pytest.fixture
async def nobody(service: Service) -> AsyncIterator[Browser]:
    """A program without a token."""
    async with service.client(None) as nobody:
        yield nobody


@pytest.fixture
async def two(service: Service) -> AsyncIterator[Service]:
    """The default course, and another one that uses one assignment."""
    async with service.services.database.write() as session:
        session.add(Course(id=OTHER, title="Сети", language="ru", time_zone="Europe/Moscow"))
        await session.flush()
        session.add(CourseAssignment(course_id=OTHER, assignment_id="lstm-layer", rules={}))
    for course, name in ((DEFAULT_COURSE, "here"), (OTHER, "there")):
        await service.add_token(f"script-{name}", course_id=course)
        await service.add_token(f"teacher-{name}", Role.TEACHER, course_id=course)
        await service.add_token(f"ivanov-{name}", student="ivanov", course_id=course)
    return service


def form_secret(html: str) -> str:
    secret = re.search(r'name="form_secret" value="([0-9a-f]+)"', html)
    assert secret, html
    return secret[1]
