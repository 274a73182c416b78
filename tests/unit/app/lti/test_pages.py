"""The pages of platforms, of a course's connection, and of Deep Linking."""

import re
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.courses import uses
from app.storage.models import (
    CourseAssignment,
    LtiContext,
    LtiLink,
    LtiPlatform,
    LtiScore,
    LtiSelection,
    Membership,
    Person,
    utc_now,
)
from tests.platforms import CLIENT_ID, DEPLOYMENT, ISSUER, LTI, NRPS, FakePlatform, login_parameters, untimely
from tests.unit.app.calls import send
from tests.unit.app.conftest import Service, form_secret
from tests.unit.app.lti.conftest import TEACHER, browser, join_to_roster

pytestmark = pytest.mark.usefixtures("platform")

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"


async def test_suspended_platform_is_as_good_as_none(service, teacher, student, admin, platform):
    page = f"/platforms/{platform.id}"
    course = await teacher.land(**TEACHER)
    await student.launch()
    # A launch of somebody who is joined opens the session of another person, whom the platform does not know.
    await join_to_roster(service)
    work = await student.land()
    assert [(await teacher.get(course)).status_code, (await student.get(work)).status_code] == [200, 200]
    assert (await send(admin, page, f"{page}/remove", sure="on")).status_code == 409  # It has courses.
    assert (await send(admin, page, f"{page}/suspend", sure="on")).status_code == 303
    assert [(await teacher.get(course)).status_code, (await student.get(work)).status_code] == [401, 401]
    assert (await teacher.get("/lti/login", params=login_parameters())).status_code == 403
    assert (await send(admin, page, f"{page}/confirm")).status_code == 303
    assert (await teacher.launch(**TEACHER)).status_code == 303


async def test_suspended_platform_gets_nothing_that_we_sign(service, teacher, admin, platform, fake):
    """Somebody who is in the course by another way, such as an admin, still sees its page."""
    course = await teacher.land(**TEACHER, **MEMBERS)
    choosing = await teacher.land(**TEACHER, **wish())
    page, secret = f"{course}/lms", form_secret((await teacher.get(choosing)).text)
    assert "Read the list of members" in (await admin.get(page)).text
    await service.store(LtiPlatform, confirmed_at=None)
    shown = (await admin.get(page)).text
    assert "has suspended Moodle of the university" in shown
    assert "Read the list of members" not in shown
    assert (await read_list(admin, service, page)).status_code == 404
    sent = {"form_secret": secret, "assignment": "lstm-layer"}
    assert (await teacher.post(choosing, data=sent)).status_code == 404
    assert "/token" not in fake.asked


async def test_course_without_students_says_that_they_come_from_the_platform(service, teacher, admin):
    course = await teacher.land(**TEACHER)
    for page in (course, f"{course}/start", f"{course}/grade-book"):
        assert "when they open the exercise on Moodle of the university." in (await teacher.get(page)).text
        assert "когда откроют задание на платформе" in (await teacher.get(f"{page}?lang=ru")).text
        assert "Import a list" not in (await teacher.get(f"{page}?lang=en")).text
    await service.store(LtiPlatform, confirmed_at=None)
    assert "Import a list" in (await admin.get(course)).text
    await service.store(LtiPlatform, confirmed_at=utc_now())
    await service.store(Membership, removed_at=utc_now())
    assert "on Moodle of the university." in (await admin.get(f"{course}/members")).text


async def test_teacher_says_once_where_a_link_leads_to(service, teacher, student):
    without = {f"{LTI}custom": None}
    page, _, row = (await teacher.land(**TEACHER, **without)).partition("#")
    assert page.endswith("/lms")
    shown = await teacher.get(page)
    assert "Students cannot open this link before" in shown.text
    early = await student.launch(**without)
    assert (early.status_code, "has not set this up yet" in early.text) == (403, True)
    (link,) = await service.rows(LtiLink)
    assert row == f"link-{link.id}"
    chosen = await send(teacher, page, f"{page}/links/{link.id}", assignment="lstm-layer")
    assert chosen.status_code == 303
    assert (await student.land(**without)).endswith("/assignments/lstm-layer")
    assert (await send(teacher, page, f"{page}/links/{link.id}", assignment="nonsense")).status_code == 422


