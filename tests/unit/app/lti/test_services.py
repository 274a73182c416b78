"""Platforms whose services are at addresses that nothing is sent to, or answer wrongly, slowly or without end.

Each service is asked as a person or a job here asks it, and each row of a table is refused: the page says it, the log
says why, and what was to be read or sent is read or sent when the platform is well again.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable
from html import unescape
from typing import Any, ClassVar

import httpx
import pytest
from sqlalchemy import update

from app.lti.grades import sender
from app.lti.nightly import Nightly
from app.lti.platform_keys import PlatformKeys
from app.lti.platform_services import LINEITEM_SCOPE, RESULT_SCOPE, SCORE_SCOPE
from app.outgoing import targets
from app.storage.models import LtiContext, LtiInvitation, LtiLink, LtiPlatform, LtiScore, Membership, utc_now
from app.storage.passback import scores_changed
from tests.platforms import AGS, ISSUER, NRPS, REGISTRATION, FakePlatform
from tests.platforms.registrar import moodle
from tests.unit.app.conftest import Service, form_secret
from tests.unit.app.lti.conftest import (
    LAUNCH,
    TEACHER,
    begin,
    browser,
    come_and_hand_in,
    everything,
    failed,
    idle,
    launch,
)
from tests.unit.app.lti.test_nightly import person
from tests.unit.app.lti.test_registering import invite
from tests.unit.app.lti.test_registering import register as register_there
from tests.waiting import until

pytestmark = pytest.mark.anyio

Answering = Callable[[], Any]
#: By their names. No words: the service says what it misses.
Answers = dict[str, tuple[Answering, str | None]]
SCOPES = [SCORE_SCOPE, RESULT_SCOPE, LINEITEM_SCOPE]
#: The only public address here.
PUBLIC = "8.8.8.8"
NAMES = {
    "lms.example.edu": [PUBLIC],
    "moodle.example.edu": [PUBLIC],
    "inside.example.edu": ["192.168.1.9"],
    "linked.example.edu": ["fe80::1%2"],
    "mixed.example.edu": [PUBLIC, "127.0.0.1"],
}
ADDRESSES = {
    "https://127.0.0.1/x": "127.0.0.1 is in a private network",
    "https://169.254.169.254/latest/meta-data": "169.254.169.254 is in a private network",
    "https://10.0.0.5:8443/x": "10.0.0.5 is in a private network",
    "https://[::1]/x": "::1 is in a private network",
    "https://[::ffff:127.0.0.1]/x": "::ffff:127.0.0.1 is in a private network",
    "https://[fe80::1]/x": "fe80::1 is in a private network",
    "https://[64:ff9b::7f00:1]/x": "64:ff9b::7f00:1 is in a private network",
    "https://2130706433/x": "2130706433 is a short or unusual form of an address",
    "https://localhost/x": "localhost is this machine",
    "http://lms.example.edu/x": "the address of lms.example.edu does not begin with https://",
    "file://lms.example.edu/etc/passwd": "the address of lms.example.edu does not begin with https://",
    "https://user:word@lms.example.edu/x": "the address of lms.example.edu holds a user, a password or #",
    "https://inside.example.edu/x": "inside.example.edu leads into a private network",
    "https://linked.example.edu/x": "linked.example.edu leads into a private network",
    "https://mixed.example.edu/x": "mixed.example.edu leads into a private network",
    "https://nowhere.example.edu/x": "the name nowhere.example.edu is not known",
}


async def never() -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


class Drip(httpx.AsyncByteStream):
    """Gives one byte after the other, each of them soon enough, and comes to no end."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.001)  # Sleeps: this is what is slow


def cut() -> httpx.Response:
    raise httpx.RemoteProtocolError("cut")


def body(content: bytes, **headers: str) -> Answering:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: httpx.Response(200, content=content, headers=named)


NO_JSON, LATE = "the answer is no JSON", "no answer in time"
ANSWERS: Answers = {
    "no answer": (never, LATE),
    "a byte at a time": (lambda: httpx.Response(200, stream=Drip()), LATE),
    "broken connection": (cut, "RemoteProtocolError: cut"),
    "megabytes": (body(b" " * 10_000_000), "the answer is longer than"),
    "packed": (body(gzip.compress(b"[]"), content_encoding="gzip"), "the answer is compressed"),
    "redirect inside": (lambda: httpx.Response(302, headers={"Location": "http://169.254.169.254/"}), "302"),
    "fault": (lambda: httpx.Response(503, html="<html><title>Down for &quot;repairs&quot;</title>"), "503"),
    "a page": (lambda: httpx.Response(200, html="<html><title>Sign in</title>"), NO_JSON),
    "a picture": (body(b"\x89PNG\r\n\x1a\n\0\xff", content_type="image/png"), NO_JSON),
    "cut JSON": (body(b'{"keys": [{"id": 1'), NO_JSON),
    "deep JSON": (body(b"[" * 100_000), NO_JSON),
    "half a character": (body(b'{"access_token": "\\ud800"}'), NO_JSON),
    "a number": (body(b"5"), None),
}


