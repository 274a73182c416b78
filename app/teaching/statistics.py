"""Statistics of an assignment: scores, checks, misconceptions, and how these went from attempt to attempt."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import Field
from sqlalchemy import Function, Over, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bodies import Body, shows
from app.storage.models import Membership, ReportDiagnosis, StoredReport, Submission
from app.submissions.reports import counting_report_id, part_of_body
from app.submissions.repository import can_count
from grader.report.finding import CheckStatus
from grader.report.model import MEASURED

T = TypeVar("T")

# Tenths of the points; full points get a bin of their own.
BINS = 10
MOST_MISCONCEPTIONS = 100
#: A student's graded attempts that `by_attempt` tells apart.
MOST_NUMBERS = 10


class Scores(Body):
    """Shares of the points, from 0 to 1."""

    count: int
    mean: float | None
    median: float | None
    histogram: list[int] = shows("counts in [0, 0.1), [0.1, 0.2), ... [0.9, 1), and the count of 1")


class Misconception(Body):
    """The frequency of one misconception."""

    code: str = shows("of a diagnosis", "gates_swapped_if")
    attempts: int = shows("attempts that show it")
    students: int
    retried: int = shows("of these, those after which the same student's next attempt ran to the end")
    fixed: int = shows("of the retried ones, those whose next attempt does not show it")
    by_attempt: list[int] = shows(
        "students whose first, second, ... graded attempt shows it; those who stopped earlier are counted "
        "by their last one"
    )


class CheckResults(Body):
    """The results of one check."""

    check: str = Field(examples=["equivalence"])
    passed: int = shows("students whose best attempt passes it")
    students: int = shows("students whose best attempt was asked it")


class Statistics(Body):
    """The statistics of an assignment, as the API answers with them."""

    statuses: dict[str, int] = shows("attempts by verdict", {"passed": 10, "failed": 32})
    attempts: Scores = shows("of every attempt")
    students: Scores = shows("of every student's best attempt")
    checks: list[CheckResults] = shows("of every student's best attempt")
    by_attempt: list[int] = shows("students with a first, a second, ... graded attempt, up to the tenth", [30, 21, 9])
    misconceptions: list[Misconception] = shows("the most frequent first")


class _GradedAttempt(NamedTuple):
    """An attempt with a report; see `_graded`."""

    member: str
    next_report_id: int | None
    number: int
    is_last: bool
    codes: Sequence[str]


async def statistics_of(
    session: AsyncSession,
    assignment_id: str,
    since: datetime | None = None,
    course: str | None = None,
    group: str | None = None,
) -> Statistics:
    """Count over all attempts with a report that can count, by the report that counts.

    Args:
        since: leave out earlier attempts.
        course: its id; None: all courses together.
        group: only of its students.
    """
    graded = _graded(assignment_id, since, course, group).cte()
    by_report: dict[int, _GradedAttempt] = {}
    statuses: Counter[str] = Counter()
    attempts: Counter[float] = Counter()
    students: Counter[float] = Counter()
    passed: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    by_attempt = [0] * MOST_NUMBERS
    best_report = (StoredReport.id == graded.c.report_id) & graded.c.is_best & graded.c.score.is_not(None)
    codes_of = select(func.aggregate_strings(ReportDiagnosis.code, " ")).where(
        ReportDiagnosis.report_id == graded.c.report_id
    )
    rows = await session.execute(
        select(*graded.c, part_of_body("checks"), codes_of.scalar_subquery())
        .select_from(graded)
        .outerjoin(StoredReport, best_report)
    )
    for member, report_id, next_report_id, status, score, number, is_last, is_best, checks, codes in rows:
        statuses[status] += 1
        by_report[report_id] = _GradedAttempt(member, next_report_id, number, is_last, (codes or "").split())
        if score is None:
            continue
        attempts[score] += 1
        students[score] += is_best
        if number <= MOST_NUMBERS:
            by_attempt[number - 1] += 1
        for check in checks or ():
            totals[check["id"]] += 1
            passed[check["id"]] += check["status"] == CheckStatus.PASSED
    by_attempt = by_attempt[: sum(count > 0 for count in by_attempt)]
    return Statistics(
        statuses=dict(statuses),
        attempts=_scores(attempts),
        students=_scores(students),
        checks=[CheckResults(check=id, passed=passed[id], students=count) for id, count in totals.items()],
        by_attempt=by_attempt,
        misconceptions=_misconceptions(by_report, len(by_attempt)),
    )


def _graded(
    assignment_id: str, since: datetime | None, course: str | None, group: str | None
) -> Select[str, int, Any, str, float | None, int, bool, bool]:
    """Select each attempt that can count, with its report and, if the next attempt ran to the end, its report, too.

    `number`, `is_last`, `is_best` and the next one are those among the student's attempts that have points.
    """
    conditions = [Submission.assignment_id == assignment_id, can_count()]
    if course is not None:
        conditions.append(Submission.course_id == course)
    if since is not None:
        conditions.append(Submission.created_at >= since)
    if group is not None:
        conditions.append(Membership.group == group)
    measured = case((StoredReport.status.in_(MEASURED), StoredReport.id))
    score = StoredReport.points / StoredReport.max_points
    attempts = Submission.membership_id, Submission.course_assignment_id, StoredReport.points.is_(None)
    is_best = func.row_number().over(partition_by=attempts, order_by=(score.desc(), Submission.attempt)) == 1

    def in_order(function: Function[T]) -> Over[T]:
        return function.over(partition_by=attempts, order_by=Submission.attempt)

    return (
        select(
            Submission.membership_id.label("member"),
            StoredReport.id.label("report_id"),
            in_order(func.lead(measured)).label("next_report_id"),
            StoredReport.status,
            score.label("score"),
            in_order(func.row_number()).label("number"),
            in_order(func.lead(Submission.attempt)).is_(None).label("is_last"),
            is_best.label("is_best"),
        )
        .join(Membership, Membership.id == Submission.membership_id)
        .join(StoredReport, StoredReport.id == counting_report_id())
        .where(*conditions)
    )


def _misconceptions(graded: Mapping[int, _GradedAttempt], numbers: int) -> list[Misconception]:
    """Count the most frequent misconceptions.

    Args:
        graded: the attempts, by their report.
        numbers: how many places `by_attempt` has.
    """
    students: dict[str, set[str]] = defaultdict(set)
    attempts: Counter[str] = Counter()
    retried: Counter[str] = Counter()
    fixed: Counter[str] = Counter()
    by_attempt: dict[str, list[int]] = defaultdict(lambda: [0] * numbers)
    for each in graded.values():
        next_one = None if each.next_report_id is None else graded[each.next_report_id]
        # A last attempt stands for those that the student did not hand in.
        places = range(each.number - 1, numbers if each.is_last else min(each.number, numbers))
        for code in each.codes:
            attempts[code] += 1
            students[code].add(each.member)
            retried[code] += next_one is not None
            fixed[code] += next_one is not None and code not in next_one.codes
            for place in places:
                by_attempt[code][place] += 1
    listed = sorted(attempts.items(), key=lambda each: (-each[1], each[0]))[:MOST_MISCONCEPTIONS]
    return [
        Misconception(
            code=code,
            attempts=count,
            students=len(students[code]),
            retried=retried[code],
            fixed=fixed[code],
            by_attempt=by_attempt[code],
        )
        for code, count in listed
    ]


def _scores(frequencies: Mapping[float, int]) -> Scores:
    """Describe scores, given how often there is each one."""
    counts = sorted(frequencies.items())
    total = sum(frequencies.values())
    histogram = [0] * (BINS + 1)
    for score, count in counts:
        # Rounded, so that three tenths of the points do not fall into the bin below.
        histogram[max(0, min(int(round(score * BINS, 6)), BINS))] += count
    if not total:
        return Scores(count=0, mean=None, median=None, histogram=histogram)
    mean = sum(score * count for score, count in counts) / total
    median = (_at(counts, (total - 1) // 2) + _at(counts, total // 2)) / 2
    return Scores(count=total, mean=mean, median=median, histogram=histogram)


def _at(counts: Sequence[tuple[float, int]], place: int) -> float:
    """Return the score at this place, from 0, in ascending order."""
    for score, count in counts:
        place -= count
        if place < 0:
            return score
    raise IndexError(place)
