"""The work of a student at an assignment of a course, found by the ids that a request names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.courses import assignments as course_assignments
from app.courses import course, members, membership, uses
from app.courses.assignments import Assignments
from app.errors import AssignmentNotFound, MemberNotStudent, existing
from app.storage.models import Adjustment, Comment, CourseAssignment, MemberRole, Membership, Submission
from app.storage.paging import Paging

WorkRow = Adjustment | Comment | Submission
Row = TypeVar("Row", bound=Adjustment | Comment)


@dataclass(frozen=True)
class StudentWork:
    """The work of a student at an assignment: names the rows that belong to it."""

    member: Membership
    use: CourseAssignment

    def has(self, table: type[WorkRow]) -> ColumnElement[bool]:
        """Return the condition that a row belongs to this work."""
        return and_(table.membership_id == self.member.id, table.course_assignment_id == self.use.id)

    def holds(self, row: WorkRow) -> bool:
        return (row.membership_id, row.course_assignment_id) == (self.member.id, self.use.id)


async def find_student_work(
    session: AsyncSession, assignments: Assignments, course_id: str, member_id: str, assignment_id: str
) -> StudentWork:
    """Find the work, to read it. The course Default may have no row of the assignment yet.

    Raises:
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    member = await membership.find(session, course_id, member_id)
    used = await uses.find_used(session, course_id, assignment_id, assignments)
    return _student_work(member, used.use)


async def take_student_work(
    session: AsyncSession, assignments: Assignments, course_id: str, member_id: str, assignment_id: str
) -> StudentWork:
    """Find the work, and wait for the student's turn: no other transaction changes it, or adds an attempt.

    Raises:
        CourseArchived: nothing in it changes any more.
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    await course.keep_open(session, course_id)
    if assignment_id not in assignments:
        raise AssignmentNotFound
    # Uploads take the assignment's turn first, so this does, too.
    offered = await course_assignments.offer(session, [(course_id, assignment_id)])
    member = await membership.find(session, course_id, member_id)
    while True:
        id_before = member.external_id
        await members.take_turn_of(session, member)
        member = await membership.find(session, course_id, member_id)
        if member.external_id == id_before:  # Else the turn was another student's.
            return _student_work(member, offered.get((course_id, assignment_id)))


def _student_work(member: Membership, use: CourseAssignment | None) -> StudentWork:
    use = existing(use, AssignmentNotFound)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    return StudentWork(member, use)


async def list_rows(session: AsyncSession, work: StudentWork, table: type[Row], paging: Paging) -> Sequence[Row]:
    """List the adjustments of a student at an assignment, ended ones too, or the comments; the newest first."""
    of_work = table.membership_id == work.member.id, table.course_assignment_id == work.use.id
    query = select(table).where(*of_work).options(joinedload(table.use))
    return (await session.scalars(paging.of(query, table.id))).all()


async def rows_of_member(session: AsyncSession, table: type[Row], member: Membership) -> Sequence[Row]:
    """List all adjustments of a member, or all comments, the newest first, with their assignments."""
    of_member = select(table).where(table.membership_id == member.id).options(joinedload(table.use))
    return (await session.scalars(of_member.order_by(table.id.desc()))).all()
