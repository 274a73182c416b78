"""Ways into a course: personal links of many members, join links with their codes for a projector, tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from app.access import joining, links, tokens
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import ways_in as actions
from app.actions.asking import Asking
from app.actions.ways_in import JOIN_DAYS, JOIN_LIMIT, MakeJoinLink, MakeLinks, MakeToken
from app.courses import course as courses
from app.courses import membership
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context, local
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import ROWS, ReadPageFor, cursor_of, only_here, staff_page
from app.services import services
from app.storage.models import Course, Role, utc_now

#: The most join links in the list.
JOIN_LINKS = 20

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/links")
async def links_page(
    request: Request, viewer: Annotated[Principal, Depends(ReadPageFor(Right.MANAGE_LINKS))]
) -> Response:
    return await _links_page(request, viewer)


@router.post("/links")
async def make_links(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_links))]) -> Response:
    """Make personal links for students, and mail them or send them as a table. A form sent twice makes them once."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    is_all, by_mail = fields.typed.get("for") == "all", fields.has("mail")
    wanted = MakeLinks(all=is_all, never_used=not is_all)
    made = await actions.make_links(asking, wanted, by_mail=by_mail, form_key=fields.form_key())
    if made and not by_mail:
        headers = {"Content-Disposition": 'attachment; filename="links.csv"'}
        return Response(links.links_csv(made, asking.url), media_type="text/csv", headers=headers)
    said = "links.mailed" if all(link.mailed for link in made) else "links.mailed_some"
    return see_other(f"/courses/{asking.course_id}/links", said=said if made else "links.none")


@router.post("/links/revoke")
async def revoke_links(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.revoke_links))]
) -> Response:
    """End all personal links of the course, if the box is ticked."""
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if is_sure:
        await actions.revoke_links(asking)
    return see_other(f"/courses/{asking.course_id}/links", said="links.revoked" if is_sure else "links.not_sure")


@router.post("/links/join")
async def make_join_link(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_join_link))]
) -> Response:
    """Make a join link and show it, for the only time. The same form sent again shows the same link."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key, course = fields.form_key(), await _course(asking)
    try:
        wanted = fields.read(MakeJoinLink, zone=ZoneInfo(course.time_zone))
    except FieldsWrong as refusal:
        return await _links_page(request, asking.holder, fields, refusal)
    link, address = await actions.make_join_link(asking, wanted, form_key=key)
    context = {"link": link, "address": address, "code": _code(address), "only_here": only_here(request)}
    return staff_page(request, "manage/join_link.html", asking.holder, course, "links", **context)


@router.post("/links/join/{join_link_id}/revoke")
async def revoke_join_link(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.revoke_join_link))], join_link_id: str
) -> Response:
    async with form_of(request):
        await actions.revoke_join_link(asking, join_link_id)
    return see_other(f"/courses/{asking.course_id}/links", said="join_link.revoked")


def _code(address: str) -> Markup:
    """Draw an address as a QR code, black on white, which cameras read in a dark page, too."""
    drawn = segno.make_qr(address).svg_inline(light="#fff", omitsize=True, svgclass="code", lineclass=None)
    return Markup(drawn)  # noqa: S704  It is drawn from bits, and holds no text.


async def _course(asking: Asking) -> Course:
    async with asking.database.read() as session:
        return await courses.existing(session, asking.course_id)


async def _links_page(
    request: Request, viewer: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    before = cursor_of(request.query_params.get("page_from"))
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        usage = await links.usage(session, course.id)
        found = await links.list_links(session, viewer, limit=ROWS + 1, before=before)
        join_links = await joining.list_links(session, course.id, limit=JOIN_LINKS)
        groups = await membership.groups(session, course.id)
    zone = ZoneInfo(course.time_zone)
    context = form_context(request, fields, refusal)
    if fields is None:
        ends = (utc_now() + timedelta(days=JOIN_DAYS)).astimezone(zone).replace(hour=23, minute=59, second=0)
        context["fields"] = {"limit": str(max(JOIN_LIMIT, usage.students)), "expires_at": local(ends, zone)}
    return staff_page(
        request,
        "manage/links.html",
        viewer,
        course,
        "links",
        now=utc_now(),
        usage=usage,
        links=found[:ROWS],
        next=found[ROWS - 1][0].id if len(found) > ROWS else None,
        join_links=join_links,
        groups=groups,
        has_mail=services(request).mailer is not None,
        only_here=only_here(request),
        **context,
    )


@router.get("/tokens")
async def tokens_page(
    request: Request, viewer: Annotated[Principal, Depends(ReadPageFor(Right.MANAGE_TOKENS))]
) -> Response:
    return await _tokens_page(request, viewer)


@router.post("/tokens")
async def make_token(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_token))]) -> Response:
    """Make a token and show it, for the only time. The same form sent again shows the same, unless it was revoked."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key, course = fields.form_key(), await _course(asking)
    try:
        wanted = fields.read(MakeToken, zone=ZoneInfo(course.time_zone))
    except FieldsWrong as refusal:
        return await _tokens_page(request, asking.holder, fields, refusal)
    token, secret = await actions.make_token(asking, wanted, form_key=key)
    context = {"token": token, "secret": secret, "url": asking.url}
    return staff_page(request, "manage/token_made.html", asking.holder, course, "tokens", **context)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.revoke_token))], token_id: str
) -> Response:
    """End the token at once, and sign out its browsers."""
    async with form_of(request):
        await actions.revoke_token(asking, token_id)
    return see_other(f"/courses/{asking.course_id}/tokens", said="token.revoked")


async def _tokens_page(
    request: Request, viewer: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    before = cursor_of(request.query_params.get("page_from"))
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await tokens.list_tokens(session, viewer, limit=ROWS + 1, before=before)
    # Tokens of admins act in all courses, so they belong to none.
    of_staff = [Role.ASSISTANT, Role.TEACHER] if viewer.may(Right.MAKE_TOKENS_OF_STAFF) else []
    return staff_page(
        request,
        "manage/tokens.html",
        viewer,
        course,
        "tokens",
        now=utc_now(),
        tokens=found[:ROWS],
        next=found[ROWS - 1].id if len(found) > ROWS else None,
        roles=[Role.SUBMITTER, *of_staff],
        **form_context(request, fields, refusal),
    )
