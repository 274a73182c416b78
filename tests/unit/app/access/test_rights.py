"""The table of rights, on every route: in an archived course, after a change of role, and as a slow upload ends."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.access import tokens
from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import members
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, Membership, Role, Token, new_id, utc_now
from tests.unit.app.access.test_access import ABOUT_PEOPLE, FOR_EVERYBODY, PLACE, filled, of_somebody_else, operations
from tests.unit.app.calls import SUBMISSIONS, assert_problem, get, submit, submit_by, upload
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, Browser, Service, form_secret

#: Bodies of the requests that need one.
BODIES: dict[str, Any] = {
    "/api/v1/courses": {"title": "x"},
    "/api/v1/courses/{course_id}": {"title": "x"},
    "/api/v1/courses/{course_id}/assignments/{assignment_id}": {"title": "x"},
    "/api/v1/courses/{course_id}/copy": {"title": "x"},
    "/api/v1/courses/{course_id}/members": {"external_id": "x"},
    "/api/v1/courses/{course_id}/members/{member_id}": {"group": "x"},
    "/api/v1/courses/{course_id}/join-links": {},
    "/api/v1/courses/{course_id}/links": {"all": True},
    "/api/v1/courses/{course_id}/members/{member_id}/join": {"member": new_id()},
    f"{PLACE}/extension": {"more_attempts": 1, "reason": "x"},
    f"{PLACE}/adjustments": {"delta": 1.0, "reason": "x"},
    f"{PLACE}/comments": {"text": "x"},
    "/api/v1/submissions/{submission_id}/reviews": {"text": "x"},
    "/api/v1/courses/{course_id}/reviews/{review_id}/answer": {"answer": "x"},
    "/api/v1/people/{person_id}/merge": {"person": new_id()},
    "/api/v1/regrades": {"all": True},
    "/api/v1/tokens": {"name": "x"},
    "/api/v1/webhooks": {"url": "https://lms.example.org/"},
    "/api/v1/submissions/{submission_id}/decision": {"decision": "accepted", "reason": "x"},
}
#: The changes that an archived course still takes.
LEFT = {
    ("post", "/api/v1/courses"),
    ("post", "/api/v1/courses/{course_id}/copy"),
    ("post", "/api/v1/courses/{course_id}/export"),
    ("delete", "/api/v1/courses/{course_id}/join-links/{join_link_id}"),
    ("delete", "/api/v1/courses/{course_id}/links"),
    ("delete", "/api/v1/courses/{course_id}/members/{member_id}/link"),
    ("post", "/api/v1/webhooks/{webhook_id}/ping"),
    ("delete", "/api/v1/webhooks/{webhook_id}"),
    ("delete", "/api/v1/tokens/{token_id}"),
    ("delete", "/api/v1/students"),
    ("delete", "/api/v1/courses/{course_id}/members/{member_id}"),
    ("delete", "/api/v1/courses/{course_id}"),
    ("delete", "/api/v1/people/{person_id}"),
}
#: They are tried by students.
OF_STUDENTS = {("post", SUBMISSIONS), ("post", "/api/v1/checks")}
#: Changes to people, in no course.
OF_PEOPLE = {
    ("post", "/api/v1/people/{person_id}/merge"),
    ("post", "/api/v1/people/merges/{merge_id}/undo"),
    ("delete", "/api/v1/people/{person_id}/identities/{identity_id}"),
}
#: The changes that an assistant may make, and those that a teacher may not.
OF_ASSISTANTS = {
    ("post", SUBMISSIONS),
    ("post", f"{SUBMISSIONS}/{{submission_id}}/cancel"),
    ("post", f"{PLACE}/comments"),
    ("delete", f"{PLACE}/comments/{{comment_id}}"),
    ("post", "/api/v1/courses/{course_id}/reviews/{review_id}/answer"),
}
OF_ADMINS = {
    *OF_PEOPLE,
    ("post", "/api/v1/courses"),
    ("delete", "/api/v1/courses/{course_id}"),
    ("delete", "/api/v1/courses/{course_id}/members/{member_id}"),
    ("delete", "/api/v1/people/{person_id}"),
    ("delete", "/api/v1/students"),
}


async def archive(service: Service, course_id: str = DEFAULT_COURSE) -> None:
    await service.store(Course, Course.id == course_id, archived_at=utc_now())


def test_page_about_courses_shows_the_table_as_it_is():
    page = (Path(__file__).parents[4] / "docs" / "courses.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    shown = {
        name: [cell.strip() == "yes" for cell in cells] for first, *cells in rows for name in first.split("`")[1::2]
    }
    roles = (Role.ADMIN, Role.TEACHER, Role.ASSISTANT, Role.SUBMITTER)
    for action in Right:
        right = action.holders
        has = [*(role in right.roles for role in roles), right.students, right.in_archived, right.notebooks]
        assert shown[str(action)] == has, f"docs/courses.md: {action}"


async def test_every_route_with_an_id_is_closed_to_another_course(two):
    values = await of_somebody_else(two)
    await two.add_token("assistant-there", Role.ASSISTANT, course_id=OTHER)
    requests = 0
    for token in ("teacher-there", "assistant-there", "script-there", "ivanov-there", OWNER_TOKEN):
        # An admin who names a course sees no other.
        params, refused = ({"course": OTHER}, {404}) if token == OWNER_TOKEN else ({}, {403, 404})
        async with two.client(token) as client:
            for method, path, _ in await operations(two):
                if "{" not in path or ((method, path) in FOR_EVERYBODY and "{course_id}" not in path):
                    continue
                if token == OWNER_TOKEN and path.startswith(ABOUT_PEOPLE):  # They are in several courses.
                    continue
                answer = await client.request(method, filled(path, values), json=BODIES.get(path), params=params)
                if path.startswith("/api/v1/assignments/"):  # Both courses use it.
                    assert answer.status_code in (200, 403), f"{token}: {path}"
                    continue
                assert answer.status_code in refused, f"{token}: {method} {path}: {answer.status_code}"
                requests += 1
    assert requests >= 5 * 15


async def test_changes_over_the_api_are_closed_to_staff_without_the_right(service):
    values = await of_somebody_else(service)
    await service.add_token("teacher", Role.TEACHER)
    await service.add_token("assistant", Role.ASSISTANT)
    changes = {(method, path) for method, path, _ in await operations(service) if method != "get"}
    assert changes >= OF_ADMINS | OF_ASSISTANTS
    for token, closed in (("teacher", OF_ADMINS), ("assistant", changes - OF_ASSISTANTS)):
        async with service.client(token) as client:
            for method, path in closed:
                params = {"student": "ivanov", "title": "Default"}
                answer = await client.request(method, filled(path, values), params=params, json=BODIES.get(path))
                assert answer.status_code == 403, f"{token}: {method} {path}: {answer.status_code}"


async def test_session_of_a_person_opens_the_own_courses_by_the_role_of_the_moment(two):
    theirs = (await submit_by(two, "script-here", "petrov")).json()["id"]
    own = (await submit_by(two, "script-there")).json()["id"]

    async def change(**values: Any) -> str:
        async with two.services.database.write() as session:
            member = (await members.find(session, [(OTHER, "ivanov")]))[OTHER, "ivanov"]
            for name, value in values.items():
                setattr(member, name, value)
            return member.person_id

    other = (await submit_by(two, "script-there", "petrov")).json()["id"]
    async with two.browser_of(await change()) as browser:
        for role, status in ((MemberRole.STUDENT, 404), (MemberRole.ASSISTANT, 200), (MemberRole.STUDENT, 404)):
            await change(role=role)
            assert (await browser.get(f"/submissions/{own}")).status_code == 200
            assert (await browser.get(f"/submissions/{other}")).status_code == status, role
            assert (await browser.get(f"/submissions/{theirs}")).status_code == 404
            assert (await browser.get("/", params={"course": DEFAULT_COURSE})).status_code == 404
        await change(removed_at=utc_now())
        assert (await browser.get(f"/submissions/{own}")).status_code in (401, 403)


async def test_person_in_two_courses_hands_in_where_the_page_says(two):
    async with two.services.database.write() as session:
        both = await members.find(session, [(DEFAULT_COURSE, "ivanov"), (OTHER, "ivanov")])
        here, there = both[DEFAULT_COURSE, "ivanov"], both[OTHER, "ivanov"]
        there.person_id = here.person_id
        older, newer = sorted((here, there), key=lambda member: member.id)
    pages = []
    async with two.browser_of(here.person_id) as browser:
        for course in (older.course_id, newer.course_id):
            shown = (await browser.get(f"/courses/{course}/assignments/lstm-layer")).text
            (action,) = re.findall(r'method="post" action="([^"]*)" enctype', shown)
            sent = {"form_secret": form_secret(shown)}
            answer = await browser.post(action, data=sent, files={"file": ("LSTM.py", b"class LSTM: ...")})
            assert answer.status_code == 303
            page = await browser.get(answer.headers["location"])
            assert page.status_code == 200
            stored = (await get(two, OWNER_TOKEN, SUBMISSIONS, course=course)).json()["items"]
            pages += [f"/submissions/{each['id']}" for each in stored]
            assert pages[-1:] == [answer.headers["location"]]
    async with two.browser() as admin:  # Sees both, and compares only those of one course.
        assert (await admin.get(f"{pages[0]}/beside/{pages[1].rpartition('/')[2]}")).status_code == 404


async def test_archived_course_can_be_read_and_nothing_in_it_changes(service):
    values = await of_somebody_else(service)
    await service.add_token("teacher", Role.TEACHER)
    await archive(service)
    for token in ("first", "teacher", OWNER_TOKEN):
        refused = set()
        async with service.client(token) as client:
            for method, path, _ in await operations(service):
                if not path.startswith("/api/") or (method, path) in {*OF_STUDENTS, *LEFT, *OF_PEOPLE}:
                    continue
                route, course = f"{token}: {method} {path}", {"course": DEFAULT_COURSE}
                answer = await client.request(method, filled(path, values), json=BODIES.get(path), params=course)
                if method == "get":
                    assert answer.status_code != 403 or token == "first" or path.startswith(ABOUT_PEOPLE), route
                else:
                    assert answer.status_code == 403, f"{route}: {answer.status_code} {answer.text}"
                    refused.add(answer.json()["type"].rsplit(":")[-1])
        assert refused == ({"forbidden", "course-archived"} if token == "first" else {"course-archived"}), token
        assert (await submit_by(service, token)).json()["type"].endswith(":course-archived"), token


async def test_archived_course_still_ends_tokens_webhooks_and_data(service, owner):
    values = await of_somebody_else(service)
    await archive(service)
    # Deletions come last, because other requests are about what they delete.
    last = ["/api/v1/people/{person_id}", "/api/v1/students", "/api/v1/courses/{course_id}/members/{member_id}"]
    last.append("/api/v1/courses/{course_id}")
    for method, path in sorted(
        LEFT, key=lambda each: (last.index(each[1]) if each[1] in last else -1, each[0] != "post", each)
    ):
        params = {"student": "ivanov", "title": "Default"}
        answer = await owner.request(method, filled(path, values), params=params, json=BODIES.get(path))
        assert answer.status_code in (200, 201, 202, 204), f"{method} {path}: {answer.text}"


async def test_archived_default_course_does_not_stop_an_admin_elsewhere(two, owner):
    there = (await submit_by(two, "script-there")).json()
    await archive(two)
    begun = await owner.post("/api/v1/regrades", json={"submissions": [there["id"]]})
    assert begun.json()["total"] == 1
    cancelled = await owner.post(f"{there['links']['self']}/cancel")
    assert not cancelled.json().get("type", "").endswith(":course-archived")
    token = await owner.post("/api/v1/tokens", json={"name": "x"}, params={"course": OTHER})
    assert token.status_code == 201
    assert (await owner.post("/api/v1/tokens", json={"name": "x"})).status_code == 403


async def test_admin_without_a_course_changes_nothing_of_an_archived_one_either(two):
    there = (await submit_by(two, "script-there")).json()
    await archive(two, OTHER)
    async with two.client() as client:
        for path, body in (("/cancel", None), ("/decision", BODIES["/api/v1/submissions/{submission_id}/decision"])):
            answer = await client.post(f"{there['links']['self']}{path}", json=body)
            assert answer.json()["type"].endswith(":course-archived"), path
        begun = await client.post("/api/v1/regrades", json={"submissions": [there["id"]]})
        assert begun.json()["total"] == 0
    assert (await submit_by(two, OWNER_TOKEN, course=OTHER)).json()["type"].endswith(":course-archived")
    assert (await submit_by(two, OWNER_TOKEN)).status_code == 200
    assert (await submit_by(two, OWNER_TOKEN, course=new_id())).status_code == 404


async def test_upload_repeated_in_an_archived_course_gets_its_earlier_answer(service):
    await service.add_token("script")
    async with service.client("script", **{"Idempotency-Key": "k"}) as client:
        first = await client.post(SUBMISSIONS, **upload(), params={"wait": 120})
        await archive(service)
        again = await client.post(SUBMISSIONS, **upload())
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        other = await client.post(SUBMISSIONS, **upload(content=b"class LSTM: pass"))
        assert other.json()["type"].endswith(":idempotency-key-reused")
    assert (await submit_by(service, "script", "newcomer")).json()["type"].endswith(":course-archived")
    assert await service.rows(Membership, Membership.external_id == "newcomer") == []


COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"
MEMBERS = f"{COURSE}/members"


async def add(admin: Browser, role: str, external_id: str = "petrova") -> tuple[str, str]:
    """Add a member; return the id, and the token in the personal link."""
    id = (await admin.post(MEMBERS, json={"external_id": external_id, "role": role})).json()["id"]
    link: str = (await admin.post(f"{MEMBERS}/{id}/link")).json()["link"]
    return id, link.rpartition("=")[2]


@pytest.mark.parametrize(("before", "after", "status"), [("teacher", "student", 403), ("student", "teacher", 200)])
async def test_metrics_are_for_whoever_is_a_teacher_now(service, owner, before, after, status):
    id, token = await add(owner, before)
    assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": after})).status_code == 200
    assert (await get(service, token, "/metrics")).status_code == status


async def test_teacher_ends_links_of_somebody_who_is_no_teacher_any_more(service, owner, teacher):
    id, token = await add(owner, "teacher")
    assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})).status_code == 200
    listed = (await teacher.get(f"{COURSE}/links")).json()["items"]
    ended = (await teacher.delete(f"{MEMBERS}/{id}/link")).json()
    assert ([each["member"] for each in listed], ended) == ([id], {"ended": 1})
    assert (await get(service, token, SUBMISSIONS)).status_code == 401


async def test_assistant_hands_in_for_nobody_else(service, owner):
    await service.add_token("ivanov", student="ivanov")
    await service.add_token("unbound", Role.ASSISTANT)
    _, token = await add(owner, "assistant")
    for each in (token, "unbound"):
        async with service.client(each) as assistant:
            assert_problem(await assistant.post(SUBMISSIONS, **upload(student="ivanov")), 403, "other-student")
    async with service.client(token) as assistant:
        assert (await submit(assistant, student="petrova"))["student"] == "petrova"
    students = {each["external_id"] for each in (await owner.get(MEMBERS)).json()["items"]}
    assert students == {"ivanov", "petrova"}


@pytest.mark.parametrize("change", ["the token ends", "the student is renamed"])
async def test_slow_upload_has_the_rights_of_its_end(service, owner, monkeypatch, change, ivanov):
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    (added,) = await service.rows(Token, Token.student == "ivanov")

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="LSTM.py"\r\n\r\n'
        if change == "the token ends":
            request = owner.delete(f"/api/v1/tokens/{added.id}")
        else:
            request = owner.patch(f"{MEMBERS}/{added.membership_id}", json={"external_id": "ivanov-2"})
        assert (await request).is_success
        yield b"class LSTM: ...\r\n--x--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await ivanov.post(SUBMISSIONS, content=slowly(), headers=form)
    students = [each["student"] for each in (await owner.get(SUBMISSIONS)).json()["items"]]
    if change == "the token ends":
        assert (answer.status_code, students) == (401, [])
    else:
        assert (answer.json()["student"], students) == ("ivanov-2", ["ivanov-2"])


@pytest.mark.parametrize(("change", "status"), [("removed", 401), ("demoted", 403)])
async def test_slow_roster_needs_the_right_at_its_end(service, owner, monkeypatch, change, status):
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    id, token = await add(owner, "teacher")

    async def slowly() -> AsyncIterator[bytes]:
        yield b"id;name\n"
        if change == "removed":
            request = owner.post(f"{MEMBERS}/{id}/remove")
        else:
            request = owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})
        assert (await request).is_success
        yield b"ivanov;Ivanov\n"

    async with service.client(token) as teacher:
        answer = await teacher.post(f"{COURSE}/roster", content=slowly(), headers={"Content-Type": "text/csv"})
    members = (await owner.get(MEMBERS)).json()["items"]
    assert (answer.status_code, len(members)) == (status, 1)


async def test_member_acts_in_the_own_course_at_the_end_of_a_slow_request_too(service, owner):
    id, _ = await add(owner, "teacher")
    (member,) = await service.rows(Membership, Membership.id == id)
    viewer = replace(Principal.of_member(member, archived=True), names_course=True)
    async with service.services.database.read() as session:
        assert await tokens.as_of_now(session, viewer) == viewer


async def test_slow_archive_needs_the_right_at_its_end(service, owner, monkeypatch):
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    page, field = f"/courses/{DEFAULT_COURSE}/batch", "--x\r\nContent-Disposition: form-data; name="
    id, token = await add(owner, "teacher")
    async with service.browser(token) as teacher:
        secret = form_secret((await teacher.get(page)).text)

        async def slowly() -> AsyncIterator[bytes]:
            yield f'{field}"form_secret"\r\n\r\n{secret}\r\n'.encode()
            assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})).is_success
            yield f'{field}"file"; filename="course.zip"\r\n\r\nPK\r\n--x--\r\n'.encode()

        form = {"Content-Type": "multipart/form-data; boundary=x"}
        assert (await teacher.post(page, content=slowly(), headers=form)).status_code == 403