def says(document: object) -> Answering:
    return lambda: httpx.Response(200, json=document)


class Asked:
    """A service of a platform that is asked for something.

    Attributes:
        path: there.
        event: of the line in the log.
        unusable, refused: statuses of the page where an answer cannot be used, and where nothing is sent to an address.
        form: words about an answer of another form.
        page: words of the page, if they are not those of the log.
        answers: wrong ones of any service.
    """

    path: ClassVar[str]
    event: ClassVar[str]
    unusable: ClassVar[int] = 200
    refused: ClassVar[int] = 200
    form: ClassVar[str] = ""
    page: ClassVar[str | None] = None
    answers: ClassVar[Answers] = ANSWERS

    def __init__(self, service: Service, fake: FakePlatform, teacher: httpx.AsyncClient, course: str) -> None:
        self.service, self.fake, self.teacher, self.course = service, fake, teacher, course

    async def begin(self) -> None:
        """Bring about what is needed to ask."""

    async def point(self, url: str | None) -> None:
        """Let it be at this address; None: at its own."""
        raise NotImplementedError

    async def ask(self) -> httpx.Response:
        """Ask for something that is not given; return the page that says so."""
        raise NotImplementedError

    async def arrives(self) -> bool:
        """Ask again, and tell whether all is as if nothing had happened."""
        raise NotImplementedError

    def expected(self, url: str, words: str) -> tuple[int, str] | None:
        """Return status and words for an address; None: it is not taken as one, or not asked yet."""
        return self.unusable if "not known" in words else self.refused, words

    async def post(self, path: str, **fields: str) -> httpx.Response:
        secret = form_secret((await self.teacher.get(f"{self.course}/lms")).text)
        return await self.teacher.post(f"{self.course}/lms/{path}", data={"form_secret": secret, **fields})

    async def put(self, table: type[Any], **values: object) -> None:
        async with self.service.services.database.write() as session:
            await session.execute(update(table).values(**values))


class Keys(Asked):
    path, event, unusable, refused = "/keys", "lti_keys_unavailable", 503, 503
    form, page = "no RSA key", "cannot be read at the moment"

    async def point(self, url: str | None) -> None:
        await self.put(LtiPlatform, keys_url=url or REGISTRATION.keys_url)

    async def ask(self) -> httpx.Response:
        # Nothing is known of the last try.
        parts = self.service.services
        parts.__dict__["platform_keys"] = PlatformKeys(parts.outgoing)
        async with browser(self.service) as client:
            return await client.post(LAUNCH, data=self.fake.message(await begin(client), **TEACHER))

    async def arrives(self) -> bool:
        return (await self.ask()).status_code == 303


class Scores(Asked):
    """The line item of the link."""

    path, event = "/items/4/scores", "lti_score_failed"
    # Whether it has arrived is all that is read.
    answers: ClassVar[Answers] = {name: row for name, row in ANSWERS.items() if row[1] not in (NO_JSON, None)}
    answers |= {"a page": (ANSWERS["a page"][0], "the platform answered with a page")}
    score: LtiScore

    async def begin(self) -> None:
        await come_and_hand_in(self.service, self.fake, **claims())
        await until(lambda: self.fake.grades)
        self.score = await idle(self.service)
        assert self.score.failed_at is None

    async def point(self, url: str | None) -> None:
        await self.put(LtiLink, lineitem_url=url or f"{ISSUER}/items/4?type=7")

    async def ask(self) -> httpx.Response:
        await self.prepare()
        async with self.service.services.database.write() as session:
            await scores_changed(session, [self.score.id])
        await failed(self.service)
        return await self.teacher.get(f"{self.course}/lms")

    async def prepare(self) -> None:
        """Forget what is known of the last try."""

    async def arrives(self) -> bool:
        await self.prepare()
        before = self.fake.grades["user-5"]["timestamp"]
        await self.post(f"links/{self.score.lti_link_id}/send")
        again = await idle(self.service)
        score = self.fake.grades["user-5"]
        return (again.points, score["scoreGiven"], again.failed_at) == (100, 100, None) and score["timestamp"] > before


class Token(Scores):
    path, answers, form = "/token", ANSWERS, "the answer holds no access token"

    async def point(self, url: str | None) -> None:
        await self.put(LtiPlatform, token_url=url or REGISTRATION.token_url)

    async def prepare(self) -> None:
        self.service.services.platform_services._tokens.clear()


