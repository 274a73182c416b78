"""The grade book as CSV for import into Moodle and Canvas.

If everything came from a Canvas download, the file is Canvas' gradebook. Otherwise it is Moodle's grading worksheet
with a few columns of ours at the end (Moodle ignores unknown columns, Canvas would make assignments of them).

Sources: mod/assign/feedback/offline/importgradeslib.php in moodle (columns by their English names, the participant's
number out of ``Identifier``); "How do I import grades in the Gradebook?" in the Canvas instructor guide (``Student``,
``ID``, the SIS columns and ``Section`` first, the points possible in the second row).
"""

from collections.abc import Iterable, Sequence

from grader.assignment import Assignment
from grader.batch.cells import CANVAS_COLUMNS, POINTS_POSSIBLE, GradeBook, csv_of, number
from grader.batch.run import Row, best_rows
from grader.formats import View
from grader.formats.view import cause_title
from grader.report.messages import translate
from grader.report.server_paths import in_one_line

#: Moodle refuses a file without the time of the last change, but accepts an empty one.
MOODLE_COLUMNS = (
    *("Identifier", "Full name", "Status", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments"),
)
OWN_COLUMNS = ("Diagnosis", "File", "SHA-256", "Grader version")


def gradebook(rows: Iterable[Row], assignment: Assignment, language: str) -> GradeBook:
    """Write one line per student, with the best of their files; students without a grade have an empty one."""
    best = best_rows(rows)
    if best and all(row.file.student.platform == "canvas" for row in best):
        return csv_of(_canvas(best, assignment, language))
    return csv_of([[*MOODLE_COLUMNS, *OWN_COLUMNS], *(_moodle(row, language) for row in best)])


def _moodle(row: Row, language: str) -> list[str]:
    student, report = row.file.student, row.report
    identifier = f"Participant {student.id}" if student.platform == "moodle" else student.id or ""
    if report is None:
        why = translate(f"batch.{row.problem}", language)
        return [identifier, in_one_line(student.name), why, "", "", "", why, "", in_one_line(row.file.path), "", ""]
    view = View.of(report, language)
    return [
        identifier,
        in_one_line(student.name),
        view.name(f"status.{report.status.value}"),
        number(row.points),
        number(report.max_points),
        "",
        view.feedback(),
        "; ".join(cause_title(diagnosis, language) for diagnosis in view.report["diagnoses"]),
        in_one_line(row.file.path),
        report.submission.sha256,
        report.receipt.grader_version,
    ]


def _canvas(rows: Sequence[Row], assignment: Assignment, language: str) -> list[list[str]]:
    nothing = [""] * len(CANVAS_COLUMNS)
    return [
        [*CANVAS_COLUMNS, assignment.title_in(language)],
        [POINTS_POSSIBLE, *nothing[1:], number(assignment.max_points)],
        *(
            [in_one_line(row.file.student.name), row.file.student.id or "", *nothing[2:], number(row.points)]
            for row in rows
        ),
    ]
