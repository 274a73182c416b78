"""The courses of one person and the assignments in them, as their own page shows them: the dates that hold, attempts
left, the counted grade, the last attempt. A handful of statements, however many courses there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.courses.assignments import Assignments
from app.courses.course import list_of_person
from app.courses.uses import find_used, used_by_course
from app.errors import AssignmentNotFound, existing
from app.storage.models import (
    Course,
    CourseAssignment,
    MemberRole,
    Membership,
    Person,
    StoredReport,
    Submission,
)
from app.submissions.grades import Basis, bases
from app.submissions.reports import with_reports
from grader import Assignment

#: A submission and the report that counts, without its `body`.
Listed = tuple[Submission, StoredReport | None]


@dataclass(frozen=True)
class Task:
    """An assignment of a course for one reader.

    Attributes:
        use: the row; a stand-in for it in the course Default, which uses every file.
        assignment: with the dates and rules that hold for the reader.
        basis: None: the reader is no member of the course.
        last: the newest attempt; None: there is none.
    """

    use: CourseAssignment
    assignment: Assignment
    basis: Basis | None = None
    last: Listed | None = None


@dataclass(frozen=True)
class OwnCourse:
    """A course of a person.

    Attributes:
        member: None: the reader is no member, but acts there.
        is_staff: the reader teaches there.
    """

    course: Course
    member: Membership | None
    tasks: Sequence[Task]
    is_staff: bool


async def own_courses(
    session: AsyncSession, assignments: Assignments, holder: Principal, person: Person | None
) -> Sequence[OwnCourse]:
    """List the courses of a browser's session: the one joined last first, and archived ones at the end.

    Args:
        person: of single sign-on, with all memberships; None: the token of one course opened the session.
    """
    parts = await _parts(session, holder, person)
    used = await used_by_course(session, [course.id for course, _ in parts], assignments)
    members = [member for _, member in parts if member is not None]
    shown = [each.use for course, _ in parts for each in used[course.id]]
    done = await bases(session, assignments, members, shown)
    last = await _last_attempts(session, [member.id for member in members])
    listed = []
    for course, member in parts:
        tasks = []
        for each in used[course.id]:
            place = (member.id if member else "", each.use.id)
            basis = done.get(place)
            if each.effective is not None:
                terms = basis.terms.of_student if basis else each.effective
                tasks.append(Task(each.use, terms, basis, last.get(place)))
        is_staff = member.role != MemberRole.STUDENT if member else holder.sees_everything
        listed.append(OwnCourse(course, member, tasks, is_staff))
    return listed


async def own_task(session: AsyncSession, assignments: Assignments, holder: Principal, assignment_id: str) -> Task:
    """Find an assignment of the course in which the holder acts.

    Raises:
        AssignmentNotFound: the course does not use it, or its file is gone.
    """
    used = await find_used(session, holder.course_id, assignment_id, assignments)
    effective = existing(used.effective, AssignmentNotFound)
    member = await session.get(Membership, holder.membership_id) if holder.membership_id else None
    if member is None:
        return Task(used.use, effective)
    basis = (await bases(session, assignments, [member], [used.use]))[member.id, used.use.id]
    return Task(used.use, basis.terms.of_student, basis)


async def _parts(
    session: AsyncSession, holder: Principal, person: Person | None
) -> Sequence[tuple[Course, Membership | None]]:
    if person is not None:
        parts = sorted(await list_of_person(session, person.id), key=lambda part: part[1].id, reverse=True)
        return sorted(parts, key=lambda part: part[0].archived_at is not None)
    course = await session.get_one(Course, holder.course_id)
    return [(course, await session.get(Membership, holder.membership_id) if holder.membership_id else None)]


async def _last_attempts(session: AsyncSession, membership_ids: Sequence[str]) -> dict[tuple[str, str], Listed]:
    """Find the newest attempt of each of these members at each assignment."""
    place = Submission.membership_id, Submission.course_assignment_id
    newest = (
        select(*place, func.max(Submission.attempt))
        .where(Submission.membership_id.in_(membership_ids))
        .group_by(*place)
    )
    rows = await session.execute(with_reports(tuple_(*place, Submission.attempt).in_(newest)))
    return {(each.membership_id, each.course_assignment_id): (each, report) for each, report in rows}
