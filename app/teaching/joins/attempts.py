"""The attempts of two joined members: one row of numbers, by time, and the numbers from before when they part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors.members import AttemptsRunning
from app.storage.models import JobStatus, Membership, Submission


async def move(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
    """Move the attempts; return the numbers from before, by id."""
    found = await _attempts_of(session, kept, other)
    # Only one attempt of a member runs at a time; an index sees to it.
    if {each.membership_id for each in found if each.job_status == JobStatus.RUNNING} == {kept.id, other.id}:
        raise AttemptsRunning
    before = {
        member.id: {each.id: each.attempt for each in found if each.membership_id == member.id}
        for member in (kept, other)
    }
    by_assignment = defaultdict(list)
    for each in found:
        by_assignment[each.course_assignment_id].append(each)
    numbers: dict[str, int] = {}
    for attempts in by_assignment.values():
        if {each.membership_id for each in attempts} == {kept.id, other.id}:
            ordered = sorted(attempts, key=lambda each: (each.created_at, each.id))
            numbers |= {each.id: number for number, each in enumerate(ordered, 1)}
    await _number(session, found, numbers, dict.fromkeys(before[other.id], kept))
    return {"kept": before[kept.id], "moved": before[other.id]}


async def put_back(
    session: AsyncSession, moved: Mapping[str, Mapping[str, int]], kept: Membership, other: Membership
) -> None:
    """Give the attempts their numbers from before. Those that came since go on after the kept member's."""
    found = await _attempts_of(session, kept)
    theirs = {each.course_assignment_id for each in found if each.id in moved["moved"]}
    numbers: dict[str, int] = {}
    last: defaultdict[str, int] = defaultdict(int)
    for each in found:
        if each.id in moved["kept"] and each.course_assignment_id in theirs:
            numbers[each.id] = moved["kept"][each.id]
            last[each.course_assignment_id] = max(last[each.course_assignment_id], numbers[each.id])
    for each in sorted(found, key=lambda each: each.attempt):
        if each.id not in moved["kept"] and each.id not in moved["moved"] and each.course_assignment_id in theirs:
            last[each.course_assignment_id] += 1
            numbers[each.id] = last[each.course_assignment_id]
    here = {each.id for each in found}
    back = {id: number for id, number in moved["moved"].items() if id in here}
    await _number(session, found, {**numbers, **back}, dict.fromkeys(back, other))


async def _attempts_of(session: AsyncSession, *owners: Membership) -> Sequence[Submission]:
    """Find their attempts. No worker claims one, or ends a claim, before the transaction ends."""
    theirs = select(Submission).where(Submission.membership_id.in_([member.id for member in owners]))
    locked = theirs.order_by(Submission.id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


async def _number(
    session: AsyncSession,
    found: Collection[Submission],
    numbers: Mapping[str, int],
    owners: Mapping[str, Membership],
) -> None:
    """Give attempts numbers and owners, by id. A number is unique, so all are set aside first."""
    for aside, each in enumerate(found, 1):
        if each.id in numbers:
            each.attempt = -aside
    await session.flush()
    for each in found:
        each.attempt = numbers.get(each.id, each.attempt)
        if (owner := owners.get(each.id)) is not None:
            each.membership_id, each.student = owner.id, owner.external_id or each.student
    await session.flush()
