"""The grade book as CSV for import into Moodle and Canvas.

If everything came from a Canvas download, the file is Canvas' gradebook. Otherwise it is Moodle's grading worksheet
with a few columns of ours at the end (Moodle ignores unknown columns, Canvas would make assignments of them).

Sources: mod/assign/feedback/offline/importgradeslib.php in moodle (columns by their English names, the participant's
number out of ``Identifier``); "How do I import grades in the Gradebook?" in the Canvas instructor guide (``Student``,
``ID``, the SIS columns and ``Section`` first, the points possible in the second row).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.assignment import Assignment
from grader.batch.run import Row, best_rows
from grader.formats import View
from grader.report.messages import translate

MOODLE_COLUMNS = ("Identifier", "Full name", "Status", "Grade", "Maximum grade", "Feedback comments")
OWN_COLUMNS = ("Diagnosis", "File", "SHA-256", "Grader version")
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
# A spreadsheet takes a cell that begins like this for a formula, and formulas can read files and call programs. It
# skips blanks and control characters before it. If its separator is not our comma (a semicolon in Russian), a cell
# can begin in the middle of one of ours, quoted or not.
# Source: OWASP, "CSV Injection".
SEPARATORS = r";\t\r\n|"
INVISIBLE = r"\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff\""
FORMULA = re.compile(rf"(^|[{SEPARATORS}])([{INVISIBLE}]*)(?=[=+\-@＝＋－＠])")
BLANK_START = ("\t", "\r", "\n")


@dataclass(frozen=True)
class GradeBook:
    """A CSV file.

    Attributes:
        changed: number of cells that looked like a formula and now have an apostrophe.
    """

    text: str
    changed: int


def gradebook(rows: Iterable[Row], assignment: Assignment, language: str) -> GradeBook:
    """Write one line per student, with the best of their files; students without a grade have an empty one."""
    best = best_rows(rows)
    if best and all(row.found.student.platform == "canvas" for row in best):
        return _csv(_canvas(best, assignment, language))
    return _csv([[*MOODLE_COLUMNS, *OWN_COLUMNS], *(_moodle(row, language) for row in best)])


def _moodle(row: Row, language: str) -> list[str]:
    student, report = row.found.student, row.report
    identifier = f"Participant {student.id}" if student.platform == "moodle" else student.id or ""
    if report is None:
        why = translate(f"batch.{row.problem}", language)
        return [identifier, student.name, why, "", "", why, "", row.found.path, "", ""]
    view = View.of(report, language)
    titles = [translate(f"{diagnosis.code}.title", language) for diagnosis in report.diagnoses]
    return [
        identifier,
        student.name,
        view.name(f"status.{report.status.value}"),
        _number(row.points),
        _number(report.max_points),
        view.feedback(),
        "; ".join(titles),
        row.found.path,
        report.submission.sha256,
        report.receipt.grader_version,
    ]


def _canvas(rows: Sequence[Row], assignment: Assignment, language: str) -> list[list[str]]:
    titles: dict[str, str] = dict(assignment.title.items())
    nothing = [""] * len(CANVAS_COLUMNS)
    return [
        [*CANVAS_COLUMNS, titles.get(language) or assignment.id],
        ["    Points Possible", *nothing[1:], _number(assignment.max_points)],
        *([row.found.student.name, row.found.student.id or "", *nothing[2:], _number(row.points)] for row in rows),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _csv(lines: Iterable[Sequence[str]]) -> GradeBook:
    text = io.StringIO()
    writer = csv.writer(text)
    changed = 0
    for line in lines:
        # NUL ends the file for some readers.
        cells = [cell.replace("\x00", "\ufffd") for cell in line]
        harmless = list(map(as_text, cells))
        changed += sum(before != after for before, after in zip(cells, harmless, strict=True))
        writer.writerow(harmless)
    return GradeBook(text.getvalue(), changed)


def as_text(cell: str) -> str:
    """Add an apostrophe wherever a spreadsheet could see the start of a formula."""
    apart = FORMULA.sub(lambda match: f"{match[1]}'{match[2]}", cell)
    return f"'{apart}" if apart.startswith(BLANK_START) else apart
