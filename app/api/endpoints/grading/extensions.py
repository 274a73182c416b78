"""Extensions: more time or more attempts for one student."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_204_NO_CONTENT

from app.access.rights import Right
from app.access.tokens import Principal
from app.api.endpoints.grading.paths import PLACE, AssignmentId, MemberId, Viewer
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.grading.exceptions import ExtensionBody, ExtensionList, ExtensionRequest
from app.courses import extensions
from app.courses.assignments import in_course
from app.errors.courses import AssignmentNotFound, CourseArchived, CourseNotFound
from app.errors.members import MemberNotFound, MemberNotStudent
from app.errors.requests import NotPermitted
from app.errors.teaching import ExtensionNotFound
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import Services, services
from app.storage.models import CourseAssignment, Extension, Membership
from app.teaching.places import find_place, take_place

Extender = Annotated[Principal, Depends(PermittedIn(Right.EXTEND))]

router = APIRouter(
    tags=["grades"],
    responses=problem_answers(CourseNotFound, NotPermitted),
)


@router.get("/courses/{course_id}/extensions", summary="List the extensions of a course")
async def list_extensions(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> ExtensionList:
    parts = services(request)
    async with parts.database.read() as session:
        found = await extensions.list_extensions(session, viewer.course_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda row: row[0].id)
    return ExtensionList(items=[_body(parts, *row) for row in shown], next_cursor=next_cursor)


@router.get(
    f"{PLACE}/extension",
    summary="Read the extension of a student",
    responses=problem_answers(MemberNotFound, MemberNotStudent, AssignmentNotFound, ExtensionNotFound),
)
async def read_extension(
    request: Request, viewer: Viewer, member_id: MemberId, assignment_id: AssignmentId
) -> ExtensionBody:
    parts = services(request)
    async with parts.database.read() as session:
        place = await find_place(session, parts.assignments, viewer.course_id, member_id, assignment_id)
        extension = await extensions.find(session, place.member, place.use)
    if extension is None:
        raise ExtensionNotFound
    return _body(parts, extension, place.member, place.use)


@router.put(
    f"{PLACE}/extension",
    summary="Give a student an extension",
    responses=problem_answers(
        *JSON_BODY, CourseArchived, RequestValidationError, MemberNotFound, MemberNotStudent, AssignmentNotFound
    ),
)
async def set_extension(
    request: Request, holder: Extender, member_id: MemberId, assignment_id: AssignmentId, wanted: ExtensionRequest
) -> ExtensionBody:
    """Give more time, or more attempts, in place of an earlier extension of this student at this assignment.

    It counts at once, for what was handed in, too. It only ever adds: of each date and the course's the later one
    holds. The log of the course's changes keeps earlier ones.
    """
    parts = services(request)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        values = wanted.model_dump()
        extension = await extensions.put(session, place.member, place.use, made_by=holder.name, **values)
    return _body(parts, extension, place.member, place.use)


@router.delete(
    f"{PLACE}/extension",
    summary="Take an extension back",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(CourseArchived, MemberNotFound, MemberNotStudent, AssignmentNotFound, ExtensionNotFound),
)
async def remove_extension(
    request: Request, holder: Extender, member_id: MemberId, assignment_id: AssignmentId
) -> Response:
    """The dates and the limit of the course hold again, for what was handed in, too."""
    parts = services(request)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        if not await extensions.remove(session, place.member, place.use, made_by=holder.name):
            raise ExtensionNotFound
    return Response(status_code=HTTP_204_NO_CONTENT)


def _body(parts: Services, extension: Extension, member: Membership, use: CourseAssignment) -> ExtensionBody:
    assignment = in_course(parts.assignments, use)
    effective = assignment and extensions.extended(assignment, extension)
    return ExtensionBody.of(extension, member.external_id, use.assignment_id, effective)
