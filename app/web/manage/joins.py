"""Joins of two members who are one student: show what would move, join them, and undo it."""

from fastapi import Response

from app.access.rights import Right
from app.actions import members as actions
from app.actions.asking import Asking
from app.actions.fields import ID
from app.courses import membership
from app.courses.membership import Members
from app.errors import AppError
from app.errors.members import JoinUndone, MemberNotFound, MemberNotStudent
from app.errors.uploads import MemberRemoved
from app.http.parameters import MemberId
from app.http.staff import ROWS, cursor_of, search_of
from app.http.visits import Pages, Visit
from app.storage.models import MemberRole
from app.teaching.joins import joins

#: The most members that a search offers.
OFFERED = 20

router = Pages("/courses/{course_id}")


@router.page("/members/{member_id}/join", Right.MANAGE_MEMBERS)
async def join_page(visit: Visit, member_id: MemberId, other: str = "", search: str = "") -> Response:
    """Offer members who may be the same student, and show what a join with the chosen one would move."""
    search = search_of(search)
    async with visit.database.read() as session:
        member = await membership.find(session, visit.course_id, member_id)
        if member.role != MemberRole.STUDENT:
            raise MemberNotStudent
        offered = await membership.perhaps_the_same(session, member)
        if search:
            wanted = Members(role=MemberRole.STUDENT, removed=False, text=search)
            others, _ = await membership.list_by_name(session, visit.course_id, wanted, limit=OFFERED)
            offered = [each for each in others if each.id != member.id]
        chosen = await membership.find(session, visit.course_id, other) if ID.fullmatch(other) else None
        moving = await joins.would_move(session, chosen) if chosen else None
    return visit.page(
        "manage/member_join.html",
        "members",
        member=member,
        other=chosen,
        moving=moving,
        offered=offered,
        search=search,
    )


@router.form("/members/{member_id}/join", actions.join_members, again=join_page, on=[MemberNotFound, MemberRemoved])
async def join(visit: Visit, member_id: MemberId) -> Response:
    wanted = visit.fields.read(actions.JoinMembers, names={"member": "other"})
    try:
        await actions.join_members(visit, member_id, wanted)
    except AppError:
        if not await _is_joined(visit, member_id, wanted.member):
            raise
    return visit.lead_to(f"/members/{member_id}/edit", "member.joined")


async def _is_joined(asking: Asking, member_id: str, other_id: str) -> bool:
    """Tell whether the two are joined already: the form was sent twice."""
    async with asking.database.read() as session:
        members = await membership.by_ids(session, asking.course_id, [other_id])
        join = await membership.join_of(session, members[other_id]) if other_id in members else None
    return join is not None and join.kept_member_id == member_id


@router.page("/joins", Right.SEE_MEMBERS)
async def list_joins(visit: Visit, page_from: str | None = None) -> Response:
    async with visit.database.read() as session:
        rows = await joins.list_joins(session, visit.course_id, limit=ROWS + 1, before=cursor_of(page_from))
        ids = {id for each in rows for id in (each.kept_member_id, each.merged_member_id) if id}
        members = await membership.by_ids(session, visit.course_id, ids)
    return visit.page(
        "manage/joins.html",
        "joins",
        joins=rows[:ROWS],
        members=members,
        next=rows[ROWS - 1].id if len(rows) > ROWS else None,
    )


router.act(
    "/joins/{join_id}/undo", actions.undo_join, "/joins", "member.unjoined", twice=[JoinUndone], again=list_joins
)
