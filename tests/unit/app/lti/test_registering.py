"""Platforms that register themselves: by the rules of each, and every way in which that is refused."""

import asyncio
import json
import logging
import re
from collections import Counter
from datetime import timedelta
from functools import partial

import httpx
import pytest

from app.storage.models import LtiDeployment, LtiInvitation, LtiPlatform, utc_now
from tests.platforms import CLIENT_ID, ISSUER, FakePlatform
from tests.platforms.registrar import (
    CONFIGURATION,
    DEEP_LINKING,
    REGISTRARS,
    RESOURCE_LINK,
    SCOPES,
    TOOL,
    blackboard,
    moodle,
)
from tests.unit.app.calls import send
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import browser
from tests.unit.app.lti.conftest import register as register_by_hand

SITE = moodle().issuer
CLOSING = '<script type="module" src="/static/registered.js"></script>'


async def invite(service: Service) -> str:
    """Make an invitation as an admin does; return its path."""
    async with service.browser() as admin:
        shown = await send(admin, "/platforms", "/platforms/invitations")
        found = re.search(r"http://grader\.test(/lti/register/[\w-]{43})<", shown.text)
        assert (shown.status_code, found is not None) == (200, True)
        return found[1]


async def register(service: Service, path: str, **parameters: str) -> httpx.Response:
    """Open an invitation inside the platform, and press the button."""
    async with browser(service) as admin:
        shown = await admin.get(path, params=parameters)
        if shown.status_code != 200:
            return shown
        sent = dict(re.findall(r'name="(openid_configuration|registration_token)" value="([^"]*)"', shown.text))
        return await admin.post(path, data=sent)


async def test_platform_registers_itself_and_waits_for_an_admin(service, admin, fake):
    registrar = fake.registrar
    answer = await register(service, await invite(service), **registrar.parameters)
    assert answer.status_code == 200, answer.text
    assert CLOSING in answer.text
    (platform,) = await service.rows(LtiPlatform)
    assert platform.confirmed_at is None
    assert (platform.issuer, platform.client_id) == (registrar.issuer, "client-of-the-registration")
    assert (platform.login_url, platform.keys_url) == (f"{registrar.issuer}/auth", f"{registrar.issuer}/keys")
    assert platform.token_url == registrar.configuration["token_endpoint"]
    assert service.services.frame_sites() == ()
    (tool,) = registrar.registered
    assert tool["redirect_uris"] == ["http://grader.test/lti/launch"]
    assert tool["initiate_login_uri"] == "http://grader.test/lti/login"
    assert tool["jwks_uri"] == "http://grader.test/lti/keys"
    assert tool["logo_uri"] == "http://grader.test/static/icon.svg"
    assert tool["scope"].split() == SCOPES
    assert tool[TOOL]["domain"] == "grader.test"
    assert {"name", "email"} <= set(tool[TOOL]["claims"])
    page = f"/platforms/{platform.id}"
    shown = (await admin.get(page)).text
    assert "Confirm" in shown
    await send(admin, page, f"{page}/confirm")
    assert service.services.frame_sites() == (registrar.issuer,)


async def test_each_platform_is_registered_as_it_describes_itself(service, admin, fake):
    """The portal of Blackboard speaks for the issuer of all schools."""
    tools = {}
    for make in (*REGISTRARS.values(), blackboard):
        fake.registrar = make()
        fake.registrar.client_id = f"client-of-{make.__name__}"
        answer = await register(service, await invite(service), **fake.registrar.parameters)
        assert answer.status_code == 200, answer.text
        (tools[make.__name__],) = fake.registrar.registered
    platforms = {each.issuer: each for each in await service.rows(LtiPlatform)}
    brightspace = platforms["https://school.brightspace.com"]
    assert {issuer: (each.name, each.token_audience) for issuer, each in platforms.items()} == {
        "https://moodle.example.edu": ("Moodle, moodle.example.edu", None),
        "https://canvas.instructure.com": ("Test University, canvas.instructure.com", None),
        brightspace.issuer: ("Desire2learn, school.brightspace.com", "https://api.brightspace.com/auth/token"),
        "https://blackboard.com": (platforms["https://blackboard.com"].name, None),
    }
    assert platforms["https://blackboard.com"].keys_url == "https://developer.blackboard.com/keys"
    assert brightspace.token_audience in (await admin.get(f"/platforms/{brightspace.id}")).text
    assert [each.deployment_id for each in await service.rows(LtiDeployment)] == ["17"]
    assert [each["type"] for each in tools["brightspace"][TOOL]["messages"]] == [RESOURCE_LINK]
    # Teachers find the tool there in Canvas.
    placements = {each["type"]: each.get("placements") for each in tools["canvas"][TOOL]["messages"]}
    assert placements == {RESOURCE_LINK: None, DEEP_LINKING: ["assignment_selection", "link_selection"]}
    assert tools["canvas"][TOOL]["https://canvas.instructure.com/lti/privacy_level"] == "public"