class LineItems(Token):
    path, form = "/items", "the list of line items has another form"

    async def point(self, url: str | None) -> None:
        self.fake.book.items = {}
        await self.put(LtiLink, lineitems_url=url or f"{ISSUER}/items")

    async def prepare(self) -> None:
        await self.put(LtiLink, lineitem_url=None, lineitem_at=None)


class FoundItem(LineItems):
    """A line item that the platform lists as this link's."""

    answers: ClassVar[Answers] = {}
    form = "the line item has no usable address"

    async def point(self, url: str | None) -> None:
        self.fake.book.items = {url: {"id": url, "resourceLinkId": "link-9"}} if url else {}


class Results(Scores):
    path, event, answers = "/items/4/results", "lti_course_compared", ANSWERS
    form = "the list of results has another form"

    async def ask(self) -> httpx.Response:
        parts = self.service.services
        nightly = Nightly(parts.database, parts.assignments, parts.platform_services)
        await self.put(LtiContext, next_at=utc_now())
        assert await nightly.check_next()
        return await self.teacher.get(f"{self.course}/lms")

    async def arrives(self) -> bool:
        await self.ask()
        (context,) = await everything(self.service, LtiContext)
        return context.check_error is None and (await idle(self.service)).differs_since is None


class Members(Asked):
    path, event, unusable, refused = "/members", "lti_members_refused", 502, 403
    form = "the list of members has another form"

    async def point(self, url: str | None) -> None:
        await self.put(LtiContext, memberships_url=url or f"{ISSUER}/members")

    async def ask(self) -> httpx.Response:
        (context,) = await everything(self.service, LtiContext)
        return await self.post(f"contexts/{context.id}/members")

    async def arrives(self) -> bool:
        members = await everything(self.service, Membership)
        return (await self.ask()).status_code == 200 and [each.removed_at for each in members] == [None]


class NextMembers(Members):
    """The page of the list that comes next."""

    answers: ClassVar[Answers] = {}

    async def point(self, url: str | None) -> None:
        first = {"members": [person("teacher-1", "Instructor")]}
        more = {"Link": f'<{url}>; rel="next"'} if url else {}
        self.fake.answers["/members"] = lambda: httpx.Response(200, json=first, headers=more)

    def expected(self, url: str, words: str) -> tuple[int, str] | None:
        is_here = url.startswith("https://user:word@")
        return (403, words) if is_here else (502, "the next page of the list is at another site")


class Registrations(Asked):
    """The configuration that a platform's administrator has us read."""

    path, event, unusable, refused = "/openid-configuration", "lti_registration_refused", 502, 403
    form = "missing or wrong: "

    async def begin(self) -> None:
        self.invitation = await invite(self.service)
        self.parameters = self.fake.registrar.parameters

    async def point(self, url: str | None) -> None:
        self.parameters = {**self.fake.registrar.parameters, **({"openid_configuration": url} if url else {})}

    async def ask(self) -> httpx.Response:
        return await register_there(self.service, self.invitation, **self.parameters)

    async def arrives(self) -> bool:
        (invitation,) = await everything(self.service, LtiInvitation)
        was_free = invitation.used_at is None and len(await everything(self.service, LtiPlatform)) == 1
        return was_free and (await self.ask()).status_code == 200

    def expected(self, url: str, words: str) -> tuple[int, str] | None:
        is_site = url.startswith("http") and "@" not in url and "[" not in url
        return super().expected(url, words) if is_site else (400, "openid_configuration is no address")


class Answered(Registrations):
    """The answer to a registration, and its address in the configuration."""

    path = "/register"
    names: ClassVar[tuple[str, ...]] = ("registration_endpoint",)

    async def point(self, url: str | None) -> None:
        self.fake.registrar.says = {**moodle().says, **(dict.fromkeys(self.names, url) if url else {})}

    def expected(self, url: str, words: str) -> tuple[int, str] | None:
        if not url.startswith("http"):
            return 502, f"missing or wrong: {', '.join(sorted(self.names))}"
        if "leads into" in words or "not known" in words:
            return Asked.expected(self, url, words)
        return 403, f"{self.names[0]}: {words}"


class Configured(Answered):
    """An address of the configuration that is asked later: it is not looked up yet."""

    answers: ClassVar[Answers] = {}

    def expected(self, url: str, words: str) -> tuple[int, str] | None:
        return None if "leads into" in words or "not known" in words else super().expected(url, words)


class ConfiguredKeys(Configured):
    names = ("jwks_uri",)


class ConfiguredTokens(Configured):
    names = ("token_endpoint",)


class ConfiguredLogin(Configured):
    names = ("authorization_endpoint",)


ASKED = [
    Keys,
    Token,
    LineItems,
    FoundItem,
    Scores,
    Results,
    Members,
    NextMembers,
    Registrations,
    Answered,
    ConfiguredKeys,
    ConfiguredTokens,
    ConfiguredLogin,
]


