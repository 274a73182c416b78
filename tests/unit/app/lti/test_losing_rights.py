"""Rights that a platform takes: by a launch with a lower part, by a list that leaves somebody out, in every course."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import tokens
from app.access.tokens import Principal
from app.lti import memberships, platforms
from app.lti.launch import binding
from app.lti.launch.people import PlatformPerson
from app.lti.launch.roles import Part
from app.lti.memberships import ChangeCounts
from app.storage.models import (
    Course,
    Identity,
    LtiContext,
    LtiPlatform,
    LtiScore,
    MemberRole,
    Membership,
    Person,
    utc_now,
)
from tests.platforms import DEPLOYMENT, ISSUER, LTI
from tests.unit.app.calls import SUBMISSIONS, send, upload
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import TEACHER, open_course
from tests.unit.app.lti.test_pages import DL, MEMBERS, entry, list_pages, read_list
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("platform")

SECTION = {f"{LTI}context": {"id": "section-2", "title": "Section 2"}}
DEEP_LINKING = {
    f"{LTI}message_type": "LtiDeepLinkingRequest",
    f"{DL}deep_linking_settings": {"deep_link_return_url": f"{ISSUER}/return"},
}


async def archive(service: Service, course: str) -> None:
    await service.store(Course, Course.id == course.rpartition("/")[2], archived_at=utc_now())


async def member_of(service: Service, subject: str) -> Membership:
    async with service.services.database.read() as session:
        return await session.scalar(
            select(Membership)
            .join(Identity, Identity.person_id == Membership.person_id)
            .where(Identity.subject == subject)
        )


async def add_section(service: Service, platform: LtiPlatform, course: str) -> None:
    """Let one more course of the platform be this course."""
    section = {"platform_id": platform.id, "deployment_id": DEPLOYMENT, "context_id": "section-2"}
    await service.add(LtiContext(course_id=course.rpartition("/")[2], made_by="test", **section))


LOWER: dict[str, tuple[dict[str, Any], int, int]] = {
    "student": ({"role": "Learner"}, 303, 403),
    "assistant": ({"role": "TeachingAssistant"}, 303, 403),
    "mentor": ({"role": "Mentor"}, 403, 401),
    "student who adds a link": ({"role": "Learner", **DEEP_LINKING}, 403, 403),
}


async def test_launch_opens_its_own_course_and_no_other_of_the_person(teacher):
    first, second = [await teacher.land(**TEACHER, **claims) for claims in ({}, SECTION)]
    assert (await teacher.get("/")).headers["location"].startswith(second)
    assert (await teacher.get(first)).status_code == 404


@pytest.mark.parametrize("is_archived", [False, True], ids=["open", "archived"])
async def test_launch_with_a_lower_part_takes_rights_whatever_comes_of_it(service, client, other, is_archived):
    course = await client.land(**TEACHER)
    for name, (claims, status, left) in LOWER.items():
        await service.store(Course, archived_at=None)
        await client.launch(**TEACHER)
        assert (await client.get(f"{course}/settings")).status_code == 200, name
        if is_archived:
            await archive(service, course)
        assert (await other.launch(**{**TEACHER, **claims})).status_code == status, name
        assert (await client.get(f"{course}/copy")).status_code == left, name


async def test_archived_course_takes_rights_and_gives_none_by_launches_and_lists(
    service, teacher, student, other, fake
):
    course = await teacher.land(**TEACHER, **MEMBERS)
    page = await student.land(**MEMBERS)
    await other.launch(sub="other", role="Instructor", **MEMBERS)
    await archive(service, course)
    assert (await student.launch(role="Instructor")).status_code == 303
    assert (await student.get(f"{course}/settings")).status_code == 403
    assert (await student.launch(sub="new")).status_code == 403
    await student.launch(**MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("new"), entry("other")])
    shown = await read_list(teacher, service, f"{course}/lms")
    assert "Added: 0; changed: 1; removed: 1" in shown.text
    assert (await student.get(page)).status_code == 401
    assert (await other.get(f"{course}/settings")).status_code == 403
    assert (await student.launch(**MEMBERS)).status_code == 403
    assert len(await service.rows(Person)) == 3


async def test_list_of_moodle_makes_no_student_of_staff_but_a_launch_does(service, teacher, other, fake):
    """Moodle's launches call a non-editing teacher an instructor, and its lists a learner."""
    fake.token_path = "/mod/lti/token.php"
    await service.store(LtiPlatform, token_url=f"{ISSUER}{fake.token_path}")
    course = await teacher.land(**TEACHER, **MEMBERS)
    await other.launch(sub="colleague", role="Instructor", **MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("colleague"), entry("student")])
    assert "Added: 1; changed: 0; removed: 0" in (await read_list(teacher, service, f"{course}/lms")).text
    assert (await other.get(f"{course}/settings")).status_code == 200
    await other.launch(sub="colleague", **MEMBERS)
    assert (await other.get(f"{course}/settings")).status_code == 403
    await other.launch(sub="colleague", role="Instructor", **MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("student")])
    assert "Added: 0; changed: 0; removed: 1" in (await read_list(teacher, service, f"{course}/lms")).text
    assert (await other.get(f"{course}/settings")).status_code == 401


