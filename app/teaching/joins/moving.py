"""Moves everything that a member has to another one, and back: attempts, extensions, adjustments, and rows as they are.

Each `move_` returns what its `put_back_` needs, as JSON, which the `Merge` row keeps.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AttemptsRunning
from app.storage.models import (
    Adjustment,
    Check,
    Comment,
    Extension,
    JobStatus,
    LtiMember,
    LtiScore,
    Membership,
    NotebookCode,
    Submission,
    Token,
    utc_now,
)

EXTENDED = ("due", "closes", "more_attempts", "reason")
#: Rows that become the kept member's as they are. The platform's person gets the grades of the kept member.
ROWS: Mapping[str, type[Any]] = {
    "comments": Comment,
    "tokens": Token,
    "codes": NotebookCode,
    "checks": Check,
    "scores": LtiScore,
    "parts": LtiMember,
}


async def move_attempts(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
    """Number the attempts of both in one row, by time; return the numbers from before, by id.

    Raises:
        AttemptsRunning: an attempt of each is being graded. Only one of a member's is at a time; an index sees to it.
    """
    theirs = await _attempts_of(session, kept, other)
    if {each.membership_id for each in theirs if each.job_status == JobStatus.RUNNING} == {kept.id, other.id}:
        raise AttemptsRunning
    before: dict[str, dict[str, int]] = {kept.id: {}, other.id: {}}
    by_assignment = defaultdict(list)
    for each in sorted(theirs, key=lambda each: (each.created_at, each.id)):
        before[each.membership_id][each.id] = each.attempt
        by_assignment[each.course_assignment_id].append(each)
    numbers: dict[str, int] = {}
    for attempts in by_assignment.values():
        if len({each.membership_id for each in attempts}) == 2:
            numbers |= {each.id: number for number, each in enumerate(attempts, 1)}
    await _number(session, theirs, numbers, dict.fromkeys(before[other.id], kept))
    return {"kept": before[kept.id], "moved": before[other.id]}


async def put_back_attempts(
    session: AsyncSession, moved: Mapping[str, Mapping[str, int]], kept: Membership, other: Membership
) -> None:
    """Give the attempts their numbers from before. Later attempts are numbered after the kept member's."""
    attempts = await _attempts_of(session, kept)
    numbers = {**moved["kept"], **moved["moved"]}
    theirs = {each.course_assignment_id for each in attempts if each.id in moved["moved"]}
    last: defaultdict[str, int] = defaultdict(int)
    for each in attempts:
        last[each.course_assignment_id] = max(last[each.course_assignment_id], moved["kept"].get(each.id, 0))
    for each in sorted(attempts, key=lambda each: each.attempt):
        if each.id not in numbers and each.course_assignment_id in theirs:
            last[each.course_assignment_id] += 1
            numbers[each.id] = last[each.course_assignment_id]
    await _number(session, attempts, numbers, dict.fromkeys(moved["moved"], other))


async def _attempts_of(session: AsyncSession, *owners: Membership) -> Sequence[Submission]:
    """Find their attempts. No worker claims one, or ends a claim, before the transaction ends."""
    locked = _of(Submission, *owners).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


async def _number(
    session: AsyncSession, attempts: Sequence[Submission], numbers: Mapping[str, int], owners: Mapping[str, Membership]
) -> None:
    """Give attempts numbers and owners, by id. A number is unique, so all are set aside first."""
    for aside, each in enumerate(attempts, 1):
        if each.id in numbers:
            each.attempt = -aside
    await session.flush()
    for each in attempts:
        each.attempt = numbers.get(each.id, each.attempt)
        if (owner := owners.get(each.id)) is not None:
            each.membership_id, each.student = owner.id, owner.external_id or each.student
    await session.flush()


