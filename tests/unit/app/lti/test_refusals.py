"""Wrong logins and launches: each gets a status, a page that says what to do, and a line in the log that says why.

Each table runs on one service, because starting one takes longer than all its rows.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Any

import httpx
import pytest

from app.lti import platforms
from app.storage.models import Course, LtiContext, LtiLogin, Membership, Person, utc_now
from tests.platforms import ISSUER, LTI, OTHER_KEY, REGISTRATION, login_parameters, signed
from tests.unit.app.lti.conftest import LAUNCH, LOGIN, TEACHER, register

pytestmark = pytest.mark.usefixtures("platform")


@dataclass(frozen=True)
class Refusal:
    """Attributes: words: in the page. error, reason: in the log."""

    status: int
    words: str
    error: str
    reason: str | None = None
    event: str = "lti_refused"


def refused(reason: str) -> Refusal:
    return Refusal(403, f"this code: {reason}.", "LaunchRefused", reason)


def outdated(reason: str) -> Refusal:
    return Refusal(403, "works once", "LaunchOutdated", reason)


def login_refused(reason: str) -> Refusal:
    return Refusal(400, reason, "LoginRefused", reason)


UNKNOWN = Refusal(403, "not registered", "PlatformUnknown")
# All addresses that are not ours stand in test_message.
LOGINS: dict[str, tuple[dict[str, str], Refusal]] = {
    "foreign issuer": ({"iss": "https://evil.example"}, UNKNOWN),
    "issuer with a slash": ({"iss": f"{ISSUER}/"}, UNKNOWN),
    "foreign client id": ({"client_id": "another"}, UNKNOWN),
    "no issuer": ({"iss": ""}, login_refused("iss is missing")),
    "no login hint": ({"login_hint": ""}, login_refused("login_hint is missing")),
    "no target": ({"target_link_uri": ""}, login_refused("target_link_uri is missing")),
    "long login hint": ({"login_hint": "x" * 5000}, login_refused("login_hint is too long or does not print")),
    "header in the message hint": (
        {"lti_message_hint": "a\r\nLocation: //evil.example"},
        login_refused("lti_message_hint is too long or does not print"),
    ),
    "NUL in the deployment": (
        {"lti_deployment_id": "a\0b"},
        login_refused("lti_deployment_id is too long or does not print"),
    ),
    "long parameters": (
        {"login_hint": "\u00e9" * 1000, "lti_message_hint": "x"},
        login_refused("the parameters are too long"),
    ),
    "target elsewhere": (
        {"target_link_uri": "https://evil.example/lti/open"},
        login_refused("target_link_uri is not of this service"),
    ),
}


CLAIMS: dict[str, tuple[dict[str, Any], Refusal]] = {
    "foreign issuer": ({"iss": "https://evil.example"}, refused("issuer")),
    "expired": ({"exp": timedelta(hours=-1)}, outdated("expired")),
    "anonymous": ({"sub": None}, Refusal(403, "who you are", "LaunchAnonymous")),
    "other deployment": ({f"{LTI}deployment_id": "elsewhere"}, Refusal(403, "elsewhere", "DeploymentUnknown")),
    "no course": ({f"{LTI}context": None}, Refusal(403, "inside a course", "LaunchWithoutCourse")),
    "mentor": ({"role": "Mentor"}, Refusal(403, "for mentors", "MentorLaunch")),
    "assistant before any teacher": (
        {"role": "TeachingAssistant"},
        Refusal(403, "A teacher has to do this", "TeacherNeeded"),
    ),
    "student before any teacher": ({}, Refusal(403, "has not set this up", "CourseUnconnected")),
}


class Checked:
    """Collects what was not refused as it should be."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self.wrong: dict[str, object] = {}

    async def __call__(self, name: str, expected: Refusal, act: Callable[[], Awaitable[httpx.Response]]) -> None:
        self._caplog.clear()
        answer = await act()
        lines = [
            (getattr(each, "error", "")[:40], getattr(each, "reason", None))
            for each in self._caplog.records
            if each.message == expected.event
        ]
        is_page = answer.headers["content-type"].startswith("text/html")
        shown = expected.words in " ".join(unescape(answer.text).split())
        found = answer.status_code, is_page, shown, "location" in answer.headers, lines
        if found != (expected.status, True, True, False, [(expected.error, expected.reason)]):
            self.wrong[name] = found


