"""The grade book of a course: show it, download it, or write it into a platform's own file."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses.uses import list_used
from app.errors import AppError
from app.errors.rosters import RosterTooLong
from app.errors.teaching import GradeBookRefused
from app.errors.uploads import FieldsMissing, UploadRefused
from app.http.auth.holders import PageFor
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.bodies import read_form
from app.http.forms import fields_of, refusal_context
from app.http.staff import staff_page
from app.http.texts import language_of
from app.lti import platforms
from app.services import services
from app.storage.models import Course
from app.submissions.uploads import clean_filename
from app.teaching import filled_book
from app.teaching.grade_book import MARK, PLATFORMS, BookFile, GradeBookFormat, book_file, grade_book

PREVIEWED = 8

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]

router = APIRouter(prefix="/courses/{course_id}/grade-book", include_in_schema=False)


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


@router.get("")
async def grade_book_page(request: Request, viewer: Viewer, layout: InAddress) -> Response:
    """Show the first lines of the file, as it will be."""
    return await _page(request, viewer, layout)


@router.post("/filled")
async def fill(request: Request, viewer: Viewer) -> Response:
    """Write the grades into a file of Canvas or Moodle, and offer it with a summary."""
    parts = services(request)
    fields: dict[str, str] = {}
    try:
        async with read_form(request, filled_book.MOST_BYTES) as form:
            await check_form_secret(request, form.get(FORM_FIELD))
            fields = fields_of(form)
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise FieldsMissing(missing=["file"])
            content, filename = await file.read(), clean_filename(file.filename)
        book = await filled_book.fill(
            parts.database,
            parts.assignments,
            viewer.course_id,
            content,
            only=fields.get("assignment") or None,
            column=fields.get("column", ""),
            missing_is_zero=fields.get("missing") == "zero",
        )
    except (UploadRefused, GradeBookRefused, RosterTooLong) as exc:
        return await _page(request, viewer, Layout(), exc, fields)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
    mark = MARK if content.startswith(codecs.BOM_UTF8) else ""
    return staff_page(
        request,
        "operation/grade_book_filled.html",
        viewer,
        course,
        here="grade_book",
        filled=book,
        names_listed=filled_book.NAMES_LISTED,
        filename=filename,
        packed=base64.b64encode((mark + book.book.text).encode()).decode(),
    )


async def _page(
    request: Request,
    viewer: Principal,
    layout: Layout,
    refusal: AppError | None = None,
    fields: Mapping[str, str] | None = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        used = await list_used(session, course.id, parts.assignments)
        platform = await platforms.name_for_course(session, course.id)
    book = await _book(request, viewer, layout)
    return staff_page(
        request,
        "operation/grade_book.html",
        viewer,
        course,
        here="grade_book",
        wide=True,
        formats=[each.value for each in GradeBookFormat],
        layout=layout,
        assignments=[each for each in used if each.effective],
        headings=book.lines[0],
        lines=book.lines[1 : PREVIEWED + 1],
        is_for_platform=layout.format in PLATFORMS,
        platform=platform,
        rest=len(book.lines[PREVIEWED + 1 :]),
        changed=book.changed,
        fields=fields or {},
        limit_bytes=filled_book.MOST_BYTES,
        **(refusal_context(request, refusal) if refusal else {"problem": None}),
    )


@router.get("/file")
async def download(request: Request, viewer: Viewer, layout: InAddress) -> Response:
    book = await _book(request, viewer, layout)
    headers = {"Content-Disposition": f'attachment; filename="{book.name}"', "Cache-Control": "no-store"}
    return Response(book.content, media_type=book.media_type, headers=headers)


async def _book(request: Request, viewer: Principal, layout: Layout) -> BookFile:
    """Raises: AssignmentNotFound: the course does not use that one."""
    parts = services(request)
    async with parts.database.read() as session:
        lines = await grade_book(
            session,
            parts.assignments,
            viewer.course_id,
            layout.format,
            language_of(request),
            only=layout.assignment or None,
            unconfirmed=layout.unconfirmed or None,
            missing_is_zero=layout.missing_is_zero,
        )
    return await run_in_threadpool(book_file, lines, layout.format)
