"""Joins: two members of a course who are one student become one member, and can be taken apart again.

The kept member gets the other one's attempts, numbered by their time together with the own ones, extensions,
adjustments, comments, and tokens with their links. The other one is removed and keeps nothing but the log. A `Merge`
row has the values from before of everything that moved, and undoing puts them back; what came since stays with the kept
member.

Persons are another matter: a teacher does not decide whether two of them are one, because each may have rights in other
courses. Only where single sign-on leads to the other one's person, and the kept one's person is in no other course and
has none of its own, the two members change persons, so that the student still gets in. A launch from a platform needs
no person: it follows the join (`app.lti.launch.people`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.courses import changes, course, members
from app.errors import (
    AttemptsRunning,
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    MemberNotFound,
    MemberNotStudent,
    MemberRemoved,
    SameMember,
)
from app.storage.models import (
    OF_PLATFORMS,
    Adjustment,
    Comment,
    Extension,
    Identity,
    JobStatus,
    LtiMember,
    LtiScore,
    MemberRole,
    Membership,
    Merge,
    Person,
    Submission,
    Token,
    new_id,
    utc_now,
)
from app.storage.passback import members_changed

EXTENDED = ("due", "closes", "more_attempts", "reason")


async def list_joins(
    session: AsyncSession, course_id: str, *, limit: int, before: str | None = None
) -> Sequence[Merge]:
    """List the newest joins of a course, undone ones too.

    Args:
        before: an id; only older ones are listed.
    """
    conditions = [Merge.course_id == course_id, *([Merge.id < before] if before else [])]
    return (await session.scalars(select(Merge).where(*conditions).order_by(Merge.id.desc()).limit(limit))).all()


async def join(session: AsyncSession, course_id: str, kept_id: str, other_id: str, made_by: str) -> Merge:
    """Join two students of a course.

    Args:
        made_by: for the log.
    Raises:
        CourseArchived: nothing there changes any more.
        SameMember: the two are one already.
        MemberNotFound: the course has not both of them.
        MemberNotStudent: one is a teacher or an assistant.
        MemberRemoved: one was removed.
        AttemptsRunning: an attempt of each is being graded.
    """
    if kept_id == other_id:
        raise SameMember
    kept, other = await _in_turn(session, course_id, kept_id, other_id)
    if {kept.role, other.role} != {MemberRole.STUDENT}:
        raise MemberNotStudent
    if kept.removed_at is not None or other.removed_at is not None:
        raise MemberRemoved
    moved: dict[str, Any] = {
        "member": _state(other),
        "kept": _state(kept),
        "submissions": await _move_attempts(session, kept, other),
        "extensions": await _move_extensions(session, kept, other),
        "adjustments": await _move_adjustments(session, kept, other, made_by),
        "comments": await _move_comments(session, kept, other),
        "tokens": await _move_tokens(session, kept, other),
        "scores": await _move_scores(session, kept, other),
        "parts": await _move_parts(session, kept, other),
        "persons": await _change_persons(session, kept, other),
    }
    other.removed_at = utc_now()
    kept.confirmed_at = kept.confirmed_at or other.confirmed_at
    kept.group = kept.group or other.group
    merge = Merge(course_id=course_id, kept_member_id=kept.id, merged_member_id=other.id, moved=moved, made_by=made_by)
    session.add(merge)
    await session.flush()
    await members_changed(session, [kept.id, other.id])
    changes.log(session, kept, made_by, {}, {"joined": other.id})
    changes.log(session, other, made_by, {"removed": False}, {"removed": True, "joined_to": kept.id})
    return merge


@dataclass(frozen=True)
class Moving:
    """Numbers of what would move by a join. Attributes: tokens: that work, with personal links."""

    attempts: int
    extensions: int
    adjustments: int
    comments: int
    tokens: int


async def would_move(session: AsyncSession, other: Membership) -> Moving:
    """Count what a member would give to another one."""

    async def count(table: type[Any], *conditions: Any) -> int:
        of_other = select(func.count()).select_from(table).where(table.membership_id == other.id, *conditions)
        return await session.scalar(of_other) or 0

    return Moving(
        await count(Submission),
        await count(Extension),
        await count(Adjustment, Adjustment.ended_at.is_(None)),
        await count(Comment),
        await count(Token, Token.revoked_at.is_(None)),
    )


async def undo(session: AsyncSession, course_id: str, merge_id: str, made_by: str) -> Merge:
    """Take two joined members apart.

    Raises:
        CourseArchived: nothing there changes any more.
        JoinNotFound: the course has none with this id.
        JoinUndone: it was undone before.
        JoinFollowed: a later join of one of the two has to be undone first.
        JoinOutdated: the removed member was taken back, or an extension or a person was changed since.
    """
    merge = await session.get(Merge, merge_id)
    if merge is None or merge.course_id != course_id:
        raise JoinNotFound
    assert merge.kept_member_id is not None
    assert merge.merged_member_id is not None
    kept, other = await _in_turn(session, course_id, merge.kept_member_id, merge.merged_member_id)
    await session.refresh(merge, with_for_update=True)
    if merge.undone_at is not None:
        raise JoinUndone
    await _check_last(session, merge)
    moved = merge.moved
    extensions = await _extensions(session, moved["extensions"])
    changed = [
        name
        for name, is_changed in (
            ("member", other.removed_at is None or other.role != MemberRole.STUDENT),
            ("extension", _are_changed(moved["extensions"]["combined"], extensions)),
            ("person", moved["persons"] and _persons_of(kept, other) != moved["persons"]["after"]),
        )
        if is_changed
    ]
    if changed:
        raise JoinOutdated(changed=changed)
    await _put_attempts_back(session, moved["submissions"], kept, other)
    _put_extensions_back(moved["extensions"], extensions, other)
    await _put_adjustments_back(session, moved["adjustments"], kept, other)
    for comment in await _rows(session, Comment, moved["comments"]):
        comment.membership_id = other.id
    for token in await _rows(session, Token, moved["tokens"]):
        token.membership_id, token.student = other.id, other.external_id
    # A join of an earlier version has moved none.
    for score in await _rows(session, LtiScore, moved.get("scores", [])):
        score.membership_id = other.id
    for part in await _rows(session, LtiMember, moved.get("parts", [])):
        part.membership_id = other.id
    if moved["persons"]:
        await _exchange_persons(session, kept, other)
        for name, value in (moved["persons"]["named"] or {}).items():
            setattr(other.person, name, value)
    other.removed_at = None
    if kept.confirmed_at == other.confirmed_at:
        kept.confirmed_at = _moment(moved["kept"]["confirmed_at"])
    if kept.group == other.group:
        kept.group = moved["kept"]["group"]
    merge.undone_at = utc_now()
    await session.flush()
    await members_changed(session, [kept.id, other.id])
    changes.log(session, kept, made_by, {"joined": other.id}, {})
    changes.log(session, other, made_by, {"removed": True, "joined_to": kept.id}, {"removed": False})
    return merge


async def _in_turn(session: AsyncSession, course_id: str, kept_id: str, other_id: str) -> tuple[Membership, Membership]:
    """Find two members with their persons, in their turns; nobody else changes them meanwhile."""
    await course.keep_open(session, course_id)
    found = await _find(session, course_id, kept_id, other_id)
    names = [(course_id, member.external_id or member.id) for member in found.values()]
    await members.take_turns(session, names)
    await members.take_course(session, course_id)
    found = await _find(session, course_id, kept_id, other_id, locked=True)
    if kept_id not in found or other_id not in found:
        raise MemberNotFound
    return found[kept_id], found[other_id]


async def _find(session: AsyncSession, course_id: str, *ids: str, locked: bool = False) -> dict[str, Membership]:
    found = (
        select(Membership)
        .join(Membership.person)
        .where(Membership.id.in_(ids), Membership.course_id == course_id)
        .options(contains_eager(Membership.person))
        .order_by(Membership.id)
        .execution_options(populate_existing=True)
    )
    if locked:
        found = found.with_for_update(of=Membership, key_share=True)
    return {member.id: member for member in await session.scalars(found)}


async def _check_last(session: AsyncSession, merge: Merge) -> None:
    """Raises: JoinFollowed: one of the two was joined again since."""
    both = [merge.kept_member_id, merge.merged_member_id]
    later = (
        select(Merge.id)
        .where(
            Merge.id > merge.id,
            Merge.undone_at.is_(None),
            or_(Merge.kept_member_id.in_(both), Merge.merged_member_id.in_(both)),
        )
        .order_by(Merge.id.desc())
    )
    if last := await session.scalar(later.limit(1)):
        raise JoinFollowed(join=last)


def _state(member: Membership) -> dict[str, Any]:
    return {"confirmed_at": _text(member.confirmed_at), "group": member.group}


async def _attempts_of(session: AsyncSession, *owners: Membership) -> Sequence[Submission]:
    """Find their attempts. No worker claims one, or ends a claim, before the transaction ends."""
    theirs = select(Submission).where(Submission.membership_id.in_([member.id for member in owners]))
    locked = theirs.order_by(Submission.id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(locked)).all()


async def _move_attempts(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
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


async def _put_attempts_back(
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


async def _move_extensions(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any]:
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


async def _extensions(session: AsyncSession, moved: Mapping[str, Any]) -> dict[str, Extension]:
    found = await _rows(session, Extension, [*moved["moved"], *moved["combined"]])
    return {each.id: each for each in found}


def _are_changed(combined: Mapping[str, Any], now: Mapping[str, Extension]) -> bool:
    return any(id in now and _extended(now[id]) != values["after"] for id, values in combined.items())


def _put_extensions_back(moved: Mapping[str, Any], now: Mapping[str, Extension], other: Membership) -> None:
    for id in moved["moved"]:
        if id in now:
            now[id].membership_id = other.id
    for id, values in moved["combined"].items():
        if id in now:
            before = values["before"]
            now[id].due, now[id].closes = _moment(before["due"]), _moment(before["closes"])
            now[id].more_attempts, now[id].reason = before["more_attempts"], before["reason"]


async def _move_adjustments(session: AsyncSession, kept: Membership, other: Membership, made_by: str) -> dict[str, Any]:
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
    return {"moved": [each.id for each in moved], "ended": ended, "ended_at": _text(now)}


async def _put_adjustments_back(
    session: AsyncSession, moved: Mapping[str, Any], kept: Membership, other: Membership
) -> None:
    """Give the adjustments back. One that was made since stays with the kept member, and has ended none of the other's.

    It is also the one that applies there: no earlier one of the kept member's does again.
    """
    of_kept = select(Adjustment).where(Adjustment.membership_id == kept.id, Adjustment.id.not_in(moved["moved"]))
    stay = (await session.scalars(of_kept)).all()
    # An adjustment that replaces another one begins when that one ends.
    replacing = {(each.course_assignment_id, each.created_at) for each in stay}
    applying = {each.course_assignment_id for each in stay if each.ended_at is None}
    for each in await _rows(session, Adjustment, moved["moved"]):
        each.membership_id = other.id
        if (each.course_assignment_id, each.ended_at) in replacing:
            each.ended_at = each.ended_by = None
    for each in await _rows(session, Adjustment, moved["ended"]):
        is_replaced = each.membership_id == kept.id and each.course_assignment_id in applying
        if _text(each.ended_at) == moved["ended_at"] and not is_replaced:
            each.ended_at = each.ended_by = None


async def _move_comments(session: AsyncSession, kept: Membership, other: Membership) -> list[str]:
    found = (await session.scalars(select(Comment).where(Comment.membership_id == other.id))).all()
    for each in found:
        each.membership_id = kept.id
    return [each.id for each in found]


async def _move_tokens(session: AsyncSession, kept: Membership, other: Membership) -> list[str]:
    found = (await session.scalars(select(Token).where(Token.membership_id == other.id))).all()
    for each in found:
        each.membership_id, each.student = kept.id, kept.external_id
    return [each.id for each in found]


async def _move_scores(session: AsyncSession, kept: Membership, other: Membership) -> list[str]:
    """Let the platform's person get the grades of the kept member."""
    found = (await session.scalars(select(LtiScore).where(LtiScore.membership_id == other.id))).all()
    for each in found:
        each.membership_id = kept.id
    return [each.id for each in found]


