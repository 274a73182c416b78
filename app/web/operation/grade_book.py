"""The grade book of a course: looked at, and downloaded as CSV for the platform that takes it."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Action
from app.access.tokens import Principal
from app.courses.uses import list_used
from app.http.auth import PageFor
from app.http.pages import page
from app.http.texts import language_of
from app.services import services
from app.storage.models import Course
from app.teaching.grade_book import GradeBookFormat, grade_book
from grader.batch.cells import GradeBook

PREVIEWED = 8
# By it spreadsheets see that the file is UTF-8. Moodle and Canvas pass over it.
MARK = "\ufeff"

Viewer = Annotated[Principal, Depends(PageFor(Action.SEE_GRADES))]

router = APIRouter(prefix="/courses/{course_id}/grade-book", include_in_schema=False)


@router.get("")
async def grade_book_page(
    request: Request,
    viewer: Viewer,
    format: str = GradeBookFormat.PLAIN,
    assignment: str = "",
    missing: str = "",
    unconfirmed: str = "",
) -> Response:
    """Show the first lines of the file, as it will be."""
    parts = services(request)
    form = _form(format)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        used = await list_used(session, course.id, parts.assignments)
    book = await _book(request, viewer, form, assignment, missing, unconfirmed)
    rows = csv.reader(io.StringIO(book.text))
    lines = list(islice(rows, PREVIEWED + 1))
    return page(
        request,
        "operation/grade_book.html",
        viewer=viewer,
        course=course,
        here="grade_book",
        wide=True,
        formats=[each.value for each in GradeBookFormat],
        format=form.value,
        assignments=[each for each in used if each.effective],
        assignment=assignment,
        missing=missing == "zero",
        unconfirmed=unconfirmed == "true",
        headings=lines[0],
        lines=lines[1:],
        rest=sum(1 for _ in rows),
        changed=book.changed,
    )


@router.get("/file")
async def download(
    request: Request,
    viewer: Viewer,
    format: str = GradeBookFormat.PLAIN,
    assignment: str = "",
    missing: str = "",
    unconfirmed: str = "",
) -> Response:
    form = _form(format)
    book = await _book(request, viewer, form, assignment, missing, unconfirmed)
    headers = {"Content-Disposition": f'attachment; filename="grades-{form}.csv"', "Cache-Control": "no-store"}
    return Response(MARK + book.text, media_type="text/csv; charset=utf-8", headers=headers)


def _form(asked: str) -> GradeBookFormat:
    return GradeBookFormat(asked) if asked in set(GradeBookFormat) else GradeBookFormat.PLAIN


async def _book(
    request: Request, viewer: Principal, form: GradeBookFormat, assignment: str, missing: str, unconfirmed: str
) -> GradeBook:
    """Raises: AssignmentNotFound: the course does not use that one."""
    parts = services(request)
    async with parts.database.read() as session:
        return await grade_book(
            session,
            parts.assignments,
            viewer.course_id,
            form,
            language_of(request),
            only=assignment or None,
            unconfirmed=True if unconfirmed == "true" else None,
            missing_is_zero=missing == "zero",
        )
