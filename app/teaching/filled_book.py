"""Writes the grades of a course into a platform's own CSV, and leaves everything else in the file as it is.

Canvas finds students by an id of its own, and Moodle's grading worksheet by the number of a participant. A roster need
not have either, but the files that they write do. In a gradebook of Canvas a column is found by the assignment's title;
a worksheet is of one assignment. A student is found by any id or address of the row, else by the name. Where we have no
grade, where a student is excused (``EX``), or need not hand in (``N/A``), the cell stays as it was.

Sources: lib/gradebook_exporter.rb and lib/gradebook_importer.rb in canvas-lms (``Title (id)``; lines about assignments
come before the students; an emptied cell deletes a grade); mod/assign/feedback/offline/importgradeslib.php in moodle.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.courses.assignments import Assignments
from app.courses.matching import Candidate, Matcher, comparable
from app.courses.roster import columns, reading
from app.errors import GradeBookColumnMissing, GradeBookUnreadable, RosterRefused, RosterTooLong
from app.storage.database import Database
from app.storage.models import CourseAssignment
from app.teaching.grade_book import points_in, points_possible
from app.teaching.grade_list import GradeFilter, StudentGrades, every_student, used_assignments
from grader.batch.cells import GradeBook, csv_of, number

MOST_BYTES = 5_000_000
#: An assignment's heading in Canvas.
TITLE_WITH_ID = re.compile(r"(.*\S)\s*\(\d+\)\s*")
GRADE_HEADINGS, MOST_HEADINGS = ("grade", "оценка"), ("maximum grade", "максимальная оценка")
POINTS_POSSIBLE = "points possible"
#: Cells that neither hold a grade nor take one.
KEPT_CELLS = ("ex", "n/a")
NAMES_LISTED = 30


@dataclass
class FilledBook:
    """A file with grades.

    Attributes:
        columns: headings of the columns that were filled.
        grades: number of cells with a grade of ours.
        kept: number of cells of the course's students that stay as they were.
        unknown: names in the file that fit no student of the course, or two.
        absent: students with a grade who are not in the file.
        other_most: headings, with the points possible in the file and here, where the two differ.
    """

    columns: list[str] = field(default_factory=list)
    grades: int = 0
    kept: int = 0
    unknown: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    other_most: list[tuple[str, str, str]] = field(default_factory=list)
    book: GradeBook = field(default_factory=lambda: GradeBook("", 0))


@dataclass(frozen=True)
class _Target:
    place: int
    use: CourseAssignment


async def fill(
    database: Database,
    assignments: Assignments,
    course_id: str,
    content: bytes,
    *,
    only: str | None = None,
    column: str = "",
    missing_is_zero: bool = False,
) -> FilledBook:
    """Write the grades of confirmed students into a file of Canvas or Moodle.

    Args:
        only: the id of the only assignment that is meant.
        column: its heading in the file, where that is not its title.
    Raises:
        AssignmentNotFound: the course does not use that one.
        GradeBookUnreadable: it is neither a gradebook of Canvas nor a grading worksheet of Moodle.
        GradeBookColumnMissing: no column, or more than one, can be the assignment's.
        RosterTooLong: it has more rows than a roster.
    """
    async with database.read() as session:
        uses = await used_assignments(session, assignments, course_id, only)
        confirmed = GradeFilter(unconfirmed=False)
        students = [each async for each in every_student(session, assignments, uses, course_id, confirmed)]
    # A name that fits nobody is compared with every student's.
    return await asyncio.to_thread(
        _fill_book, content, assignments, uses, students, column, missing_is_zero=missing_is_zero
    )


def _fill_book(
    content: bytes,
    assignments: Assignments,
    uses: Sequence[CourseAssignment],
    students: Sequence[StudentGrades],
    column: str,
    *,
    missing_is_zero: bool,
) -> FilledBook:
    try:
        table = reading.table(content, MOST_BYTES)
        layout = columns.find([cell.strip() for cell in table.rows[0]])
    except RosterTooLong:
        raise
    except RosterRefused as exc:
        raise GradeBookUnreadable from exc
    if len(table.rows) * len(layout.headings) > MOST_BYTES:
        # Written out, each cell has a character at least; short rows are filled up to the column of the grades.
        raise GradeBookUnreadable
    targets = _targets(layout, table.rows, assignments, uses, column)
    filled = FilledBook(columns=[layout.headings[each.place] for each in targets])
    owners = _owners(table.rows, layout, students, filled)
    rows = [list(row) for row in table.rows]
    for number_of_row, student in owners.items():
        for target in targets:
            _fill_cell(rows[number_of_row], target, student, filled, missing_is_zero=missing_is_zero)
    there = {student.member.id for student in owners.values()}
    for student in students:
        has_grade = any(points_in(student.grades[each.use.assignment_id]) for each in targets)
        if has_grade and student.member.id not in there:
            filled.absent.append(student.member.person.name or student.member.external_id or "")
    filled.other_most = _other_most(table.rows, layout, targets, assignments)
    filled.book = csv_of(rows, range(len(layout.headings)), delimiter=table.delimiter)
    return filled


def _targets(
    layout: columns.Columns,
    rows: Sequence[Sequence[str]],
    assignments: Assignments,
    uses: Sequence[CourseAssignment],
    column: str,
) -> list[_Target]:
    """Find the columns of the assignments."""
    of_worksheet = [place for place, each in enumerate(layout.headings) if columns.plain(each) in GRADE_HEADINGS]
    matches = [TITLE_WITH_ID.fullmatch(each) for each in layout.headings]
    headings = {place: match[1] for place, match in enumerate(matches) if match}
    if not layout.is_canvas_gradebook and len(of_worksheet) == 1 and _is_worksheet(rows, layout):
        if len(uses) == 1:
            return [_Target(of_worksheet[0], uses[0])]
        # A worksheet does not name its assignment.
        raise GradeBookColumnMissing(titles=_all_titles(assignments, uses), came=[layout.headings[of_worksheet[0]]])
    if not layout.is_canvas_gradebook:
        raise GradeBookUnreadable
    targets = []
    for use in uses:
        names = {comparable(each) for each in ([column] if column else _titles(assignments, use))}
        places = [
            place
            for place, title in headings.items()
            if {comparable(title), comparable(layout.headings[place])} & names
        ]
        if not places and len(uses) == 1 and not column and len(headings) == 1:
            places = list(headings)
        if len(places) == 1:
            targets.append(_Target(places[0], use))
    if not targets or len({each.place for each in targets}) < len(targets):
        raise GradeBookColumnMissing(
            titles=[column] if column else _all_titles(assignments, uses), came=list(headings.values())
        )
    return targets


def _is_worksheet(rows: Sequence[Sequence[str]], layout: columns.Columns) -> bool:
    place = layout.at.get("id")
    values = [row[place] for row in rows[1:] if place is not None and place < len(row) and row[place].strip()]
    return bool(values) and all(reading.PARTICIPANT.fullmatch(value.strip()) for value in values)


def _titles(assignments: Assignments, use: CourseAssignment) -> list[str]:
    """Return the titles that an assignment may have on a platform: the course's, or else those of its file."""
    return [use.title] if use.title else [str(title) for title in dict(assignments[use.assignment_id].title).values()]


