"""A student's work at an assignment, as the staff judge it: adjustments of the grade, extensions, comments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import work as actions
from app.actions.asking import Asking
from app.actions.work import AdjustGrade, CommentOnWork, ExtendWork, WorkId
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.grades import (
    AdjustmentBody,
    AdjustmentList,
    CommentBody,
    CommentList,
    ExtensionBody,
    ExtensionList,
)
from app.courses import extensions
from app.courses.assignments import in_course
from app.errors.courses import AssignmentNotFound, CourseArchived, CourseNotFound
from app.errors.members import MemberNotFound, MemberNotStudent
from app.errors.requests import NotPermitted
from app.errors.submissions import SubmissionNotFound
from app.errors.teaching import AdjustmentNotFound, AdjustmentReplaced, CommentNotFound, ExtensionNotFound
from app.http.auth.holders import AsksIn, TokenInCourseFor
from app.http.parameters import Cursor, Limit, id_in_path
from app.services import services
from app.storage.models import CourseAssignment, Extension, Membership
from app.teaching import adjustments, comments
from app.teaching.student_work import find_student_work

#: A student at an assignment.
PLACE = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"
NO_PLACE = (CourseNotFound, MemberNotFound, MemberNotStudent, AssignmentNotFound)
NO_CHANGE = (NotPermitted, CourseArchived, *NO_PLACE)

MemberId = Annotated[str, id_in_path("member_id", MemberNotFound, "the `id` of a member of the course")]
AdjustmentId = Annotated[str, id_in_path("adjustment_id", AdjustmentNotFound, "an `id` from the list")]
CommentId = Annotated[str, id_in_path("comment_id", CommentNotFound, "an `id` from the list")]
AssignmentId = Annotated[
    str, Path(pattern="^[a-z0-9-]{1,64}$", description="the `id` of an assignment", examples=["lstm-layer"])
]
Viewer = Annotated[Principal, Depends(TokenInCourseFor(Right.SEE_GRADES))]


async def _work_id(member_id: MemberId, assignment_id: AssignmentId) -> WorkId:
    return WorkId(member_id, assignment_id)


AtWork = Annotated[WorkId, Depends(_work_id)]

router = APIRouter(tags=["grades"], responses=problem_answers(CourseNotFound, NotPermitted))


@router.get(
    f"{PLACE}/adjustments", summary="List the adjustments of a student's grade", responses=problem_answers(*NO_PLACE)
)
async def list_adjustments(
    request: Request, viewer: Viewer, at: AtWork, limit: Limit = 50, cursor: Cursor = None
) -> AdjustmentList:
    """List them, the newest first. One applies at most; the others were replaced or withdrawn."""
    parts = services(request)
    async with parts.database.read() as session:
        work = await find_student_work(session, parts.assignments, viewer.course_id, at.member_id, at.assignment_id)
        found = await adjustments.list_adjustments(session, work, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda adjustment: adjustment.id)
    items = [AdjustmentBody.from_row(each, assignment=at.assignment_id) for each in shown]
    return AdjustmentList(items=items, next_cursor=next_cursor)


@router.post(
    f"{PLACE}/adjustments",
    summary="Adjust a student's grade",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, RequestValidationError, *NO_CHANGE, AdjustmentReplaced),
)
async def adjust_grade(
    asking: Annotated[Asking, Depends(AsksIn(actions.adjust_grade))], at: AtWork, wanted: AdjustGrade
) -> AdjustmentBody:
    """Adjust the grade instead of the adjustment that applies. It is applied last, and kept within 0 and the maximum.

    One adjustment applies at a time, so the same request sent again changes nothing. The student reads the reason.
    """
    adjustment = await actions.adjust_grade(asking, at, wanted)
    return AdjustmentBody.from_row(adjustment, assignment=at.assignment_id)


@router.delete(
    f"{PLACE}/adjustments/{{adjustment_id}}",
    summary="Withdraw an adjustment",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(*NO_CHANGE, AdjustmentNotFound),
)
async def withdraw_adjustment(
    asking: Annotated[Asking, Depends(AsksIn(actions.withdraw_adjustment))], at: AtWork, adjustment_id: AdjustmentId
) -> Response:
    """Let it apply no more. It stays in the history. Asking twice changes nothing."""
    await actions.withdraw_adjustment(asking, at, adjustment_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


@router.get("/courses/{course_id}/extensions", summary="List the extensions of a course")
async def list_extensions(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> ExtensionList:
    async with services(request).database.read() as session:
        found = await extensions.list_extensions(session, viewer.course_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda row: row[0].id)
    return ExtensionList(items=[_extension(request, *row) for row in shown], next_cursor=next_cursor)


@router.get(
    f"{PLACE}/extension",
    summary="Read the extension of a student",
    responses=problem_answers(*NO_PLACE, ExtensionNotFound),
)
async def read_extension(request: Request, viewer: Viewer, at: AtWork) -> ExtensionBody:
    parts = services(request)
    async with parts.database.read() as session:
        work = await find_student_work(session, parts.assignments, viewer.course_id, at.member_id, at.assignment_id)
        extension = await extensions.find(session, work.member, work.use)
    if extension is None:
        raise ExtensionNotFound
    return _extension(request, extension, work.member, work.use)


@router.put(
    f"{PLACE}/extension",
    summary="Give a student an extension",
    responses=problem_answers(*JSON_BODY, RequestValidationError, *NO_CHANGE),
)
async def set_extension(
    request: Request, asking: Annotated[Asking, Depends(AsksIn(actions.extend_work))], at: AtWork, wanted: ExtendWork
) -> ExtensionBody:
    """Give more time, or more attempts, instead of an earlier extension of this student at this assignment.

    It counts at once, for what was handed in, too. It only ever adds: of each date and the course's the later one
    holds. The log of the course's changes keeps earlier ones.
    """
    extension, work = await actions.extend_work(asking, at, wanted)
    return _extension(request, extension, work.member, work.use)


@router.delete(
    f"{PLACE}/extension",
    summary="Take an extension back",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(*NO_CHANGE, ExtensionNotFound),
)
async def remove_extension(
    asking: Annotated[Asking, Depends(AsksIn(actions.take_back_extension))], at: AtWork
) -> Response:
    """The dates and the limit of the course hold again, for what was handed in, too."""
    await actions.take_back_extension(asking, at)
    return Response(status_code=HTTP_204_NO_CONTENT)


@router.get(f"{PLACE}/comments", summary="List the comments on a student's work", responses=problem_answers(*NO_PLACE))
async def list_comments(
    request: Request, viewer: Viewer, at: AtWork, limit: Limit = 50, cursor: Cursor = None
) -> CommentList:
    parts = services(request)
    async with parts.database.read() as session:
        work = await find_student_work(session, parts.assignments, viewer.course_id, at.member_id, at.assignment_id)
        found = await comments.list_comments(session, work, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda comment: comment.id)
    items = [CommentBody.from_row(each, submission=each.submission_id, assignment=at.assignment_id) for each in shown]
    return CommentList(items=items, next_cursor=next_cursor)


@router.post(
    f"{PLACE}/comments",
    summary="Comment on a student's work",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, RequestValidationError, *NO_CHANGE, SubmissionNotFound),
)
async def add_comment(
    asking: Annotated[Asking, Depends(AsksIn(actions.add_comment))], at: AtWork, wanted: CommentOnWork
) -> CommentBody:
    """Write a comment for the student to read. The newest one sent again is one comment."""
    comment = await actions.add_comment(asking, at, wanted)
    return CommentBody.from_row(comment, submission=comment.submission_id, assignment=at.assignment_id)


@router.delete(
    f"{PLACE}/comments/{{comment_id}}",
    summary="Delete a comment",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(*NO_CHANGE, CommentNotFound),
)
async def delete_comment(
    asking: Annotated[Asking, Depends(AsksIn(actions.delete_comment))], at: AtWork, comment_id: CommentId
) -> Response:
    """Delete it for good. A teacher deletes any comment, an assistant their own."""
    await actions.delete_comment(asking, at, comment_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


def _extension(request: Request, extension: Extension, member: Membership, use: CourseAssignment) -> ExtensionBody:
    assignment = in_course(services(request).assignments, use)
    # None: its file is gone.
    effective = assignment and extensions.apply_extension(assignment, extension)
    return ExtensionBody.from_row(
        extension,
        member=member.id,
        student=member.external_id,
        assignment=use.assignment_id,
        effective_due=effective.deadline.due if effective else None,
        effective_closes=effective.deadline.closes if effective else None,
        effective_limit=effective.attempts.limit if effective else None,
    )
