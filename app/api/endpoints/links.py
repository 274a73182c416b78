"""Personal links of a course's members, and join links for a whole course: make, list, revoke."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_201_CREATED, HTTP_204_NO_CONTENT

from app.access import joining, links
from app.access.links import NewLink
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.actions import ways_in as actions
from app.actions.asking import Asking
from app.actions.fields import Id
from app.actions.ways_in import MakeJoinLink, MakeLinks
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page
from app.errors.courses import CourseArchived
from app.errors.members import MemberNotFound
from app.errors.outgoing import MailNotSet
from app.errors.requests import NotPermitted
from app.errors.uploads import MemberRemoved
from app.errors.ways_in import JoinLinkNotFound
from app.http.auth.holders import AsksIn, TokenInCourseFor
from app.http.parameters import Cursor, Limit, id_in_path
from app.services import services
from app.storage.models import Membership, Token

MemberId = Annotated[str, id_in_path("member_id", MemberNotFound, "the `id` of a member")]
Maker = Annotated[Asking, Depends(AsksIn(actions.make_links))]
Ender = Annotated[Asking, Depends(AsksIn(actions.revoke_links))]
Viewer = Annotated[Principal, Depends(TokenInCourseFor(Right.MANAGE_LINKS))]
Mail = Annotated[bool, Query(description="send them by mail, too")]
MAKING = problem_answers(NotPermitted, CourseArchived, MemberNotFound, MemberRemoved, MailNotSet)

router = APIRouter(prefix="/courses/{course_id}", tags=["members"])


class LinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    member: str = Field(description="the `id` of the member", examples=[EXAMPLE_ID])
    external_id: str | None = Field(description="the member's id in the grade book", examples=["ivanov"])
    name: str | None = Field(description="the member's", examples=["Иван Иванов"])
    created_at: datetime
    used_at: datetime | None = Field(description="when somebody first came in by it; null: never", examples=[None])
    expires_at: datetime | None = Field(examples=[None])
    ended_at: datetime | None = Field(
        description="when it was revoked, or a newer one was first used; null: it works", examples=[None]
    )


class NewLinkBody(LinkBody):
    email: str | None = Field(description="the member's", examples=["ivanov@example.org"])
    link: str = Field(
        description="opens a browser's session. Only this answer holds it",
        examples=["https://grader.example.org/enter?token=lstmg_3x..."],
    )
    mailed: bool | None = Field(None, description="whether it goes out by mail; null: this was not asked for")


class LinkList(Page):
    items: list[LinkBody]


class NewLinks(Body):
    items: list[NewLinkBody]


class EndedLinks(Body):
    ended: int = Field(description="how many links worked until now", examples=[1])


class JoinLinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(examples=[EXAMPLE_COURSE])
    group: str | None = Field(examples=["БПМИ201"])
    limit: int | None = Field(description="the most people who may join; null: no limit", examples=[300])
    uses: int = Field(description="how many have come", examples=[0])
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(examples=[None])


class NewJoinLinkBody(JoinLinkBody):
    url: str = Field(
        description="for everybody who is to join. Only this answer holds it",
        examples=["https://grader.example.org/join/lstmj_3x..."],
    )
    qr_svg: str = Field(description="the address as a QR code: a picture in SVG", examples=["<svg ...></svg>"])


class JoinLinkList(Page):
    items: list[JoinLinkBody]


@router.post(
    "/members/{member_id}/link",
    summary="Make a personal link",
    status_code=HTTP_201_CREATED,
    responses=MAKING,
)
async def create_link(asking: Maker, member_id: MemberId, mail: Mail = False) -> NewLinkBody:
    """Make a link by which this member comes in. Only this answer holds it.

    Earlier links of the member work until somebody first comes in by this one; then they end, with their sessions. A
    teacher makes links for students and assistants, an admin for teachers, too.
    """
    (link,) = await actions.make_links(asking, MakeLinks(members=[member_id]), by_mail=mail)
    return _new_body(link, asking.url)


@router.post(
    "/links",
    summary="Make personal links for many",
    status_code=HTTP_201_CREATED,
    responses=MAKING | problem_answers(*JSON_BODY, RequestValidationError),
)
async def create_links(asking: Maker, wanted: MakeLinks, mail: Mail = False) -> NewLinks:
    """Make a new link for each of these members, as for one. Removed members have none."""
    made = await actions.make_links(asking, wanted, by_mail=mail)
    return NewLinks(items=[_new_body(link, asking.url) for link in made])


@router.get("/links", summary="List personal links", responses=problem_answers(NotPermitted, MemberNotFound))
async def list_links(
    request: Request,
    viewer: Viewer,
    member: Annotated[Id | SkipJsonSchema[None], Query(description="only links of this member")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> LinkList:
    """List the links that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    async with services(request).database.read() as session:
        found = await links.list_links(session, viewer, limit=limit + 1, before=cursor, member_id=member)
    shown, next_cursor = page_of(found, limit, lambda row: row[0].id)
    return LinkList(
        items=[LinkBody.from_row(token, **_of(token, member)) for token, member in shown], next_cursor=next_cursor
    )