def _all_titles(assignments: Assignments, uses: Sequence[CourseAssignment]) -> list[str]:
    return [title for use in uses for title in _titles(assignments, use)]


def _owners(
    rows: Sequence[Sequence[str]], layout: columns.Columns, students: Sequence[StudentGrades], filled: FilledBook
) -> dict[int, StudentGrades]:
    """Find the students of the rows, by the rows' numbers. Two rows of one student are left alone."""
    by_id = {each.member.id: each for each in students}
    matcher = Matcher(
        Candidate(each.member.id, each.member.external_id or "", each.member.person.name, each.member.person.email)
        for each in students
    )
    matched: dict[int, str] = {}
    for row_number, cells in enumerate(rows[1:], 1):
        ids = [cells[place].strip() for place in layout.ids if place < len(cells) and cells[place].strip()]
        name = " ".join(cells[place].strip() for place in layout.name_parts if place < len(cells))
        if not ids or name.lower() in reading.TEST_STUDENTS:
            continue  # Above the students Canvas has lines about the assignments, and below them its test student.
        own = [each for each in ids if not reading.PARTICIPANT.fullmatch(each)]
        if (owner := matcher.find_person(own, name).member_id) is not None:
            matched[row_number] = owner
        else:
            filled.unknown.append(name or ids[0])
    often = Counter(matched.values())
    for owner in matched.values():
        if often[owner] > 1:
            filled.unknown.append(by_id[owner].member.person.name or by_id[owner].member.external_id or "")
    return {row_number: by_id[owner] for row_number, owner in matched.items() if often[owner] == 1}


def _fill_cell(
    cells: list[str], target: _Target, student: StudentGrades, filled: FilledBook, *, missing_is_zero: bool
) -> None:
    grade = points_in(student.grades[target.use.assignment_id], missing_is_zero=missing_is_zero)
    cells.extend([""] * (target.place + 1 - len(cells)))
    if not grade or cells[target.place].strip().lower() in KEPT_CELLS:
        filled.kept += 1
        return
    cells[target.place] = grade
    filled.grades += 1


def _other_most(
    rows: Sequence[Sequence[str]], layout: columns.Columns, targets: Sequence[_Target], assignments: Assignments
) -> list[tuple[str, str, str]]:
    """Find the columns whose points possible differ between the file and the course."""
    most_place = next((i for i, each in enumerate(layout.headings) if columns.plain(each) in MOST_HEADINGS), None)
    line = next((row for row in rows[1:] if row and row[0].strip().lower() == POINTS_POSSIBLE), ())
    differing = []
    for target in targets:
        place, row = (target.place, line) if line else (most_place, rows[1] if len(rows) > 1 else ())
        cell = row[place].strip().replace(",", ".") if place is not None and place < len(row) else ""
        ours = points_possible(assignments, target.use)
        try:
            if cell and float(cell) != ours:
                differing.append((layout.headings[target.place], number(float(cell)), number(ours)))
        except ValueError:
            continue
    return differing