async def test_refused_grades_are_shown_and_sent_again(service, teacher, student):
    course = await teacher.land(**TEACHER)
    assignment = await student.land()
    (score,) = await service.rows(LtiScore)
    said = {"last_status": 404, "last_error": "the column <b>is gone</b>"}
    await service.store(LtiScore, next_at=None, failed_at=utc_now(), **said)
    page = f"{course}/lms"
    shown = (await teacher.get(page)).text
    assert "the column &lt;b&gt;is gone&lt;/b&gt;" in shown
    assert "Анна Петрова" in shown
    for removed_at in (utc_now(), None):
        await service.store(Membership, Membership.id == score.membership_id, removed_at=removed_at)
        assert ("is gone" in (await teacher.get(page)).text) == (removed_at is None)
    again = await send(teacher, page, f"{page}/links/{score.lti_link_id}/send", score=score.id)
    assert again.status_code == 303
    assert (await send(teacher, page, f"{page}/links/{score.lti_link_id}/send", score="a\0b")).status_code == 404
    (score,) = await service.rows(LtiScore)
    assert (score.failed_at, score.version) == (None, 2)
    assert (await student.get(page)).status_code == 403
    assert (await send(student, assignment, f"{page}/links/{score.lti_link_id}/send")).status_code == 403


def wish(**changed: Any) -> dict[str, Any]:
    return {
        f"{LTI}message_type": "LtiDeepLinkingRequest",
        f"{LTI}resource_link": None,
        f"{DL}deep_linking_settings": {
            "deep_link_return_url": f"{ISSUER}/return?x=1",
            "accept_types": ["ltiResourceLink"],
            "accept_presentation_document_targets": ["iframe"],
            "data": "opaque & kept",
            **changed,
        },
    }


async def test_chosen_assignment_goes_back_signed(service, teacher):
    page = await teacher.land(**TEACHER, **wish())
    course_id, assignments = page.split("/")[2], service.services.assignments
    async with service.services.database.write() as session:
        await uses.put(session, course_id, "lstm-layer", assignments, {"grade_book_points": 12.5}, "test")
        session.add(CourseAssignment(course_id=course_id, assignment_id="gone", rules={}))
    assert (await send(teacher, page, page, assignment="gone")).status_code == 422
    answer = await send(teacher, page, page, assignment="lstm-layer")
    assert answer.status_code == 200, answer.text
    assert f'action="{ISSUER}/return?x=1"' in answer.text
    assert f"form-action 'self' {ISSUER};" in answer.headers["content-security-policy"]
    token = re.search(r'name="JWT" value="([^"]+)"', answer.text)
    keys = KeySet.import_key_set((await teacher.get("/lti/keys")).json())
    claims = jwt.decode(token[1], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims[f"{LTI}deployment_id"]) == (CLIENT_ID, ISSUER, DEPLOYMENT)
    # Clocks that differ by almost a minute.
    assert [untimely(claims, time.time() + seconds) for seconds in (-55, 0, 55)] == [None] * 3
    assert claims[f"{LTI}message_type"] == "LtiDeepLinkingResponse"
    assert claims[f"{DL}data"] == "opaque & kept"
    # A window of its own, where nothing may happen.
    assert "keeps cookies in frames" in answer.text
    (item,) = claims[f"{DL}content_items"]
    assert (item["type"], item["url"]) == ("ltiResourceLink", "http://grader.test/lti/open")
    assert item["custom"] == {"assignment": "lstm-layer"}
    # Moodle takes whole points only.
    points = item["lineItem"]["scoreMaximum"]
    assert (points, type(points)) == (13, int)
    assert "maximum in the grade book there will be 13." in answer.text


async def test_nothing_is_promised_that_does_not_come_along_with_a_link(service, teacher):
    """Dates never are: most platforms do not take them."""
    page = await teacher.land(**TEACHER, **wish(accept_lineitem=False))
    rules = {"rules": {"due": "2030-01-01T00:00:00+00:00"}}
    await service.write(uses.put, page.split("/")[2], "lstm-layer", service.services.assignments, rules, "test")
    shown = (await send(teacher, page, page, assignment="lstm-layer")).text
    assert "Moodle of the university adds it to your course.</p>" in shown
    assert not re.search("maximum|points|dates|2030", shown.partition("<main")[2])


async def test_only_the_teacher_who_was_asked_adds_a_link_and_in_time(service, client):
    async with browser(service) as teacher:
        page = await teacher.land(**TEACHER, **wish())
    for role in ("Learner", "TeachingAssistant"):
        async with browser(service) as other:
            assert (await other.launch(role=role, **wish())).status_code == 403, role
            await other.launch(role=role)
            assert (await other.get(page)).status_code in (401, 403, 404), role
    await client.launch(**{**TEACHER, "sub": "teacher-2"})
    assert (await client.get(page)).status_code == 404
    async with browser(service) as teacher:
        await teacher.launch(**TEACHER)
        assert (await teacher.get(page)).status_code == 200
        await service.store(LtiSelection, expires_at=utc_now())
        assert (await teacher.get(page)).status_code == 404


