"""The grade book of a course as a file: plain, for a spreadsheet, for Moodle, and for Canvas.

It has a line for every student of the course, and a column for every assignment. Points are those of the grade book,
with at most two decimals. A cell is empty where there is no grade: nothing was handed in, it is not graded yet, or it
is withheld. Ids stand as they are in the roster, because the platform finds the student by them.

Sources: grade/import/csv in moodle (the teacher says there which column is the student's and which grade each other
one is; the headings are proposals); lib/gradebook_importer.rb in canvas-lms (``ID``, else ``SIS User ID``, else
``SIS Login ID``; the points possible in the second line).
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import xlsxwriter
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments, in_course, title_of
from app.storage.models import CourseAssignment
from app.submissions.derivation import Counted, StepCode
from app.teaching.grade_list import GradeFilter, StudentGrades, every_student, used_assignments
from grader.batch.cells import CANVAS_COLUMNS, POINTS_POSSIBLE, csv_of, number
from grader.report.server_paths import clean


class GradeBookFormat(StrEnum):
    """The program that takes the file. Attributes: SEMICOLON: a spreadsheet that writes 7,5 for seven and a half."""

    PLAIN = "plain"
    XLSX = "xlsx"
    SEMICOLON = "semicolon"
    MOODLE = "moodle"
    CANVAS = "canvas"


#: It tells spreadsheets that a file is UTF-8. Moodle and Canvas ignore it.
MARK = "\ufeff"
PLAIN_COLUMNS = ("id", "name", "email", "group", "confirmed")
MOODLE_COLUMNS = ("ID number", "Full name", "Email address", "Group")
#: The places of the columns with ids and addresses, by which platforms find a student.
IDS: Mapping[GradeBookFormat, Sequence[int]] = {
    GradeBookFormat.PLAIN: (0, 2),
    GradeBookFormat.SEMICOLON: (0, 2),
    GradeBookFormat.MOODLE: (0, 2),
    GradeBookFormat.CANVAS: (1, 2, 3),
}
#: The formats for platforms; the others are for people.
PLATFORMS = frozenset({GradeBookFormat.MOODLE, GradeBookFormat.CANVAS})
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class BookFile:
    """A grade book as a file.

    Attributes:
        lines: the cells that it shows.
        changed: the number of cells that looked like a formula and now have an apostrophe.
    """

    name: str
    media_type: str
    content: bytes
    lines: Sequence[Sequence[str]]
    changed: int = 0


async def grade_book(
    session: AsyncSession,
    assignments: Assignments,
    course_id: str,
    form: GradeBookFormat,
    language: str,
    *,
    only: str | None = None,
    unconfirmed: bool | None = None,
    missing_is_zero: bool = False,
) -> Sequence[Sequence[str]]:
    """Return the lines of the grade book of a course, for `book_file`.

    Args:
        language: of the titles of assignments.
        only: the id of the only assignment that is meant.
        unconfirmed: whether to include unconfirmed students; None: only in the forms for people.
        missing_is_zero: write 0 where a student handed in nothing.
    Raises:
        AssignmentNotFound: the course does not use that one.
    """
    uses = await used_assignments(session, assignments, course_id, only)
    with_unconfirmed = form not in PLATFORMS if unconfirmed is None else unconfirmed
    chosen = GradeFilter(unconfirmed=None if with_unconfirmed else False)
    headings = _headings(assignments, uses, form, language)
    lines = [*_first_lines(assignments, uses, form, headings)]
    async for student in every_student(session, assignments, uses, course_id, chosen):
        points = (points_in(student.grades[use.assignment_id], missing_is_zero=missing_is_zero) for use in uses)
        lines.append([*_person_cells(student, form), *points])
    return lines


def book_file(lines: Sequence[Sequence[str]], form: GradeBookFormat) -> BookFile:
    """Write the lines of a grade book as a file. This takes a second of CPU for thousands of students."""
    if form == GradeBookFormat.XLSX:
        cells = [[_in_xml(cell) for cell in line] for line in lines]
        return BookFile("grades.xlsx", XLSX_TYPE, _xlsx(cells), cells)
    delimiter = ","
    if form == GradeBookFormat.SEMICOLON:
        delimiter, first_grade = ";", len(PLAIN_COLUMNS)
        lines = [[*line[:first_grade], *(points.replace(".", ",") for points in line[first_grade:])] for line in lines]
    book = csv_of(lines, IDS[form], delimiter)
    cells = list(csv.reader(io.StringIO(book.text), delimiter=delimiter))
    content = (MARK + book.text).encode()
    return BookFile(f"grades-{form}.csv", "text/csv; charset=utf-8", content, cells, book.changed)


def _in_xml(cell: str) -> str:
    """Return a text that XlsxWriter writes as it is: it takes one within these tags for markup of its own."""
    text = clean(cell)
    return f"'{text}" if text.startswith("<r>") and text.endswith("</r>") else text


def _xlsx(lines: Sequence[Sequence[str]]) -> bytes:
    out = io.BytesIO()
    # Without temporary files: 2 MB for three hundred students.
    with xlsxwriter.Workbook(out, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(PLAIN_COLUMNS) - 1, 20)
        # No spreadsheet takes such a cell for a number or a formula, even when it is edited.
        text = workbook.add_format({"num_format": "@"})
        for row, line in enumerate(lines):
            for column, cell in enumerate(line):
                if row and cell and column >= len(PLAIN_COLUMNS):
                    sheet.write_number(row, column, float(cell))
                elif cell:
                    sheet.write_string(row, column, cell, text)
    return out.getvalue()


def _first_lines(
    assignments: Assignments, uses: Sequence[CourseAssignment], form: GradeBookFormat, headings: Sequence[str]
) -> Iterator[list[str]]:
    if form == GradeBookFormat.CANVAS:
        nothing = [""] * (len(CANVAS_COLUMNS) - 1)
        yield [*CANVAS_COLUMNS, *headings]
        yield [POINTS_POSSIBLE, *nothing, *(number(points_possible(assignments, use)) for use in uses)]
    else:
        yield [*(MOODLE_COLUMNS if form == GradeBookFormat.MOODLE else PLAIN_COLUMNS), *headings]


def _headings(
    assignments: Assignments, uses: Sequence[CourseAssignment], form: GradeBookFormat, language: str
) -> list[str]:
    """Return one heading for each assignment: the title for platforms, else the id."""
    if form not in PLATFORMS:
        return [use.assignment_id for use in uses]
    titles = [title_of(use, assignments, language) for use in uses]
    counts = Counter(titles)
    # The platform would take two columns of one name for one.
    return [
        title if counts[title] == 1 else f"{title} ({use.assignment_id})"
        for title, use in zip(titles, uses, strict=True)
    ]


def points_possible(assignments: Assignments, use: CourseAssignment) -> float:
    """Return the points that a grade book says are possible."""
    assignment = in_course(assignments, use)
    assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
    return use.grade_book_points or assignment.max_points


def _person_cells(student: StudentGrades, form: GradeBookFormat) -> list[str]:
    member, person = student.member, student.member.person
    id, name, group = member.external_id or "", person.name or "", member.group or ""
    if form not in PLATFORMS:
        return [id, name, person.email or "", group, "yes" if member.confirmed_at else "no"]
    if form == GradeBookFormat.MOODLE:
        return [id, name or id, person.email or "", group]
    # A number may be Canvas' own id; all may be the institution's, or a login. Canvas tries one after the other. It
    # reads the first as a number, so 007 would be its student 7.
    canvas_id = id if id.isascii() and id.isdecimal() and not id.startswith("0") else ""
    return [name or id, canvas_id, id, id, group]


def points_in(counted: Counted, *, missing_is_zero: bool = False) -> str:
    """Return the text of a grade book's cell: the points, or empty if there is no grade."""
    nothing = counted.points is None and counted.steps[0].code == StepCode.NO_ATTEMPT
    return "0" if missing_is_zero and nothing else number(counted.grade_book)
