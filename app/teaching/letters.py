"""Letters of a teacher to students who have handed in nothing at an assignment, or whose grade is low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes
from app.storage.models import Change, Course, CourseAssignment, Membership, utc_now
from app.submissions.grades import bases
from app.teaching.grade_list import AT_ONCE
from app.teaching.overview.table import list_students
from grader import Assignment

#: A letter to the same students within this time is asked about.
AGAIN_AFTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Recipient:
    """A student to write to, with the person.

    Attributes:
        points: the grade; None: there is none.
        due: the student's own deadline until which something can be handed in; None: it is over, or there is none.
        is_extended: it is not the course's.
    """

    member: Membership
    points: float | None
    due: datetime | None
    is_extended: bool

    @property
    def email(self) -> str | None:
        return self.member.person.email


async def recipients(
    session: AsyncSession,
    assignments: Mapping[str, Assignment],
    use: CourseAssignment,
    *,
    below: float | None,
) -> Sequence[Recipient]:
    """List the students to write to: joined members are one, and nobody is removed or one of the staff.

    Args:
        below: those whose grade is less than these points; None: those who have handed in nothing and have no grade.
    """
    found = []
    everybody = await list_students(session, use.course_id)
    for start in range(0, len(everybody), AT_ONCE):
        members = everybody[start : start + AT_ONCE]
        basis = await bases(session, assignments, members, [use])
        for member in members:
            if (of_member := basis.get((member.id, use.id))) is None:
                continue
            counted, deadline = of_member.counted, of_member.terms.of_student.deadline
            is_low = below is not None and counted.points is not None and counted.points < below
            if is_low if below is not None else not counted.attempts and counted.points is None:
                due = next((each for each in (deadline.due, deadline.closes) if each and each > utc_now()), None)
                is_extended = deadline != of_member.terms.assignment.deadline
                found.append(Recipient(member, counted.points, due, is_extended))
    return sorted(found, key=lambda each: (each.member.person.name or each.member.external_id or "").casefold())


async def is_repeated(session: AsyncSession, use: CourseAssignment, below: float | None) -> bool:
    """Tell whether somebody has just written to the same students."""
    since = utc_now() - AGAIN_AFTER
    lately = select(Change.after).where(
        Change.course_id == use.course_id, Change.subject == "course", Change.created_at > since
    )
    letters = [after["letter"] for after in await session.scalars(lately) if "letter" in after]
    return (use.assignment_id, below) in [(each["assignment"], each["below"]) for each in letters]


def log(
    session: AsyncSession,
    course: Course,
    use: CourseAssignment,
    made_by: str,
    *,
    below: float | None,
    count: int,
    title: str,
) -> None:
    """Log who wrote to how many and why."""
    why = "missing" if below is None else "below"
    letter = {"assignment": use.assignment_id, "to": why, "below": below, "count": count, "subject": title}
    changes.log(session, course, made_by, {}, {"letter": letter})
