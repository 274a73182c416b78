"""A service that a platform in memory launches."""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select

from app.lti import keys, platforms
from app.lti.grades import sender
from app.lti.grades.sender import ScoreSender
from app.lti.platforms import Registration
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.storage.models import Identity, LtiPlatform, LtiScore, Membership, Person
from app.teaching.joins import joins
from tests.platforms import REGISTRATION, FakePlatform, login_parameters
from tests.unit.app.calls import send
from tests.unit.app.conftest import FakeGrader, Service, Shared
from tests.waiting import until

SCORES = "/items/4/scores"
ITEM_SCOPES = [
    "https://purl.imsglobal.org/spec/lti-ags/scope/score",
    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
]
LOGIN, LAUNCH = "/lti/login", "/lti/launch"
TEACHER = {"role": "Instructor", "sub": "teacher-1", "name": "Мария Кюри"}

#: The same code handed in again is asked about.
NUMBERS = itertools.count()


@pytest.fixture
def fake() -> FakePlatform:
    return FakePlatform()


class Line:
    """The line from the service that tests share to the platform of the running one."""

    fake: FakePlatform
    sender: ScoreSender

    def answer(self, request: httpx.Request) -> Any:
        return self.fake.answer(request)

    def send_by(self, *parts: Any) -> ScoreSender:
        self.sender = ScoreSender(*parts)
        return self.sender


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    line = Line()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.main.Outgoing", partial(Outgoing, transport=httpx.MockTransport(line.answer)))
        patch.setattr("app.main.ScoreSender", line.send_by)
        yield line


@pytest.fixture(scope="module")
def shared(line: Line, shared: Shared) -> Shared:
    return shared


@pytest.fixture
async def service(
    anyio_backend: str,
    line: Line,
    shared: Shared,
    grader: FakeGrader,
    fake: FakePlatform,
    made_keys: Iterator[RSAKey],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Service]:
    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outgoing, "look_up", known)
    monkeypatch.setattr(keys.RSAKey, "generate_key", lambda bits: next(made_keys))
    line.fake = fake
    async with shared.lent(grader) as service:
        service.fake = fake
        yield service
    # Its grades are gone; but one on its way would reach the next test's platform.
    await until(lambda: not line.sender._sending)


@pytest.fixture
async def platform(service: Service) -> LtiPlatform:
    return await register(service)


async def register(
    service: Service, registration: Registration = REGISTRATION, *, confirmed: bool = True
) -> LtiPlatform:
    return await service.write(platforms.add, registration, made_by="test", confirmed=confirmed)


class Browser(httpx.AsyncClient):
    """A browser of somebody whom the platform `fake` sends here."""

    fake: FakePlatform

    async def begin(self, **changed: str) -> str:
        """Begin a launch as a platform does; return the platform's address that the browser is sent to."""
        answer = await self.post(LOGIN, data=login_parameters(**changed))
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def launch(self, **claims: Any) -> httpx.Response:
        """Launch; a teacher who comes first from a course makes it a new one here."""
        answer = await self.launch_only(**claims)
        return await self.choose(answer, course="new") if answer.status_code == 200 else answer

    async def land(self, **claims: Any) -> str:
        """Launch; return the page that this leads to."""
        answer = await self.launch(**claims)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def launch_only(self, **claims: Any) -> httpx.Response:
        return await self.post(LAUNCH, data=self.fake.message(await self.begin(), **claims))

    async def launch_from_other(self, **claims: Any) -> httpx.Response:
        """Launch as the teacher of the same ids from a second platform, whose client id is `other`."""
        address = await self.begin(client_id="other")
        return await self.post(LAUNCH, data=self.fake.message(address, **TEACHER, aud="other", **claims))

    async def choose(self, asked: httpx.Response, **answer: str) -> httpx.Response:
        """Answer the question which course here a course of the platform is."""
        hidden = dict(re.findall(r'name="(secret|in_path)" value="([^"]+)"', asked.text))
        assert "secret" in hidden, asked.text
        return await self.post("/lti/course", data={**hidden, **answer})

    async def hand_in(self, page: str) -> str:
        """Hand in something new and return the page of the attempt."""
        code = f"class LSTM: ...  # {next(NUMBERS)}".encode()
        sent = await send(self, page, files={"file": ("LSTM.py", code)})
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]


