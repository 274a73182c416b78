"""Signing out everywhere: what it ends, what it leaves, and what it says."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.access import notebooks, sessions
from app.access.sessions import hash_of_frame
from app.access.tokens import Principal
from app.storage.database import Database
from app.storage.models import Course, CourseAssignment, MemberRole, Membership, NotebookCode, Person
from tests.unit.app.calls import PAGE, SUBMISSIONS, get, post, send
from tests.unit.app.conftest import Browser, Service, form_secret

EVERYWHERE = "/leave/everywhere"
FRAME = "f" * 43


async def notebook_of(service: Service, member: Membership) -> str:
    code = await service.write(notebooks.make_code, Principal.of_member(member), "lstm-layer", "en")
    token: str = (await post(service, None, "/api/v1/notebook/tokens", {"code": code})).json()["token"]
    return token


FullDisk = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    """Lets no transaction write."""

    def write(_: Database) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        with monkeypatch.context() as patched:
            patched.setattr(Database, "write", write)
            yield

    return full


@pytest.fixture
async def anna(service: Service) -> tuple[str, list[Membership]]:
    """Anna is a student of two courses, and has a link in the first one. Petrov is another student of it."""
    await service.add_token("link-of-anna", student="anna")
    await service.add_token("link-of-petrov", student="petrov")
    async with service.services.database.write() as session:
        found = select(Membership).where(Membership.external_id == "anna")
        first = (await session.scalars(found)).one()
        course = Course(title="Second", language="en", time_zone="UTC")
        session.add(course)
        await session.flush()
        second = Membership(course_id=course.id, person_id=first.person_id, role=MemberRole.STUDENT, external_id="a2")
        session.add_all([second, CourseAssignment(course_id=course.id, assignment_id="lstm-layer")])
    return first.person_id, [first, second]


@pytest.fixture
async def browsers(service: Service, anna: tuple[str, list[Membership]]) -> AsyncIterator[dict[str, Browser]]:
    """Anna by her link, by single sign-on, and in a platform's frame; and Petrov."""
    person_id, (first, _) = anna
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        by_link = await enter(service.browser("link-of-anna"))
        by_sign_on = await enter(service.browser_of(person_id))
        async with service.services.database.write() as session:
            person = await session.get_one(Person, person_id)
            of = {"of": person, "lifetime": timedelta(hours=1), "course_id": first.course_id}
            await sessions.add(session, sha256=hash_of_frame(FRAME), **of)
        headers = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        in_frame = await enter(service.client(None, **headers))
        in_frame.base_url = f"http://grader.test/t/{FRAME}"
        petrov = await enter(service.browser("link-of-petrov"))
        yield {"link": by_link, "sign-on": by_sign_on, "frame": in_frame, "petrov": petrov}


@pytest.mark.parametrize("way", ["link", "sign-on", "frame"])
async def test_all_browsers_and_notebooks_of_the_person_end_and_nobody_elses(service, anna, browsers, caplog, way):
    caplog.set_level(logging.INFO)
    person_id, members = anna
    own = [await notebook_of(service, member) for member in members]
    async with service.services.database.write() as session:
        await notebooks.make_code(session, Principal.of_member(members[0]), "lstm-layer", "en")
        petrov = (await session.scalars(select(Membership).where(Membership.external_id == "petrov"))).one()
    other = await notebook_of(service, petrov)
    asked = await browsers[way].get(EVERYWHERE)
    assert re.findall(r"<dd>(\d+)</dd>", asked.text) == ["3", "2"]
    answer = await send(browsers[way], EVERYWHERE)
    assert answer.status_code == 200
    assert re.findall(r"<dd>(\d+)</dd>", answer.text) == ["3", "2"]
    for name, browser in browsers.items():
        assert (await browser.get(PAGE)).status_code == (200 if name == "petrov" else 401), name
    for token, status in ((own[0], 401), (own[1], 401), (other, 200), ("link-of-anna", 200)):
        assert (await get(service, token, SUBMISSIONS)).status_code == status
    assert await service.rows(NotebookCode) == []
    logged = [vars(each) for each in caplog.records if each.getMessage() == "signed_out_everywhere"]
    assert [(each["person_id"], each["browsers"], each["notebooks"]) for each in logged] == [(person_id, 3, 2)]


async def test_a_browser_that_came_while_the_disk_was_full_signs_out_with_all_others(service, browsers, full_disk):
    """It keeps the link itself, and no session of its own is stored."""
    async with service.client(None, Accept="text/html") as late:
        with full_disk():
            assert (await late.post("/enter", data={"token": "link-of-anna"})).status_code == 303
            form = {"form_secret": form_secret((await late.get(EVERYWHERE)).text)}
            # Nothing can end now, and it does not say so.
            assert (await late.post(EVERYWHERE, data=form)).status_code == 503
            assert (await late.get(PAGE)).status_code == 200
        asked, answer = await late.get(EVERYWHERE), await late.post(EVERYWHERE, data=form)
        assert [re.findall(r"<dd>(\d+)</dd>", each.text) for each in (asked, answer)] == [["4", "0"], ["4", "0"]]
        for name, browser in {**browsers, "late": late}.items():
            assert (await browser.get(PAGE)).status_code == (200 if name == "petrov" else 401), name


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_browser_signs_out_while_the_disk_is_full(service, anna, full_disk, is_stored):
    """A shared computer must not stay signed in."""
    async with service.client(None, Accept="text/html") as browser:
        with contextlib.nullcontext() if is_stored else full_disk():
            await browser.post("/enter", data={"token": "link-of-anna"})
        with full_disk():
            form = {"form_secret": form_secret((await browser.get(PAGE)).text)}
            assert (await browser.post("/leave", data=form)).status_code == 303
            assert (await browser.get(PAGE)).status_code == 401


async def test_a_token_of_nobody_ends_its_own_browsers(service, owner, browser):
    async with service.browser() as other:
        assert (await send(browser, EVERYWHERE)).status_code == 200
        assert [(await each.get("/courses")).status_code for each in (browser, other)] == [401, 401]
    assert (await owner.get("/api/v1/courses")).status_code == 200
