"""Grades of submissions, from the database and the assignments."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AssignmentClosed, AttemptsUsedUp, AttemptTooSoon
from app.storage.models import StoredReport, Submission, utc_now
from app.submissions import policy, repository
from app.submissions.policy import Grade
from grader import Assignment


async def grade_of(
    session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission
) -> Grade | None:
    """Return the grade of a submission; None while it has no points, and when its assignment is gone."""
    assignment = assignments.get(submission.assignment_id)
    if assignment is None:
        return None
    attempts = await repository.attempts(session, submission.student, submission.assignment_id)
    return policy.grade_by_rules(assignment, attempts, submission.attempt)


async def may_try_again(session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission) -> bool:
    """Tell whether the student can hand in another attempt, now or after a pause."""
    assignment = assignments.get(submission.assignment_id)
    if assignment is None:
        return False
    attempts = await repository.attempts(session, submission.student, submission.assignment_id)
    try:
        policy.check_attempt(assignment, attempts, utc_now())
    except AttemptTooSoon:
        return True
    except (AssignmentClosed, AttemptsUsedUp):
        return False
    return True


def points_of(
    assignments: Mapping[str, Assignment], submission: Submission, report: StoredReport | None
) -> float | None:
    """Return a report's points after the penalty for lateness."""
    if report is None or report.points is None:
        return None
    assignment = assignments.get(submission.assignment_id)
    if assignment is None:
        return report.points
    return policy.points_after_lateness(assignment, report.points, submission.created_at)
