"""Lists of submissions: filtered, the newest first, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.storage.models import JobStatus, StoredReport, Submission
from app.storage.paging import Paging
from app.submissions.reports import with_reports
from app.submissions.repository import visible_to, waits_for_decision


@dataclass(frozen=True)
class Selection:
    """A filter for submissions; all given conditions must hold.

    Attributes:
        status: of the report that counts.
        since: submitted at this moment or later.
        course: the course's id; None: all courses that the viewer sees.
        held: True: waits for a teacher's decision; False: does not; None: either.
    """

    student: str | None = None
    assignment: str | None = None
    job_status: JobStatus | None = None
    status: str | None = None
    since: datetime | None = None
    held: bool | None = None
    course: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions for a query that joins `Submission` with its counting report."""
        filters = [
            (Submission.course_id, self.course),
            (Submission.student, self.student),
            (Submission.assignment_id, self.assignment),
            (Submission.job_status, self.job_status),
            (StoredReport.status, self.status),
        ]
        conditions = [column == value for column, value in filters if value is not None]
        if self.held is not None:
            conditions.append(waits_for_decision() if self.held else ~waits_for_decision())
        return conditions if self.since is None else [*conditions, Submission.created_at >= self.since]


async def list_submissions(
    session: AsyncSession, viewer: Principal, selection: Selection, paging: Paging
) -> Sequence[tuple[Submission, StoredReport | None]]:
    """List the newest submissions that `viewer` may see, each with its counting report, without the `body`."""
    chosen = with_reports(visible_to(viewer), *selection.conditions())
    return (await session.execute(paging.of(chosen, Submission.id))).all()
