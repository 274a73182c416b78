"""The join of two members: made, listed, and undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.courses import changes, course, members
from app.errors.members import (
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    MemberNotFound,
    MemberNotStudent,
    SameMember,
)
from app.errors.uploads import MemberRemoved
from app.storage.models import (
    Adjustment,
    Comment,
    Extension,
    LtiMember,
    LtiScore,
    MemberRole,
    Membership,
    Merge,
    Submission,
    Token,
    utc_now,
)
from app.storage.passback import members_changed
from app.teaching.joins import adjustments, attempts, extensions, persons, rows


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
        "submissions": await attempts.move(session, kept, other),
        "extensions": await extensions.move(session, kept, other),
        "adjustments": await adjustments.move(session, kept, other, made_by),
        "comments": await rows.move(session, Comment, kept, other),
        "tokens": await rows.move(session, Token, kept, other),
        # The platform's person gets the grades of the kept member.
        "scores": await rows.move(session, LtiScore, kept, other),
        "parts": await rows.move(session, LtiMember, kept, other, _is_new_for(kept)),
        "persons": await persons.change(session, kept, other),
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
    extended = await extensions.find(session, moved["extensions"])
    changed = [
        name
        for name, is_changed in (
            ("member", other.removed_at is None or other.role != MemberRole.STUDENT),
            ("extension", extensions.are_changed(moved["extensions"]["combined"], extended)),
            ("person", moved["persons"] and persons.ids(kept, other) != moved["persons"]["after"]),
        )
        if is_changed
    ]
    if changed:
        raise JoinOutdated(changed=changed)
    await attempts.put_back(session, moved["submissions"], kept, other)
    extensions.put_back(moved["extensions"], extended, other)
    await adjustments.put_back(session, moved["adjustments"], kept, other)
    await rows.put_back(session, Comment, moved["comments"], other)
    await rows.put_back(session, Token, moved["tokens"], other)
    # A join of an earlier version has moved none of these two.
    await rows.put_back(session, LtiScore, moved.get("scores", []), other)
    await rows.put_back(session, LtiMember, moved.get("parts", []), other)
    if moved["persons"]:
        await persons.put_back(session, moved["persons"], kept, other)
    other.removed_at = None
    if kept.confirmed_at == other.confirmed_at:
        kept.confirmed_at = rows.as_moment(moved["kept"]["confirmed_at"])
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
    return {"confirmed_at": rows.as_text(member.confirmed_at), "group": member.group}


def _is_new_for(kept: Membership) -> ColumnElement[bool]:
    """Choose the platforms' courses that have brought the other member only.

    They are the kept one's from now on, who leaves where such a course drops the person.
    """
    own = select(LtiMember.lti_context_id).where(LtiMember.membership_id == kept.id)
    return LtiMember.lti_context_id.not_in(own)
