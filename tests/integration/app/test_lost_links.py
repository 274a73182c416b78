"""New links by mail: to the mailbox that the course knows, and nothing to be learned by who asks."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import func, select

from app.access import links, lost_links
from app.access.limits import RateLimit
from app.access.lost_links import HOUR, PER_HOUR, LostLinks
from app.access.tokens import hash_secret
from app.mail.mailer import Mailer
from app.services import LINKS_OF_ADDRESS_PER_MINUTE, LINKS_PER_MINUTE
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import Course, MemberRole, Membership, Person, Token, new_id, utc_now
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import store, write_by
from tests.mailbox import Mailbox, link_in
from tests.unit.app.conftest import FakeGrader, Service, running
from tests.waiting import until

SERVICE = "http://grader.test"
IVAN, PETR = "ivanov@example.edu", "petrov@example.edu"


@pytest.fixture
async def service(anyio_backend: str, tmp_path: Path, mailbox: Mailbox, empty_sqlite: Path) -> AsyncIterator[Service]:
    shutil.copytree(empty_sqlite, tmp_path / "data")
    settings = Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        shutdown_seconds=3,
        public_url=SERVICE,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_sender="grader@example.org",
    )
    async with running(settings, FakeGrader()) as service:
        yield service


async def add_member(database: Database, email: str = IVAN, language: str = "en", **values: Any) -> Membership:
    async with database.write() as session:
        course = Course(title=f"Course {language}", language=language, time_zone="UTC")
        session.add(course)
        await session.flush()
        member = Membership(
            id=new_id(),
            course_id=course.id,
            person=Person(name="Ivan", email=email),
            external_id=new_id(),
            **{"role": MemberRole.STUDENT} | values,
        )
        session.add(member)
    return member


async def ask(client: httpx.AsyncClient, address: str) -> httpx.Response:
    return await client.post("/link", data={"email": address})


def secret_in(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


async def enter(client: httpx.AsyncClient, secret: str) -> int:
    return (await client.post("/enter", data={"token": secret})).status_code


async def test_link_that_a_member_gets_opens_the_course_and_ends_the_old(service, mailbox):
    member = await add_member(service.services.database)
    old = (await write_by(service.services.database, links.make, [member], None))[0].secret
    # The link begins with the address of the settings, not with that of the request.
    async with service.client(None, Accept="text/html", Host="evil.example.org") as client:
        assert 'href="/link"' in (await client.get("/enter")).text
        assert "is on its way" in (await ask(client, "Ivanov@example.edu")).text
        link = link_in((await until(lambda: mailbox.to(IVAN)))[0])
        assert link.startswith(f"{SERVICE}/enter?token=lstmg_")
        # On its way it changes nothing.
        assert await enter(client, old) == 303
        assert await enter(client, secret_in(link)) == 303
        assert (await client.get("/")).status_code == 200
        assert await enter(client, old) == 401


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [("/courses/x1/assignments/lstm-layer", "/courses/x1/assignments/lstm-layer"), ("/Visit-evil.example.org", "/")],
)
async def test_link_leads_to_the_page_that_was_wanted_and_bears_no_words_of_strangers(service, mailbox, wanted, led_to):
    await add_member(service.services.database)
    async with service.client(None, Accept="text/html") as client:
        form = (await client.get("/link", params={"next": wanted})).text
        assert f'name="next" value="{wanted}"' in form
        await client.post("/link", data={"email": IVAN, "next": wanted})
        link = link_in((await until(lambda: mailbox.to(IVAN)))[0])
        assert "evil" not in link
        assert f'name="next" value="{led_to}"' in (await client.get(link)).text


async def test_answer_tells_nobody_whether_an_address_is_known(service, mailbox):
    await add_member(service.services.database)
    await add_member(service.services.database, "removed@example.edu", removed_at=utc_now())
    async with service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as client:
        unknown, removed = await ask(client, PETR), await ask(client, "removed@example.edu")
        known = await ask(client, IVAN)
        await until(lambda: mailbox.to(IVAN))
    for answer in (removed, known):
        assert (answer.status_code, answer.text) == (200, unknown.text)
        assert dict(answer.headers) == {**unknown.headers, "x-request-id": answer.headers["x-request-id"]}
    assert len(mailbox.messages) == 1


async def test_answer_does_not_wait_for_database_or_mail(service, mailbox, monkeypatch):
    monkeypatch.setattr(lost_links, "WAITING_MAX", 1)
    await add_member(service.services.database)
    async with service.client(None, Accept="text/html") as client, service.services.database.write():
        # Nobody else can write meanwhile.
        assert (await ask(client, IVAN)).status_code == 200
        assert not mailbox.messages
        assert (await ask(client, PETR)).status_code == 429
    await until(lambda: mailbox.messages)


async def test_each_course_of_the_address_sends_its_link_in_its_language(service, mailbox):
    await add_member(service.services.database)
    await add_member(service.services.database, language="ru", role=MemberRole.ASSISTANT)
    async with service.client(None, Accept="text/html") as client:
        await ask(client, IVAN)
        await until(lambda: len(mailbox.messages) == 2)
    assert {message["Content-Language"]: message["Subject"] for message in mailbox.messages} == {
        "en": "Your new link to the course Course en",
        "ru": "Ваша новая ссылка на курс «Course ru»",
    }
    assert len({link_in(message) for message in mailbox.messages}) == 2


async def test_one_address_and_one_client_may_ask_only_so_often(service):
    address_limit = RateLimit(LINKS_OF_ADDRESS_PER_MINUTE, clock=lambda: 0.0)
    client_limit = RateLimit(LINKS_PER_MINUTE, clock=lambda: 0.0)
    slow = replace(service.services, address_limit=address_limit, client_limit=client_limit)
    service._transport.app.state.services = slow  # type: ignore[attr-defined]
    async with service.client(None, Accept="text/html") as client:
        answers = [(await ask(client, IVAN)).status_code for _ in range(LINKS_OF_ADDRESS_PER_MINUTE + 1)]
        assert answers == [200] * LINKS_OF_ADDRESS_PER_MINUTE + [429]
        # Known or not is the same.
        assert (await ask(client, "IVANOV@example.edu")).status_code == 429
        many = [(await ask(client, f"s{number}@example.edu")).status_code for number in range(LINKS_PER_MINUTE)]
        assert many[0] == 200
        assert many[-1] == 429


async def test_text_that_is_no_address_and_a_form_of_another_site_are_refused(service):
    async with service.client(None, Accept="text/html") as client:
        for address in ("", "ivanov", "a@b, c@d", "a@b\r\nBcc: c@d"):
            assert (await ask(client, address)).status_code == 422, address
        client.headers["Origin"] = "https://evil.example.org"
        assert (await ask(client, IVAN)).status_code == 403


async def test_service_without_mail_says_to_ask_the_teacher(tmp_path):
    async with (
        running(Settings(data_dir=tmp_path, cache_dir=tmp_path), FakeGrader()) as service,
        service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as client,
    ):
        for answer in (await client.get("/link"), await ask(client, IVAN)):
            assert answer.status_code == 200
            assert "Ask your teacher" in answer.text
            assert "<input" not in answer.text
        assert 'href="/link"' not in (await client.get("/enter")).text


@on_both
async def test_member_gets_few_links_in_an_hour_however_many_ask_at_once(database, mailbox):
    member = await add_member(database)

    async def settled() -> None:
        await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name() in ("lost_links", "mail")])

    async with (
        Mailer(mailbox.server) as mailer,
        LostLinks(database, mailer, SERVICE) as one,
        LostLinks(database, mailer, SERVICE) as other,
    ):
        for _ in range(5):
            one.ask(IVAN)
            other.ask("Ivanov@example.edu")
        await settled()
        assert len(mailbox.to(IVAN)) == PER_HOUR
        await store(database, Token, created_at=utc_now() - HOUR)
        one.ask(IVAN)
        await settled()
    assert len(mailbox.to(IVAN)) == PER_HOUR + 1
    async with database.read() as session:
        of_member = select(func.count()).where(Token.membership_id == member.id, Token.is_link)
        assert await session.scalar(of_member) == PER_HOUR + 1
        kept = set(await session.scalars(select(Token.sha256)))
    assert {hash_secret(secret_in(link_in(message))) for message in mailbox.messages} <= kept
