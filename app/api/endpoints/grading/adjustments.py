"""Adjustments of a student's grade, with their history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.endpoints.grading.paths import PLACE, AssignmentId, MemberId, Viewer
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.grading.exceptions import AdjustmentBody, AdjustmentList, AdjustmentRequest
from app.errors.courses import AssignmentNotFound, CourseArchived, CourseNotFound
from app.errors.members import MemberNotFound, MemberNotStudent
from app.errors.requests import NotPermitted
from app.errors.teaching import AdjustmentNotFound, AdjustmentReplaced
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import services
from app.teaching import adjustments
from app.teaching.adjustments import Wanted
from app.teaching.places import find_place, take_place

Adjuster = Annotated[Principal, Depends(PermittedIn(Right.ADJUST))]

router = APIRouter(
    prefix=f"{PLACE}/adjustments",
    tags=["grades"],
    responses=problem_answers(CourseNotFound, NotPermitted, MemberNotFound, MemberNotStudent, AssignmentNotFound),
)


@router.get("", summary="List the adjustments of a student's grade")
async def list_adjustments(
    request: Request,
    viewer: Viewer,
    member_id: MemberId,
    assignment_id: AssignmentId,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AdjustmentList:
    """List them, the newest first. One applies at most; the others were replaced or withdrawn."""
    parts = services(request)
    async with parts.database.read() as session:
        place = await find_place(session, parts.assignments, viewer.course_id, member_id, assignment_id)
        found = await adjustments.list_adjustments(session, place, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda adjustment: adjustment.id)
    return AdjustmentList(items=[AdjustmentBody.of(each, assignment_id) for each in shown], next_cursor=next_cursor)


@router.post(
    "",
    summary="Adjust a student's grade",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, CourseArchived, RequestValidationError, AdjustmentReplaced),
)
async def adjust_grade(
    request: Request, holder: Adjuster, member_id: MemberId, assignment_id: AssignmentId, wanted: AdjustmentRequest
) -> AdjustmentBody:
    """Adjust the grade, in place of the adjustment that applies. It is applied last, and kept within 0 and the maximum.

    One adjustment applies at a time, so the same request sent again changes nothing. The student reads the reason.
    """
    parts = services(request)
    expected = {"replaces": wanted.replaces} if "replaces" in wanted.model_fields_set else {}
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        meant = Wanted(wanted.delta, wanted.value, wanted.reason)
        made = await adjustments.adjust(session, parts.assignments, place, meant, made_by=holder.name, **expected)
    return AdjustmentBody.of(made, assignment_id)


@router.delete(
    "/{adjustment_id}",
    summary="Withdraw an adjustment",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(CourseArchived, AdjustmentNotFound),
)
async def withdraw_adjustment(
    request: Request,
    holder: Adjuster,
    member_id: MemberId,
    assignment_id: AssignmentId,
    adjustment_id: Annotated[str, Path(description="an `id` from the list")],
) -> Response:
    """Let it apply no more. It stays in the history. Asking twice changes nothing."""
    parts = services(request)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        if not ID.fullmatch(adjustment_id):
            raise AdjustmentNotFound
        await adjustments.withdraw(session, place, adjustment_id, made_by=holder.name)
    return Response(status_code=HTTP_204_NO_CONTENT)
