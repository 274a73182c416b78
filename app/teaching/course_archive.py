"""A whole course as one zip archive: files, reports, grades, people, decisions and the log of changes.

A student's folder is named after the student, so that people find it; no other part of a path is free text. Secrets and
their hashes, seeds, and reports of previews are left out. Reads are short, so the course goes on meanwhile.
"""

import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import joinedload, undefer

from app.courses.assignments import Assignments
from app.privacy.archives import Entry, archive_of, packing, suffix_of
from app.privacy.export import Scope, grades_of, row_of
from app.storage.database import Database
from app.storage.models import (
    Adjustment,
    Base,
    Change,
    Comment,
    Course,
    CourseAssignment,
    Extension,
    Membership,
    Merge,
    Person,
    Regrade,
    ReviewRequest,
    StoredReport,
    Submission,
)
from app.teaching.grade_book import MARK, GradeBookFormat, book_file, grade_book
from app.teaching.grade_list import AT_ONCE
from app.texts import text
from grader.batch.cells import csv_of, number

# Rows that are read at once.
ROWS = 200
NAME_CHARACTERS = 60
#: Characters of names besides letters, their marks, and digits.
IN_NAMES = frozenset(" -_.,@+()'")
#: Names of devices, which no file on Windows may have, whatever its suffix.
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
INDEX = (
    *("file", "report", "student", "name", "group", "assignment", "attempt", "handed_in_at", "filename", "sha256"),
    *("status", "points", "max_points"),
)
IDS = (INDEX.index("student"),)


def _of_member(model: type[Base]) -> Callable[[str], ColumnElement[bool]]:
    members = select(Membership.id)
    return lambda course_id: model.membership_id.in_(members.where(Membership.course_id == course_id))  # type: ignore[attr-defined]


#: The table and condition of each entry with rows. They are written with all columns but `export.LEFT_OUT_COLUMNS`.
SECTIONS: Mapping[str, tuple[type[Base], Callable[[str], ColumnElement[bool]]]] = {
    "course.json": (Course, lambda course_id: Course.id == course_id),
    "assignments.json": (CourseAssignment, lambda course_id: CourseAssignment.course_id == course_id),
    "people.json": (
        Person,
        lambda course_id: Person.id.in_(select(Membership.person_id).where(Membership.course_id == course_id)),
    ),
    "members.json": (Membership, lambda course_id: Membership.course_id == course_id),
    "joins.json": (Merge, lambda course_id: Merge.course_id == course_id),
    "extensions.json": (Extension, _of_member(Extension)),
    "adjustments.json": (Adjustment, _of_member(Adjustment)),
    "comments.json": (Comment, _of_member(Comment)),
    "reviews.json": (
        ReviewRequest,
        lambda course_id: ReviewRequest.submission_id.in_(
            select(Submission.id).where(Submission.course_id == course_id)
        ),
    ),
    "regrades.json": (Regrade, lambda course_id: Regrade.course_id == course_id),
    "changes.json": (Change, lambda course_id: Change.course_id == course_id),
}


def course_archive(database: Database, assignments: Assignments, course: Course, language: str) -> AsyncIterator[bytes]:
    """Write the archive, piece by piece.

    Args:
        language: of the text that explains it.
    """
    return archive_of(_entries(database, assignments, course, language), {"course": course.id})


async def _entries(database: Database, assignments: Assignments, course: Course, language: str) -> AsyncIterator[Entry]:
    readme = text("archive.readme", language, course=course.id)
    yield "README.txt", (MARK + readme).encode()
    async with database.read() as session:
        lines = await grade_book(session, assignments, course.id, GradeBookFormat.PLAIN, language)
        query = select(Membership).where(Membership.course_id == course.id).order_by(Membership.id)
        members = (await session.scalars(query.options(joinedload(Membership.person)))).all()
    for name, form in (("grades.csv", GradeBookFormat.PLAIN), ("grades.xlsx", GradeBookFormat.XLSX)):
        yield name, (await packing(book_file, lines, form)).content
    yield "grades.json", _grades(database, assignments, members)
    for name, (model, condition) in SECTIONS.items():
        yield name, _pages(database, model, condition(course.id))
    index: list[Sequence[str]] = [INDEX]
    folders = folders_of(members)
    async for page in _pages(database, Submission, Submission.course_id == course.id):
        for row in page:
            async for entry in _attempt(database, row["id"], folders, index):
                yield entry
    yield "index.csv", (MARK + (await packing(csv_of, index, IDS)).text).encode()


