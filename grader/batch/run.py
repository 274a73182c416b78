"""Grades what was found, as many at a time as there are slots, and gives the rows out in the order they were found."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from grader.assignment import Assignment
from grader.batch.archives import Unreadable
from grader.batch.collect import Found
from grader.report.messages import render, translate
from grader.report.model import Advisory, Output, Report, Status
from grader.reporting.assembly import internal_error
from grader.submission import Submission

logger = logging.getLogger(__name__)

# Reports hold megabytes of output: this many per slot may wait for a slow one before them.
AHEAD = 4


@dataclass(frozen=True)
class Row:
    """One file and what came of it: a report, or the code of a problem that kept its bytes from us."""

    found: Found
    report: Report | None
    problem: str | None = None
    # The path of an earlier one of another student with the same code.
    same_code_as: str | None = None

    @property
    def is_held(self) -> bool:
        """Whether a teacher has to look at it before it can be a grade."""
        return self.report is not None and self.report.is_held

    @property
    def points(self) -> float | None:
        """None where there is no grade, or none yet."""
        return self.report.points if self.report and not self.is_held else None

    @property
    def has_grade(self) -> bool:
        """Whether we did not fail."""
        return self.report is not None and self.report.points is not None

    def without_texts(self) -> Row:
        """What counts and sums need of it: the output of two hundred submissions can be half a gigabyte."""
        if self.report is None:
            return self
        return replace(self, report=self.report.model_copy(update={"output": Output(), "reproduction": None}))

    def as_json(self, language: str) -> dict[str, Any]:
        return {
            "path": self.found.path,
            "student": asdict(self.found.student),
            "problem": self.problem,
            "same_code_as": self.same_code_as,
            "held": self.is_held,
            "report": render(self.report, language) if self.report else None,
        }


def grade_all(
    found: Iterable[Found],
    assignment: Assignment,
    grade_one: Callable[[Submission], Report],
    *,
    slots: int,
    done: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """One row per file, in the order of `found`, whatever is in the files.

    Args:
        grade_one: called in `slots` threads.
        done: called whenever a file is done, in one of these threads.
    """

    def row(file: Found) -> Row:
        try:
            return _row(file, assignment, grade_one)
        finally:
            done()

    with ThreadPoolExecutor(slots, thread_name_prefix="batch") as pool:
        waiting: deque[Future[Row]] = deque()
        try:
            for file in found:
                waiting.append(pool.submit(row, file))
                if len(waiting) > AHEAD * slots:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Interrupted, or nobody wants more rows.
            for future in waiting:
                future.cancel()


def _row(file: Found, assignment: Assignment, grade_one: Callable[[Submission], Report]) -> Row:
    try:
        # One byte more than allowed: enough to know that it is too large, whatever is behind it.
        submission = Submission(file.filename, file.read(assignment.upload.upload_bytes + 1))
    except Unreadable as exc:
        return Row(file, None, exc.code)
    try:
        return Row(file, grade_one(submission))
    except Exception as exc:  # As at the top of the service's worker loop: one file must not stop two hundred others.
        logger.exception("grading_failed", extra={"submission_sha256": submission.sha256})
        return Row(file, internal_error(submission, assignment.id, assignment, exc))


def with_equal_code(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows, where code that another student handed in before is pointed out."""
    earlier: dict[str, Row] = {}
    for row in rows:
        digest = row.report.extraction.code_sha256 if row.report else None
        if digest is None or row.report is None:
            yield row
            continue
        first = earlier.setdefault(digest, row)
        if _student_of(first) == _student_of(row):
            yield row
        else:
            advisories = [*row.report.advisories, Advisory(code="plagiarism")]
            report = row.report.model_copy(update={"advisories": advisories}).sealed()
            yield replace(row, report=report, same_code_as=first.found.path)


def best_rows(rows: Iterable[Row]) -> list[Row]:
    """One row per student, the one with the most points; the first one of equals. In the order of the students."""
    best: dict[tuple[str | None, str], Row] = {}
    for row in rows:
        key = _student_of(row)
        if key not in best or _rank(row) > _rank(best[key]):
            best[key] = row
    return list(best.values())


def _student_of(row: Row) -> tuple[str | None, str]:
    """Without a platform nobody knows that two files are the same person's."""
    student = row.found.student
    return (student.platform, student.id) if student.id else (None, row.found.path)


def _rank(row: Row) -> float:
    return -1.0 if row.points is None else row.points


def summary(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows there are of each status; ``unreadable`` are those without a report."""
    counts: dict[str, int] = {}
    for row in rows:
        status = row.report.status.value if row.report else "unreadable"
        counts[status] = counts.get(status, 0) + 1
    order = [*(status.value for status in Status), "unreadable"]
    return {status: counts[status] for status in order if status in counts}


def status_name(status: str, language: str) -> str:
    """The words for a key of `summary`."""
    return translate("batch.no_report" if status == "unreadable" else f"status.{status}", language)
