"""Members of courses: find them by the id in the grade book, and add them."""

import unicodedata
from collections.abc import Collection
from functools import partial

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import course as courses
from app.errors import MemberNotStudent
from app.mail.addresses import comparable
from app.storage import turns
from app.storage.models import Course, Extension, MemberRole, Membership, Person, new_id, utc_now
from app.texts import text

#: The member for trials by people outside the course, such as the owner of the service.
TRIALS = "staff-trial"
#: A course's id, and an external id in it.
Student = tuple[str, str]


async def enrol(session: AsyncSession, students: Collection[Student]) -> dict[Student, Membership]:
    """Find these members, and add those that are missing, unconfirmed, as students.

    It takes their turns: until the caller's transaction ends, no other one adds the same members, or attempts of
    theirs.
    """
    await take_turns(session, students)
    by_student = await find(session, students)
    if missing := sorted(set(students) - set(by_student)):
        await turns.take_turns(session, {_course(course_id) for course_id, _ in missing}, shared=True)
        by_student |= await find(session, missing)  # An import of a roster may have added them first.
    for course_id, external_id in sorted(set(missing) - set(by_student)):
        by_student[course_id, external_id] = add(session, course_id, external_id=external_id)
    await session.flush()
    return by_student


async def enrol_trials(session: AsyncSession, course_id: str) -> Membership:
    """Find or add the member for trials. It is one of the staff, so its attempts count for nobody.

    Raises:
        CourseArchived: it takes no new member.
        MemberNotStudent: a student of the course has this id.
    """
    trials = course_id, TRIALS
    if (member := (await find(session, [trials])).get(trials)) is None:
        await courses.keep_open(session, course_id)
        await take_turns(session, [trials])
        await take_course(session, course_id)
        member = (await find(session, [trials])).get(trials)
    if member is None:
        course = await session.get_one(Course, course_id)
        name = text("members.trials", course.language)
        member = add(session, course_id, external_id=TRIALS, role=MemberRole.ASSISTANT, name=name)
        member.confirmed_at = utc_now()
        await session.flush()
    if member.role == MemberRole.STUDENT or member.removed_at is not None:
        raise MemberNotStudent
    return member


async def take_turns(session: AsyncSession, students: Collection[Student]) -> None:
    """Wait until no other transaction changes these students, or adds an attempt of theirs."""
    await turns.take_turns(session, [f"student:{course_id}:{external_id}" for course_id, external_id in students])


async def take_course(session: AsyncSession, *course_ids: str) -> None:
    """Wait until no other transaction adds members to these courses.

    A roster has thousands of students. A turn of each would be a lock of each, and PostgreSQL has not many more.
    """
    await turns.take_turns(session, [_course(each) for each in course_ids])


def add(
    session: AsyncSession,
    course_id: str,
    *,
    external_id: str | None,
    role: MemberRole = MemberRole.STUDENT,
    name: str | None = None,
    person: Person | None = None,
) -> Membership:
    """Add a membership to this transaction.

    Args:
        person: None: a new one, of this name.
    """
    person = person or Person(name=name)
    member = Membership(id=new_id(), course_id=course_id, person=person, role=role, external_id=external_id)
    session.add(member)
    return member


async def find(session: AsyncSession, students: Collection[Student]) -> dict[Student, Membership]:
    """Find members by course and external id, removed ones too."""
    of_students = tuple_(Membership.course_id, Membership.external_id).in_(students)
    members = await session.scalars(select(Membership).where(of_students))
    return {(member.course_id, member.external_id or ""): member for member in members}


async def take_turn_of(session: AsyncSession, member: Membership) -> None:
    """Wait until no other transaction changes this member, or adds an attempt of theirs."""
    await take_turns(session, [(member.course_id, member.external_id or member.id)])


async def find_with_extensions(
    session: AsyncSession, ids: Collection[str]
) -> tuple[dict[str, Membership], dict[tuple[str, str], Extension]]:
    """Find members by their ids as they are now, and all their extensions, in one statement.

    Returns:
        The extensions by the ids of member and course assignment.
    """
    rows = await session.execute(
        select(Membership, Extension)
        .outerjoin(Extension, Extension.membership_id == Membership.id)
        .where(Membership.id.in_(ids))
        .execution_options(populate_existing=True)
    )
    by_id, extensions = {}, {}
    for member, extension in rows:
        by_id[member.id] = member
        if extension is not None:
            extensions[member.id, extension.course_assignment_id] = extension
    return by_id, extensions


def is_same(name: str, one: str | None, other: str | None) -> bool:
    """Tell whether two values of the field `name` mean the same.

    Issuers and platforms write addresses with capitals, and letters in parts; our forms and rosters do not.
    """
    compared = comparable if name == "email" else partial(unicodedata.normalize, "NFC")
    return compared(one or "") == compared(other or "")


def _course(course_id: str) -> str:
    return f"members:{course_id}"
