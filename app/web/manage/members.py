"""The members of a course: the list, with search, filters and pages; and the page of one member."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access import links
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.actions import members as actions
from app.actions import ways_in
from app.actions.asking import Asking
from app.actions.fields import ID
from app.actions.members import AddMember, ChangeMember, manageable_roles
from app.actions.ways_in import MakeLinks
from app.courses import course as courses
from app.courses import membership
from app.courses.membership import Members
from app.errors import AppError
from app.errors.members import EmailTaken, ExternalIdTaken, MemberJoined, PersonShared
from app.errors.requests import FieldsWrong
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import ROWS, MemberId, MemberManager, Staff, only_here, staff_page
from app.lti import platforms
from app.services import services
from app.storage.models import MemberRole

#: The states of a member by which the list is filtered: confirmed and removed, as `Members` has them.
STATES: Mapping[str, Mapping[str, bool | None]] = {
    "here": {"removed": False},
    "unconfirmed": {"removed": False, "confirmed": False},
    "removed": {"removed": True},
    "all": {},
}
MOST_PAGES = 10_000
REFUSALS = (FieldsWrong, ExternalIdTaken, EmailTaken, PersonShared)

Changer = Annotated[Asking, Depends(FormAsks(actions.change_member))]

router = APIRouter(prefix="/courses/{course_id}/members")


@router.get("")
async def list_members(request: Request, viewer: Staff) -> Response:
    asked = request.query_params
    text, role, group, state = (asked.get(name, "").strip()[:200] for name in ("search", "role", "group", "state"))
    text, group = (each if each.isprintable() else "" for each in (text, group))
    state = state if state in STATES else "here"
    chosen = Members(
        role=MemberRole(role) if role in [*MemberRole] else None,
        group=group or None,
        text=text or None,
        **STATES[state],
    )
    number = int(asked["page"]) if asked.get("page", "").isdecimal() and len(asked["page"]) < 6 else 1
    number = min(max(number, 1), MOST_PAGES)
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        shown, total = await membership.list_by_name(session, course.id, chosen, limit=ROWS, offset=(number - 1) * ROWS)
        groups = await membership.groups(session, course.id)
        size = (await courses.sizes(session, [course.id]))[course.id]
        platform = None if total else await platforms.name_for_course(session, course.id)
    return staff_page(
        request,
        "manage/members.html",
        viewer,
        course,
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
        manages=manageable_roles(viewer),
    )


@router.post("/confirm")
async def confirm_many(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.confirm_members))]
) -> Response:
    """Confirm the ticked students. A student whose address another member has stays unconfirmed."""
    async with form_of(request) as form:
        ticked = [str(value) for value in form.getlist("member")]
    confirmed = await actions.confirm_members(asking, list(filter(ID.fullmatch, ticked)))
    said = "members.confirmed" if confirmed == len(ticked) else "members.confirmed_some"
    return see_other(f"/courses/{asking.course_id}/members?state=unconfirmed", said=said)


@router.get("/new")
async def new_member(request: Request, holder: MemberManager) -> Response:
    return await _new_page(request, holder)


@router.post("/new")
async def add(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.add_member))]) -> Response:
    """Add a confirmed member. The id in the grade book keeps a second click from adding another one."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = fields.read(AddMember)
        member_id = (await actions.add_member(asking, wanted)).id
    except REFUSALS as refusal:
        if not isinstance(refusal, ExternalIdTaken) or not await _is_same(asking, wanted, refusal.params["member"]):
            return await _new_page(request, asking.holder, fields, refusal)
        member_id = refusal.params["member"]
    return _back(asking, member_id, "member.added")


@router.get("/{member_id}/edit")
async def edit_page(request: Request, viewer: Staff, member_id: MemberId) -> Response:
    return await _member_page(request, viewer, member_id)


@router.post("/{member_id}/edit")
async def edit(request: Request, asking: Changer, member_id: MemberId) -> Response:
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.change_member(asking, member_id, fields.read(ChangeMember))
    except REFUSALS as refusal:
        return await _member_page(request, asking.holder, member_id, fields, refusal)
    return _back(asking, member_id, "member.changed")


@router.post("/{member_id}/confirm")
async def confirm(request: Request, asking: Changer, member_id: MemberId) -> Response:
    """Confirm this student."""
    try:
        async with form_of(request):
            await actions.change_member(asking, member_id, ChangeMember(confirmed=True))
    except EmailTaken as refusal:
        return await _member_page(request, asking.holder, member_id, refusal=refusal)
    return _back(asking, member_id, "member.confirmed")


