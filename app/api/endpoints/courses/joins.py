"""Joins of two members of a course who are one student, and what undoes them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.endpoints.courses.members import MemberId
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.courses.members import JoinBody, JoinList, JoinRequest
from app.errors.courses import CourseArchived, CourseNotFound
from app.errors.members import (
    AttemptsRunning,
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    MemberNotFound,
    MemberNotStudent,
    SameMember,
)
from app.errors.requests import NotPermitted
from app.errors.uploads import MemberRemoved
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import services
from app.storage.models import Merge
from app.teaching.joins import joins


async def _join_id(join_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(join_id):
        raise JoinNotFound
    return join_id


Viewer = Annotated[Principal, Depends(PermittedIn(Right.SEE_MEMBERS))]
Manager = Annotated[Principal, Depends(PermittedIn(Right.MANAGE_MEMBERS))]
JoinId = Annotated[str, Depends(_join_id)]

router = APIRouter(
    prefix="/courses/{course_id}", tags=["members"], responses=problem_answers(CourseNotFound, NotPermitted)
)


@router.post(
    "/members/{member_id}/join",
    summary="Join two members who are one student",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY,
        NotPermitted,
        CourseArchived,
        MemberRemoved,
        CourseNotFound,
        MemberNotFound,
        MemberNotStudent,
        AttemptsRunning,
        RequestValidationError,
        SameMember,
    ),
)
async def join_members(request: Request, holder: Manager, member_id: MemberId, wanted: JoinRequest) -> JoinBody:
    """Keep the member of the address, and give it what the other one has: attempts, numbered by their time together
    with the own ones, extensions, adjustments, comments, tokens with their links. The other member is removed.

    Where both have an extension, the kept one gets the later dates and the larger number; of two adjustments the newer
    one applies. `POST .../joins/{id}/undo` takes them apart again.
    """
    parts = services(request)
    async with parts.database.write() as session:
        merge = await joins.join(session, holder.course_id, member_id, wanted.member, holder.name)
    return _body(merge)


@router.get("/joins", summary="List the joins of a course")
async def list_joins(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> JoinList:
    """List them, the newest first, undone ones too."""
    async with services(request).database.read() as session:
        found = await joins.list_joins(session, viewer.course_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda merge: merge.id)
    return JoinList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.post(
    "/joins/{join_id}/undo",
    summary="Take two joined members apart",
    responses=problem_answers(
        NotPermitted, CourseArchived, CourseNotFound, JoinNotFound, JoinUndone, JoinFollowed, JoinOutdated
    ),
)
async def undo_join(request: Request, holder: Manager, join_id: JoinId) -> JoinBody:
    """Give each its own again; what came since stays with the kept member.

    Refused when it cannot be told any more what belongs to whom: a later join of one of the two has to be undone first;
    an extension that both had, or a person, was changed since; the removed member was taken back.
    """
    parts = services(request)
    async with parts.database.write() as session:
        merge = await joins.undo(session, holder.course_id, join_id, holder.name)
    parts.jobs.wake()  # Attempts that waited for one another may be graded at the same time again.
    return _body(merge)


def _body(merge: Merge) -> JoinBody:
    assert merge.kept_member_id is not None
    assert merge.merged_member_id is not None
    return JoinBody(
        id=merge.id,
        kept=merge.kept_member_id,
        joined=merge.merged_member_id,
        submissions=len(merge.moved["submissions"]["moved"]),
        tokens=len(merge.moved["tokens"]),
        signs_on=merge.moved["persons"] is not None,
        made_by=merge.made_by,
        created_at=merge.created_at,
        undone_at=merge.undone_at,
    )
