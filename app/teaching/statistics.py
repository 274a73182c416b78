"""Statistics of an assignment: scores, misconceptions, and how many were gone in the next attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, Subquery, case, distinct, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.storage.models import Membership, ReportDiagnosis, StoredReport, Submission
from app.submissions.reports import counting_report_id
from app.submissions.repository import can_count
from grader.report.model import MEASURED

# Tenths of the points; full points get a bin of their own.
BINS = 10
MOST_MISCONCEPTIONS = 100


@dataclass(frozen=True)
class Scores:
    """Shares of the points from 0 to 1.

    Attributes:
        histogram: counts in [0, 0.1), [0.1, 0.2), ... [0.9, 1), and the count of 1.
    """

    count: int
    mean: float | None
    median: float | None
    histogram: list[int]


@dataclass(frozen=True)
class Misconception:
    """The frequency of one misconception.

    Attributes:
        attempts: that show it.
        retried: those of them whose next attempt ran to the end.
        fixed: those of them whose next attempt does not show it.
    """

    code: str
    attempts: int
    students: int
    retried: int
    fixed: int


@dataclass(frozen=True)
class Statistics:
    """The statistics of an assignment. Attributes: attempts: of each attempt; students: of each one's best attempt."""

    statuses: dict[str, int]
    attempts: Scores
    students: Scores
    misconceptions: list[Misconception]


async def statistics_of(
    session: AsyncSession, assignment_id: str, since: datetime | None = None, course: str | None = None
) -> Statistics:
    """Count over all attempts with a report that can count, by the report that counts.

    Args:
        course: its id; None: all courses together.
        since: leave out earlier attempts.
    """
    graded = _graded(assignment_id, since, course).subquery()
    statuses = await session.execute(select(graded.c.status, func.count()).group_by(graded.c.status))
    scored = select(graded.c.member, graded.c.score).where(graded.c.score.is_not(None)).subquery()
    best = select(func.max(scored.c.score).label("score")).group_by(scored.c.member).subquery()
    found, next_one = aliased(ReportDiagnosis), aliased(ReportDiagnosis)
    still_there = (next_one.report_id == graded.c.next_report_id) & (next_one.code == found.code)
    rows = await session.execute(
        select(
            found.code,
            func.count().label("attempts"),
            func.count(distinct(graded.c.member)),
            func.count(graded.c.next_report_id),
            func.count(case((graded.c.next_report_id.is_not(None) & next_one.code.is_(None), 1))),
        )
        .select_from(graded)
        .join(found, found.report_id == graded.c.report_id)
        .outerjoin(next_one, still_there)
        .group_by(found.code)
        .order_by(func.count().desc(), found.code)
        .limit(MOST_MISCONCEPTIONS)
    )
    return Statistics(
        statuses={status: count for status, count in statuses},  # noqa: C416 rows are no pairs to the type checker
        attempts=await _scores(session, scored),
        students=await _scores(session, best),
        misconceptions=[Misconception(*row) for row in rows],
    )


def _graded(assignment_id: str, since: datetime | None, course: str | None) -> Select[str, int, int, str, float]:
    """Select each attempt that can count, with its report and, if the next attempt ran to the end, its report, too."""
    conditions = [Submission.assignment_id == assignment_id, can_count()]
    if course is not None:
        conditions.append(Submission.course_id == course)
    if since is not None:
        conditions.append(Submission.created_at >= since)
    measured = case((StoredReport.status.in_(MEASURED), StoredReport.id))
    next_report_id = func.lead(measured).over(
        partition_by=(Submission.membership_id, Submission.course_assignment_id), order_by=Submission.attempt
    )
    return (
        select(
            Submission.membership_id.label("member"),
            StoredReport.id.label("report_id"),
            next_report_id.label("next_report_id"),
            StoredReport.status,
            (StoredReport.points / StoredReport.max_points).label("score"),
        )
        .join(Membership, Membership.id == Submission.membership_id)
        .join(StoredReport, StoredReport.id == counting_report_id())
        .where(*conditions)
    )


async def _scores(session: AsyncSession, of: Subquery) -> Scores:
    """Count the scores. Args: of: has a column `score`, with few different values."""
    found = await session.execute(select(of.c.score, func.count()).group_by(of.c.score).order_by(of.c.score))
    counts = [(score, count) for score, count in found]
    total = sum(count for _, count in counts)
    histogram = [0] * (BINS + 1)
    for score, count in counts:
        # Rounded, so that three tenths of the points do not fall into the bin below.
        histogram[max(0, min(int(round(score * BINS, 6)), BINS))] += count
    if not total:
        return Scores(0, None, None, histogram)
    mean = sum(score * count for score, count in counts) / total
    return Scores(total, mean, (_at(counts, (total - 1) // 2) + _at(counts, total // 2)) / 2, histogram)


def _at(counts: Sequence[tuple[float, int]], place: int) -> float:
    """Return the score at this place, from 0, in ascending order."""
    for score, count in counts:
        place -= count
        if place < 0:
            return score
    raise IndexError(place)
