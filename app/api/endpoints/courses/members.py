"""Members of a course: list them, add one, change one, remove one and take one back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_201_CREATED

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID, Name
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.courses.members import MemberBody, MemberChangeRequest, MemberList, MemberRequest
from app.api.schemas.submissions import DeletedBody
from app.courses import membership
from app.courses.membership import Members
from app.errors.courses import CourseArchived, CourseNotFound
from app.errors.members import EmailTaken, ExternalIdTaken, MemberJoined, MemberNotFound, PersonShared
from app.errors.requests import NotPermitted
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.privacy import deletion
from app.services import services
from app.storage.models import MemberRole, Membership


async def _member_id(member_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(member_id):
        raise MemberNotFound
    return member_id


MemberId = Annotated[str, Depends(_member_id)]
Viewer = Annotated[Principal, Depends(PermittedIn(Right.SEE_MEMBERS))]
Manager = Annotated[Principal, Depends(PermittedIn(Right.MANAGE_MEMBERS))]


async def _members(
    role: Annotated[MemberRole | SkipJsonSchema[None], Query()] = None,
    group: Annotated[Name | SkipJsonSchema[None], Query()] = None,
    confirmed: Annotated[bool | SkipJsonSchema[None], Query()] = None,
    removed: Annotated[bool | SkipJsonSchema[None], Query()] = None,
    search: Annotated[
        Name | SkipJsonSchema[None], Query(description="a part of the id, the name or the e-mail address")
    ] = None,
) -> Members:
    return Members(role, group, confirmed, removed, search)


router = APIRouter(
    prefix="/courses/{course_id}/members", tags=["members"], responses=problem_answers(CourseNotFound, NotPermitted)
)


@router.get("", summary="List the members of a course")
async def list_members(
    request: Request,
    viewer: Viewer,
    chosen: Annotated[Members, Depends(_members)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MemberList:
    """List them, the newest first, removed ones too. Filters are combined with "and"."""
    async with services(request).database.read() as session:
        found = await membership.list_members(session, viewer.course_id, chosen, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda member: member.id)
    return MemberList(items=list(map(body_of, shown)), next_cursor=next_cursor)


@router.post(
    "",
    summary="Add a member to a course",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY, NotPermitted, CourseArchived, RequestValidationError, ExternalIdTaken, EmailTaken
    ),
)
async def create_member(request: Request, holder: Manager, wanted: MemberRequest) -> MemberBody:
    """Add a confirmed member, as a new person. A teacher adds students and assistants, an admin teachers, too.

    The same request sent again adds nobody: it is answered 409, with the `id` of the member as `member`.
    """
    async with services(request).database.write() as session:
        member = await membership.add(
            session, holder.course_id, **wanted.model_dump(), manages=managed(holder), made_by=holder.name
        )
    return body_of(member)


@router.get("/{member_id}", summary="Read a member", responses=problem_answers(MemberNotFound))
async def read_member(request: Request, viewer: Viewer, member_id: MemberId) -> MemberBody:
    async with services(request).database.read() as session:
        return body_of(await membership.find(session, viewer.course_id, member_id))


@router.patch(
    "/{member_id}",
    summary="Change a member",
    responses=problem_answers(
        *JSON_BODY,
        NotPermitted,
        CourseArchived,
        MemberNotFound,
        RequestValidationError,
        ExternalIdTaken,
        EmailTaken,
        PersonShared,
    ),
)
async def change_member(
    request: Request, holder: Manager, member_id: MemberId, wanted: MemberChangeRequest
) -> MemberBody:
    """Change what is given. A new role acts on the member's tokens and open sessions at once; attempts of somebody who
    is a student no longer do not count. Only an admin changes a teacher, or makes one."""
    return await _changed(request, holder, member_id, wanted.model_dump(exclude_unset=True))


@router.post(
    "/{member_id}/remove",
    summary="Remove a member",
    responses=problem_answers(NotPermitted, CourseArchived, MemberNotFound),
)
async def remove_member(request: Request, holder: Manager, member_id: MemberId) -> MemberBody:
    """Take all rights from the member at once: tokens, links and open sessions. What was handed in stays."""
    return await _changed(request, holder, member_id, {"removed": True})


@router.post(
    "/{member_id}/restore",
    summary="Take a removed member back",
    responses=problem_answers(NotPermitted, CourseArchived, MemberNotFound, EmailTaken, MemberJoined),
)
async def restore_member(request: Request, holder: Manager, member_id: MemberId) -> MemberBody:
    """Take a removed member back. Tokens and links that have not ended otherwise are valid again."""
    return await _changed(request, holder, member_id, {"removed": False})


@router.delete("/{member_id}", summary="Delete the data of a member", responses=problem_answers())
async def delete_member(
    request: Request,
    holder: Annotated[Principal, Depends(PermittedIn(Right.DELETE_STUDENTS))],
    member_id: MemberId,
) -> DeletedBody:
    """Delete everything that the course keeps about the member: files, reports, own tokens. This cannot be undone.

    For admins. Asking again changes nothing. Earlier backups still hold the data.
    """
    return DeletedBody(**vars(await deletion.delete_member(services(request).database, member_id, holder.course_id)))


async def _changed(request: Request, holder: Principal, member_id: str, given: Mapping[str, Any]) -> MemberBody:
    async with services(request).database.write() as session:
        member = await membership.change(
            session,
            holder.course_id,
            member_id,
            given,
            manages=managed(holder),
            may_change_shared=holder.may(Right.MANAGE_TEACHERS),
            made_by=holder.name,
        )
    return body_of(member)


def managed(holder: Principal) -> Collection[MemberRole]:
    """Return the roles that the holder gives and takes."""
    return set(MemberRole) if holder.may(Right.MANAGE_TEACHERS) else set(MemberRole) - {MemberRole.TEACHER}


def body_of(member: Membership) -> MemberBody:
    """Return a member whose person is loaded."""
    return MemberBody(
        id=member.id,
        course=member.course_id,
        person=member.person_id,
        role=member.role,
        external_id=member.external_id,
        name=member.person.name,
        email=member.person.email,
        group=member.group,
        claimed_id=member.claimed_id,
        created_at=member.created_at,
        confirmed_at=member.confirmed_at,
        removed_at=member.removed_at,
    )
