"""The grades of a course, of one student, and the holder's own; and the grade book as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import Name
from app.api.endpoints.reviews import review_body
from app.api.endpoints.work import MemberId, Viewer
from app.api.openapi import problem_answers
from app.api.paging import page_of
from app.api.schemas.grades import (
    AdjustmentBody,
    AssignmentGrade,
    CommentBody,
    GradesList,
    OwnGradesBody,
    StudentGradesBody,
)
from app.courses import membership
from app.errors.courses import AssignmentNotFound, CourseNotFound
from app.errors.members import MemberNotFound, MemberNotStudent
from app.errors.requests import NotPermitted
from app.http.auth.holders import TokenInCourseFor
from app.http.parameters import Cursor, Limit
from app.http.texts import language_of
from app.services import services
from app.storage.models import MemberRole, Membership
from app.submissions.derivation import Counted
from app.teaching import adjustments, comments, grade_book, grade_list, reviews
from app.teaching.grade_book import XLSX_TYPE, GradeBookFormat
from app.teaching.grade_list import GradeFilter

Flag = bool | SkipJsonSchema[None]
FORMATS = (
    "the program that takes it: `plain`, `moodle` and `canvas` are CSV; `semicolon` is CSV with `;` and a decimal "
    "comma, as a Russian Excel opens it; `xlsx` is a workbook"
)

router = APIRouter(tags=["grades"], responses=problem_answers(CourseNotFound))


async def _chosen(
    group: Annotated[Name | SkipJsonSchema[None], Query(description="only of this group")] = None,
    unconfirmed: Annotated[Flag, Query(description="no teacher or roster has confirmed the student")] = None,
    late: Annotated[Flag, Query(description="a grade comes from a late attempt")] = None,
    stale: Annotated[Flag, Query(description="points below an adjustment have changed since it was made")] = None,
    held: Annotated[Flag, Query(description="an attempt waits for a teacher's decision")] = None,
) -> GradeFilter:
    return GradeFilter(group, unconfirmed, late, stale, held)


AssignmentFilter = Annotated[
    Annotated[str, Field(pattern="^[a-z0-9-]{1,64}$")] | SkipJsonSchema[None],
    Query(description="only at this assignment", examples=["lstm-layer"]),
]


@router.get(
    "/courses/{course_id}/grades",
    summary="List the grades of a course",
    responses=problem_answers(NotPermitted, AssignmentNotFound),
)
async def list_grades(
    request: Request,
    viewer: Viewer,
    chosen: Annotated[GradeFilter, Depends(_chosen)],
    assignment: AssignmentFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> GradesList:
    """List all students of the course, also those who handed in nothing, with the counted grade at each assignment.

    Filters are combined with "and". Each grade comes with its derivation.
    """
    parts = services(request)
    async with parts.database.read() as session:
        uses = await grade_list.used_assignments(session, parts.assignments, viewer.course_id, assignment)
        found = await grade_list.list_grades(
            session, parts.assignments, uses, viewer.course_id, chosen, limit=limit + 1, after=cursor
        )
    shown, next_cursor = page_of(found, limit, lambda student: student.member.id)
    language = language_of(request)
    items = [_body(each.member, each.grades, language, viewer) for each in shown]
    return GradesList(items=items, next_cursor=next_cursor)


@router.get("/courses/{course_id}/grades/me", summary="Read your own grades")
async def read_own_grades(
    request: Request, viewer: Annotated[Principal, Depends(TokenInCourseFor(Right.READ))]
) -> OwnGradesBody:
    """Read the grades of the member whose own token this is, with adjustments, comments and answers.

    A token that is no member's own has no grades.
    """
    if viewer.membership_id is None:
        return OwnGradesBody(student=None, grades=[], adjustments=[], comments=[], reviews=[])
    parts = services(request)
    async with parts.database.read() as session:
        member = await membership.find(session, viewer.course_id, viewer.membership_id)
        grades = await _grades_of(request, session, member)
        adjusted = await adjustments.all_of(session, member)
        commented = await comments.all_of(session, member)
        asked = await reviews.all_of(session, member.id)
    return OwnGradesBody(
        student=member.external_id,
        grades=_grades(grades, language_of(request), viewer),
        adjustments=[AdjustmentBody.from_row(each, assignment=use.assignment_id) for each, use in adjusted],
        comments=[
            CommentBody.from_row(each, submission=each.submission_id, assignment=use.assignment_id)
            for each, use in commented
        ],
        reviews=[review_body(*row) for row in asked],
    )


@router.get(
    "/courses/{course_id}/members/{member_id}/grades",
    summary="Read the grades of a student",
    responses=problem_answers(NotPermitted, MemberNotFound, MemberNotStudent),
)
async def read_grades(request: Request, viewer: Viewer, member_id: MemberId) -> StudentGradesBody:
    async with services(request).database.read() as session:
        member = await membership.find(session, viewer.course_id, member_id)
        if member.role != MemberRole.STUDENT:
            raise MemberNotStudent
        grades = await _grades_of(request, session, member)
    return _body(member, grades, language_of(request), viewer)


@router.get(
    "/courses/{course_id}/grade-book",
    summary="Get the grade book of a course as a file",
    response_class=Response,
    responses=problem_answers(CourseNotFound, NotPermitted, AssignmentNotFound)
    | {
        200: {
            "description": "The grade book; CSV is UTF-8 with a byte order mark.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "id,name,email,group,confirmed,lstm-layer\r\nivanov,Ivan Ivanov,,A,yes,7.5\r\n",
                },
                XLSX_TYPE: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def read_grade_book(
    request: Request,
    viewer: Viewer,
    format: Annotated[GradeBookFormat, Query(description=FORMATS)] = GradeBookFormat.PLAIN,
    assignment: AssignmentFilter = None,
    missing: Annotated[
        Literal["zero"] | SkipJsonSchema[None],
        Query(description="`zero`: write 0 where a student handed in nothing; by default the cell is empty"),
    ] = None,
    unconfirmed: Annotated[
        bool | SkipJsonSchema[None],
        Query(description="with unconfirmed students; by default not for Moodle and Canvas"),
    ] = None,
) -> Response:
    """Download a line for every student, in points of the grade book. An empty cell is no grade: nothing was handed in,
    it is not graded yet, or it is withheld."""
    parts = services(request)
    async with parts.database.read() as session:
        lines = await grade_book.grade_book(
            session,
            parts.assignments,
            viewer.course_id,
            format,
            language_of(request),
            only=assignment,
            unconfirmed=unconfirmed,
            missing_is_zero=missing == "zero",
        )
    book = await run_in_threadpool(grade_book.book_file, lines, format)
    headers = {
        "Content-Disposition": f'attachment; filename="{book.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(book.content, media_type=book.media_type, headers=headers)


async def _grades_of(request: Request, session: AsyncSession, member: Membership) -> Mapping[str, Counted]:
    parts = services(request)
    uses = await grade_list.used_assignments(session, parts.assignments, member.course_id)
    return await grade_list.grades_of_member(session, parts.assignments, uses, member)


def _body(member: Membership, grades: Mapping[str, Counted], language: str, viewer: Principal) -> StudentGradesBody:
    return StudentGradesBody(
        member=member.id,
        student=member.external_id,
        name=member.person.name,
        group=member.group,
        confirmed=member.confirmed_at is not None,
        grades=_grades(grades, language, viewer),
    )


def _grades(grades: Mapping[str, Counted], language: str, viewer: Principal) -> list[AssignmentGrade]:
    return [AssignmentGrade.of(counted, language, viewer, assignment=id) for id, counted in grades.items()]
