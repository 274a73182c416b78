"""A column of the platform's grade book: found or made by one process at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from sqlalchemy import select

from app.errors.lti import PlatformRefused
from app.errors.outgoing import AnswerUnusable
from app.lti import pages
from app.lti.grades import lineitems, sender
from app.lti.platform_services import LINEITEM_SCOPE, PlatformServices
from app.outgoing.client import Outgoing
from app.storage.database import Database
from app.storage.due import database_now
from app.storage.models import LtiLink, LtiPlatform
from tests.integration.app.grade_world import World
from tests.integration.app.kinds import on_both
from tests.platforms import ISSUER, FakePlatform
from tests.waiting import until

Found = Callable[[], "asyncio.Task[str | None]"]


class SlowPlatform(FakePlatform):
    """Shows its line items only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._slowly)

    async def _slowly(self, request: httpx.Request) -> httpx.Response:
        answer = self.answer(request)
        if request.url.path == "/items" and request.method == "GET":
            await self.released.wait()
        return answer


@pytest.fixture
async def fake() -> SlowPlatform:
    return SlowPlatform()


@pytest.fixture
async def link(world: World) -> LtiLink:
    """A link without a column, whose platform lets us make one."""
    async with world.database.write() as session:
        link = await session.get_one(LtiLink, world.link.id)
        link.lineitem_url, link.lineitems_url = None, f"{ISSUER}/items"
        link.scopes = {"granted": [LINEITEM_SCOPE]}
    return link


@pytest.fixture
async def find(database: Database, link: LtiLink, fake: SlowPlatform) -> AsyncIterator[Found]:
    """Each call is a process of its own that needs the column."""
    async with Outgoing(private=False, transport=fake.transport()) as client, database.read() as session:
        platform = (await session.scalars(select(LtiPlatform))).one()

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
    address = await first
    assert address == f"{ISSUER}/items/1"
    assert fake.items[address]["scoreMaximum"] == 10
    assert await find() == address
    assert len(fake.items) == 1


@on_both
async def test_turn_of_a_dead_process_ends(database: Database, link: LtiLink, find: Found, fake: SlowPlatform) -> None:
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
    assert fake.asked.count("/items") == pages.MOST_PAGES
