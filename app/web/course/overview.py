"""An assignment over all students of the course: scores, causes, and activity until the deadline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from app.courses import course as courses
from app.courses.assignments import in_course
from app.http.staff import AssignmentId, Grader, staff_page, the_use, titles_of
from app.http.texts import language_of
from app.services import services
from app.teaching.grade_list import used_assignments
from app.teaching.overview.activity import Activity, activity, moments_of
from app.teaching.overview.table import Wanted, grade_table
from app.teaching.statistics import BINS, Misconception, Statistics, statistics_of
from app.web.course.words import step_in_words
from grader.report.messages import title_of
from grader.report.numbers import percent

router = APIRouter()


@dataclass(frozen=True)
class Bar:
    """One bar. Attributes: label: as a range of percent, or a time; share: of the longest bar, from 0 to 100."""

    label: str
    count: int
    share: float
    is_late: bool = False


@router.get("/courses/{course_id}/assignments/{assignment_id}/overview")
async def overview(request: Request, viewer: Grader, assignment_id: AssignmentId) -> Response:
    parts, language = services(request), language_of(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        uses = await used_assignments(session, parts.assignments, course.id, assignment_id)
        statistics = await statistics_of(session, assignment_id, course=course.id)
        moments = await moments_of(session, course.id, assignment_id)
        table = await grade_table(session, parts.assignments, uses, course.id, Wanted())
    use = the_use(uses, assignment_id)
    assignment = in_course(parts.assignments, use)
    assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
    due = assignment.deadline.due
    steps = activity(moments, course.time_zone)
    return staff_page(
        request,
        "course/overview.html",
        viewer,
        course,
        assignment=assignment,
        title=titles_of(request, uses)[assignment_id],
        statistics=statistics,
        column=table.columns[0],
        students=table.students,
        scores=_scores(statistics, language),
        causes=[_cause(each, statistics, language) for each in statistics.misconceptions],
        activity=steps,
        bars=_bars(steps, due, language),
        due_at=_place(steps, due),
        late=sum(due is not None and moment > due for moment in moments),
        attempts=len(moments),
    )


def _scores(statistics: Statistics, language: str) -> Sequence[Bar]:
    histogram = statistics.students.histogram
    most = max(histogram) or 1
    width = 100 // BINS
    ranges = (f"{each * width}–{percent((each + 1) * width, language)}" for each in range(BINS))
    labels = [*ranges, percent(100, language)]
    return [Bar(label, count, 100 * count / most) for label, count in zip(labels, histogram, strict=True)]


def _cause(found: Misconception, statistics: Statistics, language: str) -> dict[str, Any]:
    most = max(each.students for each in statistics.misconceptions)
    return {
        "title": title_of(found.code, language) or found.code,
        "found": found,
        "share": 100 * found.students / most,
        "fixed": 100 * found.fixed / found.retried if found.retried else 0,
    }


def _bars(found: Activity, due: datetime | None, language: str) -> Sequence[Bar]:
    most = found.most or 1
    return [
        Bar(step_in_words(step, found.unit, language), count, 100 * count / most, due is not None and step >= due)
        for step, count in found.steps
    ]


def _place(found: Activity, due: datetime | None) -> float | None:
    """Return where on the axis the due date lies, in steps from its beginning; None: outside."""
    if due is None or len(found.steps) < 2:
        return None
    first, second = (moment.timestamp() for moment, _ in found.steps[:2])
    place = (due.timestamp() - first) / (second - first)
    return place if 0 <= place <= len(found.steps) else None
