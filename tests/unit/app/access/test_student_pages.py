"""The pages of a student, asked by every role, about work of somebody else and in another course."""

from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts

from app.storage.models import DEFAULT_COURSE, Role, new_id
from app.web.student import assignment, conversation, home, submission
from tests.unit.app.access.test_access import filled, without_ids
from tests.unit.app.calls import submit_by
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, Service, form_secret

BESIDE = "/submissions/{submission_id}/beside/{other_id}"
#: The numbers and the pictures are those of a report that has them.
FILES = ("{name}.svg", "{case_id}.csv", "/me/export")


def routes(method: str) -> Iterator[str]:
    for module in (assignment, conversation, home, submission):
        for context in iter_route_contexts(list(module.router.routes)):
            # News is one's own, whatever the course, and a check before handing in is its student's alone.
            is_common = not context.path.startswith("/news/") and "{check_id}" not in context.path
            if is_common and method in (context.methods or ()):
                yield context.path
    if method == "GET":
        yield BESIDE


@pytest.fixture
async def work(two: Service) -> tuple[Service, dict[str, str]]:
    """Two attempts of Ivanov in the course Default and one of Petrov; assistants, and a student without any."""
    for name, course in (("here", DEFAULT_COURSE), ("there", OTHER)):
        await two.add_token(f"assistant-{name}", Role.ASSISTANT, course_id=course)
        await two.add_token(f"petrov-{name}", student="petrov", course_id=course)
    ids = [(await submit_by(two, "script-here", student)).json()["id"] for student in ("ivanov", "ivanov", "petrov")]
    named = {"submission_id": ids[0], "other_id": ids[1], "of_petrov": ids[2]}
    place = {"course_id": DEFAULT_COURSE, "assignment_id": "lstm-layer"}
    return two, {**named, **place, "token_id": new_id(), "form": "py", "name": "heat_map", "case_id": "exercise"}


async def test_pages_open_to_the_student_the_staff_and_the_script_that_sent_the_work(work):
    service, values = work
    for token in ("ivanov-here", "teacher-here", "assistant-here", OWNER_TOKEN, "script-here"):
        async with service.browser(token) as browser:
            for path in routes("GET"):
                if path.endswith(FILES):
                    continue
                page = await browser.get(filled(path, values))
                leads = path == "/" and token in ("teacher-here", "assistant-here")
                assert page.status_code == (303 if leads else 200), f"{token}: {path}"


async def test_another_course_is_not_there(work):
    service, values = work
    for token in ("ivanov-there", "petrov-there", "teacher-there", "assistant-there", "script-there"):
        async with service.browser(token) as browser:
            secret = form_secret((await browser.get("/link")).text)
            for path in routes("GET"):
                where = f"/?course={DEFAULT_COURSE}" if path == "/" else filled(path, values)
                page = await browser.get(where)
                assert page.status_code == 404, f"{token}: {path}"
                assert "ivanov" not in page.text.replace(where, ""), f"{token}: {path}"
            for path in routes("POST"):
                answer = await browser.post(filled(path, values), data={"form_secret": secret, "text": "Why?"})
                # A role that may do it nowhere is told so, of any course.
                of_staff = token in ("teacher-there", "assistant-there")
                assert answer.status_code in ({403, 404} if of_staff else {404}), f"{token}: {path}"


async def test_work_of_others_is_refused_as_work_that_does_not_exist(work):
    service, values = work
    nothing = new_id()
    for token in ("petrov-here", "ivanov-there", "teacher-there"):
        async with service.browser(token) as browser:
            for path in routes("GET"):
                if "{submission_id}" not in path:
                    continue
                theirs = await browser.get(filled(path, values))
                none = await browser.get(filled(path, values | {"submission_id": nothing, "other_id": nothing}))
                assert (theirs.status_code, none.status_code) == (404, 404), f"{token}: {path}"
                ids = values["submission_id"], values["other_id"]
                assert without_ids(theirs, *ids) == without_ids(none, nothing), f"{token}: {path}"


async def test_own_pages_hold_nothing_of_others(work):
    service, values = work
    async with service.browser("petrov-here") as browser:
        for path in ("/", "/courses/{course_id}/assignments/{assignment_id}/attempts"):
            page = (await browser.get(filled(path, values))).text
            assert values["of_petrov"] in page
            assert values["submission_id"] not in page
            assert "ivanov" not in page
        for pair in (("of_petrov", "submission_id"), ("submission_id", "of_petrov")):
            first, second = (values[name] for name in pair)
            assert (await browser.get(f"/submissions/{first}/beside/{second}")).status_code == 404
        own = f"/submissions/{values['of_petrov']}"
        # As staff looks at it: for a student it is the own page.
        assert (await browser.get(own, params={"as": "student"})).status_code == 200
        assert (await browser.get(own, params={"course": OTHER})).status_code == 404
