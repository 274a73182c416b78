"""Single sign-on with a real issuer: `oidc-provider-mock` in a process of its own, over real connections."""

import json
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.access import links
from app.courses import members
from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Person, utc_now
from tests import programs
from tests.ports import free_port
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, Service, form_secret, running

PEOPLE = [
    {"sub": "1", "email": "ivanov@example.edu", "email_verified": True, "name": "Ivan Ivanov"},
    {"sub": "2", "email": "petrov@example.edu", "email_verified": False, "name": "Petr Petrov"},
]
SERVICE = "http://grader.test"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    for person in PEOPLE:
        command += ["--user-claims", json.dumps(person)]

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/.well-known/openid-configuration").is_success
        except httpx.TransportError:
            return False

    with programs.running(command, tmp_path_factory.mktemp("issuer") / "log", answers):
        yield url


@pytest.fixture
def settings(tmp_path: Path, issuer: str) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        shutdown_seconds=3,
        public_url=SERVICE,
        oidc_issuer=issuer,
        oidc_client_id="grader",
        oidc_client_secret="secret-of-the-client",
        oidc_email_domains="example.edu",
    )


@pytest.fixture
async def service(anyio_backend: str, settings: Settings, empty_sqlite: Path) -> AsyncIterator[Service]:
    shutil.copytree(empty_sqlite, settings.data_dir)
    async with running(settings, FakeGrader()) as service:
        yield service


def browser(service: Service) -> httpx.AsyncClient:
    return service.client(None, **{"Accept": "text/html", "Accept-Language": "en"})


async def come_back(started: httpx.Response, subject: str | None) -> str:
    """Sign in at the issuer, or decline, and return the address that the browser is sent to."""
    assert started.status_code == 303
    form = {"sub": subject} if subject else {"action": "deny"}
    async with httpx.AsyncClient() as elsewhere:
        answer = await elsewhere.post(started.headers["location"], data=form)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def add_student(service: Service, external_id: str, email: str) -> None:
    async with service.services.database.write() as session:
        member = members.add(session, DEFAULT_COURSE, external_id=external_id)
        await session.flush()
        member.confirmed_at = utc_now()
        (await session.get_one(Person, member.person_id)).email = email


async def test_student_of_the_roster_signs_in_and_is_in_the_course(service, issuer):
    await add_student(service, "s-17", "ivanov@example.edu")
    async with browser(service) as client:
        entered = await client.get("/enter")
        assert 'href="/oidc/start"' in entered.text
        back = await come_back(await client.get("/oidc/start"), "1")
        assert back.startswith(f"{SERVICE}/oidc/callback?")
        done = await client.get(back)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        page = await client.get("/")
        assert page.status_code == 200
        assert "s-17" in page.text


async def test_sign_in_leads_back_to_the_page_that_asked_for_it(service):
    async with browser(service) as client:
        refused = await client.get("/submissions/x?state=look&lang=en")
        assert refused.status_code == 401
        address = re.search(r'href="(/oidc/start[^"]*)"', refused.text)
        done = await client.get(await come_back(await client.get(unescape(address[1])), "1"))
        assert done.headers["location"] == "/submissions/x?state=look"


async def test_stranger_is_told_that_a_teacher_must_confirm(service):
    await add_student(service, "s-18", "petrov@example.edu")
    async with browser(service) as client:
        await client.get(await come_back(await client.get("/oidc/start"), "2"))
        page = await client.get("/")
        assert page.status_code == 403
        assert "a teacher" in page.text
        async with service.services.database.read() as session:
            person = await session.scalar(select(Person).where(Person.name == "Petr Petrov"))
            assert person.email is None  # The issuer has not verified it.
        await client.post("/leave", data={"form_secret": form_secret(page.text)})
        assert (await client.get("/")).status_code == 401


async def test_person_who_opens_a_link_of_theirs_adds_its_course_to_the_account(service):
    async with service.services.database.write() as session:
        member = members.add(session, DEFAULT_COURSE, external_id="s-19", name="Petr")
        await session.flush()
        secret = (await links.make(session, [member], None))[0].secret
    async with browser(service) as client, browser(service) as other:
        await client.get(await come_back(await client.get("/oidc/start"), "2"))
        page = await client.get("/enter", params={"token": secret})
        assert "This browser is signed in as Petr Petrov now" in page.text
        form = {"token": secret, "form_secret": form_secret(page.text)}
        assert (await client.post("/enter/together", data=form | {"form_secret": "00"})).status_code == 403
        assert (await other.post("/enter/together", data=form)).status_code == 401
        done = await client.post("/enter/together", data=form)
        assert (done.status_code, done.headers["location"]) == (303, f"/?course={DEFAULT_COURSE}")
        # In another browser the account alone opens it.
        await other.get(await come_back(await other.get("/oidc/start"), "2"))
        assert "s-19" in (await other.get("/")).text
        # And nobody else's account gets it by the link.
        await other.get(await come_back(await other.get("/oidc/start"), "1"))
        page = await other.get("/enter", params={"token": secret})
        form = {"token": secret, "form_secret": form_secret(page.text.partition("/enter/together")[2])}
        assert (await other.post("/enter/together", data=form)).status_code == 409


async def test_answer_works_in_the_browser_that_asked_and_once(service):
    async with browser(service) as mine, browser(service) as theirs:
        started = await mine.get("/oidc/start")
        for attribute in ("HttpOnly", "SameSite=lax", "Max-Age=600"):
            assert attribute in started.headers["set-cookie"]
        back = await come_back(started, "1")
        # Another site brings somebody's browser here with an answer of its own.
        assert (await theirs.get(back)).status_code == 403
        await theirs.get("/oidc/start")
        assert (await theirs.get(back)).status_code == 403
        # Theirs declines at the issuer, and is not signed in.
        assert (await theirs.get(await come_back(await theirs.get("/oidc/start"), None))).status_code == 403
        assert (await theirs.get("/")).status_code == 401
        kept = mine.cookies["lstm_grader_sign_on"]
        assert (await mine.get(back)).status_code == 303
        assert "lstm_grader_sign_on" not in mine.cookies
        again = await mine.get(back)
        assert again.status_code == 403
        assert "not begun in this browser" in again.text
        # Even with the cookie: the issuer takes each code once.
        mine.cookies.set("lstm_grader_sign_on", kept)
        assert (await mine.get(back)).status_code == 403


async def test_sign_in_that_one_process_began_is_ended_by_another(settings, url_on_postgresql):
    shared = settings.model_copy(update={"database_url": url_on_postgresql, "owner_token": SecretStr(OWNER_TOKEN)})
    async with (
        running(shared, FakeGrader()) as one,
        running(shared, FakeGrader()) as other,
        browser(one) as begun,
        browser(other) as finished,
    ):
        back = await come_back(await begun.get("/oidc/start"), "1")
        finished.cookies = begun.cookies
        assert (await finished.get(back)).status_code == 303
        begun.cookies = finished.cookies
        assert "in no course yet" in (await begun.get("/")).text


async def test_issuer_that_is_away_is_a_page_and_ends_no_session(tmp_path, settings):
    away = settings.model_copy(update={"oidc_issuer": f"http://localhost:{free_port()}"})
    async with running(away, FakeGrader()) as service, service.browser() as client:
        answer = await client.get("/oidc/start")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert "Traceback" not in answer.text
        assert (await client.get("/courses")).status_code == 200
