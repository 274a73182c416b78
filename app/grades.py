"""What an attempt is worth, looked up."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app import policy, repository
from app.models import Submission
from app.policy import Grade
from grader import Assignment


async def grade_of(
    session: AsyncSession, assignments: Mapping[str, Assignment], submission: Submission
) -> Grade | None:
    """None while it has no points, and when its assignment is gone."""
    assignment = assignments.get(submission.assignment_id)
    if assignment is None:
        return None
    attempts = await repository.attempts(session, submission.student, submission.assignment_id)
    return policy.grade_of(assignment, attempts, submission.attempt)