MEMBERS = {NRPS: {"context_memberships_url": f"{ISSUER}/members?page=1", "service_versions": ["2.0"]}}


def entry(user_id: str, role: str = "Learner", **values: Any) -> dict[str, Any]:
    return {"user_id": user_id, "roles": [role], "name": f"Name of {user_id}", **values}


def list_pages(fake: FakePlatform, *pages: list[dict[str, Any]]) -> None:
    """Have the platform list these people, page by page."""

    def answer() -> httpx.Response:
        number = int(fake.sent[-1].url.params["page"])
        more = {"Link": f'<{ISSUER}/members?page={number + 1}>; rel="next"'} if number < len(pages) else {}
        return httpx.Response(200, json={"id": "x", "members": pages[number - 1]}, headers=more)

    fake.answers["/members"] = answer


async def read_list(client: httpx.AsyncClient, service: Service, page: str) -> httpx.Response:
    (context,) = await service.rows(LtiContext)
    return await send(client, page, f"{page}/contexts/{context.id}/members")


async def test_list_of_members_adds_changes_and_drops(service, teacher, student, fake):
    page = f"{await teacher.land(**TEACHER, **MEMBERS)}/lms"
    assignment = await student.land(**MEMBERS)
    long_name = {**entry("new-1"), "name": None, "given_name": "a" * 200, "family_name": "b" * 200}
    list_pages(
        fake,
        [entry("teacher-1", "Instructor"), long_name, entry("gone", status="Inactive")],
        [entry("new-2", "Instructor"), entry("parent", "Mentor"), entry("user-5", "TeachingAssistant")],
    )
    shown = await read_list(teacher, service, page)
    assert "Added: 2; changed: 1; removed: 0" in shown.text
    members = await service.rows(Membership)
    assert Counter(member.role for member in members) == {"teacher": 2, "assistant": 1, "student": 1}
    assert max(len(each.name or "") for each in await service.rows(Person)) == 200
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("new-1"), entry("new-2", "Instructor")])
    suspended = entry("user-5", "TeachingAssistant", status="Inactive")
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("new-1"), entry("new-2", "Instructor"), suspended])
    assert "Added: 0; changed: 0; removed: 0" in (await read_list(teacher, service, page)).text
    assert (await student.get(assignment)).status_code == 200
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("new-1"), entry("new-2", "Instructor")])
    assert "Added: 0; changed: 0; removed: 1" in (await read_list(teacher, service, page)).text
    # A drop takes the rights of open sessions.
    assert (await student.get(assignment)).status_code == 401
    # Another launch brings the student back into the course.
    assert (await student.launch(**MEMBERS)).status_code == 303
    assert (await student.get(assignment)).status_code == 200


async def test_list_that_is_too_long_is_left(service, teacher, fake):
    """Members who have left count, too, and no member is looked at before all are counted."""
    page = f"{await teacher.land(**TEACHER, **MEMBERS)}/lms"
    for each in ({}, {"user_id": "x", "status": "Deleted"}):
        list_pages(fake, [entry("teacher-1", "Instructor")] * 9_000, [each] * 11_001, [entry("new")])
        asked = fake.asked.count("/members")
        shown = await read_list(teacher, service, page)
        assert (shown.status_code, "more than 20000 members" in shown.text) == (502, True), each
        assert fake.asked.count("/members") == asked + 2, each


async def test_list_that_cannot_be_read_to_its_end_drops_nobody(service, teacher, student, fake, caplog):
    """Answers of a wrong form stand in test_services."""
    answers = [
        (httpx.Response(403, json={"message": "not for tools"}), "not for tools"),
        (httpx.Response(200, json={"members": []}), "the list names no teacher"),
        (httpx.Response(200, json={"members": [{"user_id": "x", "roles": ["Learner"]}]}), "the list names no teacher"),
        (httpx.Response(200, json={"members": []}, headers={"Link": '<https://a.edu/>; rel="next"'}), "another site"),
    ]
    page = f"{await teacher.land(**TEACHER, **MEMBERS)}/lms"
    await student.launch(**MEMBERS)
    for answer, words in answers:
        fake.answers["/members"] = lambda answer=answer: answer
        shown = await read_list(teacher, service, page)
        assert (shown.status_code, words in shown.text) == (502, True), (answer, shown.text)
        members = await service.rows(Membership)
        assert [member.removed_at for member in members] == [None, None], answer
    assert caplog.messages.count("lti_members_refused") == len(answers)
