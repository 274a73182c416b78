"""The language of pages that a platform opens: the reader's choice, else that of the platform, else the browser's."""

import re
from typing import Any

import pytest

from app.http.texts import PLATFORM_COOKIE
from app.storage.models import Course
from tests.platforms import LTI
from tests.unit.app.lti.conftest import TEACHER, browser
from tests.unit.app.lti.test_frames import FRAME, NoCookies, land_by_storage, lend

pytestmark = pytest.mark.usefixtures("course")

RUSSIAN: dict[str, Any] = {f"{LTI}launch_presentation": {"locale": "ru", "document_target": "iframe"}}


def language(html: str) -> str:
    return re.findall(r'<html lang="(\w+)"', html)[0]


SAID: list[tuple[object, str]] = [
    ({"locale": "ru"}, "ru"),
    ({"locale": "RU_ru"}, "ru"),
    ({"locale": "de"}, "en"),
    ({"locale": ["ru"]}, "en"),
    ("ru", "en"),
]


async def test_platform_says_the_language(service):
    for presentation, shown in SAID:
        async with browser(service) as student:
            answer = await student.launch(**{f"{LTI}launch_presentation": presentation})
            assert language((await student.get(answer.headers["location"])).text) == shown, presentation


async def test_first_teacher_is_asked_in_the_language_of_the_platform_as_the_new_course_is(service, teacher):
    new = {**RUSSIAN, f"{LTI}context": {"id": "course-4", "title": "Another"}}
    asked = await teacher.launch_only(**TEACHER, **new)
    assert language(asked.text) == "ru"
    await teacher.launch(**TEACHER, **new)
    assert [each.language for each in await service.rows(Course) if each.title == "Another"] == ["ru"]


async def test_choice_is_kept_before_what_the_platform_says_which_lasts_as_long_as_the_session(student):
    answer = await student.launch(**RUSSIAN)
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{PLATFORM_COOKIE}=ru")]
    assert "Max-Age=43200" in cookie
    page = answer.headers["location"]
    assert language((await student.get(f"{page}?lang=en")).text) == "en"
    await student.launch(**RUSSIAN)
    assert language((await student.get(page)).text) == "en"


@pytest.mark.parametrize("claims", [{}, RUSSIAN], ids=["chosen", "of the platform"])
async def test_frame_without_cookies_keeps_the_language_in_addresses(service, claims):
    async with browser(service, **FRAME) as frame:
        frame._cookies = NoCookies()
        page = await land_by_storage(frame, **claims)
        asked = page if claims else f"{page}?lang=ru"
        shown = (await frame.get(asked)).text
        addresses = re.findall(r'(?:href|action)="(/t/[^"]*)"', shown)
        assert language(shown) == "ru"
        assert len(addresses) > 5
        assert all(re.match(r"/t/[\w-]{43}\.ru/", each) for each in addresses), addresses
        prefix = addresses[0].removesuffix("/")
        attempt = await frame.hand_in(f"{prefix}/courses{page.partition('/courses')[2]}")
        assert re.match(r"/t/[\w-]{43}\.ru/submissions/", attempt)
        shown = (await frame.get(attempt)).text
        assert language(shown) == "ru"
        # And back.
        shown = (await frame.get(f"{attempt}?lang=en")).text
        assert language(shown) == "en"
        assert ".ru/" not in "".join(re.findall(r'(?:href|action)="(/t/[^"]*)"', shown))


async def test_window_of_a_frame_speaks_its_language(service):
    async with browser(service, **FRAME) as frame:
        frame._cookies = NoCookies()
        fields = await lend(frame, await land_by_storage(frame, **RUSSIAN))
    async with browser(service, **{"Sec-Fetch-Dest": "document"}) as window:
        opened = await window.post("/lti/window/open", data=fields)
        assert language((await window.get(opened.headers["location"])).text) == "ru"
