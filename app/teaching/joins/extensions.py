"""The extensions of two joined members."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Extension, Membership
from app.teaching.joins.rows import as_moment, as_text, still_there

EXTENDED = ("due", "closes", "more_attempts", "reason")


async def move(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
    """Move the extensions. Where both have one, the kept member gets the more generous of each value."""
    of_both = select(Extension).where(Extension.membership_id.in_([kept.id, other.id])).order_by(Extension.id)
    found = (await session.scalars(of_both.with_for_update())).all()
    own = {each.course_assignment_id: each for each in found if each.membership_id == kept.id}
    moved, combined = [], {}
    for each in found:
        if each.membership_id == kept.id:
            continue
        if (mine := own.get(each.course_assignment_id)) is None:
            each.membership_id = kept.id
            moved.append(each.id)
            continue
        before = _extended(mine)
        mine.due, mine.closes = _later(mine.due, each.due), _later(mine.closes, each.closes)
        mine.more_attempts = max(mine.more_attempts, each.more_attempts)
        mine.reason = mine.reason if mine.reason == each.reason else f"{mine.reason}; {each.reason}"
        combined[mine.id] = {"before": before, "after": _extended(mine)}
    await session.flush()
    return {"moved": moved, "combined": combined}


async def find(session: AsyncSession, moved: Mapping[str, Any]) -> dict[str, Extension]:
    """Find the extensions that a join has moved or combined, by id."""
    found = await still_there(session, Extension, [*moved["moved"], *moved["combined"]])
    return {each.id: each for each in found}


def are_changed(combined: Mapping[str, Any], now: Mapping[str, Extension]) -> bool:
    """Tell whether one that was combined says something else now."""
    return any(id in now and _extended(now[id]) != values["after"] for id, values in combined.items())


def put_back(moved: Mapping[str, Any], now: Mapping[str, Extension], other: Membership) -> None:
    """Give moved extensions back, and combined ones their values from before."""
    for id in moved["moved"]:
        if id in now:
            now[id].membership_id = other.id
    for id, values in moved["combined"].items():
        if id in now:
            before = values["before"]
            now[id].due, now[id].closes = as_moment(before["due"]), as_moment(before["closes"])
            now[id].more_attempts, now[id].reason = before["more_attempts"], before["reason"]


def _extended(extension: Extension) -> dict[str, Any]:
    values = {name: getattr(extension, name) for name in EXTENDED}
    return {name: as_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(filter(None, (first, second)), default=None)
