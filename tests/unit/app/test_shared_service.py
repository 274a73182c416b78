"""The service that the tests of a module share: what one of them leaves behind, no other sees."""

from __future__ import annotations

import asyncio

import pytest

from app.operations.status import Failure
from app.services import LINKS_OF_ADDRESS_PER_MINUTE
from app.storage.models import DEFAULT_COURSE, utc_now
from tests.unit.app.calls import SUBMISSIONS, submit
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, Service
from tests.waiting import until

pytestmark = pytest.mark.anyio

ABANDONED = "of an earlier test"


@pytest.mark.parametrize("turn", ["once", "again"])
async def test_nothing_is_left_of_an_earlier_test(service: Service, grader: FakeGrader, turn: str) -> None:
    parts = service.services
    async with service.client() as owner:
        assert (await owner.get(SUBMISSIONS)).json()["items"] == []
        assert (await owner.get(f"/api/v1/courses/{DEFAULT_COURSE}")).json()["title"] == "Default"
    assert (parts.settings.public_url, parts.frame_sites()) == (None, ())
    assert list(service.operations.failed_requests) == []
    assert ABANDONED not in {task.get_name() for task in asyncio.all_tasks()}
    assert grader.began == []
    parts.address_limit.take("somebody")

    grader.released.clear()
    async with service.client() as owner:
        for number in range(4):  # Two of them still wait when this test has ended.
            await submit(owner, wait=0, student=f"s{number}")
        await until(lambda: len(grader.began) == 2)
        await owner.patch(f"/api/v1/courses/{DEFAULT_COURSE}", json={"title": "Changed"})
    async with service.browser() as browser:
        await browser.get("/")
    await service.add_token("another")
    for _ in range(LINKS_OF_ADDRESS_PER_MINUTE - 1):
        parts.address_limit.take("somebody")
    object.__setattr__(parts.settings, "public_url", "https://elsewhere.example.org")
    parts.frame_sites._of_platforms = ("https://elsewhere.example.org",)
    service.operations.failed_requests.append(Failure(utc_now(), "Fault", request=OWNER_TOKEN, id="x"))
    forgotten = asyncio.sleep(1000)  # Sleeps: until it is cancelled.
    asyncio.create_task(forgotten, name=ABANDONED)  # noqa: RUF006
