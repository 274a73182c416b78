"""The adjustments of two joined members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Adjustment, Membership, utc_now
from app.teaching.joins.rows import as_text, still_there


async def move(session: AsyncSession, kept: Membership, other: Membership, made_by: str) -> dict[str, Any]:
    """Move the adjustments. Where both have one that applies, the newer one does; the other ends."""
    of_both = select(Adjustment).where(Adjustment.membership_id.in_([kept.id, other.id])).order_by(Adjustment.id)
    found = (await session.scalars(of_both.with_for_update())).all()
    now, ended = utc_now(), []
    newest = {each.course_assignment_id: each for each in found if each.ended_at is None}
    for each in found:
        if each.ended_at is None and newest[each.course_assignment_id] is not each:
            each.ended_at, each.ended_by = now, made_by
            ended.append(each.id)
    moved = [each for each in found if each.membership_id == other.id]
    for each in moved:
        each.membership_id = kept.id
    await session.flush()
    return {"moved": [each.id for each in moved], "ended": ended, "ended_at": as_text(now)}


async def put_back(session: AsyncSession, moved: Mapping[str, Any], kept: Membership, other: Membership) -> None:
    """Give the adjustments back. One that was made since stays with the kept member, and has ended none of the other's.

    It is also the one that applies there: no earlier one of the kept member's does again.
    """
    of_kept = select(Adjustment).where(Adjustment.membership_id == kept.id, Adjustment.id.not_in(moved["moved"]))
    stay = (await session.scalars(of_kept)).all()
    # An adjustment that replaces another one begins when that one ends.
    replacing = {(each.course_assignment_id, each.created_at) for each in stay}
    applying = {each.course_assignment_id for each in stay if each.ended_at is None}
    for each in await still_there(session, Adjustment, moved["moved"]):
        each.membership_id = other.id
        if (each.course_assignment_id, each.ended_at) in replacing:
            each.ended_at = each.ended_by = None
    for each in await still_there(session, Adjustment, moved["ended"]):
        is_replaced = each.membership_id == kept.id and each.course_assignment_id in applying
        if as_text(each.ended_at) == moved["ended_at"] and not is_replaced:
            each.ended_at = each.ended_by = None
