"""The grades of all students of a course, page by page, including those who handed in nothing."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.courses.uses import list_used
from app.errors import AssignmentNotFound
from app.storage.memberships import are_students, with_persons
from app.storage.models import CourseAssignment, Membership
from app.storage.paging import Paging
from app.submissions.derivation import Counted
from app.submissions.grades import counted_grades

# Members whose grades are worked out at once: few statements, and bounded memory.
AT_ONCE = 200


@dataclass(frozen=True)
class GradeFilter:
    """A choice of students; all given conditions must hold.

    Attributes:
        unconfirmed: True: no teacher and no roster has confirmed the student; False: one has.
        late, stale, held: whether one of the listed grades is so.
    """

    group: str | None = None
    unconfirmed: bool | None = None
    late: bool | None = None
    stale: bool | None = None
    held: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on `Membership`."""
        conditions = [] if self.group is None else [Membership.group == self.group]
        if self.unconfirmed is not None:
            is_unconfirmed = Membership.confirmed_at.is_(None)
            conditions.append(is_unconfirmed if self.unconfirmed else ~is_unconfirmed)
        return conditions

    def matches(self, grades: Sequence[Counted]) -> bool:
        """Tell whether the grades of a student meet the conditions on grades."""
        asked = (
            (self.late, any(grade.late_days for grade in grades)),
            (self.stale, any(grade.is_stale for grade in grades)),
            (self.held, any(grade.is_held for grade in grades)),
        )
        return all(expected is None or expected == value for expected, value in asked)


@dataclass(frozen=True)
class StudentGrades:
    """A student of a course, with the person, and the grades by the ids of the files of assignments."""

    member: Membership
    grades: Mapping[str, Counted]


async def used_assignments(
    session: AsyncSession, assignments: Assignments, course_id: str, only: str | None = None
) -> Sequence[CourseAssignment]:
    """Find the assignments that the course uses and whose files are there, by their ids.

    Args:
        only: the id of the only one that is meant.
    Raises:
        AssignmentNotFound: the course does not use that one.
    """
    used = await list_used(session, course_id, assignments)
    shown = [each.use for each in used if each.effective and only in (None, each.use.assignment_id)]
    if only is not None and not shown:
        raise AssignmentNotFound
    return shown


async def list_grades(
    session: AsyncSession,
    assignments: Assignments,
    uses: Sequence[CourseAssignment],
    course_id: str,
    chosen: GradeFilter,
    paging: Paging,
) -> Sequence[StudentGrades]:
    """List students of a course in the order in which they joined, with their grades.

    Args:
        uses: the assignments that are shown (`used_assignments`).
    """
    listed: list[StudentGrades] = []
    async for student in every_student(session, assignments, uses, course_id, chosen, after=paging.cursor):
        listed.append(student)
        if paging.is_full(listed):
            break
    return listed


async def every_student(
    session: AsyncSession,
    assignments: Assignments,
    uses: Sequence[CourseAssignment],
    course_id: str,
    chosen: GradeFilter,
    *,
    after: str | int | None = None,
) -> AsyncIterator[StudentGrades]:
    """Go through the students of a course in the order in which they joined; removed ones are left out."""
    while True:
        later = [Membership.id > after] if after else []
        students = with_persons(are_students(course_id), *chosen.conditions(), *later)
        members = (await session.scalars(students.order_by(Membership.id).limit(AT_ONCE))).all()
        counted = await counted_grades(session, assignments, members, uses)
        for member in members:
            grades = {use.assignment_id: counted[member.id, use.id] for use in uses}
            if chosen.matches(list(grades.values())):
                yield StudentGrades(member, grades)
        if len(members) < AT_ONCE:
            return
        after = members[-1].id


async def grades_of_member(
    session: AsyncSession, assignments: Assignments, uses: Sequence[CourseAssignment], member: Membership
) -> Mapping[str, Counted]:
    """Return the grades of one member by the ids of the files of assignments."""
    counted = await counted_grades(session, assignments, [member], uses)
    return {use.assignment_id: counted[member.id, use.id] for use in uses}
