"""The course here that a course of a platform is: asked, answered in three ways, undone."""

import re
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import select

from app.access.tokens import hash_secret
from app.lti import platforms
from app.storage.models import (
    Change,
    Course,
    CourseAssignment,
    Identity,
    LtiCode,
    LtiContext,
    LtiLink,
    LtiMember,
    LtiPlatform,
    LtiQuestion,
    LtiScore,
    MemberRole,
    Membership,
    Person,
    utc_now,
)
from tests.platforms import LTI, REGISTRATION
from tests.unit.app.calls import send
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import TEACHER, register
from tests.unit.app.lti.test_losing_rights import DEEP_LINKING, SECTION, archive, member_of

pytestmark = pytest.mark.usefixtures("platform")

OTHER = {"sub": "teacher-2", "role": "Instructor", "name": "Пьер Кюри"}


async def new_code(client: httpx.AsyncClient, course: str) -> str:
    shown = await send(client, f"{course}/lms", f"{course}/lms/code")
    code = re.search(r"[2-9A-Z]{4}(-[2-9A-Z]{4}){3}", shown.text)
    assert code is not None, shown.text
    return code[0]


async def second_of(service: Service) -> LtiContext:
    """The connection of the second section."""
    return next(each for each in await service.rows(LtiContext) if each.context_id == "section-2")


async def courses_of(service: Service) -> list[str]:
    return sorted(each.title for each in await service.rows(Course) if each.title != "Default")


async def test_first_launch_of_a_teacher_asks_and_does_nothing_before_the_answer(service, client):
    asked = await client.launch_only(**TEACHER)
    assert asked.status_code == 200
    assert "“Recurrent networks” of Moodle of the university" in asked.text
    assert "Use one of your courses" not in asked.text
    assert asked.headers["cache-control"] == "no-store"
    # A link to this page in another language would lead away from the question.
    assert "lang=" not in asked.text.partition("<body")[2]
    assert await service.rows(Membership) == []
    # It is answered on our page, for a confirmed platform, and within an hour.
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await client.choose(asked, course="new")).status_code == 403
    del client.headers["Sec-Fetch-Site"]
    await service.store(LtiPlatform, confirmed_at=None)
    assert (await client.choose(asked, course="new")).status_code == 403
    await service.store(LtiPlatform, confirmed_at=utc_now())
    over = await client.launch_only(**TEACHER, **SECTION)
    await service.store(LtiQuestion, expires_at=utc_now())
    assert (await client.choose(over, course="new")).status_code == 403
    assert await courses_of(service) == []
    asked = await client.launch_only(**TEACHER)
    assert (await client.choose(asked, course="new")).status_code == 303
    # The question is answered once.
    again = await client.choose(asked, course="new")
    assert (again.status_code, "works once" in again.text) == (403, True)
    assert await courses_of(service) == ["Recurrent networks"]


@pytest.mark.parametrize("part", ["student", "assistant", "stranger", "archived", "removed"])
async def test_course_is_nobodys_who_does_not_teach_it(service, teacher, other, part):
    course = await teacher.land(**TEACHER)
    roles = {"student": "Learner", "assistant": "TeachingAssistant"}
    if part != "stranger":
        await other.launch(**{**OTHER, "role": roles.get(part, "Instructor")})
    if part == "archived":
        await archive(service, course)
    if part == "removed":
        member = await member_of(service, "teacher-2")
        await service.store(Membership, Membership.id == member.id, removed_at=utc_now())
    asked = await other.launch_only(**OTHER, **SECTION)
    assert "Use one of your courses" not in asked.text
    answer = await other.choose(asked, course=course.rpartition("/")[2])
    assert answer.status_code == 404
    # The question stays.
    assert (await other.choose(answer, course="new")).status_code == 303
    assert len(await service.rows(Course)) == 3