def browser(service: Service, **headers: str) -> Browser:
    browser = service.client(None, Browser, **{"Accept": "text/html", "Accept-Language": "en", **headers})
    browser.fake = service.fake
    return browser


async def _somebody(service: Service) -> AsyncIterator[Browser]:
    async with browser(service) as client:
        yield client


# Browsers of people who come from the platform, as who their launch says they are.
teacher, student, other, client = (pytest.fixture(_somebody) for _ in range(4))


@pytest.fixture
async def admin(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with service.browser() as admin:
        yield admin


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender.ScoreSender, "LOOK_SECONDS", 0.04)
    monkeypatch.setattr(sender, "RETRY_SECONDS", (0.02,))
    monkeypatch.setattr(sender, "RESTAMP_SECONDS", 0.02)
    monkeypatch.setattr(sender, "IN_A_MOMENT", timedelta(seconds=0.02))


@pytest.fixture
def clock_that_runs(monkeypatch: pytest.MonkeyPatch, fake: FakePlatform) -> None:
    """Each stamp is of a second of its own, so that no test waits for the next one."""
    newest = [1_800_000_000.0]

    def now_at(self: object, platform: object) -> float:
        newest[0] += 1
        return newest[0]

    fake.clock = lambda: newest[0]
    monkeypatch.setattr("app.lti.platform_services.PlatformServices.now_at", now_at)


@pytest.fixture
async def course(service: Service, platform: LtiPlatform) -> str:
    """The page of a course whose teacher has opened the link."""
    return await open_course(service)


async def open_course(service: Service, **claims: Any) -> str:
    """Open the link as a teacher; return the page of the course."""
    async with browser(service) as teacher:
        return await teacher.land(**TEACHER, **claims)


async def idle(service: Service) -> LtiScore:
    """Wait until no score is due or waiting, and return the first, mostly the only one."""

    async def score() -> LtiScore | None:
        scores = await service.rows(LtiScore)
        return scores[0] if scores and all(score.next_at is None for score in scores) else None

    return await until(score)


async def join_to_roster(service: Service, subject: str = "user-5") -> str:
    """Join somebody of the platform to an entry of a roster, whose person the platform does not know; return its id."""
    async with service.services.database.write() as session:
        of_platform = select(Membership).join(Identity, Identity.person_id == Membership.person_id)
        other = (await session.scalars(of_platform.where(Identity.subject == subject))).one()
        member = Membership(course_id=other.course_id, external_id="ivanov", role=other.role, person=Person())
        session.add(member)
        await session.flush()
        await joins.join(session, other.course_id, member.id, other.id, "test")
        return member.id


async def come_and_hand_in(service: Service, **claims: Any) -> str:
    async with browser(service) as student:
        return await student.hand_in(await student.land(**claims))


async def deliver(service: Service, **claims: Any) -> LtiScore:
    """Hand in as a student, and return the score when the grade has arrived."""
    await come_and_hand_in(service, **claims)
    await until(lambda: service.fake.grades)
    return await idle(service)


async def score_when(service: Service, holds: Callable[[LtiScore], object]) -> LtiScore:
    """Wait until this holds of a score, and return it."""

    async def score() -> LtiScore | None:
        return next((each for each in await service.rows(LtiScore) if holds(each)), None)

    return await until(score)


async def failure_of(service: Service, user_id: str | None = None) -> LtiScore:
    """Wait until the score of this person, or the only one, is given up, and return it."""
    return await score_when(service, lambda score: score.failed_at and user_id in (None, score.user_id))


def down() -> httpx.Response:
    raise httpx.ConnectError("refused")
