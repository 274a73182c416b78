"""A student's attempts at an assignment, the newest first, and what changed from each to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.storage.database import Database
from app.storage.models import StoredReport, Submission
from app.storage.paging import Paging
from app.submissions import policy
from app.submissions.grades import points_after_rules
from app.submissions.reports import with_reports
from app.submissions.repository import visible_to
from app.submissions.sources import ChangedLines, changed_lines
from app.teaching.causes import Cause, causes_of, only_in
from grader import Assignment
from grader.report.model import MEASURED


@dataclass(frozen=True)
class ListedAttempt:
    """An attempt in a list.

    Attributes:
        report: the one that counts, without its `body`; None: there is none yet.
        points: after the penalty for lateness; None: there are none.
        penalty_percent: what lateness takes off the report's points.
        causes: the mistakes that the report names.
        before: the attempt before it; None: this is the first.
    """

    submission: Submission
    report: StoredReport | None
    points: float | None
    late_days: int
    penalty_percent: float
    causes: Sequence[Cause]
    before: ListedAttempt | None = None

    @property
    def change(self) -> float | None:
        """The difference in points from the attempt before; None: one of the two has no points."""
        if self.before is None or self.points is None or self.before.points is None:
            return None
        return round(self.points - self.before.points, 2)

    @property
    def is_measured(self) -> bool:
        """Whether its class ran to the end. If not, a mistake in it may have gone unnoticed."""
        return self.report is not None and self.report.status in MEASURED

    @property
    def new_causes(self) -> Sequence[Cause]:
        """The mistakes that the attempt before it did not have."""
        return only_in(self.causes, self.before.causes) if self.before and self.before.is_measured else ()

    @property
    def reports(self) -> tuple[int, int] | None:
        """The numbers of the reports on the attempt before it and on this one; None: one of the two has none."""
        if self.before is None or self.before.report is None or self.report is None:
            return None
        return self.before.report.id, self.report.id

    @property
    def causes_gone(self) -> Sequence[Cause]:
        return only_in(self.before.causes, self.causes) if self.before and self.is_measured else ()


@dataclass(frozen=True)
class AttemptsFilter:
    """A choice of attempts at one assignment.

    Attributes:
        membership_id: of the student; None: all attempts that the viewer has handed in.
    """

    course_id: str
    assignment_id: str
    membership_id: str | None

    def conditions(self, viewer: Principal) -> list[ColumnElement[bool]]:
        conditions = [
            visible_to(viewer),
            Submission.course_id == self.course_id,
            Submission.assignment_id == self.assignment_id,
        ]
        if self.membership_id is not None:
            return [*conditions, Submission.membership_id == self.membership_id]
        return [*conditions, Submission.submitted_by == viewer.id]


async def list_attempts(
    session: AsyncSession,
    assignment: Assignment,
    viewer: Principal,
    choice: AttemptsFilter,
    paging: Paging,
) -> Sequence[ListedAttempt]:
    """List the newest attempts that `viewer` may see, in two statements.

    Args:
        assignment: with the dates of the student.
    Returns:
        One more than the page has, with which the last one of the page is compared.
    """
    query = paging.of(with_reports(*choice.conditions(viewer)), Submission.id)
    listed = (await session.execute(query)).all()
    causes = await causes_of(session, [report.id for _, report in listed if report is not None])
    attempts: list[ListedAttempt] = []
    earlier: dict[str, ListedAttempt] = {}
    for submission, report in reversed(listed):
        points = points_after_rules(assignment, submission, report)
        days, percent = policy.lateness(assignment, submission.created_at)
        named = causes.get(report.id, ()) if report else ()
        each = ListedAttempt(submission, report, points, days, percent, named, earlier.get(submission.membership_id))
        # An attempt is compared only with the one before it.
        earlier[submission.membership_id] = replace(each, before=None)
        attempts.append(each)
    return attempts[::-1]


async def source_changes(database: Database, attempts: Sequence[ListedAttempt]) -> dict[str, ChangedLines]:
    """Count the lines that changed from the attempt before each of these, by the id of the submission."""
    pairs = {each.submission.id: each.reports for each in attempts if each.reports}
    changes = await changed_lines(database, pairs.values())
    return {id: changes[pair] for id, pair in pairs.items() if pair in changes}