async def test_code_connects_once_whoever_types_it_how(service, teacher, other):
    course = await teacher.land(**TEACHER)
    code = await new_code(teacher, course)
    (stored,) = await service.rows(LtiCode)
    assert stored.sha256 == hash_secret(code.replace("-", ""))
    assert code not in (await teacher.get(f"{course}/lms")).text
    asked = await other.launch_only(**OTHER, **SECTION)
    wrong = await other.choose(asked, code="AAAA-BBBB-CCCC-DDDD")
    assert (wrong.status_code, "does not work" in wrong.text) == (403, True)
    assert (await other.choose(wrong, code=code.lower().replace("-", " "))).headers["location"] == course
    assert (await other.get(f"{course}/copy")).status_code == 200
    third = await other.launch_only(**OTHER, **{f"{LTI}context": {"id": "third"}})
    assert (await other.choose(third, code=code)).status_code == 403


async def test_code_of_yesterday_or_of_an_archived_course_connects_nothing(service, teacher, other):
    course = await teacher.land(**TEACHER)
    code = await new_code(teacher, course)
    await service.store(LtiCode, expires_at=utc_now())
    asked = await other.launch_only(**OTHER, **SECTION)
    assert (await other.choose(asked, code=code)).status_code == 403
    code = await new_code(teacher, course)
    await archive(service, course)
    assert (await teacher.post(f"{course}/lms/code")).status_code == 403
    assert (await other.choose(asked, code=code)).status_code == 403
    assert len(await service.rows(LtiContext)) == 1


async def test_only_teachers_make_codes_and_undo_connections(service, teacher, other):
    course = await teacher.land(**TEACHER)
    (context,) = await service.rows(LtiContext)
    for role in ("TeachingAssistant", "Learner"):
        await other.launch(role=role)
        for action in ("code", f"contexts/{context.id}/disconnect"):
            answer = await other.post(f"{course}/lms/{action}", data={"sure": "on"})
            assert answer.status_code == 403, (role, action)
    assert len(await service.rows(LtiContext)) == 1


async def test_course_of_another_platform_needs_a_code_also_where_an_admin_has_merged_the_two_people(
    service, client, other, platform
):
    second = await register(service, replace(REGISTRATION, client_id="other", name="Canvas"))
    course = await client.land(**TEACHER)
    # The same id, name and address at another platform are somebody else.
    assert "Use one of your courses" not in (await other.launch_from_other()).text
    async with service.services.database.write() as session:
        identity = (await session.scalars(select(Identity))).one()
        session.add(Identity(person_id=identity.person_id, issuer=f"lti:{second.id}", subject="teacher-1"))
        own = Course(title="Without a platform", language="en", time_zone="UTC")
        session.add(own)
        await session.flush()
        teacher = MemberRole.TEACHER
        session.add(Membership(course_id=own.id, person_id=identity.person_id, external_id="t", role=teacher))
    asked = await other.launch_from_other()
    assert "Use one of your courses" in asked.text
    assert course.rpartition("/")[2] not in asked.text
    refused = await other.choose(asked, course=course.rpartition("/")[2])
    assert refused.status_code == 404
    answer = await other.choose(refused, code=await new_code(client, course))
    assert answer.headers["location"] == course
    # It is one of this platform's courses, too, from then on.
    third = await other.launch_from_other(**SECTION)
    assert course.rpartition("/")[2] in third.text
    assert {each.platform_id for each in await service.rows(LtiContext)} == {platform.id, second.id}


@pytest.mark.parametrize("by", ["colleague", "admin"])
async def test_only_an_admin_takes_teachers_from_a_course_by_undoing_its_connection(service, other, client, admin, by):
    course = await other.land(**TEACHER)
    await client.launch(**OTHER)
    await client.launch(**{**OTHER, "sub": "assistant-1", "role": "TeachingAssistant"})
    await client.launch(**OTHER)
    (context,) = await service.rows(LtiContext)
    hand = client if by == "colleague" else admin
    page = (await hand.get(f"{course}/lms")).text
    assert ("Teachers stay" in page, "is removed" in page) == (by == "colleague", by == "colleague")
    await send(hand, f"{course}/lms", f"{course}/lms/contexts/{context.id}/disconnect", sure="on")
    statuses = {(await each.get(course)).status_code for each in (other, client)}
    assert statuses == ({200} if by == "colleague" else {401})
    assert (await member_of(service, "assistant-1")).removed_at is not None


