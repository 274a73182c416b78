"""Every page and form of the staff of a course, asked by people with and without the right to it."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from app.access.rights import Right
from app.http.auth.proof import mask
from app.http.fields import new_key
from app.http.visits import FormFor, PageFor
from app.storage.models import DEFAULT_COURSE, Comment, Role, Submission, utc_now
from app.web import course as course_pages
from app.web import manage
from app.web.operation import batch, grade_book, regrades, status
from tests.unit.app.access.test_access import filled, of_somebody_else, without_ids
from tests.unit.app.access.test_rights import archive
from tests.unit.app.calls import submit_by
from tests.unit.app.conftest import OWNER_TOKEN, Browser, Service, form_secret

NOWHERE = "z" * 26
WORK = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"
WITHDRAW = f"{WORK}/adjustments/{{adjustment_id}}/withdraw"
#: Needs a mail server (tests/unit/app/web/course/test_letters.py).
LETTER = "/courses/{course_id}/assignments/{assignment_id}/letter"
#: The fields of each form about a student's work.
FORMS = {
    WITHDRAW: {},
    f"{WORK}/adjustment": {"way": "delta", "points": "5", "adjustment_reason": "a plot", "replaces": ""},
    f"{WORK}/extension": {"more_attempts": "1", "extension_reason": "ill"},
    f"{WORK}/extension/remove": {},
    "/courses/{course_id}/extensions/{member_id}/{assignment_id}/remove": {},
    f"{WORK}/comments": {"comment": "Look again."},
    f"{WORK}/comments/{{comment_id}}/delete": {},
    "/courses/{course_id}/submissions/{submission_id}/decision": {"decision": "accepted", "decision_reason": "fine"},
    "/courses/{course_id}/submissions/{submission_id}/regrade": {},
    "/courses/{course_id}/failed/regrade": {},
    "/courses/{course_id}/reviews/{review_id}": {"answer": "Because."},
    LETTER: {"subject": "Due", "text": "Soon.", "language": "en", "members": ""},
}
FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]+)"')
#: The forms that an assistant may send, too.
OF_ASSISTANTS = {
    f"{WORK}/comments",
    f"{WORK}/comments/{{comment_id}}/delete",
    "/courses/{course_id}/reviews/{review_id}",
    "/courses/{course_id}/grade-book/filled",
}
#: The beginnings of addresses for admins alone.
OF_ADMINS = (
    "/people",
    "/status",
    "/courses/new",
    "/courses/{course_id}/delete",
    "/courses/{course_id}/members/{member_id}/delete",
)
ROOMS = (course_pages, manage, regrades, batch, grade_book, status)
#: Pages that students read, too (tests/unit/app/access/test_student_pages.py).
OPEN = {"/courses", "/submissions/{submission_id}/beside/{other_id}"}


def routes() -> Iterator[tuple[str, str, PageFor | FormFor]]:
    """Yield the method, the path and the dependency that checks the right of each page and form of the staff."""
    for room in ROOMS:
        for context in iter_route_contexts(list(room.router.routes)):
            if context.path not in OPEN:
                calls = [each.call for each in context.dependant.dependencies]
                (asking,) = [call for call in calls if isinstance(call, PageFor | FormFor)]
                yield from ((method, context.path, asking) for method in context.original_route.methods)


async def a_course(service: Service) -> dict[str, str]:
    """Add something for every page of the course Default, with a held attempt and a second one; return the ids."""
    values = await of_somebody_else(service)
    other = (await submit_by(service, "first")).json()["id"]
    await service.store(Submission, Submission.id == values["submission_id"], held_at=utc_now())
    await service.store(Comment, Comment.id == values["comment_id"], made_by="test")
    return {**values, "other_id": other}


async def secret_of(browser: Browser) -> str:
    return form_secret((await browser.get("/link")).text)


async def send(browser: Browser, path: str, values: dict[str, str], secret: str, **headers: str) -> httpx.Response:
    data = {"form_key": mask(new_key()), **FORMS.get(path, {})}
    files = {"form_secret": (None, secret)}
    return await browser.post(filled(path, values), data=data, files=files, headers=headers)


async def stored(service: Service) -> list[object]:
    """Return all that the forms about a student's work change, as the API shows it."""
    async with service.client() as owner:
        member = (await owner.get(f"/api/v1/courses/{DEFAULT_COURSE}/members", params={"search": "ivanov"})).json()
        work = f"/api/v1/courses/{DEFAULT_COURSE}/members/{member['items'][0]['id']}/assignments/lstm-layer"
        paths = [f"{work}/adjustments", f"{work}/extension", f"{work}/comments", "/api/v1/regrades"]
        paths += [f"/api/v1/courses/{DEFAULT_COURSE}/reviews", "/api/v1/submissions"]
        return [(await owner.get(path)).json() for path in paths]


ROUTES = [*routes()]
PATTERNS = {
    re.compile(re.sub(r"{\w+}", "[^/]+", path)): asking.right for method, path, asking in ROUTES if method == "POST"
}


