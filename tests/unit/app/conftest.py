"""A service without box and sockets: its requests arrive in memory, its grades come from `FakeGrader`."""

from __future__ import annotations

import contextlib
import gzip
import re
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access import tokens
from app.access.tokens import hash_secret
from app.main import create_app
from app.services import Operations, Services
from app.settings import Settings
from app.storage.models import Role, Token
from grader import Assignment, Report, Status, Submission
from grader.known_answer import correct_submission
from grader.report.artefacts import Sink
from grader.report.finding import CheckStatus
from grader.report.model import AssignmentRef, Check, Receipt, SubmissionRef
from grader.report.pictures import drawing

OWNER_TOKEN = "token-of-the-owner"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeGrader:
    """Answers what it is told to: `reports` by their status, one after another, the last one again and again."""

    def __init__(self) -> None:
        self.statuses = [Status.PASSED]
        self.self_test = Status.PASSED
        self.began: list[Submission] = []
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
        progress: Callable[[str], None] | None = None,
        artefacts: Sink | None = None,
    ) -> Report:
        if submission == correct_submission():
            return make_report(submission, assignment, self.self_test, 100.0)
        self.began.append(submission)
        if progress is not None:
            progress("reading")
            progress("running")
        assert self.released.wait(20)
        if artefacts is not None:
            for name, content in self.artefacts.items():
                artefacts(name, content)
        self.graded.append(submission)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        points = None if status == Status.INTERNAL_ERROR else 100.0 if status == Status.PASSED else 10.0
        return self.change(make_report(submission, assignment, status, points))


def make_report(submission: Submission, assignment: Assignment, status: Status, points: float | None) -> Report:
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
        ),
    ).sealed()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        slots=2,
        upload_bytes=200_000,
        shutdown_seconds=2,
        owner_token=OWNER_TOKEN,
    )


@pytest.fixture
def grader() -> FakeGrader:
    return FakeGrader()


class Service:
    """A running service, and clients of it."""

    def __init__(self, services: Services, operations: Operations, transport: httpx.ASGITransport) -> None:
        self.services = services
        self.operations = operations
        self._transport = transport

    def client(self, token: str | None = OWNER_TOKEN, **headers: str) -> httpx.AsyncClient:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.AsyncClient(transport=self._transport, base_url="http://grader.test", headers=headers)

    @contextlib.asynccontextmanager
    async def browser(self, token: str = OWNER_TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        """A client that followed the link in with `token`."""
        async with self.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as browser:
            assert (await browser.post("/enter", data={"token": token})).status_code == 303
            yield browser

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


@contextlib.asynccontextmanager
async def running(settings: Settings, grader: FakeGrader) -> AsyncIterator[Service]:
    app = create_app(settings, owner_token=OWNER_TOKEN, grade_with=grader, draw_with=ChartsInThisProcess())
    async with app.router.lifespan_context(app):
        yield Service(app.state.services, app.state.operations, httpx.ASGITransport(app, raise_app_exceptions=False))


@pytest.fixture
def with_tables(settings: Settings, empty_sqlite: Path) -> None:
    """The service finds its tables, which it would take half a second to make."""
    shutil.copytree(empty_sqlite, settings.data_dir)


@pytest.fixture
async def service(
    anyio_backend: str, settings: Settings, grader: FakeGrader, with_tables: None
) -> AsyncIterator[Service]:
    async with running(settings, grader) as service:
        yield service
        grader.released.set()


def form_secret(html: str) -> str:
    found = re.search(r'name="form_secret" value="([0-9a-f]+)"', html)
    assert found
    return found[1]
