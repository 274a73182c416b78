"""Joins of two members who are one student: show what would move, join them, and undo it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.tokens import Principal
from app.actions import members as actions
from app.actions.asking import Asking
from app.actions.fields import ID
from app.actions.members import JoinMembers
from app.courses import course as courses
from app.courses import membership
from app.courses.membership import Members
from app.errors import AppError
from app.errors.members import (
    AttemptsRunning,
    JoinFollowed,
    JoinOutdated,
    JoinUndone,
    MemberNotFound,
    MemberNotStudent,
    SameMember,
)
from app.errors.requests import FieldsWrong
from app.errors.uploads import MemberRemoved
from app.http.auth.holders import FormAsks
from app.http.fields import Fields
from app.http.forms import fields_of, form_of, see_other
from app.http.refusals import page_refusal_context
from app.http.staff import ROWS, JoinId, MemberId, MemberManager, Staff, cursor_of, staff_page
from app.services import services
from app.storage.models import MemberRole
from app.teaching.joins import joins

#: The most members that a search offers.
OFFERED = 20
REFUSALS = (FieldsWrong, SameMember, MemberNotFound, MemberNotStudent, MemberRemoved, AttemptsRunning)

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/members/{member_id}/join")
async def join_page(
    request: Request, holder: MemberManager, member_id: MemberId, other: str = "", search: str = ""
) -> Response:
    """Offer members who may be the same student, and show what a join with the chosen one would move."""
    return await _page(request, holder, member_id, other, search.strip()[:200])


@router.post("/members/{member_id}/join")
async def join(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.join_members))], member_id: MemberId
) -> Response:
    """Join the two. The member of the address is kept."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = fields.read(JoinMembers, names={"member": "other"})
        await actions.join_members(asking, member_id, wanted)
    except REFUSALS as refusal:
        if isinstance(refusal, FieldsWrong) or not await _is_joined(asking, member_id, wanted.member):
            return await _page(request, asking.holder, member_id, "", "", refusal)
    return see_other(f"/courses/{asking.course_id}/members/{member_id}/edit", said="member.joined")


async def _is_joined(asking: Asking, member_id: str, other_id: str) -> bool:
    """Tell whether the two are joined already: the form was sent twice."""
    async with asking.database.read() as session:
        found = await membership.by_ids(session, asking.course_id, [other_id])
        join = await membership.join_of(session, found[other_id]) if other_id in found else None
    return join is not None and join.kept_member_id == member_id


@router.get("/joins")
async def list_joins(request: Request, viewer: Staff, page_from: str | None = None) -> Response:
    return await _list(request, viewer, page_from)


@router.post("/joins/{join_id}/undo")
async def undo(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.undo_join))], join_id: JoinId
) -> Response:
    try:
        async with form_of(request):
            await actions.undo_join(asking, join_id)
    except (JoinFollowed, JoinOutdated) as refusal:
        return await _list(request, asking.holder, None, refusal)
    except JoinUndone:
        pass  # The form was sent twice.
    return see_other(f"/courses/{asking.course_id}/joins", said="member.unjoined")


async def _list(
    request: Request, viewer: Principal, page_from: str | None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await joins.list_joins(session, course.id, limit=ROWS + 1, before=cursor_of(page_from))
        ids = {id for each in found for id in (each.kept_member_id, each.merged_member_id) if id}
        members = await membership.by_ids(session, course.id, ids)
    return staff_page(
        request,
        "manage/joins.html",
        viewer,
        course,
        "joins",
        joins=found[:ROWS],
        members=members,
        next=found[ROWS - 1].id if len(found) > ROWS else None,
        **(page_refusal_context(request, refusal) if refusal else {"problem": None}),
    )


async def _page(
    request: Request, holder: Principal, member_id: str, other_id: str, search: str, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
        member = await membership.find(session, course.id, member_id)
        if member.role != MemberRole.STUDENT:
            raise MemberNotStudent
        offered = await membership.perhaps_the_same(session, member)
        if search and search.isprintable():
            wanted = Members(role=MemberRole.STUDENT, removed=False, text=search)
            found, _ = await membership.list_by_name(session, course.id, wanted, limit=OFFERED)
            offered = [each for each in found if each.id != member.id]
        other = await membership.find(session, course.id, other_id) if ID.fullmatch(other_id) else None
        moving = await joins.would_move(session, other) if other else None
    return staff_page(
        request,
        "manage/member_join.html",
        holder,
        course,
        "members",
        member=member,
        other=other,
        moving=moving,
        offered=offered,
        search=search,
        **(page_refusal_context(request, refusal) if refusal else {"problem": None}),
    )