def rights_to_forms(page: httpx.Response) -> set[Right]:
    """Return the rights that the forms of a page need."""
    forms = set(FORM.findall(page.text)) - {"/leave"}
    rights = {form: {action for pattern, action in PATTERNS.items() if pattern.fullmatch(form)} for form in forms}
    assert all(rights.values()), rights
    return set().union(*rights.values())


def is_open_to(role: str, method: str, path: str, action: Right) -> bool:
    if role == Role.ASSISTANT:
        return path in OF_ASSISTANTS if method == "POST" else role in action.holders.roles
    return role == Role.ADMIN or (role == Role.TEACHER and not path.startswith(OF_ADMINS))


@pytest.fixture
async def staffed(two: Service) -> AsyncIterator[Service]:
    """Two courses, with an assistant in the first."""
    await two.add_token("assistant-here", Role.ASSISTANT)
    return two


def test_list_of_forms_is_complete():
    contexts = iter_route_contexts(list(course_pages.router.routes))
    assert {each.path for each in contexts if "POST" in (each.methods or ())} == set(FORMS)


async def test_pages_and_forms_go_to_the_roles_of_the_table(staffed):
    values = await a_course(staffed)
    for token, role in (
        (OWNER_TOKEN, Role.ADMIN),
        ("teacher-here", Role.TEACHER),
        ("assistant-here", Role.ASSISTANT),
        ("script-here", Role.SUBMITTER),
        ("ivanov-here", "student"),
    ):
        async with staffed.browser(token) as browser:
            secret = await secret_of(browser)
            for method, path, asking in ROUTES:
                allowed = is_open_to(role, method, path, asking.right)
                if method == "GET":
                    page = await browser.get(filled(path, values))
                    if asking.right == Right.READ and not allowed:  # Others are led to their own work.
                        assert (page.status_code, page.headers["location"]) == (303, f"/?course={DEFAULT_COURSE}")
                        continue
                    assert page.status_code == (200 if allowed else 403), f"{token}: {path}"
                    assert all(role in action.holders.roles for action in rights_to_forms(page)), f"{token}: {path}"
                elif not allowed:
                    answer = await send(browser, path, values, secret)
                    assert answer.status_code == 403, f"{token}: {path}"


@pytest.mark.parametrize(
    ("token", "forms"), [("teacher-here", FORMS.keys() - {LETTER}), ("assistant-here", OF_ASSISTANTS & FORMS.keys())]
)
async def test_staff_send_the_forms_of_their_role(staffed, token, forms):
    values = await a_course(staffed)
    async with staffed.browser(token) as browser:
        secret = await secret_of(browser)
        # The withdrawal comes first, because an adjustment that another one has replaced cannot be withdrawn.
        for path in sorted(forms, key=lambda path: path != WITHDRAW):
            answer = await send(browser, path, values, secret)
            assert answer.status_code == 303, f"{path}: {answer.text}"
            shown = await browser.get(answer.headers["location"])
            assert shown.status_code == 200, path
            assert 'role="status"' in shown.text, path


async def test_pages_and_forms_of_another_course_are_not_there(staffed):
    values = await a_course(staffed)
    nowhere = {**values, "course_id": NOWHERE}
    before = await stored(staffed)
    for token in ("teacher-there", "ivanov-there"):
        async with staffed.browser(token) as browser:
            secret = await secret_of(browser)
            for method, path, _ in ROUTES:
                in_course = "{course_id}" in path
                texts = set()
                # The answer is the same for a course that exists and for one that does not.
                for ids in (values, nowhere) if token == "teacher-there" else (values,):
                    if method == "GET":
                        answer = await browser.get(filled(path, ids))
                    else:
                        answer = await send(browser, path, ids, secret)
                    assert answer.status_code == (404 if in_course else 403), f"{token}: {method} {path}"
                    texts.add(without_ids(answer, ids["course_id"]))
                assert len(texts) == 1, f"{method} {path}"
                assert "ivanov" not in texts.pop(), f"{token}: {method} {path}"
    assert await stored(staffed) == before


async def test_archived_course_shows_and_takes_only_the_forms_of_the_table(staffed):
    values = await a_course(staffed)
    await archive(staffed)
    before = await stored(staffed)
    for token, role in ((OWNER_TOKEN, Role.ADMIN), ("assistant-here", Role.ASSISTANT)):
        async with staffed.browser(token) as browser:
            secret = await secret_of(browser)
            for method, path, asking in ROUTES:
                right = asking.right.holders
                closed = "{course_id}" in path and not right.in_archived
                if role not in right.roles or (method == "GET" and path.endswith("/delete")):
                    continue
                if method == "GET":
                    page = await browser.get(filled(path, values))
                    is_shown = not closed or (isinstance(asking, PageFor) and asking.archived_too)
                    assert page.status_code == (200 if is_shown else 403), f"{token}: {path}"
                    assert all(action.holders.in_archived for action in rights_to_forms(page)), f"{token}: {path}"
                elif closed:
                    answer = await send(browser, path, values, secret)
                    assert answer.status_code == 403, f"{token}: {path}"
                    assert "archived" in answer.text, path
    assert await stored(staffed) == before
