"""A column of the platform's grade book: found or made by one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from app.errors.lti import PlatformRefused
from app.errors.outgoing import AnswerUnusable
from app.lti import platforms
from app.lti.grades import lineitems, sender
from app.lti.platform_services import LINEITEM_SCOPE, PlatformServices
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.storage.database import Database
from app.storage.due import database_now
from app.storage.models import Course, LtiContext, LtiLink, LtiPlatform
from tests.integration.app.kinds import on_both
from tests.platforms import DEPLOYMENT, ISSUER, REGISTRATION, FakePlatform
from tests.waiting import until

pytestmark = pytest.mark.anyio

Found = Callable[[], "asyncio.Task[str | None]"]


class SlowPlatform(FakePlatform):
    """Shows its line items only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._slowly)

    async def _slowly(self, request: httpx.Request) -> httpx.Response:
        answer = self._answer(request)
        if request.url.path == "/items" and request.method == "GET":
            await self.released.wait()
        return answer


@pytest.fixture
async def fake() -> SlowPlatform:
    return SlowPlatform()


@pytest.fixture
async def link(database: Database) -> LtiLink:
    async with database.write() as session:
        course = Course(id="c1", title="Course", language="en", time_zone="UTC")
        session.add(course)
        platform = await platforms.add(session, REGISTRATION, made_by="test", confirmed=True)
        context = LtiContext(
            platform_id=platform.id, deployment_id=DEPLOYMENT, context_id="1", course_id="c1", made_by="test"
        )
        session.add(context)
        await session.flush()
        link = LtiLink(
            lti_context_id=context.id,
            resource_link_id="9",
            lineitems_url=f"{ISSUER}/items",
            scopes={"granted": [LINEITEM_SCOPE]},
        )
        session.add(link)
    return link


@pytest.fixture
async def find(
    database: Database, link: LtiLink, fake: SlowPlatform, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Found]:
    """Each call is a process of its own that needs the column."""

    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outgoing, "look_up", known)
    async with Outgoing(private=False, transport=fake.transport()) as client, database.read() as session:
        platform = await session.get_one(
            LtiPlatform, (await session.get_one(LtiContext, link.lti_context_id)).platform_id
        )

        def begin() -> asyncio.Task[str | None]:
            services = PlatformServices(database, client)
            return asyncio.create_task(
                lineitems.of_link(
                    database, services, platform, link, label="LSTM by hand. " * 15, max_points=9.5, resource="u1"
                )
            )

        yield begin


@on_both
async def test_two_processes_make_one_line_item(find: Found, fake: SlowPlatform) -> None:
    first = find()
    await until(lambda: "/items" in fake.asked)
    assert await find() is None
    fake.released.set()
    made = await first
    assert made == f"{ISSUER}/items/1"
    assert fake.items[made]["scoreMaximum"] == 10
    assert await find() == made
    assert len(fake.items) == 1


@on_both
async def test_turn_of_a_process_that_died_ends(
    database: Database, link: LtiLink, find: Found, fake: SlowPlatform
) -> None:
    fake.released.set()
    async with database.write() as session:
        stored = await session.get_one(LtiLink, link.id)
        stored.lineitem_at = await database_now(session)
    assert await find() is None
    async with database.write() as session:
        stored = await session.get_one(LtiLink, link.id)
        stored.lineitem_at = await database_now(session) - lineitems.TURN
    assert await find() == f"{ISSUER}/items/1"


async def test_refusal_and_interruption_end_the_turn_at_once(find: Found, fake: SlowPlatform) -> None:
    interrupted = find()
    await until(lambda: "/items" in fake.asked)
    interrupted.cancel()
    await asyncio.gather(interrupted, return_exceptions=True)
    fake.released.set()
    fake.answers["/items"] = lambda: httpx.Response(403)
    with pytest.raises(PlatformRefused):
        await find()
    del fake.answers["/items"]
    assert await find() == f"{ISSUER}/items/1"


def test_try_ends_before_its_lease_and_its_turn() -> None:
    assert sender.TRY_SECONDS < lineitems.TURN.total_seconds() <= sender.LEASE.total_seconds()


async def test_endless_list_makes_no_line_item(find: Found, fake: SlowPlatform) -> None:
    fake.released.set()
    more = {"Link": f'<{ISSUER}/items?page=2>; rel="next"'}
    fake.answers["/items"] = lambda: httpx.Response(200, json=[], headers=more)
    with pytest.raises(AnswerUnusable) as caught:
        await find()
    assert "pages" in caught.value.params["reason"]
    assert fake.asked.count("/items") == lineitems.PAGES