@router.delete(
    "/members/{member_id}/link",
    summary="Revoke a member's links",
    responses=problem_answers(NotPermitted, MemberNotFound),
)
async def revoke_link(asking: Ender, member_id: MemberId) -> EndedLinks:
    """End all personal links of the member at once, sign out the browsers that came by them, and end the notebooks."""
    return EndedLinks(ended=await actions.revoke_links(asking, member_id))


@router.delete("/links", summary="Revoke all personal links", responses=problem_answers(NotPermitted))
async def revoke_links(asking: Ender) -> EndedLinks:
    """End all personal links of the course that you may manage, as for one member."""
    return EndedLinks(ended=await actions.revoke_links(asking))


@router.post(
    "/join-links",
    summary="Make a join link",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(*JSON_BODY, NotPermitted, CourseArchived, RequestValidationError),
)
async def create_join_link(
    asking: Annotated[Asking, Depends(AsksIn(actions.make_join_link))], wanted: MakeJoinLink
) -> NewJoinLinkBody:
    """Make a link for a whole course. Everybody who opens it and gives a name becomes a new, unconfirmed student.

    It never leads to an entry that is there, whatever they type: a teacher joins the two.
    """
    link, url = await actions.make_join_link(asking, wanted)
    # Black on white, which cameras read in a dark page, too.
    code = segno.make_qr(url).svg_inline(scale=4, light="#fff")
    return NewJoinLinkBody.from_row(link, course=link.course_id, url=url, qr_svg=code)


@router.get("/join-links", summary="List join links", responses=problem_answers(NotPermitted))
async def list_join_links(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> JoinLinkList:
    """List them, the newest first, ended ones too. Their addresses are not shown."""
    async with services(request).database.read() as session:
        found = await joining.list_links(session, viewer.course_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda link: link.id)
    return JoinLinkList(
        items=[JoinLinkBody.from_row(link, course=link.course_id) for link in shown], next_cursor=next_cursor
    )


@router.delete(
    "/join-links/{join_link_id}",
    summary="Revoke a join link",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(NotPermitted, JoinLinkNotFound),
)
async def revoke_join_link(
    asking: Annotated[Asking, Depends(AsksIn(actions.revoke_join_link))],
    join_link_id: Annotated[str, Path(description="an `id` from the list")],
) -> Response:
    """End it at once. Those who came by it stay members."""
    await actions.revoke_join_link(asking, join_link_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


def _of(token: Token, member: Membership) -> dict[str, str | datetime | None]:
    """Return the values of a link that its token does not have, or calls otherwise."""
    return {
        "member": member.id,
        "external_id": member.external_id,
        "name": member.person.name,
        "ended_at": token.revoked_at,
    }


def _new_body(link: NewLink, url: str) -> NewLinkBody:
    return NewLinkBody.from_row(
        link.token,
        **_of(link.token, link.member),
        email=link.member.person.email,
        link=sign_in_link(url, link.secret),
        mailed=link.mailed,
    )
