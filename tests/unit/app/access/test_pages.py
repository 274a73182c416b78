"""Every page of a course, and every form of it, asked by people with and without the right to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from app.courses import members
from app.storage.models import DEFAULT_COURSE, Comment, Role, Submission, utc_now
from app.web.course import routes as course_pages
from tests.unit.app.access.test_access import filled, of_somebody_else
from tests.unit.app.access.test_courses import OTHER, submit, two
from tests.unit.app.access.test_rights import archive
from tests.unit.app.conftest import OWNER_TOKEN, Service, form_secret

__all__ = ["two"]

pytestmark = pytest.mark.anyio

WORK = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"
#: What a form of each page sends.
FORMS = {
    f"{WORK}/adjustment": {"way": "delta", "points": "5", "adjustment_reason": "a plot", "replaces": ""},
    f"{WORK}/adjustments/{{adjustment_id}}/withdraw": {},
    f"{WORK}/extension": {"more_attempts": "1", "extension_reason": "ill"},
    f"{WORK}/extension/remove": {},
    f"{WORK}/comments": {"comment": "Look again."},
    f"{WORK}/comments/{{comment_id}}/delete": {},
    "/courses/{course_id}/submissions/{submission_id}/decision": {"decision": "accepted", "decision_reason": "fine"},
    "/courses/{course_id}/submissions/{submission_id}/regrade": {},
    "/courses/{course_id}/failed/regrade": {},
    "/courses/{course_id}/reviews/{review_id}": {"answer": "Because."},
}
FORM = re.compile(r'<form[^>]*method="post" action="([^"]*)"')
#: The forms that an assistant sends, too.
OF_ASSISTANTS = {
    f"{WORK}/comments",
    f"{WORK}/comments/{{comment_id}}/delete",
    "/courses/{course_id}/reviews/{review_id}",
}
#: Pages that a student reads, too, about the own work; this one leads to the student's own page.
OF_STUDENTS = {"/courses/{course_id}", "/submissions/{submission_id}/beside/{other_id}"}


def routes(method: str) -> Iterator[str]:
    for context in iter_route_contexts(list(course_pages.router.routes)):
        if method in (context.methods or ()):
            yield context.path


async def a_course(service: Service) -> dict[str, str]:
    """Things of everything that pages are about, in the course Default; a held attempt and a second one, too."""
    values = await of_somebody_else(service)
    other = (await submit(service, "first")).json()["id"]
    async with service.services.database.write() as session:
        (await session.get_one(Submission, values["submission_id"])).held_at = utc_now()
        (await session.get_one(Comment, values["comment_id"])).made_by = "test"  # As all tokens of these tests.
    return {**values, "other_id": other}


async def send(browser: httpx.AsyncClient, path: str, values: dict[str, str], **more: str) -> httpx.Response:
    secret = form_secret((await browser.get("/link")).text)
    return await browser.post(filled(path, values), data={"form_secret": secret, **FORMS[path], **more})


@pytest.fixture
async def staffed(two: Service) -> AsyncIterator[Service]:
    await two.add_token("assistant-here", Role.ASSISTANT)
    await two.add_token("petrov-here", student="petrov")
    return two


def test_list_of_forms_is_complete() -> None:
    assert set(routes("POST")) == set(FORMS)
    assert len(set(routes("GET"))) >= 7


async def test_staff_of_the_course_see_every_page(staffed: Service) -> None:
    values = await a_course(staffed)
    for token in (OWNER_TOKEN, "teacher-here", "assistant-here"):
        async with staffed.browser(token) as browser:
            for path in routes("GET"):
                page = await browser.get(filled(path, values))
                assert page.status_code == 200, f"{token}: {path}: {page.status_code}"
                for action in set(FORM.findall(page.text)) - {"/leave"}:
                    of = {form for form in FORMS if re.fullmatch(re.sub(r"{\w+}", "[^/]+", form), action)}
                    assert token != "assistant-here" or OF_ASSISTANTS & of, f"{path}: {action}"


async def test_assistant_sends_the_forms_of_assistants_only(staffed: Service) -> None:
    values = await a_course(staffed)
    async with staffed.browser("assistant-here") as browser:
        for path in FORMS:
            answer = await send(browser, path, values)
            assert answer.status_code == (303 if path in OF_ASSISTANTS else 403), f"{path}: {answer.text}"


async def test_teacher_sends_every_form(staffed: Service) -> None:
    values = await a_course(staffed)
    # An adjustment that another one has replaced cannot be withdrawn.
    withdraw = f"{WORK}/adjustments/{{adjustment_id}}/withdraw"
    async with staffed.browser("teacher-here") as browser:
        for path in (withdraw, *(FORMS.keys() - {withdraw})):
            answer = await send(browser, path, values)
            assert answer.status_code == 303, f"{path}: {answer.text}"
            shown = await browser.get(answer.headers["location"])
            assert shown.status_code == 200, path
            assert 'role="status"' in shown.text, path


async def test_pages_and_forms_are_closed_to_others(staffed: Service) -> None:
    await staffed.add_token("assistant-there", Role.ASSISTANT, course_id=OTHER)
    values = await a_course(staffed)
    before = await stored(staffed)
    for token in ("petrov-here", "script-here", "teacher-there", "assistant-there", "ivanov-there"):
        async with staffed.browser(token) as browser:
            for path in routes("GET"):
                page = await browser.get(filled(path, values))
                if token.endswith("-here") and path == "/courses/{course_id}":
                    assert (page.status_code, page.headers["location"]) == (303, f"/?course={DEFAULT_COURSE}")
                    continue
                assert page.status_code in (403, 404), f"{token}: {path}: {page.status_code}"
                assert "ivanov" not in page.text, f"{token}: {path}"
            for path in FORMS:
                assert (await send(browser, path, values)).status_code in (403, 404), f"{token}: {path}"
    assert await stored(staffed) == before


async def test_student_compares_own_attempts_and_finds_no_page_of_the_staff(staffed: Service) -> None:
    values = await a_course(staffed)
    async with staffed.browser("ivanov-here") as browser:
        for path in set(routes("GET")) - OF_STUDENTS:
            assert (await browser.get(filled(path, values))).status_code == 403, path
        compared = await browser.get(filled("/submissions/{submission_id}/beside/{other_id}", values))
        assert compared.status_code == 200
        assert f"/courses/{DEFAULT_COURSE}/members" not in compared.text
        report = await browser.get(f"/submissions/{values['submission_id']}")
        assert 'id="staff"' not in report.text
        for path in FORMS:
            assert (await send(browser, path, values)).status_code == 403, path


async def test_archived_course_can_be_read_and_has_no_forms(staffed: Service) -> None:
    values = await a_course(staffed)
    await archive(staffed)
    before = await stored(staffed)
    for token in (OWNER_TOKEN, "teacher-here", "assistant-here"):
        async with staffed.browser(token) as browser:
            for path in (*routes("GET"), "/submissions/{submission_id}"):
                page = await browser.get(filled(path, values))
                assert page.status_code == 200, f"{token}: {path}: {page.status_code}"
                assert set(FORM.findall(page.text)) == {"/leave"}, f"{token}: {path}"
                if "beside" not in path and "overview" not in path:
                    assert "archived" in page.text, f"{token}: {path}"
            for path in FORMS:
                assert (await send(browser, path, values)).status_code == 403, f"{token}: {path}"
    assert await stored(staffed) == before


async def test_pages_and_forms_are_closed_to_who_is_signed_out_or_removed(staffed: Service) -> None:
    values = await a_course(staffed)
    async with staffed.services.database.write() as session:
        await members.enrol(session, [(DEFAULT_COURSE, "gone")])
    await staffed.add_token("gone", student="gone")
    async with staffed.browser("gone") as browser, staffed.client(None, Accept="text/html") as nobody:
        async with staffed.services.database.write() as session:
            (await members.find(session, [(DEFAULT_COURSE, "gone")]))[DEFAULT_COURSE, "gone"].removed_at = utc_now()
        for each in (browser, nobody):
            for path in routes("GET"):
                assert (await each.get(filled(path, values))).status_code == 401, path
            for path in FORMS:
                assert (await each.post(filled(path, values), data=FORMS[path])).status_code == 401, path


async def test_form_without_its_secret_or_from_another_site_changes_nothing(staffed: Service) -> None:
    values = await a_course(staffed)
    before = await stored(staffed)
    async with staffed.browser("teacher-here") as browser:
        for path in FORMS:
            assert (await browser.post(filled(path, values), data=FORMS[path])).status_code == 403, path
            foreign = {"Origin": "https://evil.example.org"}
            assert (await browser.post(filled(path, values), data=FORMS[path], headers=foreign)).status_code == 403
    assert await stored(staffed) == before


async def stored(service: Service) -> list[object]:
    """All that these forms change, as the API shows it."""
    async with service.client() as owner:
        member = (await owner.get(f"/api/v1/courses/{DEFAULT_COURSE}/members", params={"search": "ivanov"})).json()
        place = f"/api/v1/courses/{DEFAULT_COURSE}/members/{member['items'][0]['id']}/assignments/lstm-layer"
        paths = [f"{place}/adjustments", f"{place}/extension", f"{place}/comments", "/api/v1/regrades"]
        paths += [f"/api/v1/courses/{DEFAULT_COURSE}/reviews", "/api/v1/submissions"]
        return [(await owner.get(path)).json() for path in paths]
