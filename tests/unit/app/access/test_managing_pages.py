"""The pages that manage a course and its work, asked by everybody without the right, and in an archived course."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from app.access.rights import RIGHTS, Action
from app.http.auth.holders import PageFor
from app.storage.models import DEFAULT_COURSE, MemberRole, Role, new_id
from app.web import manage
from app.web.manage.asking import Shown
from app.web.operation import batch, grade_book, regrades
from tests.unit.app.access.test_access import filled, of_somebody_else
from tests.unit.app.access.test_courses import OTHER, two
from tests.unit.app.access.test_rights import archive
from tests.unit.app.conftest import OWNER_TOKEN, Service, form_secret

__all__ = ["two"]

pytestmark = pytest.mark.anyio

NOWHERE = "z" * 26
FORM = re.compile(r'<form[^>]*method="post"[^>]*action="([^"]+)"')
ROOMS = (manage, regrades, batch, grade_book)
#: The ends of the forms that an assistant sends, too.
OF_ASSISTANTS = {"filled"}
#: What everybody may ask who is signed in.
FOR_EVERYBODY = {"/courses"}


def routes() -> Iterator[tuple[str, str, Any]]:
    """Give the method, the path and the dependency that checks the right of each page."""
    for context in iter_route_contexts([route for room in ROOMS for route in room.router.routes]):
        asking = [each.call for each in context.dependant.dependencies if isinstance(each.call, PageFor | Shown)]
        for method in context.original_route.methods:
            if context.path not in FOR_EVERYBODY:
                assert len(asking) == 1, context.path
                yield method, context.path, asking[0]


def masked(page: str, *ids: str) -> str:
    """Leave out of a page what the address and the moment put into it."""
    for id in ids:
        page = page.replace(id, "ID")
    return re.sub(r'name="form_secret" value="\w+"', "", page)


async def forms_in(response: Any) -> set[str]:
    return set(FORM.findall(response.text)) - {"/leave"}


async def test_pages_of_another_course_are_not_there(two: Service) -> None:
    values = await of_somebody_else(two)
    nowhere = {**values, "course_id": NOWHERE}
    await two.add_token("assistant-there", Role.ASSISTANT, course_id=OTHER)
    for token in ("teacher-there", "assistant-there", "script-there", "ivanov-there"):
        async with two.browser(token) as browser:
            secret = form_secret((await browser.get(f"/courses?course={OTHER}")).text)
            for method, path, _ in routes():
                sent = {"form_secret": secret} if method == "POST" else None
                answer = await browser.request(method, filled(path, values), data=sent)
                assert answer.status_code == (404 if "{course_id}" in path else 403), f"{token}: {method} {path}"
                assert "ivanov" not in answer.text, f"{token}: {method} {path}"
                # The page says only what the address says. It is the same for all who have no right there.
                if "{course_id}" in path and token == "teacher-there":
                    other = await browser.request(method, filled(path, nowhere), data=sent)
                    said = [masked(each.text, DEFAULT_COURSE, NOWHERE) for each in (answer, other)]
                    assert said[0] == said[1], f"{method} {path}"


async def test_work_of_another_course_is_not_there_under_the_own_one(two: Service) -> None:
    values = {**await of_somebody_else(two), "course_id": OTHER}
    nothing = {name: new_id() for name in ("regrade_id", "batch_id")}
    asked = 0
    async with two.browser("teacher-there") as browser:
        secret = form_secret((await browser.get(f"/courses?course={OTHER}")).text)
        for method, path, _ in routes():
            if not any(f"{{{name}}}" in path for name in nothing):
                continue
            answers = [
                await browser.request(
                    method, filled(path, each), data={"form_secret": secret} if method == "POST" else None
                )
                for each in (values, values | nothing)
            ]
            assert [each.status_code for each in answers] == [404, 404], f"{method} {path}"
            said = [
                masked(answer.text, *(each[name] for name in nothing))
                for answer, each in zip(answers, (values, values | nothing), strict=True)
            ]
            assert said[0] == said[1], f"{method} {path}"
            asked += 1
    assert asked >= 7


async def test_pages_go_to_the_roles_of_the_table(service: Service) -> None:
    values = await of_somebody_else(service)
    await service.add_token("student", student="ivanov")
    for role in (Role.TEACHER, Role.ASSISTANT, Role.SUBMITTER):
        await service.add_token(role, role)
    for role in (Role.ADMIN, Role.TEACHER, Role.ASSISTANT, Role.SUBMITTER, "student"):
        async with service.browser(OWNER_TOKEN if role == Role.ADMIN else role) as browser:
            secret = form_secret((await browser.get("/courses")).text)
            for method, path, asking in routes():
                right = RIGHTS[asking.action]
                allowed = right.students if role == "student" else role in right.roles
                if method == "GET":
                    answer = await browser.get(filled(path, values))
                    assert answer.status_code == (200 if allowed else 403), f"{role}: {method} {path}"
                    if role == Role.ASSISTANT:
                        assert {form.rpartition("/")[2] for form in await forms_in(answer)} <= OF_ASSISTANTS, path
                elif not allowed:
                    answer = await browser.post(filled(path, values), data={"form_secret": secret})
                    assert answer.status_code == 403, f"{role}: {path}"


async def test_no_form_of_a_page_is_one_that_its_reader_may_not_send(service: Service) -> None:
    """Of the forms that a teacher is shown, each is one of a route that a teacher may ask."""
    values = await of_somebody_else(service)
    await service.add_token("teacher", Role.TEACHER)
    patterns = {
        re.compile(re.sub(r"{\w+}", "[^/]+", path)): asking for method, path, asking in routes() if method == "POST"
    }
    for archived in (False, True):
        if archived:
            await archive(service)
        async with service.browser("teacher") as browser:
            for method, path, asking in routes():
                if method != "GET" or Role.TEACHER not in RIGHTS[asking.action].roles or path.endswith("/delete"):
                    continue
                answer = await browser.get(filled(path, values))
                if archived and isinstance(asking, PageFor) and not RIGHTS[asking.action].in_archived:
                    assert answer.status_code == 403, path
                    continue
                assert answer.status_code == 200, path
                for action in await forms_in(answer):
                    (asked,) = {each for pattern, each in patterns.items() if pattern.fullmatch(action)}
                    right = RIGHTS[asked.action]
                    assert Role.TEACHER in right.roles, f"{path}: {action}"
                    assert right.in_archived or not archived, f"{path}: {action}"


async def test_archived_course_takes_no_form_but_those_of_the_table(service: Service) -> None:
    values = await of_somebody_else(service)
    await archive(service)
    async with service.browser() as browser:
        secret = form_secret((await browser.get("/courses")).text)
        for method, path, asking in routes():
            if method == "POST" and "{course_id}" in path and not RIGHTS[asking.action].in_archived:
                answer = await browser.post(filled(path, values), data={"form_secret": secret})
                assert answer.status_code == 403, path
                assert "archive" in answer.text


async def test_forms_of_other_sessions_and_sites_change_nothing(service: Service) -> None:
    values = await of_somebody_else(service)
    async with service.browser() as browser, service.browser() as other:
        theirs = form_secret((await other.get("/courses")).text)
        for method, path, _ in routes():
            if method == "POST":
                for secret in ("", theirs):
                    answer = await browser.post(filled(path, values), files={"form_secret": (None, secret)})
                    assert answer.status_code == 403, path
                ours = form_secret((await browser.get("/courses")).text)
                answer = await browser.post(
                    filled(path, values), data={"form_secret": ours}, headers={"Sec-Fetch-Site": "cross-site"}
                )
                assert answer.status_code == 403, path
    async with service.client(None, Accept="text/html") as nobody:
        for method, path, _ in routes():
            assert (await nobody.request(method, filled(path, values))).status_code == 401, path


async def test_teacher_neither_makes_changes_nor_links_a_teacher(service: Service) -> None:
    await service.add_token("teacher", Role.TEACHER)
    members = f"/courses/{DEFAULT_COURSE}/members"
    async with service.client() as owner:
        other = (await owner.post(f"/api/v1{members}", json={"external_id": "t", "role": "teacher"})).json()["id"]
    async with service.browser("teacher") as browser:
        page = (await browser.get(f"{members}/new")).text
        assert f'value="{MemberRole.TEACHER}"' not in page
        data = {"form_secret": form_secret(page), "external_id": "x", "role": "teacher", "form_key": "0" * 172}
        assert (await browser.post(f"{members}/new", data=data)).status_code == 403
        for part in ("edit", "remove", "link", "link/revoke"):
            assert (await browser.post(f"{members}/{other}/{part}", data=data)).status_code == 403, part
        assert await forms_in(await browser.get(f"{members}/{other}/edit")) == set()


async def test_token_of_a_teacher_gives_no_right_of_staff(service: Service) -> None:
    await service.add_token("teacher", Role.TEACHER)
    tokens = f"/courses/{DEFAULT_COURSE}/tokens"
    async with service.browser("teacher") as browser:
        page = (await browser.get(tokens)).text
        found = re.search(r'name="form_key" value="([^"]*)"', page)
        assert found
        data = {"form_secret": form_secret(page), "form_key": found[1], "name": "x", "role": "teacher"}
        refused = await browser.post(tokens, data=data)
        assert refused.status_code == 422
        assert Action.MAKE_TOKENS_OF_STAFF not in refused.text
