"""Comments of the staff on a student's work."""

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
from app.api.schemas.grading.exceptions import CommentBody, CommentList, CommentRequest
from app.errors.courses import AssignmentNotFound, CourseArchived, CourseNotFound
from app.errors.members import MemberNotFound, MemberNotStudent
from app.errors.requests import NotPermitted
from app.errors.submissions import SubmissionNotFound
from app.errors.teaching import CommentNotFound
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import services
from app.teaching import comments
from app.teaching.places import check_submission, find_place, take_place

Commenter = Annotated[Principal, Depends(PermittedIn(Right.COMMENT))]

router = APIRouter(
    prefix=f"{PLACE}/comments",
    tags=["grades"],
    responses=problem_answers(CourseNotFound, NotPermitted, MemberNotFound, MemberNotStudent, AssignmentNotFound),
)


@router.get("", summary="List the comments on a student's work")
async def list_comments(
    request: Request,
    viewer: Viewer,
    member_id: MemberId,
    assignment_id: AssignmentId,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CommentList:
    parts = services(request)
    async with parts.database.read() as session:
        place = await find_place(session, parts.assignments, viewer.course_id, member_id, assignment_id)
        found = await comments.list_comments(session, place, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda comment: comment.id)
    return CommentList(items=[CommentBody.of(each, assignment_id) for each in shown], next_cursor=next_cursor)


@router.post(
    "",
    summary="Comment on a student's work",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, CourseArchived, RequestValidationError, SubmissionNotFound),
)
async def add_comment(
    request: Request, holder: Commenter, member_id: MemberId, assignment_id: AssignmentId, wanted: CommentRequest
) -> CommentBody:
    """Write a comment for the student to read. The newest one sent again is one comment."""
    parts = services(request)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        if wanted.submission is not None:
            await check_submission(session, place, wanted.submission)
        comment = await comments.add(session, place, wanted.text, submission_id=wanted.submission, made_by=holder.name)
    return CommentBody.of(comment, assignment_id)


@router.delete(
    "/{comment_id}",
    summary="Delete a comment",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(CourseArchived, CommentNotFound),
)
async def delete_comment(
    request: Request,
    holder: Commenter,
    member_id: MemberId,
    assignment_id: AssignmentId,
    comment_id: Annotated[str, Path(description="an `id` from the list")],
) -> Response:
    """Delete it for good. A teacher deletes any comment, an assistant their own."""
    parts = services(request)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        if not ID.fullmatch(comment_id):
            raise CommentNotFound
        await comments.delete(session, place, comment_id, holder)
    return Response(status_code=HTTP_204_NO_CONTENT)