#: Documents of another form than each service expects.
FORMS: dict[type[Asked], list[object]] = {
    Keys: [
        [],
        {"keys": []},
        {"keys": {"a": 1}},
        {"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]},
        {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a"}]},
        {"keys": [{"kty": "RSA", "kid": 5}]},
    ],
    Token: [
        [],
        {"error": "none"},
        *({"access_token": token} for token in (7, "", "a b", "a\r\nX-Evil: 1", "x" * 9000)),
    ],
    LineItems: [{"lineItems": []}, {"error": "none"}, "none"],
    FoundItem: [[{"resourceLinkId": "link-9", "id": id}] for id in (None, 5, ["x"], "https://x/\0", "x" * 3000)],
    Results: [{"results": []}, [5], [{"userId": 5}], [{"userId": "user-5", "resultScore": 10**400}]],
    Members: [
        {},
        {"members": {}},
        {"members": [5]},
        {"members": [{"user_id": 5}]},
        {"members": [{"user_id": ""}]},
        {"members": [{"user_id": "a", "roles": "Instructor"}]},
    ],
    Registrations: [[], {}, *({**moodle().configuration, **wrong} for wrong in ({"jwks_uri": 5}, {"issuer": ["x"]}))],
    Answered: [{}, *({"client_id": id} for id in (7, "a\r\nb", "client-7 ", "cl\xefent-7", "x" * 256, ""))],
}


def claims() -> dict[str, Any]:
    own = {"scope": SCOPES, "lineitem": f"{ISSUER}/items/4?type=7", "lineitems": f"{ISSUER}/items"}
    return {AGS: own, NRPS: {"context_memberships_url": f"{ISSUER}/members"}}


@pytest.fixture
async def asked(
    request: pytest.FixtureRequest,
    service: Service,
    fake: FakePlatform,
    course: str,
    short_waits: None,
    clock_that_runs: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Asked]:
    # The first failure is the last one, so that pages say what it was.
    monkeypatch.setattr(sender, "MOST_TRIES", 1)
    fake.people = [person("teacher-1", "Instructor"), person("user-5")]
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **claims())
        found: Asked = request.param(service, fake, teacher, course)
        await found.begin()
        # These are its own, too.
        await found.put(
            LtiPlatform, origins=" ".join(f"https://{host}" for host in NAMES | {"nowhere.example.edu": []})
        )
        yield found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: str, port: int, **_: object) -> list[Any]:
        if host not in NAMES:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in NAMES[host]]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr("app.outgoing.client.look_up", targets.look_up)


class Refused:
    """Collects the rows that were not refused as they should be."""

    def __init__(self, asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
        self._asked, self._caplog = asked, caplog
        self.wrong: dict[str, object] = {}

    async def __call__(self, name: str, status: int, words: str) -> None:
        self._caplog.clear()
        answer = await self._asked.ask()
        lines = [str(vars(each)) for each in self._caplog.records if each.message == self._asked.event]
        shown = " ".join(unescape(re.sub("<[^>]*>", "", answer.text)).split())
        faults = [each.message for each in self._caplog.records if each.levelno >= logging.ERROR]
        found = answer.status_code, (self._asked.page or words) in shown, [words in line for line in lines], faults
        if found != (status, True, [True], []):
            self.wrong[name] = found, shown[:600], lines


@pytest.fixture
def refused(asked: Asked, caplog: pytest.LogCaptureFixture) -> Refused:
    caplog.set_level(logging.INFO, "app")
    return Refused(asked, caplog)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.thorough)], ids=["some", "all"])
@pytest.mark.parametrize("asked", ASKED, indirect=True)
async def test_no_address_inside_is_asked_and_no_wrong_slow_or_endless_answer_is_taken(
    asked: Asked, fake: FakePlatform, names: None, refused: Refused, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Each service is tried with every so many-th row from another one on: together they meet all rows."""
    first = ASKED.index(type(asked)) % every
    begun = len(fake.sent)
    for url, words in list(ADDRESSES.items())[first::every]:
        await asked.point(url)
        if (expected := asked.expected(url, words)) is not None:
            await refused(url, *expected)
    assert {request.url.host for request in fake.sent[begun:]} <= {PUBLIC}
    await asked.point(None)
    others: Answers = {repr(each)[:60]: (says(each), None) for each in FORMS.get(type(asked), [])}
    for name, (answer, words) in list((asked.answers | others).items())[first::every]:
        fake.answers[asked.path] = answer
        with monkeypatch.context() as patch:
            if words == LATE:
                patch.setattr(asked.service.services.outgoing, "_seconds", 0.05)
            await refused(name, asked.unusable, words or asked.form)
    assert refused.wrong == {}
    fake.answers.pop(asked.path, None)
    assert await asked.arrives()