@pytest.mark.parametrize("path", ["/token", "/mod/lti/token.php"], ids=["platform", "moodle"])
async def test_teacher_of_the_list_who_comes_as_a_student_stays_one_until_the_list_says_otherwise(
    service, teacher, other, fake, path
):
    """In Moodle by *Switch role to*; the same launch follows a demotion, so the list is read soon."""
    fake.token_path = path
    await service.store(LtiPlatform, token_url=f"{ISSUER}{path}")
    course = await teacher.land(**TEACHER, **MEMBERS)
    await other.launch(sub="other", role="Instructor", **MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor"), entry("other", "Instructor")])
    await read_list(other, service, f"{course}/lms")
    for is_new in (True, False):  # The list answers the first one, and those like it.
        await service.store(LtiContext, next_at=utc_now() + timedelta(hours=9))
        await teacher.launch(**{**TEACHER, "role": "Learner"}, **MEMBERS)
        assert (await teacher.get(f"{course}/settings")).status_code == 200
        assert not await service.rows(LtiScore)
        (context,) = await service.rows(LtiContext)
        assert (context.next_at <= utc_now()) is is_new
        await read_list(other, service, f"{course}/lms")
    list_pages(fake, [entry("teacher-1"), entry("other", "Instructor")])
    await read_list(other, service, f"{course}/lms")
    assert (await teacher.get(f"{course}/settings")).status_code == 403


async def test_page_and_token_and_event_stream_have_the_rights_of_now(
    service, teacher, other, owner, grader, monkeypatch
):
    watchers = set()

    async def watch(session: AsyncSession, viewer: Principal) -> Principal | None:
        watchers.add(viewer.id)
        return await tokens.as_of_now(session, viewer)

    monkeypatch.setattr("app.http.watching.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("app.http.watching.tokens", SimpleNamespace(as_of_now=watch))
    grader.released.clear()
    course = await teacher.land(**TEACHER)
    member = await member_of(service, "teacher-1")
    link = (await owner.post(f"/api/v1{course}/members/{member.id}/link")).json()["link"]
    answer = await owner.post(SUBMISSIONS, params={"course": member.course_id}, **upload(student="ivanov"))
    of_student = answer.json()
    async with service.client(link.rpartition("=")[2]) as token:
        stream = f"{of_student['links']['self']}/events"
        watching = asyncio.create_task(token.get(stream))
        page = asyncio.create_task(teacher.get(f"/submissions/{of_student['id']}/events"))
        await until(lambda: len(watchers) == 2)
        assert (await token.get(of_student["links"]["self"])).status_code == 200
        assert (await teacher.get(f"{course}/members")).status_code == 200
        await other.launch(**{**TEACHER, "role": "Learner"})
        # Both streams end, although nothing is graded.
        await until(lambda: watching.done() and page.done())
        for each in (watching.result(), page.result()):
            assert "event: done" not in each.text
        assert (await token.get(of_student["links"]["self"])).status_code == 404
        assert (await token.get(f"/api/v1{course}/members")).status_code == 403
        assert (await teacher.get(f"{course}/members")).status_code == 403
    grader.released.set()


async def test_member_of_two_sections_has_the_higher_part(service, client, platform):
    course = await client.land(**TEACHER)
    await add_section(service, platform, course)
    for role in ("Learner", "TeachingAssistant"):
        await client.launch(**{**TEACHER, **SECTION, "role": role})
        assert (await member_of(service, "teacher-1")).role == MemberRole.TEACHER
    await client.launch(**{**TEACHER, "role": "Learner"})
    assert (await member_of(service, "teacher-1")).role == MemberRole.ASSISTANT


async def test_list_of_a_section_drops_no_others(service, teacher, student, platform, fake):
    course = await teacher.land(**TEACHER, **MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor")])
    page = f"{course}/lms"
    await read_list(teacher, service, page)
    (first,) = await service.rows(LtiContext)
    await add_section(service, platform, course)
    await student.launch(sub="of-section-2", **SECTION)
    await student.launch(sub="of-both", **SECTION)
    await student.launch(sub="of-both")
    shown = await send(teacher, page, f"{page}/contexts/{first.id}/members")
    assert "removed: 0" in shown.text
    # The teacher of the first section is none of the second, and stays.
    second = next(each for each in await service.rows(LtiContext) if each.id != first.id)
    await service.store(LtiContext, LtiContext.id == second.id, memberships_url=f"{ISSUER}/members?page=1")
    list_pages(fake, [entry("of-section-2", "Instructor")])
    shown = await send(teacher, page, f"{page}/contexts/{second.id}/members")
    assert "changed: 1; removed: 1" in shown.text, shown.text
    assert (await member_of(service, "of-both")).removed_at is not None
    assert (await member_of(service, "of-section-2")).role == MemberRole.TEACHER
    assert (await member_of(service, "teacher-1")).removed_at is None


async def test_list_that_comes_after_its_connection_changes_nobody(service, platform):
    await open_course(service)
    database = service.services.database
    (context,) = await service.rows(LtiContext)
    asked_at = utc_now() - timedelta(hours=1)
    # Somebody who has come since the list was read has not left.
    assert await memberships.apply(database, platform, context, [], asked_at) == ChangeCounts(0, 0, 0)
    asked_at = utc_now()
    await binding.disconnect(database, context.course_id, context.id, manages=set(MemberRole), made_by="test")
    there = [PlatformPerson(sub, Part.TEACHER, None, None, None) for sub in ("teacher-1", "new")]
    assert await memberships.apply(database, platform, context, there, asked_at) == ChangeCounts(0, 0, 0)
    (member,) = await service.rows(Membership)
    assert member.removed_at is not None


async def test_administrator_whom_no_list_names_stays_who_reads_it(service, client, other, fake):
    administrator = ["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"]
    claims = {**TEACHER, **MEMBERS, f"{LTI}roles": administrator}
    course = await client.land(**claims)
    await other.launch(**{**claims, "sub": "another-administrator"})
    list_pages(fake, [entry("somebody", "Instructor")])
    assert "Added: 1; changed: 0; removed: 1" in (await read_list(client, service, f"{course}/lms")).text
    assert (await client.get(f"{course}/settings")).status_code == 200


async def test_member_removed_by_a_namesake_of_the_platform_stays_out(service, teacher, student, platform):
    course = await teacher.land(**TEACHER)
    await service.store(Person, name=platform.name)
    await student.launch()
    member = await member_of(service, "user-5")
    removed = await send(teacher, f"{course}/members", f"{course}/members/{member.id}/remove")
    assert removed.status_code == 303
    assert (await student.launch()).status_code == 403


async def test_dropped_member_comes_back_to_a_platform_with_another_name(service, teacher, student, platform, fake):
    course = await teacher.land(**TEACHER, **MEMBERS)
    await student.launch(**MEMBERS)
    list_pages(fake, [entry("teacher-1", "Instructor")])
    assert "removed: 1" in (await read_list(teacher, service, f"{course}/lms")).text
    await service.store(LtiPlatform, name="Renamed")
    assert (await student.launch(**MEMBERS)).status_code == 303
    # Whom a teacher takes back and removes again stays out.
    member = await member_of(service, "user-5")
    assert "removed: 1" in (await read_list(teacher, service, f"{course}/lms")).text
    for action in ("restore", "remove"):
        await send(teacher, f"{course}/members/{member.id}", f"{course}/members/{member.id}/{action}")
    assert (await student.launch(**MEMBERS)).status_code == 403


async def test_platform_takes_no_rights_given_here(service, client, other, platform, fake):
    """A teacher here whom an admin has merged with a person of the platform."""
    course = await client.land(**TEACHER, **MEMBERS)
    async with service.services.database.write() as session:
        person = Person(name="Основатель")
        here = {"course_id": course.rpartition("/")[2], "external_id": "founder", "role": MemberRole.TEACHER}
        session.add(Membership(person=person, **here))
        await session.flush()
        issuer = platforms.issuer_of_people(platform.id)
        session.add(Identity(person_id=person.id, issuer=issuer, subject="founder"))
    await other.launch(sub="founder", role="Learner", **MEMBERS)
    assert (await other.get(f"{course}/settings")).status_code == 200
    list_pages(fake, [entry("teacher-1", "Instructor")])
    assert "removed: 0" in (await read_list(client, service, f"{course}/lms")).text
    assert (await other.get(f"{course}/settings")).status_code == 200


async def test_long_list_is_gone_through_once_for_all_members(service, teacher):
    """Once for each of twenty thousand members would stop the service for minutes."""
    looks = []

    class Listed(dict[str, PlatformPerson]):
        def __iter__(self) -> Iterator[str]:
            looks.append(self)
            return super().__iter__()

    await teacher.launch(**TEACHER)
    for number in range(3):
        await teacher.launch(sub=f"student-{number}")
    (context,) = await service.rows(LtiContext)
    there = Listed({"student-1": PlatformPerson("student-1", Part.STUDENT, None, None, None)})
    gone = await service.write(memberships._left_out, context, there, utc_now())
    assert len(gone) == 3
    assert len(looks) <= 1
