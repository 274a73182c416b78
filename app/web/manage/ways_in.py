"""Ways into a course: personal links of many members, join links with their codes for a projector, tokens."""

from datetime import timedelta

import segno
from fastapi import Response
from markupsafe import Markup

from app.access import joining, links, tokens
from app.access.rights import Right
from app.actions import ways_in as actions
from app.courses import membership
from app.http.archives import as_file
from app.http.fields import local
from app.http.visits import Pages, Visit, one_page
from app.storage.models import Role, utc_now
from app.storage.paging import Paging

#: The most join links in the list.
JOIN_LINKS = Paging(20)

router = Pages("/courses/{course_id}")


@router.page("/links", Right.MANAGE_LINKS)
async def links_page(visit: Visit) -> Response:
    paging = visit.paging()
    usage = await links.usage(visit.session, visit.course_id)
    rows = await links.list_links(visit.session, visit.holder, paging)
    join_links = await joining.list_links(visit.session, visit.course_id, JOIN_LINKS)
    groups = await membership.groups(visit.session, visit.course_id)
    ends = (utc_now() + timedelta(days=actions.JOIN_DAYS)).astimezone(visit.zone).replace(hour=23, minute=59, second=0)
    return visit.page(
        "manage/links.html",
        "links",
        stored={"limit": str(max(actions.JOIN_LIMIT, usage.students)), "expires_at": local(ends, visit.zone)},
        now=utc_now(),
        usage=usage,
        join_links=join_links[: JOIN_LINKS.limit],
        groups=groups,
        has_mail=visit.mailer is not None,
        only_here=visit.only_here,
        **one_page("links", paging, rows, lambda row: row[0].id),
    )


@router.form("/links", actions.make_links)
async def make_links(visit: Visit) -> Response:
    """Make personal links for students, and mail them or send them as a table. A form sent twice makes them once."""
    is_all, by_mail = visit.fields.typed.get("for") == "all", visit.fields.has("mail")
    wanted = actions.MakeLinks(all=is_all, never_used=not is_all)
    new_links = await actions.make_links(visit, wanted, by_mail=by_mail, form_key=visit.fields.form_key())
    if new_links and not by_mail:
        return Response(links.links_csv(new_links, visit.url), media_type="text/csv", headers=as_file("links.csv"))
    said = "links.mailed" if all(link.mailed for link in new_links) else "links.mailed_some"
    return visit.lead_to("/links", said if new_links else "links.none")


router.act("/links/revoke", actions.revoke_links, "/links", "links.revoked", sure=True)


@router.form("/links/join", actions.make_join_link, again=links_page)
async def make_join_link(visit: Visit) -> Response:
    """Make a join link and show it, for the only time. The same form sent again shows the same link."""
    key, wanted = visit.fields.form_key(), visit.fields.read(actions.MakeJoinLink, zone=visit.zone)
    link, address = await actions.make_join_link(visit, wanted, form_key=key)
    return visit.page(
        "manage/join_link.html",
        "links",
        link=link,
        address=address,
        code=_code(address),
        only_here=visit.only_here,
    )


router.act("/links/join/{join_link_id}/revoke", actions.revoke_join_link, "/links", "join_link.revoked")


def _code(address: str) -> Markup:
    """Draw an address as a QR code, black on white, which cameras read in a dark page, too."""
    picture = segno.make_qr(address).svg_inline(light="#fff", omitsize=True, svgclass="code", lineclass=None)
    return Markup(picture)  # noqa: S704  It is drawn from bits, and holds no text.


@router.page("/tokens", Right.MANAGE_TOKENS)
async def tokens_page(visit: Visit) -> Response:
    paging = visit.paging()
    rows = await tokens.list_tokens(visit.session, visit.holder, paging)
    # Tokens of admins act in all courses, so they belong to none.
    of_staff = [Role.ASSISTANT, Role.TEACHER] if visit.holder.may(Right.MAKE_TOKENS_OF_STAFF) else []
    return visit.page(
        "manage/tokens.html",
        "tokens",
        now=utc_now(),
        roles=[Role.SUBMITTER, *of_staff],
        **one_page("tokens", paging, rows),
    )


@router.form("/tokens", actions.make_token, again=tokens_page)
async def make_token(visit: Visit) -> Response:
    """Make a token and show it, for the only time. The same form sent again shows the same, unless it was revoked."""
    key, wanted = visit.fields.form_key(), visit.fields.read(actions.MakeToken, zone=visit.zone)
    token, secret = await actions.make_token(visit, wanted, form_key=key)
    return visit.page("manage/token_made.html", "tokens", token=token, secret=secret, url=visit.url)


router.act("/tokens/{token_id}/revoke", actions.revoke_token, "/tokens", "token.revoked")
