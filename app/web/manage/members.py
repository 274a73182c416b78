"""The members of a course: the list, with search, filters and pages; the page of one member; joins of two members."""

import math
from collections.abc import Mapping

from fastapi import Response

from app.access import links
from app.access.rights import Right
from app.access.tokens import sign_in_link
from app.actions import members as actions
from app.actions import ways_in
from app.actions.actor import Actor
from app.actions.fields import ID
from app.courses import course as courses
from app.courses import membership
from app.courses.membership import Members
from app.errors import ExternalIdTaken, JoinUndone, MemberNotFound, MemberNotStudent, MemberRemoved
from app.http.visits import ROWS, Pages, Visit, one_page, search_of
from app.lti import platforms
from app.storage.models import MemberRole
from app.storage.paging import Paging
from app.teaching.joins import joins

#: The states of a member by which the list is filtered: confirmed and removed, as `Members` has them.
STATES: Mapping[str, Mapping[str, bool | None]] = {
    "here": {"removed": False},
    "unconfirmed": {"removed": False, "confirmed": False},
    "removed": {"removed": True},
    "all": {},
}
MOST_PAGES = 10_000
#: The most members that a search offers.
OFFERED = 20
#: The page of a member.
ONE = "/members/{member_id}/edit"

router = Pages("/courses/{course_id}")


@router.page("/members", Right.SEE_MEMBERS)
async def list_members(visit: Visit) -> Response:
    query = visit.request.query_params
    text, group = search_of(query.get("search", "")), search_of(query.get("group", ""))
    role, state = query.get("role", ""), query.get("state", "")
    state = state if state in STATES else "here"
    chosen = Members(
        role=MemberRole(role) if role in [*MemberRole] else None,
        group=group or None,
        text=text or None,
        **STATES[state],
    )
    number = int(query["page"]) if query.get("page", "").isdecimal() and len(query["page"]) < 6 else 1
    number = min(max(number, 1), MOST_PAGES)
    shown, total = await membership.list_by_name(
        visit.session, visit.course_id, chosen, limit=ROWS, offset=(number - 1) * ROWS
    )
    groups = await membership.groups(visit.session, visit.course_id)
    size = (await courses.sizes(visit.session, [visit.course_id]))[visit.course_id]
    platform = None if total else await platforms.name_for_course(visit.session, visit.course_id)
    return visit.page(
        "manage/members.html",
        "members",
        members=shown,
        total=total,
        size=size,
        platform=platform,
        groups=groups,
        filters={"search": text, "role": role, "group": group, "state": state},
        states=list(STATES),
        roles=[*MemberRole],
        number=number,
        last=max(math.ceil(total / ROWS), 1),
        manages=actions.manageable_roles(visit.holder),
    )


@router.form("/members/confirm", actions.confirm_members)
async def confirm_many(visit: Visit) -> Response:
    """Confirm the ticked students. A student whose address another member has stays unconfirmed."""
    ticked = [str(value) for value in visit.data.getlist("member")]
    confirmed = await actions.confirm_members(visit, list(filter(ID.fullmatch, ticked)))
    said = "members.confirmed" if confirmed == len(ticked) else "members.confirmed_some"
    return visit.lead_to("/members?state=unconfirmed", said)


@router.page("/members/new", Right.MANAGE_MEMBERS)
async def new_member(visit: Visit) -> Response:
    groups = await membership.groups(visit.session, visit.course_id)
    return visit.page("manage/member_new.html", "members", groups=groups, roles=actions.manageable_roles(visit.holder))


@router.form("/members/new", actions.add_member, again=new_member)
async def add(visit: Visit) -> Response:
    """Add a confirmed member. The id in the grade book keeps a second click from adding another one."""
    wanted = visit.fields.read(actions.AddMember)
    try:
        member_id = (await actions.add_member(visit, wanted)).id
    except ExternalIdTaken as refusal:
        member_id = refusal.params["member"]
        if not await _is_same(visit, wanted, member_id):
            raise
    return _back(visit, member_id, "member.added")


async def _is_same(actor: Actor, wanted: actions.AddMember, member_id: str) -> bool:
    """Tell whether the member to add exists already, because the form was sent twice."""
    async with actor.database.read() as session:
        stored = membership.values(await membership.find(session, actor.course_id, member_id))
    return all(stored[name] == value for name, value in wanted)


