"""The standing of a submission: its counting report, its position in the queue, and its grade."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.courses.assignments import Assignments
from app.storage.models import StoredReport, Submission
from app.submissions import positions, reports, repository
from app.submissions.derivation import Counted
from app.submissions.grades import grades_of
from app.submissions.policy import Grade


@dataclass(frozen=True)
class Standing:
    """A submission as its readers see it.

    Attributes:
        stored: the counting report; None: there is none yet.
        position: 1 is graded next; None: it is not waiting.
        grade: None: there are no points, or they are withheld.
        counted: the grade of the student at the assignment; None: the assignment's file is gone.
    """

    submission: Submission
    stored: StoredReport | None
    position: int | None
    grade: Grade | None
    counted: Counted | None = None


async def standing_of(
    session: AsyncSession, assignments: Assignments, submission_id: str, viewer: Principal
) -> Standing:
    """Look up a submission and its standing.

    Raises:
        SubmissionNotFound: there is none, or `viewer` may not see it.
    """
    submission = await repository.existing_submission(session, submission_id, viewer)
    grades = await grades_of(session, assignments, submission)
    return Standing(
        submission,
        await reports.newest_report(session, submission.id),
        await positions.queue_position(session, submission),
        grades.attempt,
        grades.counted,
    )
