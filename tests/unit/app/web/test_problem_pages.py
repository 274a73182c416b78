"""The page of every refusal says what happened in words for people, and where to go on."""

import itertools
import re
from html import unescape

import httpx
from starlette.exceptions import HTTPException

from app.errors import (
    CourseArchived,
    FormExpired,
    JoinLinkExpired,
    JoinLinkFull,
    NotPermitted,
    Overloaded,
    RosterNotCSV,
    SubmissionNotFound,
    TooManyRequests,
    UploadTooSlow,
)
from app.http.middleware import BODY_BYTES
from app.storage.database import CommitUnanswered
from grader.report.messages import LANGUAGES
from tests.unit.app.calls import COURSE
from tests.unit.app.conftest import form_secret

NO_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"
WAIT = {"retry_after_seconds": 150}
ERRORS: tuple[tuple[int, Exception], ...] = (
    (400, HTTPException(400)),
    (403, NotPermitted()),
    (403, FormExpired()),
    (403, CourseArchived()),
    (404, SubmissionNotFound()),
    (405, HTTPException(405)),
    (408, UploadTooSlow(limit_seconds=60)),
    (409, JoinLinkFull(limit=30)),
    (410, JoinLinkExpired(expired_at="2026-09-01T00:00:00+00:00")),
    (413, HTTPException(413)),
    (415, RosterNotCSV()),
    (422, HTTPException(422)),
    (429, TooManyRequests(**WAIT)),
    (500, RuntimeError("secret of the service at /srv/app.py")),
    (503, Overloaded(**WAIT)),
    (503, CommitUnanswered("SELECT secret", {}, Exception("secret"))),
)
STRANGE = {"/nothing": 404, "/courses/": 401, "/static/nothing.css": 404, "/%00": 404, "/" + "x" * 5000: 404}
STRANGE |= {"/leave": 405}
#: Words for programs and their authors.
FOR_PROGRAMS = re.compile(r"/docs|/api|header|заголов|Allow|Retry|Idempotency|JSON|`|curl|Content-Type|\bid\b")


def main_of(page: httpx.Response) -> str:
    return unescape(page.text.partition("<main")[2].partition("</main>")[0])


def words_of(page: httpx.Response) -> str:
    return re.sub(r"<[^>]*>", "", f"<{main_of(page)}")


def steps_of(page: httpx.Response) -> dict[str, str]:
    links = re.findall(r'<a class="onward" href="([^"]*)">([^<]*)</a>', main_of(page))
    return {words: address for address, words in links}


async def test_page_of_every_refusal_says_where_to_go_on(browser, monkeypatch):
    """One service for all of them: they change nothing."""
    raised: list[Exception] = []

    async def refuse(*_: object) -> None:
        raise raised[-1]

    for (status, error), language in itertools.product(ERRORS, LANGUAGES):
        raised.append(error)
        with monkeypatch.context() as patched:
            patched.setattr("app.web.course.course.attention", refuse)
            answer = await browser.get(COURSE, params={"lang": language})
        words = words_of(answer)
        assert answer.status_code == status, error
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert len(re.findall("<h1>[^<]+</h1>", answer.text)) == 1
        assert not re.search(rf"\b{status}\b|Traceback|SELECT|secret", words)
        assert not FOR_PROGRAMS.search(words), words
        assert (answer.headers["x-request-id"] in words) == (status == 500)
        waits = isinstance(error, TooManyRequests | Overloaded)
        assert any(time in words for time in ("in 3 minutes.", "через 3 минуты")) == waits, words
        assert (answer.headers.get("retry-after") == "150") == waits
        steps = steps_of(answer)
        assert 1 <= len(steps) <= 3
        for address in steps.values():
            assert (await browser.get(address)).status_code == 200


async def test_reader_of_a_course_stays_in_it(service):
    async with service.browser() as browser:
        missing = await browser.get(f"{COURSE}/members/{NO_ID}")
        assert missing.status_code == 404
        assert steps_of(missing) == {"To the course": COURSE, "My courses and assignments": "/"}
        # The pages of the course are a click away.
        assert f'href="{COURSE}/members"' in missing.text
    await service.add_token("of-ivanov", student="ivanov")
    async with service.browser("of-ivanov") as browser:
        refused = await browser.get(f"{COURSE}/members")
        assert refused.status_code == 403
        assert steps_of(refused) == {"My courses and assignments": "/"}


async def test_stranger_at_an_address_without_a_page_is_led_to_the_way_in(visitor):
    for path, status in STRANGE.items():
        answer = await visitor.get(path, follow_redirects=True)
        assert answer.status_code == status, path
        assert status == 401 or steps_of(answer) == {"Sign in": "/enter"}


async def test_bad_cookie_is_no_fault_of_ours(visitor):
    for cookie in (b"lstm_grader_session=\xff", b"lstm_grader_session=" + b"x" * 9000, b"=;;=,", b"\x01"):
        answer = await visitor.get("/", headers=[(b"cookie", cookie)])
        assert answer.status_code == 401
        assert 'action="/enter"' in answer.text


async def test_form_that_is_too_large_or_too_old_leads_back_to_itself(browser):
    here = f"{COURSE}/members/new"
    browser.headers["referer"] = f"http://grader.test{here}?said=member.added&q=x"
    secret = form_secret((await browser.get("/")).text)
    large = {"form_secret": secret, "name": "x" * BODY_BYTES}
    for fields, status in ((large, 413), ({"form_secret": "0" * 64}, 403)):
        answer = await browser.post(f"{COURSE}/members/new", data=fields)
        assert answer.status_code == status
        assert steps_of(answer)["Back to the form"] == f"{here}?q=x"


async def test_stranger_who_sends_too_much_is_answered_with_a_page(visitor):
    answer = await visitor.post("/enter", data={"token": "x" * (BODY_BYTES + 1)})
    assert answer.status_code == 413
    assert steps_of(answer) == {"Sign in": "/enter"}
