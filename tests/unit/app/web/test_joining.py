"""The page of a join link, as a browser meets it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.access import links, sessions
from app.access.limits import RateLimit
from app.access.tokens import Principal, hash_secret
from app.courses import members
from app.http.auth.proof import mask
from app.http.auth.sessions import SESSION_COOKIE
from app.storage.models import DEFAULT_COURSE, Course, JoinLink, Membership, Person, Role, new_id, utc_now
from app.web.entering import KEY_COOKIE
from tests.unit.app.calls import PAGE, SUBMISSIONS, hand_in, post
from tests.unit.app.conftest import OWNER_TOKEN, Browser, Service, form_secret

JOIN_LINKS = f"/api/v1/courses/{DEFAULT_COURSE}/join-links"


async def make(service: Service, **wanted: Any) -> str:
    """Return the path of a new join link."""
    link = await post(service, OWNER_TOKEN, JOIN_LINKS, wanted)
    return str(link.json()["url"]).removeprefix("http://grader.test")


@pytest.fixture
async def path(service: Service) -> str:
    """The path of a join link."""
    return await make(service)


def key(page: str) -> str:
    field = re.search(r'name="form_key" value="([0-9a-f]+)"', page)
    return field[1]


async def join(browser: Browser, path: str, **fields: str) -> httpx.Response:
    page = await browser.get(path)
    assert page.status_code == 200, page.text
    return await browser.post(path, data={"form_key": key(page.text), "name": "Анна Петрова", **fields})


def link_in(page: str) -> str:
    link = re.search(r'data-copy="http://grader\.test/enter\?token=([\w-]+)"', page)
    return link[1]


async def test_stranger_gives_a_name_hands_in_and_comes_back_by_the_link(service, visitor):
    path = await make(service, group="201")
    joined = await join(visitor, path, claimed_id="ivanov", email="Anna@hse.ru")
    assert joined.status_code == 200
    assert "You are in the course Default" in joined.text
    secret = link_in(joined.text)
    start = (await visitor.get(PAGE)).text
    file = ("LSTM.py", b"class LSTM: ...")
    answer = await visitor.post(PAGE, data={"form_secret": form_secret(start)}, files={"file": file})
    assert answer.status_code == 303
    (member,) = await service.rows(Membership)
    assert (member.claimed_id, member.group, member.confirmed_at) == ("ivanov", "201", None)
    assert (member.external_id or "").startswith("new-")
    assert [(each.name, each.email) for each in await service.rows(Person)] == [("Анна Петрова", "anna@hse.ru")]
    async with service.browser(secret) as elsewhere:
        assert "/submissions/" in (await elsewhere.get("/")).text
    async with service.client(secret) as program:
        (submission,) = (await program.get(SUBMISSIONS)).json()["items"]
        assert submission["student"] == member.external_id


async def test_members_are_told_and_the_next_at_the_computer_is_another_one(service, visitor, path):
    first = link_in((await join(visitor, path, name="Анна")).text)
    page = await visitor.get(path)
    assert "You are in this course already, as Анна." in page.text
    assert "form_key" not in page.text
    # Somebody else types another name into a page that was left open.
    left_open = {"form_key": key_of(visitor), "name": "Борис"}
    assert "already, as Анна" in (await visitor.post(path, data=left_open)).text
    await visitor.post("/leave", data={"form_secret": form_secret(page.text)})
    assert KEY_COOKIE not in visitor.cookies
    second = link_in((await join(visitor, path, name="Анна")).text)
    assert first != second
    assert len(await service.rows(Membership)) == 2


async def test_joiner_whose_link_was_revoked_is_a_new_student_of_a_browser(service, visitor, path):
    secrets = []
    for _ in range(3):
        secrets.append(link_in((await join(visitor, path)).text))
        again = await visitor.post(path, data={"form_key": key_of(visitor), "name": "Анна Петрова"})
        assert link_in(again.text) == secrets[-1]
        assert await service.write(links.revoke, Principal(new_id(), Role.TEACHER)) == 1
    assert len(set(secrets)) == len(await service.rows(Membership)) == 3


@pytest.mark.parametrize("revoked", [False, True], ids=["link stays", "link revoked"])
async def test_removed_joiner_is_told_and_others_join(service, visitor, path, *, revoked):
    await join(visitor, path)
    await service.store(Membership, removed_at=utc_now())
    if revoked:
        await service.write(links.revoke, Principal(new_id(), Role.TEACHER))
    refused = await join(visitor, path)
    assert refused.status_code == 403
    assert "The student is no longer in the course" in refused.text
    assert (await join(visitor, path, name="Борис")).status_code == 200
    assert len(await service.rows(Membership)) == 2


def key_of(browser: Browser) -> str:
    return mask(browser.cookies[KEY_COOKIE])


async def test_typed_id_and_address_open_nothing_of_an_entry_that_is_there(service, visitor, path):
    async with service.services.database.write() as session:
        known = members.add(session, DEFAULT_COURSE, external_id="ivanov", name="Иван")
        known.person.email, known.confirmed_at = "ivanov@hse.ru", utc_now()
    await hand_in(service, "ivanov")
    secret = link_in((await join(visitor, path, name="Иван", claimed_id="ivanov", email="ivanov@hse.ru")).text)
    assert "/submissions/" not in (await visitor.get("/")).text
    async with service.client(secret) as program:
        assert (await program.get(SUBMISSIONS)).json()["items"] == []
        refused = await program.post(SUBMISSIONS, data={"student": "ivanov"}, files={"file": ("a.py", b"x")})
        assert refused.json()["type"].endswith(":other-student")


@pytest.mark.parametrize(
    ("table", "values", "status", "words"),
    [
        (JoinLink, {"expires_at": utc_now() - timedelta(seconds=1)}, 410, "The join link has expired"),
        (JoinLink, {"revoked_at": utc_now()}, 410, "The join link was revoked"),
        (JoinLink, {"limit": 1, "uses": 1}, 409, "Nobody else can join by this link"),
        (Course, {"archived_at": utc_now()}, 403, "The course is archived"),
        (JoinLink, {"sha256": "0" * 64}, 404, "There is no such join link"),
    ],
    ids=["expired", "revoked", "full", "archived", "unknown"],
)
async def test_link_that_ended_says_so(service, visitor, path, table, values, status, words):
    data = {"form_key": key((await visitor.get(path)).text), "name": "Анна"}
    await service.store(table, **values)
    for answer in (await visitor.post(path, data=data), await visitor.get(path)):
        assert answer.status_code == status
        assert words in answer.text
    assert SESSION_COOKIE not in visitor.cookies
    assert await service.rows(Membership) == []


async def test_form_of_another_site_or_browser_adds_nobody(service, visitor, path):
    async with service.client(None, Accept="text/html") as other:
        theirs = key((await other.get(path)).text)
    mine = key((await visitor.get(path)).text)
    for form_key in (theirs, "", "zz", mine[:-2]):
        answer = await visitor.post(path, data={"form_key": form_key, "name": "x"})
        assert answer.status_code == 403
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await visitor.post(path, data={"form_key": mine, "name": "x"}, headers=headers)
        assert answer.status_code == 403
    assert await service.rows(Membership) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "x" * 201}, 'id="name-error">Expected: one line'),
        ({"email": "nobody"}, 'id="email-error">This is no e-mail address'),
        ({"claimed_id": "a\x00b"}, 'id="claimed_id-error">Expected: one line'),
    ],
)
async def test_wrong_field_is_told_on_the_form_that_keeps_the_others(service, visitor, fields, words, path):
    answer = await join(visitor, path, **{"claimed_id": "<b>7", **fields})
    assert answer.status_code == 422
    assert words in answer.text
    if "claimed_id" not in fields:
        assert 'value="&lt;b&gt;7"' in answer.text
    assert await service.rows(Membership) == []


async def test_person_of_single_sign_on_joins_as_themselves(service, visitor, path):
    async with service.services.database.write() as session:
        person = Person(name="Анна", email="anna@hse.ru")
        session.add(person)
        await session.flush()
        await sessions.add(session, sha256=hash_secret("cookie"), of=person, lifetime=timedelta(hours=1))
    visitor.cookies.set(SESSION_COOKIE, "cookie", domain="grader.test")
    page = (await visitor.get(path)).text
    assert "You are signed in as Анна" in page
    assert 'name="name"' not in page
    answer = await visitor.post(path, data={"form_key": key(page), "claimed_id": "ivanov"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/?course={DEFAULT_COURSE}")
    assert (await visitor.get(answer.headers["location"])).status_code == 200
    assert "already, as Анна" in (await visitor.get(path)).text
    (member,) = await service.rows(Membership)
    assert (member.person_id, member.confirmed_at, member.claimed_id) == (person.id, None, "ivanov")


async def test_other_signed_in_browser_is_warned_and_signed_in_anew(service, path):
    async with service.browser(OWNER_TOKEN) as browser:
        assert "This browser is signed in as owner now. If you join" in (await browser.get(path)).text
        await join(browser, path)
        assert "nothing handed in yet" in (await browser.get("/")).text


async def test_too_many_joins_are_slowed_down(service, visitor, path):
    slow = replace(service.services, join_limit=RateLimit(2, clock=lambda: 0.0))
    service._transport.app.state.services = slow
    assert [(await visitor.post(path, data={})).status_code for _ in range(3)] == [403, 403, 429]