async def test_page_stands_in_the_frame_of_an_unknown_platform_alone(service, other, fake):
    path = await invite(service)
    asking = await other.get(path, params=fake.registrar.parameters)
    refused = await other.get("/lti/register/none", params=fake.registrar.parameters)
    closing = await other.post(path, data=fake.registrar.parameters)
    for answer in (asking, refused, closing):
        assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self' *")
        assert "x-frame-options" not in answer.headers
        # The window that has opened this one is told when it may close it.
        assert "cross-origin-opener-policy" not in answer.headers
        assert "set-cookie" not in answer.headers
    for page in (asking, closing):
        # No page that a link led to would be shown there.
        assert re.findall(r'<a [^>]*href="(?!#)[^"]*"', page.text) == []
    for elsewhere in ("/enter", "/lti/open", "/courses", "/lti/registers"):
        answer = await other.get(elsewhere)
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"


async def test_invitation_is_used_once_however_many_come_at_once_and_a_platform_registers_once(service, other, fake):
    fake.registrar = REGISTRARS["brightspace"]()
    path = await invite(service)
    answers = await asyncio.gather(*(other.post(path, data=fake.registrar.parameters) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 410: 4}
    assert "This invitation has been used" in next(each.text for each in answers if each.status_code == 410)
    assert len(fake.registrar.registered) == 1
    again = await register(service, await invite(service), **fake.registrar.parameters)
    assert (again.status_code, "registered already" in again.text) == (409, True)
    assert len(await service.rows(LtiPlatform)) == 1


async def test_unknown_invitations_and_those_that_are_expired_or_opened_elsewhere_have_their_pages(
    service, other, fake
):
    path = await invite(service)
    shown = await other.get(path)
    assert (shown.status_code, f"http://grader.test{path}" in shown.text) == (200, True)
    assert (await other.post(path)).status_code == 200
    (invitation,) = await service.rows(LtiInvitation)
    assert invitation.used_at is None
    await service.store(LtiInvitation, expires_at=utc_now() - timedelta(seconds=1))
    expired = await register(service, path, **fake.registrar.parameters)
    assert (expired.status_code, "This invitation has expired" in expired.text) == (410, True)
    unknown = await register(service, path[:-1], **fake.registrar.parameters)
    assert (unknown.status_code, "no such invitation" in unknown.text) == (404, True)
    assert fake.asked == []


#: Changes of a platform's configuration.
REFUSED: list[tuple[dict[str, str], int, str]] = [
    ({"issuer": "https://canvas.instructure.com"}, 400, "speaks for https://canvas"),
    ({"issuer": "https://blackboard.com"}, 400, "speaks for https://blackboard.com"),
    ({"issuer": "https://x.moodle.example.edu"}, 400, "speaks for"),
    ({"issuer": f"{SITE}:8443"}, 400, "speaks for"),
    ({"issuer": "https://u\u2100@moodle.example.edu"}, 403, "it is not an address"),
    ({"issuer": "moodle"}, 502, "issuer"),
    ({"issuer": f"{SITE}\r\nX-Evil: 1"}, 502, "issuer"),
    *(
        ({name: "https://127.0.0.1/x"}, 403, f"{name}: 127.0.0.1 is in a private network")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint")
    ),
    ({"authorization_endpoint": "javascript:alert(1)"}, 502, "authorization_endpoint"),
    ({"jwks_uri": f"{SITE}/{'x' * 2001}"}, 502, "jwks_uri"),
    ({"authorization_server": f"{ISSUER}/token"}, 400, f"good at {ISSUER}"),
    ({"authorization_server": "https://api.brightspace.com/auth/token"}, 400, "good at https://api.brightspace.com"),
]


async def expect_refused(
    service: Service, fake: FakePlatform, path: str, caplog: pytest.LogCaptureFixture, status: int, words: str
) -> None:
    """Check that a registration is refused, that page and log say why, and that nothing is kept."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        answer = await register(service, path, **fake.registrar.parameters)
    assert (answer.status_code, words in answer.text) == (status, True), (words, answer.text)
    (line,) = [each for each in caplog.records if each.message == "lti_registration_refused"]
    assert words in str(vars(line))
    assert await service.rows(LtiPlatform) == []
    (invitation,) = await service.rows(LtiInvitation)
    assert invitation.used_at is None, words


async def test_configuration_that_is_not_the_platforms_own_is_refused(service, fake, caplog):
    path = await invite(service)
    for changed, status, words in REFUSED:
        document = {**fake.registrar.configuration, **changed}
        fake.answers["/openid-configuration"] = lambda document=document: httpx.Response(200, json=document)
        await expect_refused(service, fake, path, caplog, status, words)
    assert set(fake.asked) == {"/openid-configuration"}
    del fake.answers["/openid-configuration"]
    fake.answers["/register"] = lambda: httpx.Response(400, json={"error": "invalid_client_metadata"})
    await expect_refused(service, fake, path, caplog, 502, "invalid_client_metadata")


NEVER_SENT = [
    ([("openid_configuration", "https://moodle.example.edu/\r\nX-Evil: 1")], "no address"),
    ([("openid_configuration", f"https://moodle.example.edu/{'x' * 2001}")], "no address"),
    ([("openid_configuration", "https://user:word@moodle.example.edu/")], "no address"),
    ([("openid_configuration", f"{SITE}/a"), ("openid_configuration", f"{SITE}/b")], "came twice"),
    ([("openid_configuration", f"{SITE}/a"), ("registration_token", "a\r\nX-Evil: 1")], "no token"),
    ([("openid_configuration", f"{SITE}/a"), ("registration_token", "x" * 5000)], "no token"),
]


async def test_parameters_that_no_platform_sends_are_refused(service, other, fake):
    path = await invite(service)
    for parameters, words in NEVER_SENT:
        body = str(httpx.QueryParams(parameters))
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await other.post(path, content=body, headers=form)
        assert (answer.status_code in (400, 403), words in answer.text) == (True, True), (parameters, answer.text)
    assert fake.asked == []


NAMES: list[tuple[object, object, str]] = [
    ("moodle", None, "Moodle, moodle.example.edu"),
    ("moodle\r\nSet-Cookie: a=b", None, "Moodle set-cookie: a=b, moodle.example.edu"),
    (None, "<script>alert(1)</script>", "<script>alert(1)</script>, moodle.example.edu"),
    (None, "x" * 5000, "x" * 200),
    (None, None, "moodle.example.edu"),
]


async def test_name_of_a_platform_is_words_and_nothing_else(service, fake):
    for number, (family, account, name) in enumerate(NAMES):
        fake.registrar = moodle()  # It takes its token once.
        said = {"product_family_code": family, "https://canvas.instructure.com/lti/account_name": account}
        fake.registrar.says[CONFIGURATION] = said
        fake.registrar.client_id = f"client-{number}"
        answer = await register(service, await invite(service), **fake.registrar.parameters)
        assert answer.status_code == 200, answer.text
        assert "<script>alert" not in answer.text
        (platform,) = [each for each in await service.rows(LtiPlatform) if each.client_id == f"client-{number}"]
        assert platform.name == name


async def test_client_id_of_another_one_is_refused(service, fake, platform):
    """A signature for one of them would be good at the other, which may know no difference between A and a."""
    path = await invite(service)
    for client_id in (CLIENT_ID, CLIENT_ID.upper()):
        fake.registrar = moodle()  # It takes its token once.
        fake.registrar.client_id = client_id
        answer = await register(service, path, **fake.registrar.parameters)
        assert (answer.status_code, "is that of another platform here" in answer.text) == (400, True), client_id
    assert [each.id for each in await service.rows(LtiPlatform)] == [platform.id]
    (invitation,) = await service.rows(LtiInvitation)
    assert invitation.used_at is None


async def test_client_id_that_another_platform_gets_later_by_hand_is_said_on_the_pages_of_both(service, admin, fake):
    """The first one may have named it because the other is known to have it."""
    fake.registrar.client_id = CLIENT_ID.upper()
    await register(service, await invite(service), **fake.registrar.parameters)
    (first,) = await service.rows(LtiPlatform)
    words = "have one client id"
    assert words not in (await admin.get(f"/platforms/{first.id}")).text
    second = await register_by_hand(service)
    for page, other in ((first, second), (second, first)):
        shown = (await admin.get(f"/platforms/{page.id}")).text
        assert f"{other.name} ({other.issuer}) {words}" in shown
        checked = await send(admin, f"/platforms/{page.id}", f"/platforms/{page.id}/check")
        assert checked.text.count(words) == 1


async def test_platform_without_grades_is_told_what_is_missing(service, fake):
    fake.answers["/register"] = lambda: httpx.Response(200, json={"client_id": "c", "scope": SCOPES[-1]})
    shown = await register(service, await invite(service), **fake.registrar.parameters)
    assert "does not let this service send grades" in shown.text


async def test_secrets_are_not_logged(service, fake, caplog):
    path = await invite(service)
    fake.answers["/register"] = partial(httpx.Response, 500)
    with caplog.at_level(logging.INFO):
        await register(service, path, **fake.registrar.parameters)
    said = json.dumps([str(vars(each)) for each in caplog.records if each.name.startswith("app")])
    assert path.rpartition("/")[2] not in said
    assert str(fake.registrar.token) not in said
