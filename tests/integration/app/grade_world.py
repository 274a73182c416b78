"""A course of a platform with a clock of its own, from which grades go to the platform."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.lti import platforms
from app.lti.grades import outbox
from app.lti.grades.sender import ScoreSender
from app.lti.platform_services import SCORE_SCOPE, PlatformServices
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.storage import passback
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, CourseAssignment, LtiContext, LtiLink, LtiScore, Membership, Submission
from app.teaching.student_work import StudentWork
from grader import Assignment, load_assignments
from tests.integration.app import rows
from tests.platforms import DEPLOYMENT, ISSUER, REGISTRATION, FakePlatform

ASSIGNMENTS = load_assignments()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class World:
    """A course of a platform whose clock stands still until a test moves it.

    Attributes:
        clocks: of the database, this service and the platform, in seconds after `NOW`.
        in_flight: at the platform, now and at most.
    """

    database: Database
    fake: FakePlatform
    link: LtiLink
    clock: float = 0.0
    ahead: float = 0.0
    in_flight: list[int] = field(default_factory=lambda: [0, 0])
    wait: Callable[[], Awaitable[object]] | None = None
    assignments: dict[str, Assignment] = field(default_factory=lambda: dict(ASSIGNMENTS))

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.clock)

    def there(self) -> float:
        """Return the time of the platform's clock."""
        return (self.now() + timedelta(seconds=self.ahead)).timestamp()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.in_flight[0] += 1
        self.in_flight[1] = max(self.in_flight)
        try:
            if self.wait is not None and request.url.path.endswith("/scores"):
                await self.wait()
            answer = self.fake.answer(request)
        finally:
            self.in_flight[0] -= 1
        answer.headers["Date"] = datetime.fromtimestamp(self.there(), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return answer

    async def attempt(self, student: str = "s1", points: float = 100.0, **changed: Any) -> Submission:
        """Hand in and grade."""
        submission = await rows.add(self.database, student)
        await self.expect(submission.membership_id, student)
        await self.finish(await rows.next_claim(self.database), points, **changed)
        return submission

    async def finish(self, claim: Any, points: float | None, **changed: Any) -> None:
        report = rows.REPORT.model_copy(update={"points": points, **changed})
        assert await rows.finish(self.database, claim, report.sealed())

    async def expect(self, membership_id: str, student: str) -> None:
        async with self.database.write() as session:
            use = await self.use(session)
            link = await session.get_one(LtiLink, self.link.id)
            link.course_assignment_id = use.id
            await outbox.expect(session, link.lti_context_id, {student: membership_id})

    async def use(self, session: AsyncSession) -> CourseAssignment:
        of = CourseAssignment.assignment_id == "lstm-layer"
        return (await session.scalars(select(CourseAssignment).where(of))).one()

    async def place(self, session: AsyncSession, student: str = "s1") -> StudentWork:
        member = (await session.scalars(select(Membership).where(Membership.external_id == student))).one()
        return StudentWork(member, await self.use(session))

    async def send(self, seconds: float = 10.0) -> None:
        """Let some time pass, and send what is due, until nothing is."""
        self.clock += seconds
        async with Outgoing(private=False, transport=httpx.MockTransport(self.answer)) as client:
            services = PlatformServices(self.database, client, clock=lambda: self.now().timestamp())
            sends = ScoreSender(self.database, self.assignments, services)
            await drain(sends)

    async def score(self, student: str = "s1") -> LtiScore:
        (score,) = await rows.all_of(self.database, select(LtiScore).where(LtiScore.user_id == student))
        return score

    def lose_answers(self) -> None:
        """Let the platform store what it is sent, and not say so."""

        def lose() -> None:
            self.fake.book.take("/items/4", json.loads(self.fake.sent[-1].content))
            raise httpx.ReadTimeout("slow")

        self.fake.answers["/items/4/scores"] = lose

    def given(self, student: str = "s1") -> float | None:
        return self.fake.grades.get(student, {}).get("scoreGiven")

    @property
    def scores(self) -> list[dict[str, Any]]:
        return [json.loads(each.content) for each in self.fake.sent if each.url.path.endswith("/scores")]

    @property
    def posts(self) -> int:
        return len(self.scores)


async def drain(sends: ScoreSender) -> None:
    """Look for what is due, and wait for it, until nothing is."""
    while True:
        await sends._send_due()
        if not sends._sending:
            return
        await asyncio.gather(*sends._sending)
        await asyncio.sleep(0)  # Sleeps: lets the callbacks of the tasks run


async def made(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outgoing, "look_up", known)
    async with database.write() as session:
        platform = await platforms.add(session, REGISTRATION, made_by="test", confirmed=True)
        context = LtiContext(
            platform_id=platform.id, deployment_id=DEPLOYMENT, context_id="1", course_id=DEFAULT_COURSE, made_by="test"
        )
        session.add(context)
        await session.flush()
        link = LtiLink(
            lti_context_id=context.id,
            resource_link_id="9",
            lineitem_url=f"{ISSUER}/items/4",
            scopes={"granted": [SCORE_SCOPE]},
        )
        session.add(link)
    world = World(database, FakePlatform(), link)
    world.fake.clock = world.fake.book.clock = world.there

    async def now(session: AsyncSession) -> datetime:
        return world.now()

    for module in (outbox, passback):
        monkeypatch.setattr(module, "database_now", now)
    return world