async def _move_parts(session: AsyncSession, kept: Membership, other: Membership) -> list[str]:
    """Let the kept member leave where a platform's course that has brought the other one drops the person."""
    own = select(LtiMember.lti_context_id).where(LtiMember.membership_id == kept.id)
    of_other = LtiMember.membership_id == other.id, LtiMember.lti_context_id.not_in(own)
    found = (await session.scalars(select(LtiMember).where(*of_other))).all()
    for each in found:
        each.membership_id = kept.id
    return [each.id for each in found]


async def _change_persons(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any] | None:
    """Let the members change persons, if only the other one's can get in; return what is needed to undo that."""
    if not await _has_more(session, other) or await _has_more(session, kept):
        return None
    named = None if await _is_elsewhere(session, other) else _named(other.person)
    roster = _named(kept.person)
    await _exchange_persons(session, kept, other)
    if named is not None:  # Else name and address are not this course's to change.
        # The address stays the person's own: the links of a course that comes later go to it.
        kept.person.name = roster["name"] or named["name"]
    return {"named": named, "after": _persons_of(kept, other)}


async def _has_more(session: AsyncSession, member: Membership) -> bool:
    """Tell whether the person has an identity of single sign-on, or is in another course."""
    of = Identity.person_id == member.person_id, ~Identity.issuer.startswith(OF_PLATFORMS)
    identity = select(Identity.id).where(*of).limit(1)
    return await session.scalar(identity) is not None or await _is_elsewhere(session, member)


