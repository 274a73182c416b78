"""Grades of submissions and of members, computed from the database, the assignments, and the rules of the course."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import extensions
from app.courses.assignments import Assignments, in_course
from app.errors import AssignmentClosed, AssignmentNotOpen, AttemptsUsedUp, AttemptTooSoon
from app.storage.models import (
    Adjustment,
    CourseAssignment,
    MemberRole,
    Membership,
    StoredReport,
    Submission,
    utc_now,
)
from app.submissions import policy, repository
from app.submissions.derivation import Counted, Terms, count
from app.submissions.policy import Attempt, Grade
from grader import Assignment

#: The ids of a member and a course assignment.
GradeKey = tuple[str, str]


@dataclass(frozen=True)
class Grades:
    """The grade of one attempt, and the counted grade of its student at the assignment.

    Attributes:
        attempt: None: it has no points, or they are withheld.
        counted: None: the assignment's file is gone.
    """

    attempt: Grade | None
    counted: Counted | None


async def grades_of(session: AsyncSession, assignments: Assignments, submission: Submission) -> Grades:
    """Return the grade of a submission, and the counted grade of its student."""
    basis = await basis_of(session, assignments, submission.membership_id, submission.course_assignment_id)
    if basis is None:
        return Grades(None, None)
    grade = policy.grade_by_rules(basis.terms.of_student, basis.attempts, submission.attempt)
    if grade is not None and not basis.terms.is_student:
        grade = grade.model_copy(update={"counts": False})
    return Grades(grade, basis.counted)


async def counted_grade(
    session: AsyncSession, assignments: Assignments, member: Membership, use: CourseAssignment
) -> Counted | None:
    """Return the counted grade of a member at a course assignment; None: the assignment's file is gone."""
    basis = await basis_of(session, assignments, member.id, use.id)
    return None if basis is None else basis.counted


@dataclass(frozen=True)
class Basis:
    """The data from which a member's grade at an assignment is computed. Attributes: attempts: in order."""

    terms: Terms
    attempts: Sequence[Attempt]

    @property
    def counted(self) -> Counted:
        return count(self.terms, self.attempts)

    def check_next(self) -> None:
        """Raises: AttemptRefused: the rules allow the student no further attempt, or not now."""
        if self.terms.is_student:
            policy.check_attempt(self.terms.of_student, self.attempts, utc_now())

    @property
    def attempts_left(self) -> int | None:
        """The number of remaining attempts; None: there is no limit."""
        limit = self.terms.of_student.attempts.limit
        if limit is None or not self.terms.is_student:
            return None
        return max(0, limit - sum(attempt.is_used for attempt in self.attempts))


async def counted_grades(
    session: AsyncSession,
    assignments: Assignments,
    members: Sequence[Membership],
    uses: Sequence[CourseAssignment],
    *,
    preview: str | None = None,
) -> dict[GradeKey, Counted]:
    """Return the counted grades of these members at these assignments, in three statements.

    Args:
        members: at most some hundreds.
        uses: course assignments; one whose file is gone gives no grades.
        preview: the id of a regrade, as if it were applied.
    """
    by_key = await bases(session, assignments, members, uses, preview=preview)
    return {place: basis.counted for place, basis in by_key.items()}


async def bases(
    session: AsyncSession,
    assignments: Assignments,
    members: Sequence[Membership],
    uses: Sequence[CourseAssignment],
    *,
    preview: str | None = None,
) -> dict[GradeKey, Basis]:
    """Return the data from which these members' grades are computed, in three statements; see `counted_grades`."""
    ids = [member.id for member in members]
    attempts = await repository.attempts_of(
        session,
        Submission.membership_id.in_(ids),
        Submission.course_assignment_id.in_([use.id for use in uses]),
        preview=preview,
    )
    extended = await extensions.find_all(session, ids)
    adjusted = await find_adjustments(session, ids)
    offered = {use.id: in_course(assignments, use) for use in uses}
    by_key: dict[GradeKey, Basis] = {}
    for member in members:
        for use in uses:
            place = (member.id, use.id)
            if (assignment := offered[use.id]) is not None:
                is_student = member.role == MemberRole.STUDENT
                decisions = extended.get(place), adjusted.get(place)
                terms = Terms(assignment, *decisions, is_student, grade_book_points=use.grade_book_points)
                by_key[place] = Basis(terms, attempts.get(place, ()))
    return by_key


async def find_adjustments(session: AsyncSession, membership_ids: Collection[str]) -> dict[GradeKey, Adjustment]:
    """Find the current adjustments of these members."""
    rows = await session.scalars(
        select(Adjustment)
        .where(Adjustment.membership_id.in_(membership_ids), Adjustment.ended_at.is_(None))
        .order_by(Adjustment.id)
    )
    return {(each.membership_id, each.course_assignment_id): each for each in rows}


async def basis_of(
    session: AsyncSession, assignments: Assignments, membership_id: str, course_assignment_id: str
) -> Basis | None:
    """Look up the data of one member's grade at a course assignment; None: the assignment's file is gone."""
    member = await session.get_one(Membership, membership_id)
    use = await session.get_one(CourseAssignment, course_assignment_id)
    return (await bases(session, assignments, [member], [use])).get((member.id, use.id))


async def may_try_again(session: AsyncSession, assignments: Assignments, submission: Submission) -> bool:
    """Tell whether the student can hand in another attempt, now or after a pause."""
    basis = await basis_of(session, assignments, submission.membership_id, submission.course_assignment_id)
    if basis is None:
        return False
    try:
        basis.check_next()
    except AttemptTooSoon:
        return True
    except (AssignmentNotOpen, AssignmentClosed, AttemptsUsedUp):
        return False
    return True


async def points_of(
    session: AsyncSession, assignments: Assignments, listed: Sequence[tuple[Submission, StoredReport | None]]
) -> list[float | None]:
    """Return the points of these submissions' reports after the penalty for lateness."""
    ids = {submission.course_assignment_id for submission, _ in listed}
    uses = {use.id: use for use in await session.scalars(select(CourseAssignment).where(CourseAssignment.id.in_(ids)))}
    extended = await extensions.find_all(session, {submission.membership_id for submission, _ in listed})
    points = []
    for submission, report in listed:
        use_id = submission.course_assignment_id
        assignment = in_course(assignments, uses[use_id])
        if assignment is not None:
            assignment = extensions.apply_extension(assignment, extended.get((submission.membership_id, use_id)))
        points.append(points_after_rules(assignment, submission, report))
    return points


def points_after_rules(
    assignment: Assignment | None, submission: Submission, report: StoredReport | None
) -> float | None:
    """Return a report's points after the penalty for lateness; None: there are none.

    Args:
        assignment: with the dates of the student; None: its file is gone.
    """
    points = report.points if report else None
    if points is None or assignment is None:
        return points
    return policy.points_after_lateness(assignment, points, submission.created_at)
