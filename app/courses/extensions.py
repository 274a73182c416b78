"""Extensions: more time, or more attempts, of one student at one assignment.

An extension only ever adds. The later of its date and the course's holds, so a student with an extension also profits
when the course moves a deadline. A student with a later due date can hand in until then, even if the course closes
earlier.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, joinedload

from app.courses import changes
from app.errors import ExtensionNotFound, existing
from app.storage.models import CourseAssignment, Extension, Membership, new_id, utc_now
from app.storage.paging import Paging
from app.storage.passback import grades_changed
from grader import Assignment

#: The values of an extension, as the log of changes names them.
VALUES = ("due", "closes", "more_attempts", "reason")


def apply_extension(assignment: Assignment, extension: Extension | None) -> Assignment:
    """Return the assignment, which has the course's dates and rules, with the student's extension applied."""
    if extension is None:
        return assignment
    deadline, attempts = assignment.deadline, assignment.attempts
    due = _later(deadline.due, extension.due)
    closes = _later(_later(deadline.closes, extension.closes), extension.due)
    limit = None if attempts.limit is None else attempts.limit + extension.more_attempts
    return assignment.model_copy(
        update={
            "deadline": deadline.model_copy(update={"due": due, "closes": closes}),
            "attempts": attempts.model_copy(update={"limit": limit}),
        }
    )


def _later(of_course: datetime | None, of_student: datetime | None) -> datetime | None:
    """Return the later date; a course without one needs no extension."""
    if of_course is None or of_student is None:
        return of_course
    return max(of_course, of_student)


async def find(session: AsyncSession, member: Membership, use: CourseAssignment) -> Extension | None:
    of = Extension.membership_id == member.id, Extension.course_assignment_id == use.id
    return await session.scalar(
        select(Extension).where(*of).options(joinedload(Extension.member), joinedload(Extension.use))
    )


async def find_all(session: AsyncSession, membership_ids: Collection[str]) -> dict[tuple[str, str], Extension]:
    """Find all extensions of these members, by the ids of member and course assignment."""
    rows = await session.scalars(select(Extension).where(Extension.membership_id.in_(membership_ids)))
    return {(each.membership_id, each.course_assignment_id): each for each in rows}


async def list_extensions(session: AsyncSession, course_id: str, paging: Paging) -> Sequence[Extension]:
    """List the newest extensions of a course, with members, persons and assignments."""
    query = (
        select(Extension)
        .join(Extension.use)
        .where(CourseAssignment.course_id == course_id)
        .options(contains_eager(Extension.use), joinedload(Extension.member).joinedload(Membership.person))
    )
    return (await session.scalars(paging.of(query, Extension.id))).all()


async def put(
    session: AsyncSession,
    member: Membership,
    use: CourseAssignment,
    *,
    made_by: str,
    due: datetime | None,
    closes: datetime | None,
    more_attempts: int,
    reason: str,
) -> Extension:
    """Give the student this extension instead of any earlier one. Giving the same one again changes nothing.

    Call it in the student's turn.
    """
    extension = await find(session, member, use)
    before = _log_values(extension, use)
    if extension is None:
        extension = Extension(id=new_id(), member=member, use=use)
        session.add(extension)
    extension.due, extension.closes, extension.more_attempts, extension.reason = due, closes, more_attempts, reason
    if changes.log(session, member, made_by, before, _log_values(extension, use)):
        extension.made_by, extension.created_at = made_by, utc_now()
        await grades_changed(session, use.id, [member.id])
    await session.flush()
    return extension


async def remove(session: AsyncSession, member: Membership, use: CourseAssignment, *, made_by: str) -> None:
    """Take the extension back. Call it in the student's turn.

    Raises:
        ExtensionNotFound
    """
    extension = existing(await find(session, member, use), ExtensionNotFound)
    changes.log(session, member, made_by, _log_values(extension, use), {})
    await session.delete(extension)
    await grades_changed(session, use.id, [member.id])
    await session.flush()


def _log_values(extension: Extension | None, use: CourseAssignment) -> dict[str, Any]:
    """Return an extension as one value of the log, so that each change names the assignment."""
    if extension is None:
        return {}
    values = {name: getattr(extension, name) for name in VALUES}
    # Forms give moments in the course's time zone, the database in UTC.
    moments = {name: value.astimezone(UTC).isoformat() for name, value in values.items() if isinstance(value, datetime)}
    return {"extension": {"assignment": use.assignment_id, **values, **moments}}
