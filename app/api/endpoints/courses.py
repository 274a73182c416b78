"""Courses themselves: list them, make one, read one, change and archive it; and the log of changes to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_201_CREATED

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import RETENTION, ChangeCourse, CopyCourse, MakeCourse
from app.api.openapi import ARCHIVE, JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.courses import changes
from app.courses import course as courses
from app.errors.courses import CourseArchived, CourseNotFound, DeletionUnconfirmed
from app.errors.requests import NotPermitted
from app.errors.uploads import IdempotencyKeyReused
from app.http.archives import BINARY, limit_archives, send_archive
from app.http.auth.holders import Asks, AsksIn, Reader, TokenInCourseFor
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.http.texts import language_of
from app.services import services


class CourseBody(Body):
    id: str = Field(examples=[EXAMPLE_COURSE])
    title: str
    language: str = Field(examples=["ru"])
    time_zone: str = Field(examples=["Europe/Moscow"])
    retention_days: float | None = Field(description=RETENTION)
    created_at: datetime
    archived_at: datetime | None = Field(description="since when nothing in it changes; null: it is not archived")


class CourseList(Page):
    items: list[CourseBody]


class CourseChangeBody(Body):
    id: int
    at: datetime = Field(validation_alias="created_at")
    made_by: str = Field(description="the name of a person or of a token", examples=["owner"])
    subject: str = Field(
        description="what was changed: `course`, `assignment`, `member` or another", examples=["assignment"]
    )
    subject_id: str = Field(examples=[EXAMPLE_ID])
    member: str | None = Field(validation_alias="membership_id", description="the id of the member concerned")
    before: dict[str, Any] = Field(description="the changed values; empty for something new")
    after: dict[str, Any] = Field(examples=[{"due": "2026-10-01T20:59:59Z"}])


class CourseChangeList(Page):
    items: list[CourseChangeBody]


class DeletedCourseBody(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    members: int
    people: int = Field(description="members who were in no other course")


NumberCursor = Annotated[
    Annotated[str, Field(pattern="^[0-9]{1,18}$")] | SkipJsonSchema[None],
    Query(description="`next_cursor` of the page before; by default the first page"),
]

router = APIRouter(prefix="/courses", tags=["courses"])


@router.get("", summary="List the courses")
async def list_courses(request: Request, viewer: Reader, limit: Limit = 50, cursor: Cursor = None) -> CourseList:
    """List the courses in which this token acts, the newest first: all of them for an admin, else one."""
    async with services(request).database.read() as session:
        found = await courses.list_courses(session, only=viewer.course, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda course: course.id)
    return CourseList(items=list(map(CourseBody.model_validate, shown)), next_cursor=next_cursor)


@router.post(
    "",
    summary="Make a course",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, NotPermitted, RequestValidationError, IdempotencyKeyReused),
)
async def create_course(
    asking: Annotated[Asking, Depends(Asks(actions.make_course))],
    wanted: MakeCourse,
    idempotency_key: IdempotencyKey = None,
) -> CourseBody:
    """Make a course. It has no people and uses no assignments yet.

    With the header `Idempotency-Key` the same request sent again makes no second course.
    """
    return CourseBody.model_validate(await actions.make_course(asking, wanted, key=idempotency_key))


@router.get("/{course_id}", summary="Read a course", responses=problem_answers(CourseNotFound))
async def read_course(
    request: Request, viewer: Annotated[Principal, Depends(TokenInCourseFor(Right.READ))]
) -> CourseBody:
    async with services(request).database.read() as session:
        return CourseBody.model_validate(await courses.existing(session, viewer.course_id))


@router.patch(
    "/{course_id}",
    summary="Change a course",
    responses=problem_answers(*JSON_BODY, CourseNotFound, NotPermitted, CourseArchived, RequestValidationError),
)
async def change_course(
    asking: Annotated[Asking, Depends(AsksIn(actions.change_course))], wanted: ChangeCourse
) -> CourseBody:
    """Change what is given. In an archived course only `archived` and `retention_days` change, unless the request opens
    it again. Only an admin sets `retention_days`: data is deleted by it."""
    return CourseBody.model_validate(await actions.change_course(asking, wanted))


@router.post(
    "/{course_id}/copy",
    summary="Copy a course to the next term",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, CourseNotFound, NotPermitted, RequestValidationError, IdempotencyKeyReused),
)
async def copy_course(
    asking: Annotated[Asking, Depends(AsksIn(actions.copy_course))],
    wanted: CopyCourse,
    idempotency_key: IdempotencyKey = None,
) -> CourseBody:
    """Make a course with the same assignments, dates and rules, and with the same teachers and assistants, without
    students and submissions. An archived course can be copied, too.

    With the header `Idempotency-Key` the same request sent again makes no second copy.
    """
    return CourseBody.model_validate(await actions.copy_course(asking, wanted, key=idempotency_key))


@router.post(
    "/{course_id}/export",
    summary="Export a course",
    response_class=StreamingResponse,
    responses=problem_answers(CourseNotFound, NotPermitted) | ARCHIVE,
)
async def export_course(
    request: Request, asking: Annotated[Asking, Depends(AsksIn(actions.export_course))]
) -> StreamingResponse:
    """Write an archive of the course with all files, reports, grades, people, decisions and the log of changes, which
    gets a line for it. It holds no secret, no hash of one, and no numbers that the next attempt is asked.
    """
    limit_archives(request, asking.holder)
    content = await actions.export_course(asking, language_of(request))
    return send_archive(content, f"course-{asking.course_id}", BINARY)


@router.delete(
    "/{course_id}",
    summary="Delete a course",
    responses=problem_answers(CourseNotFound, NotPermitted, DeletionUnconfirmed),
)
async def delete_course(
    asking: Annotated[Asking, Depends(AsksIn(actions.delete_course))],
    title: Annotated[str, Query(description="the exact title of the course, as a confirmation")] = "",
) -> DeletedCourseBody:
    """Delete a course with everything in it, and the people who are in no other one. This cannot be undone.

    The course Default stays, empty, and so do the tokens of admins. Earlier backups still hold the data.
    """
    return DeletedCourseBody.model_validate(await actions.delete_course(asking, title=title))


@router.get(
    "/{course_id}/changes",
    summary="List the changes to a course",
    responses=problem_answers(NotPermitted, CourseNotFound),
)
async def list_changes(
    request: Request,
    viewer: Annotated[Principal, Depends(TokenInCourseFor(Right.SEE_MEMBERS))],
    limit: Limit = 50,
    cursor: NumberCursor = None,
) -> CourseChangeList:
    """List who changed what and when, the newest first: the course, its assignments, members, extensions, grades."""
    before = int(cursor) if cursor is not None else None
    async with services(request).database.read() as session:
        found = await changes.list_changes(session, viewer.course_id, limit=limit + 1, before=before)
    shown, next_cursor = page_of(found, limit, lambda change: str(change.id))
    return CourseChangeList(items=list(map(CourseChangeBody.model_validate, shown)), next_cursor=next_cursor)