async def move_extensions(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
    """Move the extensions. Where both have one, the kept member gets the more generous of each value."""
    extensions = (await session.scalars(_of(Extension, kept, other).with_for_update())).all()
    own = {each.course_assignment_id: each for each in extensions if each.membership_id == kept.id}
    moved, combined = [], {}
    for each in extensions:
        if each.membership_id == kept.id:
            continue
        if (mine := own.get(each.course_assignment_id)) is None:
            each.membership_id = kept.id
            moved.append(each.id)
            continue
        before = _extension_values(mine)
        mine.due, mine.closes = _later(mine.due, each.due), _later(mine.closes, each.closes)
        mine.more_attempts = max(mine.more_attempts, each.more_attempts)
        mine.reason = mine.reason if mine.reason == each.reason else f"{mine.reason}; {each.reason}"
        combined[mine.id] = {"before": before, "after": _extension_values(mine)}
    await session.flush()
    return {"moved": moved, "combined": combined}


async def put_back_extensions(
    session: AsyncSession, moved: Mapping[str, Any], kept: Membership, other: Membership
) -> bool:
    """Give moved extensions back, and combined ones their values from before.

    Returns:
        False: the owner is unclear, because a combined extension was changed since, or the other member has
        got one where one moved.
    """
    now = {each.id: each for each in await session.scalars(_of(Extension, kept, other).with_for_update())}
    taken = {each.course_assignment_id for each in now.values() if each.membership_id == other.id}
    for id in now.keys() & moved["moved"]:
        if now[id].course_assignment_id in taken:
            return False
        now[id].membership_id = other.id
    for id in now.keys() & moved["combined"].keys():
        values = moved["combined"][id]
        if _extension_values(now[id]) != values["after"]:
            return False
        before = values["before"]
        now[id].due, now[id].closes = as_moment(before["due"]), as_moment(before["closes"])
        now[id].more_attempts, now[id].reason = before["more_attempts"], before["reason"]
    return True


def _extension_values(extension: Extension) -> dict[str, Any]:
    values = {name: getattr(extension, name) for name in EXTENDED}
    return {name: as_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(filter(None, (first, second)), default=None)


async def move_adjustments(session: AsyncSession, kept: Membership, other: Membership, made_by: str) -> dict[str, Any]:
    """Move the adjustments. Where both have one that applies, the newer one does; the other ends."""
    adjustments = (await session.scalars(_of(Adjustment, kept, other).with_for_update())).all()
    now, ended = utc_now(), []
    newest = {each.course_assignment_id: each for each in adjustments if each.ended_at is None}
    for each in adjustments:
        if each.ended_at is None and newest[each.course_assignment_id] is not each:
            each.ended_at, each.ended_by = now, made_by
            ended.append(each.id)
    moved = [each for each in adjustments if each.membership_id == other.id]
    for each in moved:
        each.membership_id = kept.id
    await session.flush()
    return {"moved": [each.id for each in moved], "ended": ended, "ended_at": as_text(now)}


async def put_back_adjustments(
    session: AsyncSession, moved: Mapping[str, Any], kept: Membership, other: Membership
) -> bool:
    """Give the adjustments back. One that was made since stays with the kept member, and has ended none of the other's.

    It is also the one that applies there: no earlier one of the kept member's does again.

    Returns:
        False: the owner is unclear, because the other member has got one where one moved.
    """
    adjustments = (await session.scalars(_of(Adjustment, kept, other))).all()
    back = [each for each in adjustments if each.id in moved["moved"]]
    stay = [each for each in adjustments if each.membership_id == kept.id and each not in back]
    new = {each.course_assignment_id for each in adjustments if each.membership_id == other.id and not each.ended_at}
    if new & {each.course_assignment_id for each in back}:
        return False
    # An adjustment that replaces another one begins when that one ends.
    replacing = {(each.course_assignment_id, each.created_at) for each in stay}
    applying = {each.course_assignment_id for each in stay if each.ended_at is None}
    for each in adjustments:
        use = each.course_assignment_id
        applies = each.id in moved["ended"] and as_text(each.ended_at) == moved["ended_at"]
        if each in back:
            each.membership_id = other.id
            applies = applies or (use, each.ended_at) in replacing
        elif use in applying:
            applies = False
        if applies:
            each.ended_at = each.ended_by = None
    return True


async def move_rows(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, list[str]]:
    """Move the rows that become the kept member's as they are; return their ids, by the names of `ROWS`."""
    moved = {}
    for name, table in ROWS.items():
        query = _of(table, other)
        if table is LtiMember:
            # Only the rows of platform courses that the kept member is not in. The kept member leaves when such a
            # course drops the person.
            own = select(LtiMember.lti_context_id).where(LtiMember.membership_id == kept.id)
            query = query.where(LtiMember.lti_context_id.not_in(own))
        elif table is NotebookCode:
            # A member has one; the page of the kept member shows it.
            query = query.where(~exists().where(NotebookCode.membership_id == kept.id))
        moved[name] = _give((await session.scalars(query)).all(), kept)
    return moved


async def put_back_rows(session: AsyncSession, moved: Mapping[str, Any], other: Membership) -> None:
    """Give rows back that were moved. A join of an earlier version has moved no scores and parts."""
    for name, table in ROWS.items():
        ids = moved.get(name, [])
        _give((await session.scalars(select(table).where(table.id.in_(ids)))).all(), other)


def as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def as_moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _of(table: type[Any], *owners: Membership) -> Select[Any]:
    """Select what these members have, in the order of other transactions."""
    return select(table).where(table.membership_id.in_([member.id for member in owners])).order_by(table.id)


def _give(rows: Sequence[Any], owner: Membership) -> list[str]:
    for each in rows:
        each.membership_id = owner.id
        if isinstance(each, Token):
            each.student = owner.external_id
    return [each.id for each in rows]
