"""The courses of one person and the assignments in them, as their own page shows them: the dates that hold, attempts
left, the counted grade, the last attempt. A handful of statements, however many courses there are.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.courses.assignments import Assignments, in_course, stand_in
from app.courses.uses import find_used
from app.errors import existing
from app.errors.courses import AssignmentNotFound
from app.storage.models import (
    DEFAULT_COURSE,
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
    uses = await _uses(session, assignments, [course.id for course, _ in parts])
    members = [member for _, member in parts if member is not None]
    shown = [use for course, _ in parts for use in uses[course.id]]
    done = await bases(session, assignments, members, shown)
    last = await _last_attempts(session, [member.id for member in members])
    listed = []
    for course, member in parts:
        tasks = []
        for use in uses[course.id]:
            offered = in_course(assignments, use)
            assert offered is not None
            place = (member.id if member else "", use.id)
            basis = done.get(place)
            tasks.append(Task(use, basis.terms.of_student if basis else offered, basis, last.get(place)))
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
    use = used.use if used.use.id else stand_in(assignment_id)
    member = await session.get(Membership, holder.membership_id) if holder.membership_id else None
    if member is None:
        return Task(use, effective)
    basis = (await bases(session, assignments, [member], [use]))[member.id, use.id]
    return Task(use, basis.terms.of_student, basis)


async def _parts(
    session: AsyncSession, holder: Principal, person: Person | None
) -> Sequence[tuple[Course, Membership | None]]:
    if person is not None:
        rows = await session.execute(
            select(Course, Membership)
            .join(Membership, Membership.course_id == Course.id)
            .where(Membership.person_id == person.id, Membership.removed_at.is_(None))
            .order_by(Course.archived_at.is_not(None), Membership.id.desc())
        )
        return [(course, member) for course, member in rows]
    course = await session.get_one(Course, holder.course_id)
    return [(course, await session.get(Membership, holder.membership_id) if holder.membership_id else None)]


async def _uses(
    session: AsyncSession, assignments: Assignments, course_ids: Sequence[str]
) -> dict[str, list[CourseAssignment]]:
    """Find the assignments of these courses whose files are there, by their ids."""
    rows = await session.scalars(select(CourseAssignment).where(CourseAssignment.course_id.in_(course_ids)))
    by_course: dict[str, dict[str, CourseAssignment]] = defaultdict(dict)
    for use in rows:
        if use.assignment_id in assignments:
            by_course[use.course_id][use.assignment_id] = use
    if DEFAULT_COURSE in course_ids:
        for id in assignments:
            by_course[DEFAULT_COURSE].setdefault(id, stand_in(id))
    return {course_id: [by_course[course_id][id] for id in sorted(by_course[course_id])] for course_id in course_ids}


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
