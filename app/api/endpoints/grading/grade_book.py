"""The grade book of a course as a file."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic.json_schema import SkipJsonSchema

from app.api.endpoints.grading.grades import AssignmentFilter
from app.api.endpoints.grading.paths import Viewer
from app.api.openapi import problem_answers
from app.errors.courses import AssignmentNotFound, CourseNotFound
from app.errors.requests import NotPermitted
from app.http.texts import language_of
from app.services import services
from app.teaching import grade_book
from app.teaching.grade_book import GradeBookFormat

# By it spreadsheets see that the file is UTF-8. Moodle and Canvas pass over it.
MARK = "\ufeff"

router = APIRouter(tags=["grades"])


@router.get(
    "/courses/{course_id}/grade-book",
    summary="Get the grade book of a course as CSV",
    response_class=Response,
    responses=problem_answers(CourseNotFound, NotPermitted, AssignmentNotFound)
    | {
        200: {
            "description": "The grade book, UTF-8 with a byte order mark.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "id,name,email,group,confirmed,lstm-layer\r\nivanov,Ivan Ivanov,,A,yes,7.5\r\n",
                }
            },
        }
    },
)
async def read_grade_book(
    request: Request,
    viewer: Viewer,
    format: Annotated[GradeBookFormat, Query(description="the platform that takes it")] = GradeBookFormat.PLAIN,
    assignment: AssignmentFilter = None,
    missing: Annotated[
        Literal["zero"] | SkipJsonSchema[None],
        Query(description="`zero`: 0 for a student who has handed in nothing; by default an empty cell"),
    ] = None,
    unconfirmed: Annotated[
        bool | SkipJsonSchema[None],
        Query(description="with students whom nobody has confirmed; by default only in the plain form"),
    ] = None,
) -> Response:
    """Download a line for every student, in points of the grade book. An empty cell is no grade: nothing was handed in,
    it is not graded yet, or it is withheld."""
    parts = services(request)
    async with parts.database.read() as session:
        book = await grade_book.grade_book(
            session,
            parts.assignments,
            viewer.course_id,
            format,
            language_of(request),
            only=assignment,
            unconfirmed=unconfirmed,
            missing_is_zero=missing == "zero",
        )
    headers = {
        "Content-Disposition": f'attachment; filename="grades-{format}.csv"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(MARK + book.text, media_type="text/csv; charset=utf-8", headers=headers)
