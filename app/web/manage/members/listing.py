"""The list of members, with search, filters and pages, and what is done to one of them in a click."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses import course as courses
from app.courses import membership
from app.courses.membership import Members
from app.errors.members import EmailTaken, MemberJoined, MemberNotFound
from app.http.forms import form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, MemberId, MemberManager, Staff
from app.services import services
from app.storage.models import MemberRole
from app.web.manage.members.change import managed, shown_member

#: The states of a member by which the list is filtered: confirmed and removed, as `Members` has them.
STATES: Mapping[str, Mapping[str, bool | None]] = {
    "here": {"removed": False},
    "unconfirmed": {"removed": False, "confirmed": False},
    "removed": {"removed": True},
    "all": {},
}
MOST_PAGES = 10_000

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
    return page(
        request,
        "manage/members.html",
        viewer=viewer,
        course=course,
        here="members",
        members=shown,
        total=total,
        size=size,
        groups=groups,
        filters={"search": text, "role": role, "group": group, "state": state},
        states=list(STATES),
        roles=[*MemberRole],
        number=number,
        last=max(math.ceil(total / ROWS), 1),
        may_change=viewer.may(Right.MANAGE_MEMBERS),
        manages=managed(viewer),
    )


@router.post("/confirm")
async def confirm_many(request: Request, holder: MemberManager) -> Response:
    """Say that there are the ticked students. One whose address another member has stays unconfirmed."""
    async with form_of(request) as form:
        ticked = [str(value) for value in form.getlist("member")]
    refused = 0
    for member_id in filter(ID.fullmatch, ticked):
        try:
            await _change(request, holder, member_id, {"confirmed": True})
        except (EmailTaken, MemberNotFound):
            refused += 1
    said = "members.confirmed_some" if refused else "members.confirmed"
    return see_other(f"/courses/{holder.course_id}/members?state=unconfirmed", said=said)


@router.post("/{member_id}/confirm")
async def confirm(request: Request, holder: MemberManager, member_id: MemberId) -> Response:
    """Say that there is this student."""
    return await _changed(request, holder, member_id, {"confirmed": True}, "member.confirmed")


@router.post("/{member_id}/remove")
async def remove(request: Request, holder: MemberManager, member_id: MemberId) -> Response:
    """Take all rights from the member at once. What was handed in stays."""
    return await _changed(request, holder, member_id, {"removed": True}, "member.removed")


@router.post("/{member_id}/restore")
async def restore(request: Request, holder: MemberManager, member_id: MemberId) -> Response:
    return await _changed(request, holder, member_id, {"removed": False}, "member.restored")


async def _changed(
    request: Request, holder: Principal, member_id: str, given: Mapping[str, Any], said: str
) -> Response:
    async with form_of(request):
        try:
            await _change(request, holder, member_id, given)
        except (EmailTaken, MemberJoined) as refusal:
            return await shown_member(request, holder, member_id, refusal=refusal)
    return see_other(f"/courses/{holder.course_id}/members/{member_id}/edit", said=said)


async def _change(request: Request, holder: Principal, member_id: str, given: Mapping[str, Any]) -> None:
    async with services(request).database.write() as session:
        await membership.change(
            session,
            holder.course_id,
            member_id,
            given,
            manages=managed(holder),
            may_change_shared=holder.may(Right.MANAGE_TEACHERS),
            made_by=holder.name,
        )
