"""The grade table of a course: its students by its assignments, searched, filtered, sorted, and cut into pages.

A filter by state, an order by points and the columns' means need everybody's counted grade, so all are worked out, in
three statements for each two hundred students. Names are compared here, because SQLite folds the case of ASCII
letters only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.courses.matching import comparable, matches
from app.storage.memberships import are_students, with_persons
from app.storage.models import CourseAssignment, Membership, Submission
from app.submissions.derivation import Counted
from app.submissions.grades import GradeKey, counted_grades
from app.teaching.grade_list import AT_ONCE, GradeFilter, every_student
from app.teaching.reviews import open_places

PAGE = 50


class State(StrEnum):
    """A state of a student at an assignment. Several may hold at once."""

    FAILED = "failed"
    HELD = "held"
    REVIEW = "review"
    STALE = "stale"
    RUNNING = "running"
    LATE = "late"
    IN_EXTENSION = "in_extension"
    ADJUSTED = "adjusted"
    EXTENDED = "extended"
    MISSING = "missing"


#: States in which the staff have something to do.
NEEDS_LOOK = frozenset({State.FAILED, State.HELD, State.REVIEW, State.STALE})


class Filter(StrEnum):
    """The choices by which the table can be filtered."""

    HANDED_IN = "handed_in"
    MISSING = "missing"
    LATE = "late"
    LOOK = "look"
    EXCEPTION = "exception"


#: States by filter. Whether something was handed in is no state.
FILTERS: Mapping[Filter, frozenset[State]] = {
    Filter.MISSING: frozenset({State.MISSING}),
    Filter.LATE: frozenset({State.LATE, State.IN_EXTENSION}),
    Filter.LOOK: NEEDS_LOOK,
    Filter.EXCEPTION: frozenset({State.ADJUSTED, State.EXTENDED, State.IN_EXTENSION, State.STALE}),
}


@dataclass(frozen=True)
class Cell:
    """A student at an assignment. Attributes: submission_id: of the attempt that counts, else of the newest one."""

    counted: Counted
    states: tuple[State, ...]
    submission_id: str | None = None


@dataclass(frozen=True)
class Row:
    """A student, whose person is loaded, with a cell for each assignment by its id."""

    member: Membership
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Column:
    """An assignment over all students. Attributes: mean: of the counted grades, from 0 to 1."""

    use: CourseAssignment
    handed_in: int
    mean: float | None


@dataclass(frozen=True)
class TableView:
    """A choice of rows, and their order.

    Attributes:
        text: a part of the id, the name or the address.
        assignment: `state` holds at this one; None: at any.
        sort: ``name``, ``id``, ``group``, or the id of an assignment.
        page: from 1.
    """

    text: str = ""
    group: str | None = None
    assignment: str | None = None
    state: Filter | None = None
    sort: str = "name"
    descending: bool = False
    page: int = 1


@dataclass(frozen=True)
class Table:
    """One page of the table.

    Attributes:
        students: how many the course has.
        matches: how many of them were chosen.
        pages: at least 1.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    groups: Sequence[str]
    students: int
    matches: int
    page: int
    pages: int


