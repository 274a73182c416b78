"""Courses themselves: list them, make one, read one, change and archive it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.status import HTTP_201_CREATED

from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.courses.course import CourseBody, CourseChangeRequest, CourseCopyRequest, CourseList, CourseRequest
from app.api.schemas.people import DeletedCourseBody
from app.courses import copying
from app.courses import course as courses
from app.errors.courses import CourseArchived, CourseNotFound, DeletionUnconfirmed
from app.errors.requests import NotPermitted
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import Permitted, PermittedIn, Reader
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.privacy import deletion
from app.services import services
from app.storage.models import Course

router = APIRouter(prefix="/courses", tags=["courses"])


@router.get("", summary="List the courses")
async def list_courses(request: Request, viewer: Reader, limit: Limit = 50, cursor: Cursor = None) -> CourseList:
    """List the courses in which this token acts, the newest first: all of them for an admin, else one."""
    async with services(request).database.read() as session:
        found = await courses.list_courses(session, only=viewer.course, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda course: course.id)
    return CourseList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.post(
    "",
    summary="Make a course",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, NotPermitted, RequestValidationError, IdempotencyKeyReused),
)
async def create_course(
    request: Request,
    maker: Annotated[Principal, Depends(Permitted(Right.MAKE_COURSES))],
    wanted: CourseRequest,
    idempotency_key: IdempotencyKey = None,
) -> CourseBody:
    """Make a course. It has no people and uses no assignments yet.

    With the header `Idempotency-Key` the same request sent again makes no second course.
    """
    meant = wanted.model_dump(mode="json")
    course, _ = await make_once(
        services(request).database,
        lambda session: made_before(session, Course, maker.id, idempotency_key, **meant),
        lambda session: courses.add(
            session, **meant, made_by=maker.name, created_by=maker.id, idempotency_key=idempotency_key
        ),
    )
    return _body(course)


@router.get("/{course_id}", summary="Read a course", responses=problem_answers(CourseNotFound))
async def read_course(request: Request, viewer: Annotated[Principal, Depends(PermittedIn(Right.READ))]) -> CourseBody:
    async with services(request).database.read() as session:
        return _body(await courses.existing(session, viewer.course_id))


@router.patch(
    "/{course_id}",
    summary="Change a course",
    responses=problem_answers(*JSON_BODY, CourseNotFound, NotPermitted, CourseArchived, RequestValidationError),
)
async def change_course(
    request: Request,
    holder: Annotated[Principal, Depends(PermittedIn(Right.MANAGE_COURSE))],
    wanted: CourseChangeRequest,
) -> CourseBody:
    """Change what is given. In an archived course only `archived` and `retention_days` change, unless the request opens
    it again. Only an admin sets `retention_days`: data is deleted by it."""
    given = wanted.model_dump(mode="json", exclude_unset=True)
    if "retention_days" in given:
        holder.check(Right.DELETE_STUDENTS)
    async with services(request).database.write() as session:
        return _body(await courses.change(session, holder.course_id, given, holder.name))


@router.post(
    "/{course_id}/copy",
    summary="Copy a course to the next term",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, CourseNotFound, NotPermitted, RequestValidationError, IdempotencyKeyReused),
)
async def copy_course(
    request: Request,
    holder: Annotated[Principal, Depends(PermittedIn(Right.MANAGE_COURSE))],
    wanted: CourseCopyRequest,
    idempotency_key: IdempotencyKey = None,
) -> CourseBody:
    """Make a course with the same assignments, dates and rules, and with the same teachers and assistants, without
    students and submissions. An archived course can be copied, too.

    With the header `Idempotency-Key` the same request sent again makes no second copy.
    """
    parts = services(request)

    async def copy(session: AsyncSession) -> Course:
        source = await courses.existing(session, holder.course_id)
        return await copying.copy(
            session,
            source,
            parts.assignments,
            title=wanted.title,
            shift_days=wanted.shift_days,
            made_by=holder.name,
            created_by=holder.id,
            idempotency_key=idempotency_key,
        )

    course, _ = await make_once(
        parts.database,
        lambda session: made_before(session, Course, holder.id, idempotency_key, title=wanted.title),
        copy,
    )
    return _body(course)


@router.delete(
    "/{course_id}",
    summary="Delete a course",
    responses=problem_answers(CourseNotFound, NotPermitted, DeletionUnconfirmed),
)
async def delete_course(
    request: Request,
    holder: Annotated[Principal, Depends(PermittedIn(Right.DELETE_COURSE))],
    title: Annotated[str, Query(description="the exact title of the course, as a confirmation")] = "",
) -> DeletedCourseBody:
    """Delete a course with everything in it, and the people who are in no other one. This cannot be undone.

    The course Default stays, empty, and so do the tokens of admins. Earlier backups still hold the data.
    """
    database = services(request).database
    async with database.read() as session:
        course = await courses.existing(session, holder.course_id)
    if course.title != title:
        raise DeletionUnconfirmed(came=title[:200])
    return DeletedCourseBody(**vars(await deletion.delete_course(database, course.id)))


def _body(course: Course) -> CourseBody:
    return CourseBody(
        id=course.id,
        title=course.title,
        language=course.language,
        time_zone=course.time_zone,
        retention_days=course.retention_days,
        created_at=course.created_at,
        archived_at=course.archived_at,
    )