async def test_undone_connection_takes_its_people_and_links_and_leaves_those_of_another(
    service, teacher, other, student
):
    course = await teacher.land(**TEACHER)
    page = f"{course}/lms"
    asked = await other.launch_only(**OTHER, **SECTION)
    await other.choose(asked, code=await new_code(teacher, course))
    await student.launch()
    await student.launch(sub="of-section-2", **SECTION)
    second = await second_of(service)
    assert "1 member whom nothing but this connection has brought" in (await teacher.get(page)).text
    await send(teacher, page, f"{page}/contexts/{second.id}/disconnect")
    assert len(await service.rows(LtiContext)) == 2  # The box was not ticked.
    done = await send(teacher, page, f"{page}/contexts/{second.id}/disconnect", sure="on")
    assert done.status_code == 303
    assert "The connection is undone" in (await teacher.get(done.headers["location"])).text
    assert (await other.get(course)).status_code == 200
    assert [each.lti_context_id for each in await service.rows(LtiLink)] != [second.id]
    gone = [each for each in await service.rows(Membership) if each.removed_at]
    assert [each.id for each in gone] == [(await member_of(service, "of-section-2")).id]
    assert len(await service.rows(LtiScore)) == 1
    changes = (await service.rows(Change))[-1]
    assert (changes.subject, changes.after) == ("course", {})
    # The next launch asks again, and the answer brings everybody back.
    asked = await other.launch_only(**OTHER, **SECTION)
    await other.choose(asked, code=await new_code(teacher, course))
    assert (await other.get(course)).status_code == 200
    assert (await student.launch(sub="of-section-2", **SECTION)).status_code == 303
    assert (await member_of(service, "of-section-2")).removed_at is None


async def test_teacher_who_undoes_the_only_connection_stays_and_may_take_another_course(service, teacher, student):
    """A course that a launch has made by mistake is replaced."""
    right = await teacher.land(**TEACHER)
    mistake = await teacher.land(**TEACHER, **SECTION)
    second = await second_of(service)
    await send(teacher, f"{mistake}/lms", f"{mistake}/lms/contexts/{second.id}/disconnect", sure="on")
    assert (await teacher.get(f"{mistake}/copy")).status_code == 200
    asked = await teacher.launch_only(**TEACHER, **SECTION)
    assert "Use one of your courses" in asked.text
    assert (await teacher.choose(asked, course=right.rpartition("/")[2])).headers["location"] == right
    assert (await student.land(**SECTION)).startswith(f"{right}/")
    assert "Moodle of the university: Section 2" in (await teacher.get(f"{right}/changes")).text
    assert len(await service.rows(LtiMember)) == 3


async def test_undone_connection_leaves_each_member_the_part_that_is_left(service, teacher, other):
    course = await teacher.land(**TEACHER)
    page = f"{course}/lms"
    await other.choose(await other.launch_only(**OTHER, **SECTION), code=await new_code(teacher, course))
    await other.launch(**{**OTHER, "role": "TeachingAssistant"}, **SECTION)
    await other.launch(**{**OTHER, "role": "Learner"})
    assert (await member_of(service, "teacher-2")).role == MemberRole.ASSISTANT
    second = await second_of(service)
    await send(teacher, page, f"{page}/contexts/{second.id}/disconnect", sure="on")
    assert (await member_of(service, "teacher-2")).role == MemberRole.STUDENT
    assert (await other.get(page)).status_code == 403


async def test_course_that_somebody_else_has_connected_meanwhile_takes_no_late_answer(service, teacher, other):
    asked = await other.launch_only(**OTHER)
    await teacher.launch(**TEACHER)
    late = await other.choose(asked, course="new")
    assert (late.status_code, "may have connected it meanwhile" in late.text) == (403, True)
    assert len(await service.rows(Membership)) == 1
    assert (await other.launch(**{**OTHER, "role": "Learner"})).status_code == 303
    assert (await member_of(service, "teacher-2")).role == MemberRole.STUDENT
    assert await courses_of(service) == ["Recurrent networks"]


