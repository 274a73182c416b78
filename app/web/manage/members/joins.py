"""Two members who are one student: joined after a look at what would move, and taken apart again."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
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
from app.errors.uploads import MemberRemoved
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.refusals import refused_here
from app.http.staff import ROWS, JoinId, MemberId, MemberManager, Staff, cursor_of
from app.services import services
from app.storage.models import MemberRole
from app.teaching.joins import joins

#: How many members a search offers.
OFFERED = 20

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/members/{member_id}/join")
async def join_page(
    request: Request, holder: MemberManager, member_id: MemberId, other: str = "", search: str = ""
) -> Response:
    """Offer members who may be the same student, and say what a join with the chosen one would move."""
    return await _page(request, holder, member_id, other, search.strip()[:200])


@router.post("/members/{member_id}/join")
async def join(request: Request, holder: MemberManager, member_id: MemberId) -> Response:
    """Join the two. The member of the address is kept."""
    async with form_of(request) as form:
        came = fields_of(form).get("other", "")
    other = came if ID.fullmatch(came) else ""
    try:
        if not other:
            raise MemberNotFound
        async with services(request).database.write() as session:
            await joins.join(session, holder.course_id, member_id, other, holder.name)
    except (SameMember, MemberNotFound, MemberNotStudent, MemberRemoved, AttemptsRunning) as refusal:
        if not await _is_joined(request, holder, member_id, other):
            return await _page(request, holder, member_id, "", "", refusal)
    return see_other(f"/courses/{holder.course_id}/members/{member_id}/edit", said="member.joined")


async def _is_joined(request: Request, holder: Principal, member_id: str, other_id: str) -> bool:
    """Tell whether the two are joined already: the form was sent twice."""
    async with services(request).database.read() as session:
        found = await membership.by_ids(session, holder.course_id, [other_id])
        join = await membership.join_of(session, found[other_id]) if other_id in found else None
    return join is not None and join.kept_member_id == member_id


@router.get("/joins")
async def list_joins(request: Request, viewer: Staff, page_from: str | None = None) -> Response:
    return await _list(request, viewer, page_from)


@router.post("/joins/{join_id}/undo")
async def undo(request: Request, holder: MemberManager, join_id: JoinId) -> Response:
    try:
        async with form_of(request), services(request).database.write() as session:
            await joins.undo(session, holder.course_id, join_id, holder.name)
    except (JoinFollowed, JoinOutdated) as refusal:
        return await _list(request, holder, None, refusal)
    except JoinUndone:
        pass  # The form was sent twice.
    return see_other(f"/courses/{holder.course_id}/joins", said="member.unjoined")


async def _list(
    request: Request, viewer: Principal, page_from: str | None, refusal: AppError | None = None
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await joins.list_joins(session, course.id, limit=ROWS + 1, before=cursor_of(page_from))
        ids = {id for each in found for id in (each.kept_member_id, each.merged_member_id) if id}
        members = await membership.by_ids(session, course.id, ids)
    context = refused_here(request, refusal) if refusal else {"problem": None}
    return page(
        request,
        "manage/joins.html",
        viewer=viewer,
        course=course,
        here="joins",
        joins=found[:ROWS],
        members=members,
        next=found[ROWS - 1].id if len(found) > ROWS else None,
        may_change=viewer.may(Right.MANAGE_MEMBERS),
        **context,
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
    context = refused_here(request, refusal) if refusal else {"problem": None}
    return page(
        request,
        "manage/member_join.html",
        viewer=holder,
        course=course,
        here="members",
        member=member,
        other=other,
        moving=moving,
        offered=offered,
        search=search,
        **context,
    )
