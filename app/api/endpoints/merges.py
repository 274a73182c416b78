"""Merges of persons in several courses who are one, and what undoes them. For admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED

from app.access import persons
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.merges import MergeBody, MergeList, MergeRequest
from app.errors.members import (
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    PersonNotFound,
    PersonsShareCourse,
    SameMember,
)
from app.errors.requests import NotPermitted
from app.http.auth.holders import Permitted
from app.http.parameters import Cursor, Limit
from app.services import services
from app.storage.models import Merge


async def _person_id(person_id: Annotated[str, Path(description="the `person` of a member")]) -> str:
    if not ID.fullmatch(person_id):
        raise PersonNotFound
    return person_id


async def _merge_id(merge_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(merge_id):
        raise JoinNotFound
    return merge_id


Merger = Annotated[Principal, Depends(Permitted(Right.MERGE_PEOPLE))]

router = APIRouter(prefix="/people", tags=["people"], responses=problem_answers(NotPermitted))


@router.post(
    "/{person_id}/merge",
    summary="Merge two persons",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY, NotPermitted, PersonNotFound, PersonsShareCourse, RequestValidationError, SameMember
    ),
)
async def merge_people(
    request: Request, holder: Merger, person_id: Annotated[str, Depends(_person_id)], wanted: MergeRequest
) -> MergeBody:
    """Give the person of the address all members and accounts of single sign-on that the other one has. Nothing else
    changes in a course. The other one's browsers that came by single sign-on have to sign in again.

    Where both are in a course, a teacher joins the two members first. The same request sent again changes nothing.
    """
    async with services(request).database.write() as session:
        return _body(await persons.merge(session, person_id, wanted.person, holder.name))


@router.get("/merges", summary="List the merges of persons")
async def list_merges(request: Request, holder: Merger, limit: Limit = 50, cursor: Cursor = None) -> MergeList:  # noqa: ARG001
    """List them, the newest first, undone ones and those that single sign-on has made, too."""
    async with services(request).database.read() as session:
        found = await persons.list_merges(session, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda merge: merge.id)
    return MergeList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.post(
    "/merges/{merge_id}/undo",
    summary="Take two merged persons apart",
    responses=problem_answers(NotPermitted, JoinNotFound, JoinUndone, JoinFollowed, JoinOutdated),
)
async def undo_merge(request: Request, holder: Merger, merge_id: Annotated[str, Depends(_merge_id)]) -> MergeBody:
    """Give the other person back what moved. Both have to sign in again where they came by single sign-on.

    Refused when a later merge of one of the two has to be undone first, or when something that moved is another
    person's by now.
    """
    async with services(request).database.write() as session:
        return _body(await persons.undo(session, merge_id, holder.name))


def _body(merge: Merge) -> MergeBody:
    assert merge.kept_person_id is not None
    return MergeBody(
        id=merge.id,
        kept=merge.kept_person_id,
        merged=merge.moved["person"],
        members=merge.moved["memberships"],
        identities=len(merge.moved["identities"]),
        made_by=merge.made_by,
        created_at=merge.created_at,
        undone_at=merge.undone_at,
    )
