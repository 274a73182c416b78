"""Personal links of many members, and join links with their codes for a projector."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import segno
from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from app.access import imports, joining, links
from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.courses import membership
from app.errors import AppError
from app.errors.outgoing import MailNotSet
from app.errors.requests import FieldsWrong
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context, local
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, JoinLinkId, Shown, cursor_of, only_here
from app.services import service_url, services
from app.storage.models import utc_now

GROUP_CHARACTERS = 100
#: What the form begins with.
JOIN_DAYS = 30
JOIN_LIMIT = 500
MOST_JOINING = 100_000
#: Join links that are listed.
JOIN_LINKS = 20

Viewer = Annotated[Principal, Depends(Shown(Right.MANAGE_LINKS))]
Maker = Annotated[Principal, Depends(PageFor(Right.MAKE_LINKS))]
Manager = Annotated[Principal, Depends(PageFor(Right.MANAGE_LINKS))]

router = APIRouter(prefix="/courses/{course_id}/links")


@router.get("")
async def links_page(request: Request, viewer: Viewer) -> Response:
    return await _page(request, viewer)


@router.post("")
async def make_links(request: Request, maker: Maker) -> Response:
    """Make personal links for students, and mail them or send them as a table. A form sent twice makes them once."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    by_mail = fields.has("mail")
    if by_mail and parts.mailer is None:
        raise MailNotSet
    async with parts.database.write() as session:
        chosen = await links.choose(session, maker, never_used=fields.came.get("for") != "all")
        made = await links.make_once(session, chosen, fields.form_key(), maker.id)
        course = await courses.existing(session, maker.course_id)
    url = service_url(request)
    if by_mail and parts.mailer is not None:
        sent = [links.mail(parts.mailer, link, course, url) for link in made]
        said = "links.mailed" if all(sent) else "links.mailed_some"
        return see_other(f"/courses/{course.id}/links", said=said if made else "links.none")
    if not made:
        return see_other(f"/courses/{course.id}/links", said="links.none")
    headers = {"Content-Disposition": 'attachment; filename="links.csv"'}
    return Response(imports.links_csv(made, url), media_type="text/csv", headers=headers)


@router.post("/revoke")
async def revoke_links(request: Request, manager: Manager) -> Response:
    """End all personal links of the course, if the box is ticked."""
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if is_sure:
        async with services(request).database.write() as session:
            await links.revoke(session, manager)
    return see_other(f"/courses/{manager.course_id}/links", said="links.revoked" if is_sure else "links.not_sure")


@router.post("/join")
async def make_join_link(request: Request, maker: Maker) -> Response:
    """Make a join link and show it, for the only time. The same form sent again shows the same link."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    key = fields.form_key()
    async with parts.database.read() as session:
        course = await courses.existing(session, maker.course_id)
    zone = ZoneInfo(course.time_zone)
    try:
        group = fields.name("group", limit=GROUP_CHARACTERS)
        limit = fields.whole("limit", least=1, most=MOST_JOINING)
        expires_at = fields.moment("expires_at", zone)
        fields.check()
    except FieldsWrong as refusal:
        return await _page(request, maker, fields, refusal)
    async with parts.database.write() as session:
        link, secret = await joining.make(session, maker, group=group, limit=limit, expires_at=expires_at, form_key=key)
    address = joining.address(service_url(request), secret)
    return page(
        request,
        "manage/join_link.html",
        viewer=maker,
        course=course,
        here="links",
        link=link,
        address=address,
        code=_code(address),
        only_here=only_here(request),
        zone=zone,
    )


@router.post("/join/{join_link_id}/revoke")
async def revoke_join_link(request: Request, manager: Manager, join_link_id: JoinLinkId) -> Response:
    async with form_of(request), services(request).database.write() as session:
        await joining.revoke(session, manager.course_id, join_link_id)
    return see_other(f"/courses/{manager.course_id}/links", said="join_link.revoked")


def _code(address: str) -> Markup:
    """Draw an address as a QR code, black on white, which cameras read in a dark page, too."""
    drawn = segno.make_qr(address).svg_inline(light="#fff", omitsize=True, svgclass="code", lineclass=None)
    return Markup(drawn)  # noqa: S704  It is drawn from bits, and holds no text.


async def _page(
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
    return page(
        request,
        "manage/links.html",
        viewer=viewer,
        course=course,
        here="links",
        zone=zone,
        now=utc_now(),
        usage=usage,
        links=found[:ROWS],
        next=found[ROWS - 1][0].id if len(found) > ROWS else None,
        join_links=join_links,
        groups=groups,
        has_mail=services(request).mailer is not None,
        only_here=only_here(request),
        may_make=viewer.may(Right.MAKE_LINKS),
        may_revoke=viewer.may(Right.MANAGE_LINKS),
        **context,
    )
