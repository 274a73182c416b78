"""Join links of a course: make, list, revoke."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access import joining
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.links import JoinLinkBody, JoinLinkList, JoinLinkRequest, NewJoinLinkBody
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted
from app.errors.ways_in import JoinLinkNotFound
from app.http.auth.holders import PermittedIn
from app.http.parameters import Cursor, Limit
from app.services import service_url, services
from app.storage.models import JoinLink

Maker = Annotated[Principal, Depends(PermittedIn(Right.MAKE_LINKS))]
Manager = Annotated[Principal, Depends(PermittedIn(Right.MANAGE_LINKS))]

router = APIRouter(prefix="/courses/{course_id}/join-links", tags=["members"])


@router.post(
    "",
    summary="Make a join link",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, NotPermitted, CourseArchived, RequestValidationError),
)
async def create_join_link(request: Request, maker: Maker, wanted: JoinLinkRequest) -> NewJoinLinkBody:
    """Make a link for a whole course. Everybody who opens it and gives a name becomes a new, unconfirmed student.

    It never leads to an entry that is there, whatever they type: a teacher joins the two.
    """
    async with services(request).database.write() as session:
        link, secret = await joining.make(session, maker, **wanted.model_dump())
    url = joining.address(service_url(request), secret)
    return NewJoinLinkBody(**_body(link).model_dump(), url=url, qr_svg=qr_code(url))


@router.get("", summary="List join links", responses=problem_answers(NotPermitted))
async def list_join_links(request: Request, viewer: Manager, limit: Limit = 50, cursor: Cursor = None) -> JoinLinkList:
    """List them, the newest first, ended ones too. Their addresses are not shown."""
    async with services(request).database.read() as session:
        found = await joining.list_links(session, viewer.course_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda link: link.id)
    return JoinLinkList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.delete(
    "/{join_link_id}",
    summary="Revoke a join link",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(NotPermitted, JoinLinkNotFound),
)
async def revoke_join_link(
    request: Request, manager: Manager, join_link_id: Annotated[str, Path(description="an `id` from the list")]
) -> Response:
    """End it at once. Those who came by it stay members."""
    if not ID.fullmatch(join_link_id):
        raise JoinLinkNotFound
    async with services(request).database.write() as session:
        await joining.revoke(session, manager.course_id, join_link_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


def qr_code(url: str) -> str:
    """Draw an address as a QR code, black on white, which cameras read in a dark page, too."""
    return segno.make_qr(url).svg_inline(scale=4, light="#fff")


def _body(link: JoinLink) -> JoinLinkBody:
    return JoinLinkBody(
        id=link.id,
        course=link.course_id,
        group=link.group,
        limit=link.limit,
        uses=link.uses,
        made_by=link.made_by,
        created_at=link.created_at,
        expires_at=link.expires_at,
        revoked_at=link.revoked_at,
    )
