"""The log of changes to a course, its members and its assignments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Rules
from app.storage.memberships import with_persons
from app.storage.models import Change, Course, CourseAssignment, Membership
from app.storage.paging import Paging

SUBJECTS = {Course: "course", CourseAssignment: "assignment", Membership: "member"}
#: The dates and rules of a course's assignment (`assignments.Rules`).
RULES = tuple(Rules.model_fields)
#: Values that are the id of another member.
LINKS = ("joined", "joined_to")
#: Every value that a line may concern, by its subject. Pages have words for each.
NAMES: Mapping[str, frozenset[str]] = {
    "course": frozenset(
        {"title", "language", "time_zone", "retention_days", "archived", "connection", "exported", "letter"}
    ),
    "assignment": frozenset({"assignment", "title", "grade_book_points", *RULES}),
    "member": frozenset(
        {
            *("role", "external_id", "name", "email", "group", "confirmed", "removed", "claimed_id"),
            *("extension", "adjustment", "hold", "comment", "answered_review"),
            *("joined", "joined_to", "person_id", "identity"),
        }
    ),
}


def log(
    session: AsyncSession,
    subject: Course | CourseAssignment | Membership,
    made_by: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> bool:
    """Add a line with the values that differ, as part of the caller's transaction.

    Args:
        made_by: the name of the token.
        before: values by name, as JSON has them; empty for a new row.
    Returns:
        Whether anything differs.
    """
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if not changed:
        return False
    assert NAMES[SUBJECTS[type(subject)]].issuperset(changed), changed
    change = Change(
        course_id=subject.id if isinstance(subject, Course) else subject.course_id,
        membership_id=subject.id if isinstance(subject, Membership) else None,
        made_by=made_by,
        subject=SUBJECTS[type(subject)],
        subject_id=subject.id,
        before={name: before[name] for name in changed if name in before},
        after={name: after[name] for name in changed if name in after},
    )
    session.add(change)
    return True


async def list_changes(
    session: AsyncSession,
    course_id: str,
    paging: Paging,
    *,
    subject: str | None = None,
    member_id: str | None = None,
    made_by: str | None = None,
) -> Sequence[Change]:
    """List the newest changes of a course.

    Args:
        subject: a value of `SUBJECTS`; None: any.
        member_id: only what concerns this member.
        made_by: only changes by this name.
    """
    filters = {Change.subject: subject, Change.membership_id: member_id, Change.made_by: made_by}
    conditions = [Change.course_id == course_id, *(column == value for column, value in filters.items() if value)]
    return (await session.scalars(paging.of(select(Change).where(*conditions), Change.id))).all()


async def makers(session: AsyncSession, course_id: str) -> Sequence[str]:
    """List the names of those who have changed something in a course."""
    query = select(Change.made_by).where(Change.course_id == course_id).distinct().order_by(Change.made_by)
    return (await session.scalars(query)).all()


@dataclass(frozen=True)
class Subjects:
    """Members that changes are about, and all assignments of the course, as they are now."""

    members: Mapping[str, Membership]
    uses: Mapping[str, CourseAssignment]


async def subjects_of(session: AsyncSession, course_id: str, entries: Sequence[Change]) -> Subjects:
    """Find the members that these changes name, with their persons, and the assignments of the course."""
    ids = {change.subject_id for change in entries}
    sides = [side for change in entries for side in (change.before, change.after)]
    named = {value for side in sides for name in LINKS if (value := side.get(name))}
    members = await session.scalars(with_persons(Membership.course_id == course_id, Membership.id.in_(ids | named)))
    uses = await session.scalars(select(CourseAssignment).where(CourseAssignment.course_id == course_id))
    return Subjects({each.id: each for each in members}, {each.id: each for each in uses})