@pytest.fixture
def checked(caplog: pytest.LogCaptureFixture) -> Checked:
    caplog.set_level("INFO", "app")
    return Checked(caplog)


async def test_wrong_logins(client, checked):
    for name, (changed, expected) in LOGINS.items():
        await checked(name, expected, partial(client.post, LOGIN, data=login_parameters(**changed)))
    for each in ("iss", "login_hint", "target_link_uri", "client_id"):
        twice = [*login_parameters().items(), (each, "another")]
        await checked(f"{each} twice", login_refused(f"{each} came twice"), partial(client.get, LOGIN, params=twice))
    assert checked.wrong == {}


async def test_wrong_claims(service, client, checked):
    for name, (claims, expected) in CLAIMS.items():
        await checked(name, expected, partial(client.launch, **claims))
    assert checked.wrong == {}
    assert await service.rows(Membership) == []


async def test_launch_that_nobody_began(service, client, platform, fake, checked):

    async def fields() -> dict[str, str]:
        return fake.message(await client.begin(), **TEACHER)

    def post(sent: Any) -> Callable[[], Awaitable[httpx.Response]]:
        return partial(client.post, LAUNCH, data=sent)

    await client.launch(**TEACHER)
    used = await fields()
    assert (await client.post(LAUNCH, data=used)).status_code == 303
    await checked("state again", outdated("state"), post(used))
    await checked("unknown state", outdated("state"), post({**await fields(), "state": "x" * 43}))
    await checked("no state", outdated("state"), post({"id_token": "a.b.c"}))
    await checked("nothing", outdated("state"), post({}))
    first, second = await fields(), await fields()
    await checked("nonce of another", refused("nonce"), post({**first, "id_token": second["id_token"]}))
    await checked("message again", refused("nonce"), post({**await fields(), "id_token": used["id_token"]}))
    await checked("state of a refused one", outdated("state"), post(first))
    await checked("no message", refused("token_form"), post({"state": (await fields())["state"]}))
    doubled = {"state": [(await fields())["state"], "x" * 43], "id_token": "a.b.c"}
    await checked("field twice", refused("field_twice"), post(doubled))
    late = await fields()
    await service.store(LtiLogin, expires_at=utc_now())
    await checked("after ten minutes", outdated("state_expired"), post(late))
    error = {"error": "login_required<script>", "error_description": "x", "state": "y"}
    await checked("platform says no", refused("platform_login_requiredscript"), post(error))
    late = await fields()
    await service.write(platforms.suspend, platform.id)
    await checked("suspended meanwhile", refused("platform_unconfirmed"), post(late))
    begun = partial(client.post, LOGIN, data=login_parameters())
    await checked("suspended", UNKNOWN, begun)
    assert checked.wrong == {}


async def test_one_platform_does_not_speak_for_another(service, client, fake, checked):
    """Both know a course and a person by the same ids."""
    second = replace(REGISTRATION, issuer="https://other.example", client_id="other", keys_url=f"{ISSUER}/other")
    await register(service, second)
    fake.answers["/other"] = lambda: httpx.Response(200, json={"keys": [OTHER_KEY.as_dict(private=False)]})
    other = {"iss": "https://other.example", "client_id": "other"}
    ours = await client.land(**TEACHER)

    async def come(**claims: Any) -> httpx.Response:
        return await client.post(LAUNCH, data=fake.message(await client.begin(**other), **TEACHER, **claims))

    fake.sign = partial(signed, key=OTHER_KEY)
    await checked("first one's issuer", refused("issuer"), partial(come, aud="other"))
    await checked("first one's client id", refused("audience"), partial(come, iss="https://other.example"))
    fake.sign = signed
    theirs = {"iss": "https://other.example", "aud": "other"}
    await checked("first one's key", refused("key_unknown"), partial(come, **theirs))
    fake.sign = partial(signed, key=OTHER_KEY)
    assert (await client.choose(await come(**theirs), course="new")).headers["location"] != ours
    assert (await client.get(ours)).status_code == 404
    assert checked.wrong == {}
    assert len(await service.rows(LtiContext)) == 2
    assert len([each for each in await service.rows(Course) if each.title == "Recurrent networks"]) == 2
    assert len(await service.rows(Person)) == 2
