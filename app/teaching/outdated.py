"""Counting reports from an earlier assignment file or version of the grader. A regrade brings them up to date."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.storage.models import JobStatus, StoredReport, Submission
from app.submissions.reports import counting_report_id
from grader.version import grader_version


@dataclass(frozen=True)
class OutdatedReports:
    """The reports of an assignment that a regrade could change.

    Attributes:
        reports: all that count, by whichever file and grader.
        file_changed: how many were graded by an earlier assignment file.
        grader_changed: how many were graded by another version of the grader, and by today's file.
    """

    assignment_id: str
    reports: int
    file_changed: int
    grader_changed: int

    @property
    def count(self) -> int:
        return self.file_changed + self.grader_changed


async def outdated_of(
    session: AsyncSession, assignments: Assignments, course_id: str, version: str | None = None
) -> Sequence[OutdatedReports]:
    """List the assignments of a course with outdated reports, in the order of their ids.

    Reports of early versions do not say what they were graded by, and are not counted.

    Args:
        version: of the grader; None: today's.
    """
    version = version or grader_version()
    digests = {id: assignment.digest for id, assignment in assignments.items()}
    of_today = or_(
        *(
            (Submission.assignment_id == id) & (StoredReport.assignment_digest == digest)
            for id, digest in digests.items()
        )
    )
    rows = await session.execute(
        select(
            Submission.assignment_id,
            func.count(),
            func.count(case((~of_today, 1))),
            func.count(case((of_today & (StoredReport.grader_version != version), 1))),
        )
        .join(StoredReport, StoredReport.id == counting_report_id())
        .where(
            Submission.course_id == course_id,
            Submission.assignment_id.in_(digests),
            Submission.job_status == JobStatus.DONE,
            StoredReport.assignment_digest.is_not(None),
        )
        .group_by(Submission.assignment_id)
        .order_by(Submission.assignment_id)
    )
    reports = [OutdatedReports(*row) for row in rows]
    return [each for each in reports if each.count]
