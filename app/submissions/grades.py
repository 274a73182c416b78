"""Grades of submissions, from the database, the assignments, and the rules of the course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import in_course
from app.errors import AssignmentClosed, AssignmentNotOpen, AttemptsUsedUp, AttemptTooSoon
from app.storage.models import CourseAssignment, StoredReport, Submission, utc_now
from app.submissions import policy, repository
from app.submissions.policy import Grade
from grader import Assignment


async def grade_of(
    session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission
) -> Grade | None:
    """Return the grade of a submission; None while it has no points, and when its assignment is gone."""
    assignment = await _assignment_of(session, assignments, submission)
    if assignment is None:
        return None
    attempts = await repository.attempts(session, submission.membership_id, submission.course_assignment_id)
    return policy.grade_by_rules(assignment, attempts, submission.attempt)


async def may_try_again(session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission) -> bool:
    """Tell whether the student can hand in another attempt, now or after a pause."""
    assignment = await _assignment_of(session, assignments, submission)
    if assignment is None:
        return False
    attempts = await repository.attempts(session, submission.membership_id, submission.course_assignment_id)
    try:
        policy.check_attempt(assignment, attempts, utc_now())
    except AttemptTooSoon:
        return True
    except (AssignmentNotOpen, AssignmentClosed, AttemptsUsedUp):
        return False
    return True


async def points_of(
    session: AsyncSession,
    assignments: Mapping[str, Assignment],
    listed: Sequence[tuple[Submission, StoredReport | None]],
) -> list[float | None]:
    """Return the points of these submissions' reports after the penalty for lateness."""
    ids = {submission.course_assignment_id for submission, _ in listed}
    uses = {use.id: use for use in await session.scalars(select(CourseAssignment).where(CourseAssignment.id.in_(ids)))}
    return [
        _points(in_course(assignments, uses[submission.course_assignment_id]), submission, report)
        for submission, report in listed
    ]


def _points(assignment: Assignment | None, submission: Submission, report: StoredReport | None) -> float | None:
    if report is None or report.points is None:
        return None
    if assignment is None:
        return report.points
    return policy.points_after_lateness(assignment, report.points, submission.created_at)


async def _assignment_of(
    session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission
) -> Assignment | None:
    use = await session.get_one(CourseAssignment, submission.course_assignment_id)
    return in_course(assignments, use)
