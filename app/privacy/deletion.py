"""Deletes personal data: that of a member of a course, of a person, or of a whole course.

Rows that refer to a deleted row are deleted before it (`app.storage.cascade`). A submission in grading loses its claim,
and its report is not stored. Names in other people's rows are replaced (`mentions`), but names of teachers and
assistants as authors of something stay until the course is deleted.
"""

import logging
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.bodies import Body, shows
from app.courses import members
from app.errors import PersonNotFound, existing
from app.privacy import mentions
from app.storage.cascade import delete_rows
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Base,
    Batch,
    Change,
    Course,
    CourseAssignment,
    Identity,
    JoinLink,
    LtiContext,
    MemberRole,
    Membership,
    Merge,
    Person,
    Regrade,
    Role,
    StoredReport,
    Submission,
    Token,
    Webhook,
    utc_now,
)
from app.storage.updates import update_rows

logger = logging.getLogger(__name__)

# Rows in one transaction. On SQLite all uploads wait for it.
AT_ONCE = 100


class DeletedRows(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    reports: int
    tokens: int


class DeletedCourse(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    members: int
    people: int = shows("members who were in no other course")


async def delete_student(database: Database, student: str, course_id: str = DEFAULT_COURSE) -> DeletedRows:
    """Delete the member with this external id, normalized by `uploads.check_student`. See `delete_member`."""
    async with database.write() as session:
        # During the student's turn, so that no upload is stored meanwhile.
        await members.take_turns(session, [(course_id, student)])
        member = (await members.find(session, [(course_id, student)])).get((course_id, student))
        deleted = await _delete_members(session, [member] if member else [])
    await database.empty_log()
    logger.info("student_deleted", extra=vars(deleted))
    return deleted


async def delete_member(database: Database, member_id: str, course_id: str = DEFAULT_COURSE) -> DeletedRows:
    """Delete a member of a course: submissions, own tokens, membership, and everything that refers to them.

    A person who is in no other course is deleted as well, and the name is removed from the course's other data. A
    missing member counts as deleted already.
    """
    async with database.write() as session:
        member = await session.get(Membership, member_id)
        deleted = await _delete_members(session, [member] if member and member.course_id == course_id else [])
    await database.empty_log()
    logger.info("student_deleted", extra=vars(deleted))
    return deleted


async def delete_person(database: Database, person_id: str) -> DeletedRows:
    """Delete a person with all memberships, identities and sessions.

    Raises:
        PersonNotFound
    """
    async with database.write() as session:
        # Locked, so that the person joins no course meanwhile.
        existing(await session.get(Person, person_id, with_for_update=True), PersonNotFound)
        people = await same_people(session, [person_id])
        memberships = await session.scalars(
            select(Membership).where(Membership.person_id.in_(people)).order_by(Membership.id)
        )
        deleted = await _delete_members(session, memberships.all(), people)
    await database.empty_log()
    logger.info("person_deleted", extra=vars(deleted))
    return deleted


async def delete_course(database: Database, course_id: str) -> DeletedCourse:
    """Delete a course with everything in it, and the people who are in no other one.

    The course Default is only emptied, because requests without a course use it. Tokens of admins stay as well. The
    course is archived first, so that nothing is added meanwhile; after a failure, a repeated call continues.
    """
    async with database.write() as session:
        is_open = Course.archived_at.is_(None)
        await update_rows(session, Course, Course.id == course_id, is_open, archived_at=utc_now())
    submissions = 0
    while True:
        async with database.write() as session:
            some = select(Submission.id).where(Submission.course_id == course_id).order_by(Submission.id)
            ids = (await session.scalars(some.limit(AT_ONCE).with_for_update())).all()
            await delete_rows(session, Submission, Submission.id.in_(ids))
        submissions += len(ids)
        if len(ids) < AT_ONCE:
            break
    async with database.write() as session:
        # Waits for running additions to the course, and prevents later ones.
        course = await session.scalar(select(Course).where(Course.id == course_id).with_for_update())
        deleted = await _delete_rest(session, course_id, submissions)
        if course and course_id == DEFAULT_COURSE:
            course.archived_at = None
        elif course:
            await delete_rows(session, Course, Course.id == course_id)
    await database.empty_log()
    logger.info("course_deleted", extra={"course": course_id, **vars(deleted)})
    return deleted


async def _delete_rest(session: AsyncSession, course_id: str, submissions: int) -> DeletedCourse:
    memberships = (await session.scalars(select(Membership).where(Membership.course_id == course_id))).all()
    people = sorted({member.person_id for member in memberships})
    actors = await _actors(session, memberships)
    of_admins = (Token.course_id == course_id) & (Token.role == Role.ADMIN)
    await update_rows(session, Token, of_admins, course_id=DEFAULT_COURSE)
    for model, condition in (
        (LtiContext, LtiContext.course_id == course_id),
        (Webhook, Webhook.course_id == course_id),
        (Regrade, Regrade.course_id == course_id),
        (Batch, Batch.course_id == course_id),
        (Merge, Merge.course_id == course_id),
        (JoinLink, JoinLink.course_id == course_id),
        (Membership, Membership.course_id == course_id),
        (Token, (Token.course_id == course_id) & ~of_admins),
        (CourseAssignment, CourseAssignment.course_id == course_id),
        (Change, Change.course_id == course_id),
    ):
        await delete_rows(session, model, condition)
    gone = await _delete_people(session, people)
    # Only regrades of several courses, by admins, can still mention them.
    await mentions.forget_in_regrades(session, _ids(memberships))
    await mentions.forget_actors(session, actors)
    return DeletedCourse(submissions=submissions, members=len(memberships), people=gone)


async def _delete_members(
    session: AsyncSession, memberships: Sequence[Membership], people: Collection[str] | None = None
) -> DeletedRows:
    """Delete these members, and their persons where no course is left that has them.

    Args:
        people: further persons to delete in the same way.
    """
    if not memberships and not people:
        return DeletedRows(submissions=0, reports=0, tokens=0)
    memberships = await with_merged(session, memberships)
    ids = [member.id for member in memberships]
    people = sorted({member.person_id for member in memberships} | set(people or ()))
    await members.take_turns(session, [(each.course_id, each.external_id or each.id) for each in memberships])
    # Locked, because a worker may be about to store a report, and in the same order as by other transactions.
    theirs = select(Submission.id).where(Submission.membership_id.in_(ids)).order_by(Submission.id)
    submissions = (await session.scalars(theirs.with_for_update())).all()
    deleted = DeletedRows(
        submissions=len(submissions),
        reports=await _count(session, StoredReport, StoredReport.submission_id.in_(submissions)),
        tokens=await _count(session, Token, Token.membership_id.in_(ids)),
    )
    actors = await _actors(session, memberships)
    names, external_ids = await _names(session, people), _ids(memberships)
    # A student's own token has handed in nobody else's work.
    await delete_rows(session, Membership, Membership.id.in_(ids))
    await _delete_people(session, people)
    are_students = all(member.role == MemberRole.STUDENT for member in memberships)
    await mentions.forget_names(session, names, external_ids, submissions, as_makers=are_students)
    await mentions.forget_actors(session, actors)
    return deleted


async def _actors(session: AsyncSession, memberships: Sequence[Membership]) -> list[str]:
    """List the ids under which these members appear as actors."""
    ids = [member.id for member in memberships]
    return [*ids, *await session.scalars(select(Token.id).where(Token.membership_id.in_(ids)))]


def _ids(memberships: Iterable[Membership]) -> dict[str, set[str]]:
    """List the external ids of members, by course; courses without any are left out."""
    ids: dict[str, set[str]] = {}
    for member in memberships:
        ids.setdefault(member.course_id, set()).update([member.external_id] if member.external_id else [])
    return ids


async def _names(session: AsyncSession, people: Collection[str]) -> set[tuple[str | None, str | None]]:
    """List the names of these people, each with an address, including their addresses at issuers."""
    persons = await session.execute(select(Person.name, Person.email).where(Person.id.in_(people)))
    at_issuers = await session.scalars(select(Identity.email).where(Identity.person_id.in_(people)))
    return {(name, email) for name, email in persons} | {(None, email) for email in at_issuers}


async def with_merged(session: AsyncSession, memberships: Sequence[Membership]) -> list[Membership]:
    """Add the members that were joined with these, because they are the same people."""
    ids = await _closure(session, [member.id for member in memberships], Merge.kept_member_id, Merge.merged_member_id)
    return list(await session.scalars(select(Membership).where(Membership.id.in_(ids)).order_by(Membership.id)))


async def same_people(session: AsyncSession, people: Collection[str]) -> set[str]:
    """Add the persons who were merged with these."""
    return await _closure(session, people, Merge.kept_person_id, Merge.merged_person_id)


async def _closure(
    session: AsyncSession,
    ids: Collection[str],
    kept: InstrumentedAttribute[str | None],
    merged: InstrumentedAttribute[str | None],
) -> set[str]:
    """Add the ids merged with these, in either direction, over any number of merges."""
    all_of_them, newest = set(ids), set(ids)
    while newest:
        pairs = select(kept, merged).where(or_(kept.in_(newest), merged.in_(newest)), Merge.undone_at.is_(None))
        newest = {id for pair in await session.execute(pairs) for id in pair if id is not None} - all_of_them
        all_of_them |= newest
    return all_of_them


async def _delete_people(session: AsyncSession, people: Collection[str]) -> int:
    """Delete these people, and those merged into them, as far as they are in no course any more.

    Returns:
        How many of `people` were deleted.
    """
    in_no_course = ~exists().where(Membership.person_id == Person.id)
    alone = set(await session.scalars(select(Person.id).where(Person.id.in_(people), in_no_course)))
    gone = await same_people(session, alone)
    await delete_rows(session, Person, Person.id.in_(gone) & in_no_course)
    return len(alone)


async def _count(session: AsyncSession, model: type[Base], condition: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(model).where(condition)) or 0
