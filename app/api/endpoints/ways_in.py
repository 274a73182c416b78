"""Ways into a course: tokens of programs, personal links of members, and join links for a whole course."""

from datetime import datetime
from typing import Annotated

import segno
from fastapi import APIRouter, Query
from pydantic import Field

from app.access import joining, links, tokens
from app.access.links import NewLink
from app.access.rights import Right
from app.access.tokens import sign_in_link
from app.actions import ways_in as actions
from app.actions.actor import Actor
from app.actions.fields import Id
from app.api.dependencies import Paged, Reading, Resource, acts, page_of, reads
from app.api.schemas.base import EXAMPLE_COURSE, Items, Page
from app.bodies import EXAMPLE_ID, Body, shows
from app.errors import MemberNotFound
from app.http.parameters import IdempotencyKey, MemberId, Omittable, Refuses
from app.storage.models import Membership, Role


class TokenBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    name: str
    role: Role
    course: str = shows("the id of the course it acts in; an admin's acts in all", EXAMPLE_COURSE, of="course_id")
    student: str | None
    assignment: str | None = shows(
        "the only assignment of a student's notebook; null: of them all", None, of="assignment_id"
    )
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenBody(TokenBody):
    token: str = shows("send it as `Authorization: Bearer ...`; it is shown only here")
    link: str = shows("signs a browser in")


class LinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    member: str = shows("the `id` of the member", EXAMPLE_ID)
    external_id: str | None = shows("the member's id in the grade book", "ivanov")
    name: str | None = shows("the member's", "Иван Иванов")
    created_at: datetime
    used_at: datetime | None = shows("when somebody first came in by it; null: never", None)
    expires_at: datetime | None = Field(examples=[None])
    ended_at: datetime | None = shows(
        "when it was revoked, or a newer one was first used; null: it works", None, of="revoked_at"
    )


class NewLinkBody(LinkBody):
    email: str | None = shows("the member's", "ivanov@example.org")
    link: str = shows(
        "opens a browser's session. Only this answer holds it", "https://grader.example.org/enter?token=lstmg_3x..."
    )
    mailed: bool | None = Field(None, description="whether it goes out by mail; null: this was not asked for")


class NewLinks(Items[NewLinkBody]):
    pass


class EndedLinks(Body):
    ended: int = shows("how many links worked until now", 1)


class JoinLinkBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = shows(None, EXAMPLE_COURSE, of="course_id")
    group: str | None = Field(examples=["БПМИ201"])
    limit: int | None = shows("the most people who may join; null: no limit", 300)
    uses: int = shows("how many have come", 0)
    made_by: str = Field(examples=["owner"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(examples=[None])


class NewJoinLinkBody(JoinLinkBody):
    url: str = shows(
        "for everybody who is to join. Only this answer holds it", "https://grader.example.org/join/lstmj_3x..."
    )
    qr_svg: str = shows("the address as a QR code: a picture in SVG", "<svg ...></svg>")


LinkMaker = Annotated[Actor, acts(actions.make_links)]
LinkEnder = Annotated[Actor, acts(actions.revoke_links)]
Viewer = Annotated[Reading, reads(Right.MANAGE_LINKS)]
Mail = Annotated[bool, Query(description="send them by mail, too")]

router = APIRouter()
token_routes = Resource(prefix="/tokens", tags=["tokens"])
link_routes = Resource(prefix="/courses/{course_id}", tags=["members"])


@token_routes.post("", summary="Make a token", status_code=201)
async def create_token(
    actor: Annotated[Actor, acts(actions.make_token)],
    wanted: actions.MakeToken,
    idempotency_key: IdempotencyKey = None,
) -> NewTokenBody:
    """Make a token of the course. Only this answer holds it. A teacher makes tokens for submitters, an admin for all
    roles.

    With `student` it is the student's own: it hands in under this name, and sees this student's submissions. Give the
    student the `link`, which signs a browser in.

    With the header `Idempotency-Key` the same request sent again makes no second token. It is answered 409 with the
    `id` of the first one, whose secret nobody can read any more. If you did not receive that secret, end that token and
    make another, with another key.
    """
    token, secret = await actions.make_token(actor, wanted, key=idempotency_key)
    return NewTokenBody.from_row(token, token=secret, link=sign_in_link(actor.url, secret))


@token_routes.get("", summary="List the tokens")
async def list_tokens(reading: Annotated[Reading, reads(Right.MANAGE_TOKENS)], paging: Paged) -> Page[TokenBody]:
    """List the tokens that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    rows = await tokens.list_tokens(reading.session, reading.viewer, paging)
    return page_of(paging, rows, TokenBody.model_validate)


token_routes.act("DELETE", "/{token_id}", actions.revoke_token, summary="End a token")


@link_routes.post("/members/{member_id}/link", summary="Make a personal link", status_code=201)
async def create_link(actor: LinkMaker, member_id: MemberId, mail: Mail = False) -> NewLinkBody:
    """Make a link by which this member comes in. Only this answer holds it.

    Earlier links of the member work until somebody first comes in by this one; then they end, with their sessions. A
    teacher makes links for students and assistants, an admin for teachers, too.
    """
    (link,) = await actions.make_links(actor, actions.MakeLinks(members=[member_id]), by_mail=mail)
    return _new_body(link, actor.url)


@link_routes.post("/links", summary="Make personal links for many", status_code=201)
async def create_links(actor: LinkMaker, wanted: actions.MakeLinks, mail: Mail = False) -> NewLinks:
    """Make a new link for each of these members, as for one. Removed members have none."""
    new_links = await actions.make_links(actor, wanted, by_mail=mail)
    return NewLinks(items=[_new_body(link, actor.url) for link in new_links])


@link_routes.get("/links", summary="List personal links")
async def list_links(
    reading: Viewer,
    paging: Paged,
    member: Annotated[Omittable[Id], Query(description="only links of this member"), Refuses((MemberNotFound,))] = None,
) -> Page[LinkBody]:
    """List the links that you may manage, the newest first, ended ones too. Their secrets are not shown."""
    rows = await links.list_links(reading.session, reading.viewer, paging, member_id=member)
    return page_of(paging, rows, lambda row: LinkBody.from_row(row[0], **_owner(row[1])), lambda row: row[0].id)


@link_routes.delete("/members/{member_id}/link", summary="Revoke a member's links")
async def revoke_link(actor: LinkEnder, member_id: MemberId) -> EndedLinks:
    """End all personal links of the member at once, sign out the browsers that came by them, and end the notebooks."""
    return EndedLinks(ended=await actions.revoke_links(actor, member_id))


@link_routes.delete("/links", summary="Revoke all personal links")
async def revoke_links(actor: LinkEnder) -> EndedLinks:
    """End all personal links of the course that you may manage, as for one member."""
    return EndedLinks(ended=await actions.revoke_links(actor))


@link_routes.post("/join-links", summary="Make a join link", status_code=201)
async def create_join_link(
    actor: Annotated[Actor, acts(actions.make_join_link)], wanted: actions.MakeJoinLink
) -> NewJoinLinkBody:
    link, url = await actions.make_join_link(actor, wanted)
    # Black on white, which cameras read in a dark page, too.
    code = segno.make_qr(url).svg_inline(scale=4, light="#fff")
    return NewJoinLinkBody.from_row(link, url=url, qr_svg=code)


@link_routes.get("/join-links", summary="List join links")
async def list_join_links(reading: Viewer, paging: Paged) -> Page[JoinLinkBody]:
    """List them, the newest first, ended ones too. Their addresses are not shown."""
    rows = await joining.list_links(reading.session, reading.course_id, paging)
    return page_of(paging, rows, JoinLinkBody.model_validate)


link_routes.act("DELETE", "/join-links/{join_link_id}", actions.revoke_join_link, summary="Revoke a join link")

router.include_router(token_routes)
router.include_router(link_routes)


def _owner(member: Membership) -> dict[str, str | None]:
    """Return the values of a link that its token does not have."""
    return {"member": member.id, "external_id": member.external_id, "name": member.person.name}


def _new_body(link: NewLink, url: str) -> NewLinkBody:
    return NewLinkBody.from_row(
        link.token,
        **_owner(link.member),
        email=link.member.person.email,
        link=sign_in_link(url, link.secret),
        mailed=link.mailed,
    )
