"""Grades the files found, one in each slot at a time, and returns the rows in the order of the files."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from grader.assignment import Assignment
from grader.batch.archives import Unreadable
from grader.batch.collect import StudentFile
from grader.report.finding import Params
from grader.report.fingerprint import says_little
from grader.report.messages import render, translate
from grader.report.model import Advisory, Output, Report, Status
from grader.reporting.assembly import internal_error
from grader.submission import Submission

logger = logging.getLogger(__name__)

# Reports contain megabytes of output: at most this many per slot wait for a slow one ahead of them.
AHEAD = 4


@dataclass(frozen=True)
class Row:
    """One file and its result: a report, or the code of the problem that made it unreadable."""

    file: StudentFile
    report: Report | None
    problem: str | None = None
    # The path of an earlier file with the same code, by another student.
    same_code_as: str | None = None

    @property
    def is_held(self) -> bool:
        """Return whether a teacher must look at it before it can be a grade."""
        return self.report is not None and self.report.is_held

    @property
    def points(self) -> float | None:
        """Return the points; None where there is no grade, or none yet."""
        return self.report.points if self.report and not self.is_held else None

    @property
    def has_grade(self) -> bool:
        """Return whether there are points: not if the file is unreadable or we failed."""
        return self.report is not None and self.report.points is not None

    def without_texts(self) -> Row:
        """Keep only what counts and sums need: the output of two hundred submissions can be half a gigabyte."""
        if self.report is None:
            return self
        return replace(self, report=self.report.model_copy(update={"output": Output(), "reproduction": None}))

    def as_json(self, language: str) -> dict[str, Any]:
        return {
            "path": self.file.path,
            "student": asdict(self.file.student),
            "problem": self.problem,
            "same_code_as": self.same_code_as,
            "held": self.is_held,
            "report": render(self.report, language) if self.report else None,
        }


def grade_all(
    files: Iterable[StudentFile],
    assignment: Assignment,
    grade_one: Callable[[Submission], Report],
    *,
    slots: int,
    done: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """Yield one row per file, in the order of `files`, whatever is in the files.

    Args:
        grade_one: called in `slots` threads.
        done: called in one of these threads after each file.
    """

    def row(file: StudentFile) -> Row:
        try:
            return _row(file, assignment, grade_one)
        finally:
            done()

    with ThreadPoolExecutor(slots, thread_name_prefix="batch") as pool:
        waiting: deque[Future[Row]] = deque()
        try:
            for file in files:
                waiting.append(pool.submit(row, file))
                if len(waiting) > AHEAD * slots:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Interrupted, or the caller needs no more rows.
            for future in waiting:
                future.cancel()


def _row(file: StudentFile, assignment: Assignment, grade_one: Callable[[Submission], Report]) -> Row:
    try:
        # One byte more than allowed is enough to know that the file is too large.
        submission = Submission(file.filename, file.read(assignment.upload.upload_bytes + 1))
    except Unreadable as exc:
        return Row(file, None, exc.code)
    try:
        return Row(file, grade_one(submission))
    except Exception as exc:  # As at the top of the service's worker loop: one file must not stop two hundred others.
        logger.exception("grading_failed", extra={"submission_sha256": submission.sha256})
        return Row(file, internal_error(submission, assignment.id, assignment, exc))


def with_equal_code(rows: Iterable[Row]) -> Iterator[Row]:
    """Mark rows whose code another student handed in before: the same text, or else the same form if it says much."""
    earlier: dict[str, Row] = {}
    for row in rows:
        report = row.report
        code = report.fingerprint if report is not None else None
        if report is None or code is None or not code.statements:
            yield row
            continue
        same_text, same_form = (earlier.setdefault(hash or "", row) for hash in (code.text, code.form))
        if _student_of(same_text) != _student_of(row):
            yield _marked(row, report, same_text, {})
        elif _student_of(same_form) != _student_of(row) and not says_little(code.statements):
            yield _marked(row, report, same_form, {"variant": "form"})
        else:
            yield row


def _marked(row: Row, report: Report, first: Row, params: Params) -> Row:
    advisories = [*report.advisories, Advisory(code="plagiarism", params=params)]
    report = report.model_copy(update={"advisories": advisories}).sealed()
    return replace(row, report=report, same_code_as=first.file.path)


def best_rows(rows: Iterable[Row]) -> list[Row]:
    """Return one row per student, in the order of the students: the one with the most points, or the first of them."""
    best: dict[tuple[str | None, str], Row] = {}
    for row in rows:
        key = _student_of(row)
        if key not in best or _rank(row) > _rank(best[key]):
            best[key] = row
    return list(best.values())


def _student_of(row: Row) -> tuple[str | None, str]:
    """Identify a row's student. Without a platform, nobody knows that two files belong to the same person."""
    student = row.file.student
    return (student.platform, student.id) if student.id else (None, row.file.path)


def _rank(row: Row) -> float:
    return -1.0 if row.points is None else row.points


def summary(rows: Iterable[Row]) -> dict[str, int]:
    """Count the rows of each status; ``unreadable`` are those without a report."""
    counts = Counter(row.report.status.value if row.report else "unreadable" for row in rows)
    order = [*(status.value for status in Status), "unreadable"]
    return {status: counts[status] for status in order if status in counts}


def status_name(status: str, language: str) -> str:
    """Return the words for a key of `summary`."""
    return translate("batch.no_report" if status == "unreadable" else f"status.{status}", language)
