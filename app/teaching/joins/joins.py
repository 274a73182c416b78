"""Joins of two members: make, list and undo them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.persons import check_last
from app.courses import changes, course, members, membership
from app.errors import JoinNotFound, JoinOutdated, JoinUndone, MemberNotStudent, MemberRemoved, SameMember
from app.storage.announcements import announce_queued
from app.storage.models import Adjustment, Comment, Extension, MemberRole, Membership, Merge, Submission, Token, utc_now
from app.storage.paging import Paging
from app.storage.passback import members_changed
from app.teaching.joins import moving, persons


async def list_joins(session: AsyncSession, course_id: str, paging: Paging) -> Sequence[Merge]:
    """List the newest joins of a course, undone ones too."""
    return (await session.scalars(paging.of(select(Merge).where(Merge.course_id == course_id), Merge.id))).all()


async def join(session: AsyncSession, course_id: str, kept_id: str, other_id: str, made_by: str) -> Merge:
    """Join two students of a course. Joining the same two again changes nothing.

    Args:
        made_by: for the log.
    Raises:
        CourseArchived: nothing there changes any more.
        SameMember: the two are one already.
        MemberNotFound: one of them is not in the course.
        MemberNotStudent: one is a teacher or an assistant.
        MemberRemoved: one was removed.
        AttemptsRunning: an attempt of each is being graded.
    """
    if kept_id == other_id:
        raise SameMember
    kept, other = await _in_turn(session, course_id, kept_id, other_id)
    earlier = await membership.join_of(session, other)
    if earlier is not None and earlier.kept_member_id == kept.id:
        return earlier
    if {kept.role, other.role} != {MemberRole.STUDENT}:
        raise MemberNotStudent
    if kept.removed_at is not None or other.removed_at is not None:
        raise MemberRemoved
    moved: dict[str, Any] = {
        "kept": {"confirmed_at": moving.as_text(kept.confirmed_at), "group": kept.group},
        "submissions": await moving.move_attempts(session, kept, other),
        "extensions": await moving.move_extensions(session, kept, other),
        "adjustments": await moving.move_adjustments(session, kept, other, made_by),
        **await moving.move_rows(session, kept, other),
        "persons": await persons.change(session, kept, other),
    }
    other.removed_at = utc_now()
    kept.confirmed_at = kept.confirmed_at or other.confirmed_at
    kept.group = kept.group or other.group
    # News that the student has not seen as one of the two stays new.
    if kept.news_seen_at is not None:
        kept.news_seen_at = other.news_seen_at and min(kept.news_seen_at, other.news_seen_at)
    merge = Merge(course_id=course_id, kept_member_id=kept.id, merged_member_id=other.id, moved=moved, made_by=made_by)
    session.add(merge)
    await session.flush()
    await members_changed(session, [kept.id, other.id])
    changes.log(session, kept, made_by, {}, {"joined": other.id})
    changes.log(session, other, made_by, {"removed": False}, {"removed": True, "joined_to": kept.id})
    return merge


@dataclass(frozen=True)
class Moving:
    """Numbers of the rows that a join would move. Attributes: tokens: that work, with personal links."""

    attempts: int
    extensions: int
    adjustments: int
    comments: int
    tokens: int


async def would_move(session: AsyncSession, other: Membership) -> Moving:
    """Count the rows that a join would move from this member."""
    counts = [
        select(func.count()).where(table.membership_id == other.id, *conditions).scalar_subquery()
        for table, *conditions in (
            (Submission,),
            (Extension,),
            (Adjustment, Adjustment.ended_at.is_(None)),
            (Comment,),
            (Token, Token.revoked_at.is_(None)),
        )
    ]
    return Moving(*(await session.execute(select(*counts))).one())


async def undo(session: AsyncSession, course_id: str, merge_id: str, made_by: str) -> Merge:
    """Take two joined members apart.

    Raises:
        CourseArchived: nothing there changes any more.
        JoinNotFound: the course has none with this id.
        JoinUndone: it was undone before.
        JoinFollowed: a later join of one of the two has to be undone first.
        JoinOutdated: the removed member was taken back, or got an extension or an adjustment; or one that was combined,
            or a person, was changed since.
        EmailTaken: a third member has got the address of one of the two.
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
    await check_last(session, merge, Merge.kept_member_id, Merge.merged_member_id, kept.id, other.id)
    moved = merge.moved
    is_known = {
        "member": other.removed_at is not None and other.role == MemberRole.STUDENT,
        "extension": await moving.put_back_extensions(session, moved["extensions"], kept, other),
        "adjustment": await moving.put_back_adjustments(session, moved["adjustments"], kept, other),
        "person": not moved["persons"] or [kept.person_id, other.person_id] == moved["persons"]["after"],
    }
    if changed := [name for name, is_unchanged in is_known.items() if not is_unchanged]:
        raise JoinOutdated(changed=changed)
    await moving.put_back_attempts(session, moved["submissions"], kept, other)
    await moving.put_back_rows(session, moved, other)
    if moved["persons"]:
        await persons.put_back(session, moved["persons"], kept, other)
    other.removed_at = None
    if kept.confirmed_at == other.confirmed_at:
        kept.confirmed_at = moving.as_moment(moved["kept"]["confirmed_at"])
    if kept.group == other.group:
        kept.group = moved["kept"]["group"]
    merge.undone_at = utc_now()
    await session.flush()
    for member, joined_with in ((kept, other), (other, kept)):
        email = member.person.email
        await membership.check_email(session, member, email, joined_with=joined_with.id, since=merge.created_at)
    await announce_queued(session)  # Attempts of two students may be graded at the same time again.
    await members_changed(session, [kept.id, other.id])
    changes.log(session, kept, made_by, {"joined": other.id}, {})
    changes.log(session, other, made_by, {"removed": True, "joined_to": kept.id}, {"removed": False})
    return merge


async def _in_turn(session: AsyncSession, course_id: str, kept_id: str, other_id: str) -> tuple[Membership, Membership]:
    """Find two members with their persons, in their turns; nobody else changes them meanwhile."""
    await course.keep_open(session, course_id)
    both = await membership.by_ids(session, course_id, [kept_id, other_id])
    await members.take_turns(session, [(course_id, member.external_id or member.id) for member in both.values()])
    await members.take_course(session, course_id)
    locked = {id: await membership.find(session, course_id, id, locked=True) for id in sorted((kept_id, other_id))}
    return locked[kept_id], locked[other_id]
