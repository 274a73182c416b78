"""Frames without cookies: the launch is bound by the platform's storage, and the session is in the path."""

import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest

from app.access.sessions import LAUNCH_LIFETIME
from app.storage.models import LtiLogin, Session, utc_now
from tests.platforms import ISSUER, login_parameters
from tests.unit.app.conftest import Service, form_secret
from tests.unit.app.lti.conftest import LAUNCH, LOGIN, TEACHER, Browser, browser

pytestmark = pytest.mark.usefixtures("platform")

TARGET = "post_message_forwarding"
FRAME = {"Sec-Fetch-Dest": "iframe"}


class NoCookies(httpx.Cookies):
    """The jar of a frame where third parties may keep nothing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


@pytest.fixture
async def frame(service: Service) -> AsyncIterator[Browser]:
    async with browser(service, **FRAME) as client:
        client._cookies = NoCookies()
        yield client


async def begin_by_storage(frame: Browser) -> dict[str, str]:
    """Begin a launch; return what the page puts into the platform's storage, and where it goes on to."""
    shown = await frame.post(LOGIN, data=login_parameters(lti_storage_target=TARGET), follow_redirects=True)
    assert shown.status_code == 200, shown.text
    return {name: unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', shown.text)}


async def land_by_storage(frame: Browser, **claims: Any) -> str:
    """Launch in a frame without cookies; return the page that this leads to."""
    put = await begin_by_storage(frame)
    fields = frame.fake.message(put["next"], **claims)
    got = await frame.post(LAUNCH, data=fields)
    assert "lang=" not in got.text.partition("<body")[2], got.text
    assert (got.status_code, f'data-key="{put["key"]}"' in got.text, put["value"] in got.text) == (200, True, False)
    answer = await frame.post(LAUNCH, data={**fields, "stored": put["value"]})
    answer = await frame.choose(answer, course="new") if answer.status_code == 200 else answer
    return answer.headers["location"]


async def lend(frame: Browser, address: str) -> dict[str, str]:
    """Ask for a window with the page at this address of a frame; return what the window sends."""
    prefix = address.partition("/courses")[0]
    fields = {"form_secret": form_secret((await frame.get(address)).text), "next": address.removeprefix(prefix)}
    shown = (await frame.post(f"{prefix}/lti/window", data=fields)).text.partition("/lti/window/open")[2]
    return dict(re.findall(r'name="(secret|next|lang)" value="([^"]*)"', shown))


async def test_frame_that_keeps_cookies_goes_on_to_the_platform(service):
    async with browser(service, **FRAME) as client:
        first = await client.post(LOGIN, data=login_parameters(lti_storage_target=TARGET))
        assert (first.status_code, first.headers["location"].startswith(f"{LOGIN}?")) == (302, True)
        second = await client.get(first.headers["location"])
        assert (second.status_code, second.headers["location"].startswith(f"{ISSUER}/auth")) == (302, True)
        third = await client.post(LOGIN, data=login_parameters())
        assert third.headers["location"].startswith(f"{ISSUER}/auth")


async def test_frame_without_cookies_or_storage_opens_a_window_by_the_hint(frame, service):
    refused = await frame.post(LOGIN, data=login_parameters(), follow_redirects=True)
    assert refused.status_code == 403
    again = re.search(r'<a class="onward" href="(/lti/login\?[^"]+)" target="_blank"', refused.text)
    assert await service.rows(LtiLogin) == []
    async with browser(service, **{"Sec-Fetch-Dest": "document"}) as window:
        answer = await window.get(unescape(again[1]))
        assert answer.headers["location"].startswith(f"{ISSUER}/auth")


async def test_launch_by_storage_needs_the_secret_that_only_the_platforms_origin_gets(frame, fake):
    put = await begin_by_storage(frame)
    assert (put["storage"], put["origin"], len(put["value"])) == (TARGET, ISSUER, 43)
    assert put["value"] not in put["key"] + put["next"]
    for value in ("", "x" * 43, put["value"]):
        fields = fake.message((await begin_by_storage(frame))["next"], **TEACHER)
        refused = await frame.post(LAUNCH, data={**fields, "stored": value})
        assert (refused.status_code, 'target="_blank"' in refused.text) == (403, True)


async def test_value_from_the_storage_comes_from_our_page(frame, fake):
    put = await begin_by_storage(frame)
    fields = {**fake.message(put["next"], **TEACHER), "stored": put["value"]}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": ISSUER}):
        assert (await frame.post(LAUNCH, data=fields, headers=headers)).status_code == 403, headers
    # The launch is not used up by that.
    ours = {"Sec-Fetch-Site": "same-origin", "Origin": "http://grader.test"}
    assert (await frame.post(LAUNCH, data=fields, headers=ours)).status_code == 200


async def test_launch_by_cookie_takes_no_value_from_a_storage(client, fake):
    answer = await client.post(LOGIN, data=login_parameters(lti_storage_target=TARGET))
    fields = fake.message(answer.headers["location"], **TEACHER)
    (secret,) = [value for name, value in client.cookies.items() if name.startswith("lstm_grader_lti_")]
    client.cookies.clear()
    assert (await client.post(LAUNCH, data={**fields, "stored": secret})).status_code == 403


async def test_student_hands_in_without_a_cookie(frame, teacher):
    await teacher.launch(**TEACHER)
    address = await land_by_storage(frame)
    prefix = re.match(r"/t/[\w-]{43}(?=/courses/)", address)
    shown = await frame.get(address)
    addresses = re.findall(r'(?:href|action)="(/[^"]*)"', shown.text)
    assert all(each.startswith((f"{prefix[0]}/", "/static/")) for each in addresses), addresses
    # Nobody may frame the page of the API.
    assert f"{prefix[0]}/docs" not in addresses
    files = {"file": ("LSTM.py", b"class LSTM: ...")}
    secret = {"form_secret": form_secret(shown.text)}
    assert (await frame.post(address, data={"form_secret": "0" * 256}, files=files)).status_code == 403
    sent = await frame.post(address, data=secret, files=files)
    assert (sent.status_code, sent.headers["location"].startswith(f"{prefix[0]}/submissions/")) == (303, True)
    assert (await frame.get(sent.headers["location"])).status_code == 200
    again = {**secret, "again": "on"}
    sent = await frame.post(address, data=again, files=files, headers={"Accept": "application/json"})
    assert sent.json()["address"].startswith(f"{prefix[0]}/submissions/")
    (own_data,) = [each for each in addresses if each.endswith("/me/export")]
    archive = zipfile.ZipFile(io.BytesIO((await frame.get(own_data)).content))
    assert [name for name in archive.namelist() if name.endswith("/file.py")]


async def test_token_of_a_frame_opens_its_course_there_and_nothing_else(frame, caplog):
    caplog.set_level("DEBUG")
    address = await land_by_storage(frame, **TEACHER)
    token, _, course = address.removeprefix("/t/").partition("/")
    assert (await frame.get(address)).status_code == 200
    assert (await frame.get(f"/t/{token}/courses/default")).status_code == 404
    assert (await frame.get(f"/t/{'x' * 43}/{course}")).status_code == 401
    assert (await frame.get(f"/t/{token}/t/{token}/{course}")).status_code == 404
    # Copied into a window, it is an address like any other.
    window = await frame.get(address, headers={"Sec-Fetch-Dest": "document"})
    assert (window.status_code, window.headers["location"]) == (303, f"/{course}")
    # A browser that does not say where it shows the page may show it in a window.
    del frame.headers["Sec-Fetch-Dest"]
    silent = await frame.get(address)
    assert (silent.status_code, silent.headers["location"]) == (303, f"/{course}")
    frame.headers.update(FRAME)
    assert (await frame.get(f"/{course}", headers={"Cookie": f"lstm_grader_session={token}"})).status_code == 401
    assert (await frame.get(f"/t/{token}//evil.example", headers={"Sec-Fetch-Dest": "document"})).status_code == 404
    ours = [vars(record) for record in caplog.records if record.name.startswith("app")]
    assert ours
    assert token not in str(ours)


async def test_token_of_a_frame_counts_on_the_way_from_our_own_pages_only(frame):
    """Somebody who shows the address of their own frame to others would get their work."""
    address = await land_by_storage(frame, **TEACHER)
    secret = {"form_secret": form_secret((await frame.get(address)).text)}
    ours = await frame.get(address, headers={"Sec-Fetch-Site": "same-origin"})
    assert ours.status_code == 200
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        shown = await frame.get(address, headers=headers)
        plain = "/courses/" + address.rpartition("/")[2]
        assert (shown.status_code, shown.headers["location"]) == (303, plain), headers
        asked = await frame.get(plain, headers=headers)
        assert (asked.status_code, "open the exercise there again" in asked.text) == (401, True), headers
        sent = await frame.post(f"{address}/lms/code", data=secret, headers=headers)
        assert sent.status_code == 403, headers


async def test_frames_session_lasts_an_hour_from_its_last_use_and_a_launch_no_longer_than_half_a_day(frame, service):
    address = await land_by_storage(frame, **TEACHER)

    async def ends(**values: object) -> timedelta:
        await service.store(Session, **values)
        await frame.get(address)
        (session,) = await service.rows(Session)
        ends_at: timedelta = session.expires_at - utc_now()
        return ends_at

    now = utc_now()
    assert await ends(expires_at=now + timedelta(minutes=40)) < timedelta(minutes=41)
    assert await ends(expires_at=now + timedelta(minutes=20)) > timedelta(minutes=59)
    late = now - LAUNCH_LIFETIME + timedelta(minutes=5)
    assert await ends(expires_at=now + timedelta(minutes=4), created_at=late) < timedelta(minutes=6)
    assert await ends(expires_at=now - timedelta(minutes=1)) < timedelta(0)
    assert (await frame.get(address)).status_code == 401


async def test_session_of_a_frame_and_of_its_window_lasts_no_longer_than_the_settings_say(frame, service):
    service.services.settings.__dict__["session_seconds"] = 600
    address = await land_by_storage(frame, **TEACHER)
    await service.store(Session, created_at=utc_now() - timedelta(minutes=5))
    async with browser(service, **{"Sec-Fetch-Dest": "document"}) as window:
        opened = await window.post("/lti/window/open", data=await lend(frame, address))
        assert (opened.status_code, "Max-Age=600;" in opened.headers["set-cookie"]) == (303, True)
        assert (await window.get(opened.headers["location"])).status_code == 200
    lasted = [each.expires_at - each.created_at for each in await service.rows(Session)]
    assert max(lasted) <= timedelta(seconds=601)


@pytest.mark.parametrize("keeps_cookies", [True, False])
async def test_page_in_a_frame_opens_in_a_window_once(frame, service, other, keeps_cookies):
    if keeps_cookies:
        frame._cookies = httpx.Cookies()
        await frame.post(LOGIN, data=login_parameters(), follow_redirects=False)
        address = await frame.land(**TEACHER)
    else:
        address = await land_by_storage(frame, **TEACHER)
    course = "/courses" + address.partition("/courses")[2]
    without_secret = await frame.post(f"{address.removesuffix(course)}/lti/window", data={"next": course})
    assert without_secret.status_code == 403
    asked = await lend(frame, address)
    async with browser(service, **{"Sec-Fetch-Dest": "document"}) as window:
        refused = await window.post("/lti/window/open", data=asked, headers={"Sec-Fetch-Site": "cross-site"})
        assert refused.status_code == 403
        opened = await window.post("/lti/window/open", data=asked)
        assert (opened.status_code, opened.headers["location"]) == (303, course)
        assert (await window.get(course)).status_code == 200
    assert (await other.post("/lti/window/open", data=asked)).status_code == 401
    late = await lend(frame, address)
    await service.store(Session, Session.expires_at < utc_now() + timedelta(seconds=61), expires_at=utc_now())
    assert (await other.post("/lti/window/open", data=late)).status_code == 401
    away = {**await lend(frame, address), "next": "//evil.example"}
    assert (await other.post("/lti/window/open", data=away)).headers["location"] == "/"
