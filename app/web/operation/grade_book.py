"""The grade book of a course: show it, download it, or write it into a platform's own file."""

import base64
import codecs
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Response
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.courses.uses import list_used
from app.errors import GradeBookRefused, RosterTooLong, UploadRefused
from app.http.archives import as_file
from app.http.bodies import chosen_file
from app.http.visits import Pages, Visit
from app.lti import platforms
from app.submissions.uploads import clean_filename
from app.teaching import filled_book
from app.teaching.grade_book import MARK, PLATFORMS, BookFile, GradeBookFormat, book_file, grade_book

PREVIEWED = 8

router = Pages("/courses/{course_id}/grade-book")


@dataclass(frozen=True)
class Layout:
    """The choice of contents of the file. Attributes: assignment: the id of the only one; empty: all."""

    format: GradeBookFormat = GradeBookFormat.PLAIN
    assignment: str = ""
    missing_is_zero: bool = False
    unconfirmed: bool = False


async def _layout(format: str = "", assignment: str = "", missing: str = "", unconfirmed: str = "") -> Layout:
    """Read the layout from the address. An unknown format means the plain one."""
    known = GradeBookFormat(format) if format in set(GradeBookFormat) else GradeBookFormat.PLAIN
    return Layout(known, assignment, missing == "zero", unconfirmed == "true")


InAddress = Annotated[Layout, Depends(_layout)]


@router.page("", Right.SEE_GRADES)
async def grade_book_page(visit: Visit, layout: InAddress) -> Response:
    async with visit.database.read() as session:
        used = await list_used(session, visit.course_id, visit.assignments)
        platform = await platforms.name_for_course(session, visit.course_id)
    book = await _book(visit, layout)
    return visit.page(
        "operation/grade_book.html",
        "grade_book",
        formats=[each.value for each in GradeBookFormat],
        layout=layout,
        assignments=visit.offered(used),
        headings=book.lines[0],
        lines=book.lines[1 : PREVIEWED + 1],
        is_for_platform=layout.format in PLATFORMS,
        platform=platform,
        rest=len(book.lines[PREVIEWED + 1 :]),
        changed=book.changed,
        limit_bytes=filled_book.MOST_BYTES,
    )


@router.page("/filled", Right.SEE_GRADES, method="POST")
async def fill(visit: Visit) -> Response:
    """Write the grades into a file of Canvas or Moodle, and offer it with a summary."""
    fields = visit.fields.typed
    try:
        async with visit.file_form(filled_book.MOST_BYTES) as (form, visit):
            file = chosen_file(form)
            content, filename = await file.read(), clean_filename(file.filename or "")
        book = await filled_book.fill(
            visit.database,
            visit.assignments,
            visit.course_id,
            content,
            only=fields.get("assignment") or None,
            column=fields.get("column", "").strip(),
            missing_is_zero=fields.get("missing") == "zero",
        )
    except (UploadRefused, GradeBookRefused, RosterTooLong) as refusal:
        return await grade_book_page(replace(visit, refusal=refusal), Layout())
    mark = MARK if content.startswith(codecs.BOM_UTF8) else ""
    return visit.page(
        "operation/grade_book_filled.html",
        "grade_book",
        filled=book,
        names_listed=filled_book.NAMES_LISTED,
        filename=filename,
        packed=base64.b64encode((mark + book.book.text).encode()).decode(),
    )


@router.page("/file", Right.SEE_GRADES)
async def download(visit: Visit, layout: InAddress) -> Response:
    book = await _book(visit, layout)
    return Response(book.content, media_type=book.media_type, headers=as_file(book.name))


async def _book(visit: Visit, layout: Layout) -> BookFile:
    """Raises: AssignmentNotFound: the course does not use that one."""
    async with visit.database.read() as session:
        lines = await grade_book(
            session,
            visit.assignments,
            visit.course_id,
            layout.format,
            visit.language,
            only=layout.assignment or None,
            unconfirmed=layout.unconfirmed or None,
            missing_is_zero=layout.missing_is_zero,
        )
    return await run_in_threadpool(book_file, lines, layout.format)