async def _is_elsewhere(session: AsyncSession, member: Membership) -> bool:
    others = select(Membership.id).where(Membership.person_id == member.person_id, Membership.id != member.id)
    return await session.scalar(others.limit(1)) is not None


async def _exchange_persons(session: AsyncSession, kept: Membership, other: Membership) -> None:
    """Exchange two members' persons; a course has each once, so one stands aside for a moment."""
    first, second = kept.person, other.person
    aside = Person(id=new_id())
    session.add(aside)
    for member, person in ((other, aside), (kept, second), (other, first)):
        member.person = person
        await session.flush()
    await session.delete(aside)
    await session.flush()


def _persons_of(kept: Membership, other: Membership) -> list[str]:
    return [kept.person_id, other.person_id]


def _named(person: Person) -> dict[str, str | None]:
    return {"name": person.name, "email": person.email}


async def _rows(session: AsyncSession, table: type[Any], ids: Collection[str]) -> Sequence[Any]:
    """Find those of these rows that have not been deleted since."""
    return (await session.scalars(select(table).where(table.id.in_(ids)))).all()


def _extended(extension: Extension) -> dict[str, Any]:
    values = {name: getattr(extension, name) for name in EXTENDED}
    return {name: _text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _later(first: datetime | None, second: datetime | None) -> datetime | None:
    return max(filter(None, (first, second)), default=None)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