@router.post("/{member_id}/remove")
async def remove(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.remove_member))], member_id: MemberId
) -> Response:
    async with form_of(request):
        await actions.remove_member(asking, member_id)
    return _back(asking, member_id, "member.removed")


@router.post("/{member_id}/restore")
async def restore(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.restore_member))], member_id: MemberId
) -> Response:
    try:
        async with form_of(request):
            await actions.restore_member(asking, member_id)
    except (EmailTaken, MemberJoined) as refusal:
        return await _member_page(request, asking.holder, member_id, refusal=refusal)
    return _back(asking, member_id, "member.restored")


@router.post("/{member_id}/link")
async def make_link(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(ways_in.make_links))], member_id: MemberId
) -> Response:
    """Make a personal link, and show it or mail it. A form that is sent twice makes one."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    by_mail, wanted = fields.has("mail"), MakeLinks(members=[member_id])
    (link,) = await ways_in.make_links(asking, wanted, by_mail=by_mail, form_key=fields.form_key())
    if by_mail:
        return _back(asking, member_id, "link.mailed" if link.mailed else "link.not_mailed")
    async with asking.database.read() as session:
        course = await courses.existing(session, asking.course_id)
    return staff_page(
        request,
        "manage/member_link.html",
        asking.holder,
        course,
        "members",
        member=link.member,
        link=sign_in_link(asking.url, link.secret),
        only_here=only_here(request),
    )


@router.post("/{member_id}/link/revoke")
async def revoke_links(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(ways_in.revoke_links))], member_id: MemberId
) -> Response:
    """End all personal links of the member, and sign out the browsers that came by them."""
    async with form_of(request):
        await ways_in.revoke_links(asking, member_id)
    return _back(asking, member_id, "link.revoked")


@router.post("/{member_id}/delete")
async def delete(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.delete_member))], member_id: MemberId
) -> Response:
    """Delete everything that the course keeps about the member, if the box is ticked."""
    async with form_of(request) as form:
        is_sure = Fields(fields_of(form)).has("sure")
    if not is_sure:
        return _back(asking, member_id, "member.not_sure")
    await actions.delete_member(asking, member_id)
    return see_other(f"/courses/{asking.course_id}/members", said="member.deleted")


async def _is_same(asking: Asking, wanted: AddMember, member_id: str) -> bool:
    """Tell whether the member to add exists already, because the form was sent twice."""
    async with asking.database.read() as session:
        stored = membership.values(await membership.find(session, asking.course_id, member_id))
    return all(stored[name] == value for name, value in wanted)


def _back(asking: Asking, member_id: str, said: str) -> Response:
    return see_other(f"/courses/{asking.course_id}/members/{member_id}/edit", said=said)


async def _new_page(
    request: Request, holder: Principal, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
        groups = await membership.groups(session, course.id)
    return staff_page(
        request,
        "manage/member_new.html",
        holder,
        course,
        "members",
        groups=groups,
        roles=manageable_roles(holder),
        **form_context(request, fields, refusal),
    )


async def _member_page(
    request: Request,
    viewer: Principal,
    member_id: str,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        member = await membership.find(session, course.id, member_id)
        groups = await membership.groups(session, course.id)
        perhaps = await membership.perhaps_the_same(session, member) if member.role == MemberRole.STUDENT else ()
        of_others = member.role != MemberRole.TEACHER or viewer.has(Right.MANAGE_TEACHERS)
        knows_links = viewer.has(Right.MANAGE_LINKS) and of_others
        given = await links.list_links(session, viewer, limit=1, member_id=member.id) if knows_links else ()
        join = await membership.join_of(session, member)
    context = form_context(request, fields, refusal)
    if fields is None:
        context["fields"] = {name: value or "" for name, value in membership.values(member).items()}
    may_manage = member.role in manageable_roles(viewer)
    return staff_page(
        request,
        "manage/member_edit.html",
        viewer,
        course,
        "members",
        member=member,
        groups=groups,
        roles=manageable_roles(viewer),
        perhaps=perhaps,
        knows_links=knows_links,
        link=given[0][0] if given else None,
        join=join,
        has_mail=services(request).mailer is not None,
        may_change=may_manage,
        may_link=viewer.may(Right.MAKE_LINKS) and (may_manage or viewer.may(Right.MANAGE_TEACHERS)),
        may_revoke=knows_links,
        **context,
    )
