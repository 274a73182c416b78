"""Personal links of a course's members: make, list, revoke."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_201_CREATED

from app.access import links
from app.access.links import NewLink
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.links import EndedLinks, LinkBody, LinkList, LinksRequest, NewLinkBody, NewLinks
from app.errors.courses import CourseArchived
from app.errors.members import MemberNotFound
from app.errors.outgoing import MailNotSet
from app.errors.requests import NotPermitted
from app.errors.uploads import MemberRemoved
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import service_url, services
from app.storage.models import Course, Membership, Token


async def _member_id(member_id: Annotated[str, Path(description="the `id` of a member")]) -> str:
    """Raises: MemberNotFound: no member can have this id."""
    if not ID.fullmatch(member_id):
        raise MemberNotFound
    return member_id


MemberId = Annotated[str, Depends(_member_id)]
Maker = Annotated[Principal, Depends(PermittedIn(Right.MAKE_LINKS))]
Manager = Annotated[Principal, Depends(PermittedIn(Right.MANAGE_LINKS))]
Mail = Annotated[bool, Query(description="send them by mail, too")]
MAKING = problem_answers(NotPermitted, CourseArchived, MemberNotFound, MemberRemoved, MailNotSet)

router = APIRouter(prefix="/courses/{course_id}", tags=["members"])


@router.post(
    "/members/{member_id}/link",
    summary="Make a personal link",
    status_code=HTTP_201_CREATED,
    responses=MAKING,
)
async def create_link(request: Request, maker: Maker, member_id: MemberId, mail: Mail = False) -> NewLinkBody:
    """Make a link by which this member comes in. Only this answer holds it.

    Earlier links of the member work until somebody first comes in by this one; then they end, with their sessions. A
    teacher makes links for students and assistants, an admin for teachers, too.
    """
    (made,) = await _make(request, maker, [member_id], mail=mail)
    return made


@router.post(
    "/links",
    summary="Make personal links for many",
    status_code=HTTP_201_CREATED,
    responses=MAKING | problem_answers(*JSON_BODY, RequestValidationError),
)
async def create_links(request: Request, maker: Maker, wanted: LinksRequest, mail: Mail = False) -> NewLinks:
    """Make a new link for each of these members, as for one. Removed members have none."""
    made = await _make(request, maker, wanted.members, never_used=wanted.never_used, mail=mail)
    return NewLinks(items=made)


@router.get("/links", summary="List personal links", responses=problem_answers(NotPermitted, MemberNotFound))
async def list_links(
    request: Request,
    viewer: Manager,
    member: Annotated[
        Annotated[str, Field(pattern=f"^{ID.pattern}$")] | SkipJsonSchema[None],
        Query(description="only links of this member"),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> LinkList:
    """List the links that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    async with services(request).database.read() as session:
        found = await links.list_links(session, viewer, limit=limit + 1, before=cursor, member_id=member)
    shown, next_cursor = page_of(found, limit, lambda row: row[0].id)
    return LinkList(items=[_body(*row) for row in shown], next_cursor=next_cursor)


@router.delete(
    "/members/{member_id}/link",
    summary="Revoke a member's links",
    responses=problem_answers(NotPermitted, MemberNotFound),
)
async def revoke_link(request: Request, manager: Manager, member_id: MemberId) -> EndedLinks:
    """End all personal links of the member at once, and sign out the browsers that came by them."""
    async with services(request).database.write() as session:
        return EndedLinks(ended=await links.revoke(session, manager, member_id))


@router.delete("/links", summary="Revoke all personal links", responses=problem_answers(NotPermitted))
async def revoke_links(request: Request, manager: Manager) -> EndedLinks:
    """End all personal links of the course that you may manage, and sign out the browsers that came by them."""
    async with services(request).database.write() as session:
        return EndedLinks(ended=await links.revoke(session, manager))


async def _make(
    request: Request, maker: Principal, ids: list[str] | None, *, mail: bool, never_used: bool = False
) -> list[NewLinkBody]:
    parts = services(request)
    if mail and parts.mailer is None:
        raise MailNotSet
    async with parts.database.write() as session:
        chosen = await links.choose(session, maker, ids, never_used=never_used)
        made = await links.make(session, chosen, maker.id)
        course = await session.get_one(Course, maker.course_id)
    url = service_url(request)
    mailed = [links.mail(parts.mailer, link, course, url) if mail and parts.mailer else None for link in made]
    return [_new_body(link, url, mailed=each) for link, each in zip(made, mailed, strict=True)]


def _body(token: Token, member: Membership) -> LinkBody:
    return LinkBody(
        id=token.id,
        member=member.id,
        external_id=member.external_id,
        name=member.person.name,
        created_at=token.created_at,
        used_at=token.used_at,
        expires_at=token.expires_at,
        ended_at=token.revoked_at,
    )


def _new_body(link: NewLink, url: str, *, mailed: bool | None) -> NewLinkBody:
    return NewLinkBody(
        **_body(link.token, link.member).model_dump(),
        email=link.member.person.email,
        link=sign_in_link(url, link.secret),
        mailed=mailed,
    )
