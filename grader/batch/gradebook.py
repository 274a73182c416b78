"""The grade book as CSV, as Moodle and Canvas import it.

Where everything came out of a Canvas download the file is Canvas' gradebook, else Moodle's grading worksheet with a few
columns of ours behind (Moodle ignores what it does not know, Canvas would make an assignment of it).

Sources: mod/assign/feedback/offline/importgradeslib.php in moodle (columns by their English names, the participant's
number out of ``Identifier``); "How do I import grades in the Gradebook?" in the Canvas instructor guide (``Student``,
``ID``, the SIS columns and ``Section`` first, the points possible in the second row).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from grader.assignment import Assignment
from grader.batch.run import Row, best_rows
from grader.formats import View
from grader.messages import translate

MOODLE_COLUMNS = ("Identifier", "Full name", "Status", "Grade", "Maximum grade", "Feedback comments")
OWN_COLUMNS = ("Diagnosis", "File", "SHA-256", "Grader version")
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
# A spreadsheet takes what begins like this for a formula, and formulas can read files and call programs.
# Source: OWASP, "CSV Injection".
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def gradebook(rows: Iterable[Row], assignment: Assignment, language: str) -> str:
    """One line per student, with the best of their files; students without a grade have an empty one."""
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


def _csv(lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_as_text(cell) for cell in line] for line in lines)
    return text.getvalue()


def _as_text(cell: str) -> str:
    """Without NUL, which ends the file for some readers, and with an apostrophe before what looks like a formula."""
    cell = cell.replace("\x00", "\ufffd")
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
