"""A course for its staff: what needs a look, the table of grades, and each assignment over all students."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from babel.dates import format_datetime
from fastapi import Response
from starlette.datastructures import QueryParams

from app.access.rights import Right
from app.courses import membership
from app.courses.assignments import Assignments, in_course
from app.courses.uses import UsedAssignment
from app.http.forms import see_other
from app.http.visits import Pages, Visit
from app.lti import platforms
from app.storage.models import CourseAssignment
from app.teaching import holds
from app.teaching.grade_list import used_assignments
from app.teaching.outdated import outdated_of
from app.teaching.overview.activity import Activity, Unit, activity, moments_of
from app.teaching.overview.attention import attention
from app.teaching.overview.table import Filter, Table, TableView, column_of, grade_table
from app.teaching.same_code import count_groups
from app.teaching.statistics import BINS, Statistics, statistics_of
from app.texts import text
from app.values import LATEST
from grader.report.messages import title_of
from grader.report.numbers import percent

#: Orders besides those by points at an assignment.
ORDERS = ("name", "id", "group")
#: Causes that the page of an assignment shows at once.
MOST_CAUSES = 10
#: Formats for the labels of an axis of time, by its unit.
PATTERNS = {Unit.HOUR: "d MMM, HH:mm", Unit.DAY: "d MMMM", Unit.WEEK: "d MMMM"}

router = Pages()


@dataclass(frozen=True)
class Bar:
    """One bar. Attributes: label: as a range of percent, or a time; share: of the longest bar, from 0 to 100."""

    label: str
    count: int
    share: float
    is_late: bool = False


@router.page("/courses/{course_id}", Right.READ)
async def course_page(visit: Visit) -> Response:
    """Show the course to its staff; others get their own work in it."""
    query, course_id = visit.request.query_params, visit.course_id
    if not visit.holder.sees_everything:
        return see_other(f"/?{urlencode([*query.multi_items(), ('course', course_id)])}")
    async with visit.database.read() as session:
        uses = await used_assignments(session, visit.assignments, course_id)
        uses = sorted(uses, key=lambda use: _due(visit.assignments, use))
        view = view_of(query, uses)
        table = await grade_table(session, visit.assignments, uses, course_id, view)
        platform = None if table.students else await platforms.name_for_course(session, course_id)
        needed = await attention(session, course_id)
        may_regrade = visit.holder.may(Right.REGRADE)
        outdated = await outdated_of(session, visit.assignments, course_id) if may_regrade else ()
    waiting, pace = await visit.parts.backlog.count(), await visit.parts.backlog.pace()
    titles = visit.titles_of(uses)
    return visit.page(
        "course/course.html",
        "course",
        table=table,
        platform=platform,
        view=view,
        is_filtered=bool(view.text or view.group or view.state),
        choices=_choices(table, titles, visit.language),
        chosen={
            "group": view.group or "",
            "state": view.state or "",
            "assignment": view.assignment or "",
            "sort": view.sort,
            "order": "desc" if view.descending else "",
        },
        attention=needed,
        outdated=outdated,
        waiting=waiting,
        empty_seconds=pace.seconds_to_report(waiting) if pace else None,
        reasons={each.submission.id: holds.reasons_of(each.report, visit.language) for each in needed.held.listed},
        titles=titles,
        used={use.assignment_id: UsedAssignment(use, in_course(visit.assignments, use)) for use in uses},
    )


def _due(files: Assignments, use: CourseAssignment) -> tuple[datetime, str]:
    """Return what sorts assignments by due date, those without one last."""
    assignment = in_course(files, use)
    return (assignment and assignment.deadline.due) or LATEST, use.assignment_id


def _choices(table: Table, titles: Mapping[str, str], language: str) -> dict[str, list[tuple[str, str]]]:
    return {
        "group": [("", text("course.all_groups", language)), *((group, group) for group in table.groups)],
        "state": [
            ("", text("course.everybody", language)),
            *((each.value, text(f"course.filter.{each}", language)) for each in Filter),
        ],
        "assignment": [("", text("course.any_assignment", language)), *titles.items()],
        "sort": [*((each, text(f"course.by.{each}", language)) for each in ORDERS), *titles.items()],
        "order": [("", text("course.ascending", language)), ("desc", text("course.descending", language))],
    }


def view_of(query: QueryParams, uses: Sequence[CourseAssignment]) -> TableView:
    """Read the filter of a table from its address. Unknown values are left out."""
    ids = {use.assignment_id for use in uses}
    assignment, state, sort, page = (query.get(name, "") for name in ("assignment", "state", "sort", "page"))
    return TableView(
        text=query.get("search", "").strip(),
        group=query.get("group") or None,
        assignment=assignment if assignment in ids else None,
        state=Filter(state) if state in set(Filter) else None,
        sort=sort if sort in {*ORDERS, *ids} else "name",
        descending=query.get("order") == "desc",
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
    )


@router.page("/courses/{course_id}/assignments/{assignment_id}/overview", Right.SEE_GRADES)
async def overview(visit: Visit, assignment_id: str, group: str = "") -> Response:
    course_id, language = visit.course_id, visit.language
    (use,) = await used_assignments(visit.session, visit.assignments, course_id, assignment_id)
    groups = await membership.groups(visit.session, course_id)
    only = group if group in groups else None
    statistics = await statistics_of(visit.session, assignment_id, course=course_id, group=only)
    moments = await moments_of(visit.session, course_id, assignment_id, only)
    column, students = await column_of(visit.session, visit.assignments, use, course_id, only)
    same_code = await count_groups(visit.session, use.id)
    assignment = in_course(visit.assignments, use)
    assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
    due = assignment.deadline.due
    steps = activity(moments, visit.course.time_zone)
    return visit.page(
        "course/overview.html",
        "course",
        assignment=assignment,
        title=visit.title_of(use),
        statistics=statistics,
        groups=[("", text("course.all_groups", language)), *((each, each) for each in groups)],
        group=only,
        column=column,
        students=students,
        scores=_scores(statistics, language),
        checks=[(title_of(f"check.{each.check}", language) or each.check, each) for each in statistics.checks],
        causes=[(title_of(each.code, language) or each.code, each) for each in statistics.misconceptions],
        most_causes=MOST_CAUSES,
        falls=_falls(statistics, language),
        activity=steps,
        bars=_bars(steps, due, language),
        due_at=_place(steps, due),
        late=sum(due is not None and moment > due for moment in moments),
        attempts=len(moments),
        same_code=same_code,
    )


def _scores(statistics: Statistics, language: str) -> Sequence[Bar]:
    histogram = statistics.students.histogram
    most = max(histogram) or 1
    width = 100 // BINS
    ranges = (f"{each * width}–{percent((each + 1) * width, language)}" for each in range(BINS))
    labels = [*ranges, percent(100, language)]
    return [Bar(label, count, 100 * count / most) for label, count in zip(labels, histogram, strict=True)]


def _falls(statistics: Statistics, language: str) -> Sequence[tuple[str, Sequence[Bar]]]:
    """Return the most frequent causes, each with a bar for each attempt; nothing if nobody has a second one."""
    if len(statistics.by_attempt) < 2:
        return []
    causes, students = statistics.misconceptions[:MOST_CAUSES], statistics.students.count
    most = max((count for each in causes for count in each.by_attempt), default=0) or 1

    def bar(count: int) -> Bar:
        return Bar(percent(round(100 * count / students), language), count, 100 * count / most)

    return [(title_of(each.code, language) or each.code, [*map(bar, each.by_attempt)]) for each in causes]


def _bars(over_time: Activity, due: datetime | None, language: str) -> Sequence[Bar]:
    most = over_time.most or 1
    return [
        Bar(
            format_datetime(step, PATTERNS[over_time.unit], tzinfo=step.tzinfo, locale=language),
            count,
            100 * count / most,
            due is not None and step >= due,
        )
        for step, count in over_time.steps
    ]


def _place(over_time: Activity, due: datetime | None) -> float | None:
    """Return the position of the due date on the axis, in steps from its beginning; None: outside."""
    if due is None or len(over_time.steps) < 2:
        return None
    first, second = (moment.timestamp() for moment, _ in over_time.steps[:2])
    place = (due.timestamp() - first) / (second - first)
    return place if 0 <= place <= len(over_time.steps) else None
