"""The log of changes to a course."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from app.access.rights import Right
from app.access.tokens import Principal
from app.api.openapi import problem_answers
from app.api.paging import page_of
from app.api.schemas.courses.changes import CourseChangeBody, CourseChangeList
from app.courses import changes
from app.errors.courses import CourseNotFound
from app.errors.requests import NotPermitted
from app.http.auth.holders import PermittedIn
from app.http.parameters import Limit
from app.services import services
from app.storage.models import Change

NumberCursor = Annotated[
    Annotated[str, Field(pattern="^[0-9]{1,18}$")] | SkipJsonSchema[None],
    Query(description="`next_cursor` of the page before; by default the first page"),
]

router = APIRouter(prefix="/courses/{course_id}/changes", tags=["courses"])


@router.get("", summary="List the changes to a course", responses=problem_answers(NotPermitted, CourseNotFound))
async def list_changes(
    request: Request,
    viewer: Annotated[Principal, Depends(PermittedIn(Right.SEE_MEMBERS))],
    limit: Limit = 50,
    cursor: NumberCursor = None,
) -> CourseChangeList:
    """List who changed what and when, the newest first: the course, its assignments, members, extensions, grades."""
    before = int(cursor) if cursor is not None else None
    async with services(request).database.read() as session:
        found = await changes.list_changes(session, viewer.course_id, limit=limit + 1, before=before)
    shown, next_cursor = page_of(found, limit, lambda change: str(change.id))
    return CourseChangeList(items=list(map(_body, shown)), next_cursor=next_cursor)


def _body(change: Change) -> CourseChangeBody:
    return CourseChangeBody(
        id=change.id,
        at=change.created_at,
        made_by=change.made_by,
        subject=change.subject,
        subject_id=change.subject_id,
        member=change.membership_id,
        before=change.before,
        after=change.after,
    )