async def grade_table(
    session: AsyncSession, assignments: Assignments, uses: Sequence[CourseAssignment], course_id: str, view: TableView
) -> Table:
    """Make one page of the table. A page after the last one is the last one.

    Args:
        uses: the columns (`grade_list.used_assignments`).
    """
    everybody = await list_students(session, course_id)
    reviews = await open_places(session, course_id)
    rows: list[Row] = []
    for start in range(0, len(everybody), AT_ONCE):
        members = everybody[start : start + AT_ONCE]
        counted = await counted_grades(session, assignments, members, uses)
        rows.extend(_row(member, uses, counted, reviews) for member in members)
    columns = [_column(use, [row.cells[use.assignment_id].counted for row in rows]) for use in uses]
    rows = [row for row in rows if _matches(row.member, view)]
    if view.state is not None:
        rows = [row for row in rows if any(_fits(cell, view.state) for cell in _cells_of(row, view))]
    rows = _sort(rows, view)
    pages = max(1, -(-len(rows) // PAGE))
    page = min(max(view.page, 1), pages)
    shown = rows[(page - 1) * PAGE : page * PAGE]
    return Table(
        rows=await _with_submissions(session, shown, uses),
        columns=columns,
        groups=sorted({member.group for member in everybody if member.group}, key=str.casefold),
        students=len(everybody),
        matches=len(rows),
        page=page,
        pages=pages,
    )


async def column_of(
    session: AsyncSession, assignments: Assignments, use: CourseAssignment, course_id: str, group: str | None = None
) -> tuple[Column, int]:
    """Return an assignment over the students of a course or of one group, and how many they are."""
    students = every_student(session, assignments, [use], course_id, GradeFilter(group=group))
    counted = [student.grades[use.assignment_id] async for student in students]
    return _column(use, counted), len(counted)


async def list_students(session: AsyncSession, course_id: str) -> Sequence[Membership]:
    """List the students of a course, with their persons."""
    return (await session.scalars(with_persons(are_students(course_id)).order_by(Membership.id))).all()


def _matches(member: Membership, view: TableView) -> bool:
    if view.group is not None and (member.group or "") != view.group:
        return False
    person = member.person
    return matches(view.text, member.external_id, person.name, person.email, member.claimed_id)


def _row(
    member: Membership, uses: Sequence[CourseAssignment], counted: Mapping[GradeKey, Counted], reviews: set[GradeKey]
) -> Row:
    cells = {}
    for use in uses:
        place = (member.id, use.id)
        cells[use.assignment_id] = Cell(counted[place], states_of(counted[place], has_review=place in reviews))
    return Row(member, cells)


def states_of(counted: Counted, *, has_review: bool) -> tuple[State, ...]:
    """List the states of a grade, the most urgent first."""
    holds = {
        State.FAILED: counted.has_failed,
        State.HELD: counted.is_held,
        State.REVIEW: has_review,
        State.STALE: counted.is_stale,
        State.RUNNING: counted.is_waiting,
        State.LATE: counted.late_days > 0,
        State.IN_EXTENSION: counted.in_extension,
        State.ADJUSTED: counted.is_adjusted and not counted.is_stale,
        State.EXTENDED: counted.is_extended and not counted.in_extension,
        State.MISSING: not counted.attempts,
    }
    return tuple(state for state, is_so in holds.items() if is_so)


def _cells_of(row: Row, view: TableView) -> Sequence[Cell]:
    """Return the cells that the filter is about."""
    if view.assignment is not None and view.assignment in row.cells:
        return [row.cells[view.assignment]]
    return list(row.cells.values())


def _fits(cell: Cell, chosen: Filter) -> bool:
    if chosen is Filter.HANDED_IN:
        return cell.counted.attempts > 0
    return bool(FILTERS[chosen].intersection(cell.states))


def _sort(rows: Sequence[Row], view: TableView) -> list[Row]:
    """Sort the rows; those without a value come last in either direction."""

    def name(row: Row) -> str:
        return comparable(row.member.person.name or row.member.external_id or "")

    keys: Mapping[str, Callable[[Row], Any]] = {
        "name": name,
        "id": lambda row: comparable(row.member.external_id or ""),
        "group": lambda row: comparable(row.member.group or ""),
    }

    def points(row: Row) -> float | None:
        cell = row.cells.get(view.sort)
        return cell.counted.points if cell else None

    key = keys.get(view.sort, points)
    by_name = sorted(rows, key=lambda row: (name(row), row.member.id))
    with_value = [row for row in by_name if key(row) not in (None, "")]
    without = [row for row in by_name if key(row) in (None, "")]
    return [*sorted(with_value, key=key, reverse=view.descending), *without]


def _column(use: CourseAssignment, counted: Sequence[Counted]) -> Column:
    shares = [each.points / each.max_points for each in counted if each.points is not None and each.max_points]
    return Column(use, sum(each.attempts > 0 for each in counted), fmean(shares) if shares else None)


async def _with_submissions(
    session: AsyncSession, rows: Sequence[Row], uses: Sequence[CourseAssignment]
) -> Sequence[Row]:
    """Add the submissions that the cells lead to."""
    submissions = await session.execute(
        select(Submission.id, Submission.membership_id, Submission.assignment_id, Submission.attempt)
        .where(
            Submission.membership_id.in_([row.member.id for row in rows]),
            Submission.course_assignment_id.in_([use.id for use in uses]),
        )
        .order_by(Submission.attempt)
    )
    ids: dict[tuple[str, str], dict[int, str]] = {}
    for id, member, assignment_id, attempt in submissions:
        ids.setdefault((member, assignment_id), {})[attempt] = id

    def leads_to(row: Row, assignment_id: str, cell: Cell) -> Cell:
        attempts = ids.get((row.member.id, assignment_id), {})
        newest = attempts[max(attempts)] if attempts else None
        return Cell(cell.counted, cell.states, attempts.get(cell.counted.attempt or 0, newest))

    return [Row(row.member, {id: leads_to(row, id, cell) for id, cell in row.cells.items()}) for row in rows]