async def _attempt(
    database: Database, id: str, folders: Mapping[str, tuple[Membership, str]], index: list[Sequence[str]]
) -> AsyncIterator[Entry]:
    """Return an attempt with its file and its reports, unless it was deleted, or its student added, meanwhile."""
    async with database.read() as session:
        query = select(Submission).where(Submission.id == id).options(undefer(Submission.content))
        submission = await session.scalar(query)
        of_it = select(StoredReport).where(StoredReport.submission_id == id, StoredReport.preview_id.is_(None))
        # The first one counts, as in `reports.newest_report`.
        ordered = of_it.order_by(StoredReport.points.is_(None), StoredReport.id.desc())
        reports = (await session.scalars(ordered)).all()
    if submission is None or submission.membership_id not in folders:
        return
    member, student = folders[submission.membership_id]
    folder = f"attempts/{student}/{submission.assignment_id}-{submission.attempt:03}"
    file = f"{folder}/file{suffix_of(submission.filename)}"
    yield file, submission.content
    for report in reports:
        yield _path(folder, report), {**row_of(report), "report": report.body}
    counting = reports[0] if reports else None
    index.append(
        [
            file,
            _path(folder, counting) if counting else "",
            member.external_id or "",
            member.person.name or "",
            member.group or "",
            submission.assignment_id,
            str(submission.attempt),
            submission.created_at.isoformat(),
            submission.filename,
            submission.sha256,
            counting.status if counting else "",
            number(counting.points) if counting else "",
            number(counting.max_points) if counting else "",
        ]
    )


def _path(folder: str, report: StoredReport) -> str:
    return f"{folder}/report-{report.id}.json"


def folders_of(members: Sequence[Membership]) -> Mapping[str, tuple[Membership, str]]:
    """Return each member with a folder of its own, by id."""
    taken: set[str] = set()
    folders = {}
    for member in members:
        parts = member.person.name, f"({member.external_id})" if member.external_id else None
        folders[member.id] = member, unique(safe_name(" ".join(filter(None, parts))), taken)
    return folders


def safe_name(words: str) -> str:
    """Return a readable name that is a single part of a path on every system.

    >>> safe_name("../../etc/passwd"), safe_name("con.txt"), safe_name("Иванов\u202e (7)")
    ('_.._etc_passwd', '_con.txt', 'Иванов (7)')
    """
    composed = (each for each in unicodedata.normalize("NFC", words) if unicodedata.category(each) not in ("Cf", "Cc"))
    kept = "".join(each if each in IN_NAMES or unicodedata.category(each)[0] in "LMN" else "_" for each in composed)
    # Windows drops spaces and dots at the end; elsewhere a dot at the beginning hides a file.
    name = kept[:NAME_CHARACTERS].strip(" .") or "_"
    return f"_{name}" if _key(name).split(".")[0].strip() in DEVICES else name


def unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken, and add it to `taken`. Names that differ only in case collide."""
    chosen, count = name, 1
    while _key(chosen) in taken:
        count += 1
        chosen = f"{name}-{count}"
    taken.add(_key(chosen))
    return chosen


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


async def _grades(
    database: Database, assignments: Assignments, members: Sequence[Membership]
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(members), AT_ONCE):
        yield await grades_of(database, Scope([], members[start : start + AT_ONCE], is_own=False), assignments)


async def _pages(
    database: Database, model: type[Base], condition: ColumnElement[bool]
) -> AsyncIterator[Sequence[dict[str, Any]]]:
    key: Any = model.id  # type: ignore[attr-defined]
    rows: Sequence[Any] = ()
    while True:
        later = [key > rows[-1].id] if rows else []
        async with database.read() as session:
            rows = (await session.scalars(select(model).where(condition, *later).order_by(key).limit(ROWS))).all()
        yield [row_of(row) for row in rows]
        if len(rows) < ROWS:
            return