@router.page(ONE, Right.SEE_MEMBERS)
async def member_page(visit: Visit, member_id: str) -> Response:
    holder = visit.holder
    member = await membership.find(visit.session, visit.course_id, member_id)
    groups = await membership.groups(visit.session, visit.course_id)
    perhaps = await membership.perhaps_the_same(visit.session, member) if member.role == MemberRole.STUDENT else ()
    of_others = member.role != MemberRole.TEACHER or holder.has(Right.MANAGE_TEACHERS)
    knows_links = holder.has(Right.MANAGE_LINKS) and of_others
    given = await links.list_links(visit.session, holder, Paging(1), member_id=member.id) if knows_links else ()
    join = await membership.join_of(visit.session, member)
    may_manage = member.role in actions.manageable_roles(holder)
    return visit.page(
        "manage/member_edit.html",
        "members",
        stored={name: value or "" for name, value in membership.values(member).items()},
        member=member,
        groups=groups,
        roles=actions.manageable_roles(holder),
        perhaps=perhaps,
        knows_links=knows_links,
        link=given[0][0] if given else None,
        join=join,
        has_mail=visit.mailer is not None,
        may_change=may_manage,
        may_link=holder.may(Right.MAKE_LINKS) and (may_manage or holder.may(Right.MANAGE_TEACHERS)),
    )


router.act(ONE, actions.change_member, ONE, "member.changed", again=member_page)
_CONFIRM = actions.ChangeMember(confirmed=True)
router.act(
    "/members/{member_id}/confirm", actions.change_member, ONE, "member.confirmed", again=member_page, wanted=_CONFIRM
)
router.act("/members/{member_id}/remove", actions.remove_member, ONE, "member.removed")
router.act("/members/{member_id}/restore", actions.restore_member, ONE, "member.restored", again=member_page)


@router.form("/members/{member_id}/link", ways_in.make_links)
async def make_link(visit: Visit, member_id: str) -> Response:
    """Make a personal link, and show it or mail it. A form that is sent twice makes one."""
    by_mail, wanted = visit.fields.has("mail"), ways_in.MakeLinks(members=[member_id])
    (link,) = await ways_in.make_links(visit, wanted, by_mail=by_mail, form_key=visit.fields.form_key())
    if by_mail:
        return _back(visit, member_id, "link.mailed" if link.mailed else "link.not_mailed")
    return visit.page(
        "manage/member_link.html",
        "members",
        member=link.member,
        link=sign_in_link(visit.url, link.secret),
        only_here=visit.only_here,
    )


router.act("/members/{member_id}/link/revoke", ways_in.revoke_links, ONE, "link.revoked")


router.act("/members/{member_id}/delete", actions.delete_member, "/members", "member.deleted", sure=True)


def _back(visit: Visit, member_id: str, said: str) -> Response:
    return visit.lead_to(f"/members/{member_id}/edit", said)


# --- joins of two members who are one student -------------------------------------------------------------------------


@router.page("/members/{member_id}/join", Right.MANAGE_MEMBERS)
async def join_page(visit: Visit, member_id: str, other: str = "", search: str = "") -> Response:
    """Offer members who may be the same student, and show what a join with the chosen one would move."""
    search = search_of(search)
    member = await membership.find(visit.session, visit.course_id, member_id)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    offered = await membership.perhaps_the_same(visit.session, member)
    if search:
        wanted = Members(role=MemberRole.STUDENT, removed=False, text=search)
        others, _ = await membership.list_by_name(visit.session, visit.course_id, wanted, limit=OFFERED)
        offered = [each for each in others if each.id != member.id]
    chosen = await membership.find(visit.session, visit.course_id, other) if ID.fullmatch(other) else None
    moving = await joins.would_move(visit.session, chosen) if chosen else None
    return visit.page(
        "manage/member_join.html",
        "members",
        member=member,
        other=chosen,
        moving=moving,
        offered=offered,
        search=search,
    )


_OTHER, _GONE = {"member": "other"}, [MemberNotFound, MemberRemoved]
router.act(
    "/members/{member_id}/join", actions.join_members, ONE, "member.joined", names=_OTHER, again=join_page, on=_GONE
)


@router.page("/joins", Right.SEE_MEMBERS)
async def list_joins(visit: Visit) -> Response:
    paging = visit.paging()
    rows = await joins.list_joins(visit.session, visit.course_id, paging)
    ids = {id for each in rows for id in (each.kept_member_id, each.merged_member_id) if id}
    members = await membership.by_ids(visit.session, visit.course_id, ids)
    return visit.page("manage/joins.html", "joins", members=members, **one_page("joins", paging, rows))


router.act(
    "/joins/{join_id}/undo", actions.undo_join, "/joins", "member.unjoined", twice=[JoinUndone], again=list_joins
)