async def test_teacher_who_has_undone_a_connection_has_the_part_of_the_next_one(service, teacher, other):
    course = await teacher.land(**TEACHER)
    await other.launch(**OTHER)
    (context,) = await service.rows(LtiContext)
    await send(teacher, f"{course}/lms", f"{course}/lms/contexts/{context.id}/disconnect", sure="on")
    assert (await member_of(service, "teacher-1")).role == MemberRole.TEACHER
    asked = await teacher.launch_only(**TEACHER)
    await teacher.choose(asked, course=course.rpartition("/")[2])
    assert len(await service.rows(LtiMember)) == 1
    await teacher.launch(**{**TEACHER, "role": "Learner"})
    assert (await member_of(service, "teacher-1")).role == MemberRole.STUDENT


async def test_course_of_a_platform_has_a_usable_id_of_its_deployment(service, client, platform):
    await service.write(platforms.add_deployment, platform.id, "deployment-2")
    for context in ({"id": "x" * 10_000}, {"id": ""}, {"id": "a\x00b"}, {"title": "no id"}):
        answer = await client.launch(**TEACHER, **{f"{LTI}context": context})
        assert answer.status_code == 403, context
    assert await service.rows(LtiContext) == []
    first = await client.land(**TEACHER)
    assert await client.land(**TEACHER, **{f"{LTI}deployment_id": "deployment-2"}) != first
    assert len(await service.rows(Person)) == 1


async def test_new_title_there_is_shown_and_the_course_keeps_its_own(service, client):
    course = await client.land(**TEACHER)
    await client.launch(**TEACHER, **{f"{LTI}context": {"id": "course-3", "title": "RNN\x00 " + "x" * 999}})
    assert "RNN xxx" in (await client.get(f"{course}/lms")).text
    assert await courses_of(service) == ["Recurrent networks"]


async def test_assistant_is_told_that_a_teacher_adds_links(teacher, other):
    course = await teacher.land(**TEACHER)
    refused = await other.launch(role="TeachingAssistant", **DEEP_LINKING)
    assert (refused.status_code, "A teacher has to do this" in refused.text) == (403, True)
    nowhere = {f"{LTI}resource_link": {"id": "new"}, f"{LTI}custom": {}}
    answer = await other.launch(role="TeachingAssistant", **nowhere)
    assert answer.headers["location"].startswith(f"{course}/lms#link-")
    assert "A teacher of the course chooses its assignment here" in (await other.get(f"{course}/lms")).text


async def test_teacher_reads_which_assignments_there_are_where_a_link_names_none_of_them(service, teacher, student):
    named = {f"{LTI}custom": {"assignment": "lstm-layr\x00<b>"}}
    page = await teacher.land(**TEACHER, **named)
    assert "/lms#link-" in page
    shown = (await teacher.get(page)).text
    assert "name the assignment “lstm-layr &lt;b&gt;”" in shown
    assert "Valid names: " in shown
    assert "lstm-layer" in shown.partition("Valid names: ")[2][:80]
    assert (await student.launch(**named)).status_code == 403
    (link,) = await service.rows(LtiLink)
    address = page.partition("#")[0]
    await send(teacher, address, f"{address}/links/{link.id}", assignment="lstm-layer")
    assert (await student.launch(**named)).status_code == 303
    await teacher.launch(**TEACHER)
    assert "name the assignment" not in (await teacher.get(address)).text


async def test_link_to_an_assignment_whose_file_is_gone_asks_its_teacher(service, teacher, student):
    course = await teacher.land(**TEACHER)
    await service.store(CourseAssignment, CourseAssignment.assignment_id == "lstm-layer", assignment_id="old-one")
    gone = {f"{LTI}custom": {}}
    assert "/lms#link-" in await teacher.land(**TEACHER, **gone)
    assert "The assignment old-one is not on this service any more" in (await teacher.get(f"{course}/lms")).text
    refused = await student.launch(**gone)
    assert (refused.status_code, "has not set this up" in refused.text) == (403, True)
