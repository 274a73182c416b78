"""The check of a registration: each misconfiguration by its name, and none where there is none."""

import time
from collections.abc import Callable
from email.utils import formatdate

import httpx
import pytest

from app.lti import keys, platforms
from app.storage.models import LtiPlatform
from tests.platforms import FakePlatform
from tests.unit.app.calls import send
from tests.unit.app.conftest import OWNER_TOKEN, Service
from tests.unit.app.lti.conftest import browser, down

TOKEN = {"access_token": "token-of-the-platform", "expires_in": 3600}
FINE = "Its keys can be read"


def token(seconds: float = 0.0) -> httpx.Response:
    """A token, from a clock that is ahead by so much."""
    return httpx.Response(200, json=TOKEN, headers={"Date": formatdate(time.time() + seconds, usegmt=True)})


def answers(status: int, **document: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, json=document)


async def check(
    service: Service,
    platform: LtiPlatform,
    public_url: str | None = "https://grader.test",
    asked_at: str = "https://grader.test",
) -> str:
    """Press the button of the platform's page at this address of the service; return what it shows."""
    page = f"/platforms/{platform.id}"
    service.services.settings.__dict__["public_url"] = public_url
    async with service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as admin:
        await admin.post(f"{asked_at}/enter", data={"token": OWNER_TOKEN})
        # Before a proxy that says nothing, cookies of https come with requests that look like http.
        admin.headers["Cookie"] = "; ".join(f"{each.name}={each.value}" for each in admin.cookies.jar)
        shown = (await send(admin, f"{asked_at}{page}", f"{asked_at}{page}/check")).text
    service.services.settings.__dict__["public_url"] = None
    return shown


@pytest.fixture
async def healthy(service: Service, fake: FakePlatform, platform: LtiPlatform) -> Service:
    """A service whose check finds nothing."""
    published = await keys.public_key_set(service.services.database)
    fake.answers |= {"/token": token, "/lti/keys": lambda: httpx.Response(200, json=published)}
    return service


CASES: dict[str, tuple[str, Callable[[], httpx.Response], str]] = {
    "keys that are not there": ("/keys", answers(404), "answered 404"),
    "keys of a machine that is down": ("/keys", down, "ConnectError"),
    "token refused": (
        "/token",
        answers(400, error="invalid_client", error_description="no public key"),
        "refuses us a token at https://lms.example.edu/token with 400: invalid_client: no public key",
    ),
    "token refused because our keys cannot be read": (
        "/token",
        answers(500, error="no keys"),
        "can read https://grader.test/lti/keys",
    ),
    "services off": ("/token", answers(400, error="invalid_scope"), "lets it use no grades"),
    "services off in Canvas": (
        "/token",
        answers(400, error="invalid_scope", error_description="A requested scope is invalid"),
        "lets it use no grades",
    ),
    "tokens of a machine that is down": ("/token", down, "gives no usable answer: ConnectError"),
    "clock ahead": ("/token", lambda: token(7200), "differs from ours by 7"),
    "clock behind": ("/token", lambda: token(-300), "differs from ours by \N{MINUS SIGN}"),
    "our address leads elsewhere": ("/lti/keys", lambda: httpx.Response(200, html="<h1>Hi</h1>"), "other keys or none"),
    "our address is not passed on": ("/lti/keys", answers(404), "status 404"),
}


async def test_misconfiguration_is_named(healthy, fake, platform):
    well = dict(fake.answers)
    for case, (path, answer, words) in CASES.items():
        fake.answers = {**well, path: answer}
        shown = await check(healthy, platform)
        assert words in shown, case
        assert FINE not in shown, case
    # A network that shows nothing of ourselves is no fault.
    fake.answers = {**well, "/lti/keys": down}
    assert "other keys or none" not in await check(healthy, platform)
    fake.answers = well
    assert FINE in await check(healthy, platform)


async def test_address_that_is_not_set_or_not_https_and_a_proxy_that_hides_how_it_was_asked_are_named(
    healthy, platform
):
    assert "http://grader.test, is not https" in await check(healthy, platform, "http://grader.test")
    assert "LSTM_GRADER_PUBLIC_URL" in await check(healthy, platform, None)
    for public_url, asked_at in [
        ("https://grader.test", "http://grader.test"),
        ("https://grader.example.edu", "https://grader.test"),
    ]:
        shown = await check(healthy, platform, public_url, asked_at)
        assert f"came to the service as {asked_at}, and its public address is {public_url}" in shown
        assert "X-Forwarded-Proto" in shown


async def test_unknown_deployment_is_named_and_added_by_a_click(healthy, platform):
    other = {"https://purl.imsglobal.org/spec/lti/claim/deployment_id": "3:of-another-account"}
    async with browser(healthy) as teacher:
        assert (await teacher.launch(role="Instructor", **other)).status_code == 403
    assert "3:of-another-account, which is not known here, and was refused" in await check(healthy, platform)
    page = f"/platforms/{platform.id}"
    async with healthy.browser() as admin:
        shown = (await admin.get(page)).text
        assert '<input type="hidden" name="deployment" value="3:of-another-account">' in shown
        answer = await send(admin, page, f"{page}/deployments", deployment="3:of-another-account")
        assert answer.status_code == 303
        assert "which is not known here" not in (await admin.get(page)).text
    async with browser(healthy) as teacher:
        assert (await teacher.launch(role="Instructor", **other)).status_code == 303


async def test_unconfirmed_platform_is_named_and_gets_nothing_that_we_sign(service, fake, platform):
    await service.write(platforms.suspend, platform.id)
    assert "waits for your confirmation" in await check(service, platform)
    assert fake.token_path not in fake.asked
