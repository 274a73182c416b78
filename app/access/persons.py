"""Two persons who are the same human being: an admin merges them, and can undo it.

The members and identities of one become the other's. Nothing changes inside a course: two members of the same course
are joined there first (`app.teaching.joins`). A `Merge` row records everything that moved, so that it can be moved
back. The person who loses something has to sign in again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.courses import changes
from app.courses.members import is_same, take_course
from app.courses.membership import check_email
from app.errors import (
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    PersonNotFound,
    PersonsShareCourse,
    SameMember,
)
from app.storage.models import Identity, Membership, Merge, Person, Session, utc_now
from app.storage.paging import Paging
from app.storage.turns import take_turns


async def list_merges(session: AsyncSession, paging: Paging) -> Sequence[Merge]:
    """List the newest merges of persons, undone ones too."""
    of_persons = select(Merge).where(Merge.kept_person_id.is_not(None))
    return (await session.scalars(paging.of(of_persons, Merge.id))).all()


async def merges_of(session: AsyncSession, person_id: str) -> Sequence[Merge]:
    """List the merges in favour of a person, the newest first, undone ones too."""
    query = select(Merge).where(Merge.kept_person_id == person_id).order_by(Merge.id.desc())
    return (await session.scalars(query)).all()


async def merge(session: AsyncSession, kept_id: str, other_id: str, made_by: str) -> Merge:
    """Merge two persons. Merging them again changes nothing.

    Args:
        made_by: for the log.
    Raises:
        SameMember: the two are one already.
        PersonNotFound: one of them does not exist.
        PersonsShareCourse: both are members of a course; one who was removed there stays behind.
        EmailTaken: a member of one of the other's courses has the address of the kept one.
    """
    if kept_id == other_id:
        raise SameMember
    kept, other = await in_turn(session, kept_id, other_id)
    here = {member.course_id for member in await _members(session, kept)}
    theirs = await _members(session, other)
    if shared := sorted({each.course_id for each in theirs if each.course_id in here and each.removed_at is None}):
        raise PersonsShareCourse(courses=shared)
    moving = [member for member in theirs if member.course_id not in here]
    identities = (await session.scalars(select(Identity).where(Identity.person_id == other.id))).all()
    if not moving and not identities and (earlier := await _find_merge(session, kept, other)) is not None:
        return earlier
    return await move(session, kept, other, moving, identities, made_by)


async def move(
    session: AsyncSession,
    kept: Person,
    other: Person,
    members: Sequence[Membership],
    identities: Sequence[Identity],
    made_by: str,
) -> Merge:
    """Make these members and identities of one person another's in their turns, in a way that can be undone.

    Raises:
        EmailTaken: a member of one of the courses has the address of the kept one. Nothing has moved then.
    """
    await _check_emails(session, members, kept, other)
    for member in members:
        member.person_id = kept.id
        changes.log(session, member, made_by, {"person_id": other.id}, {"person_id": kept.id})
    for identity in identities:
        identity.person_id = kept.id
    await session.flush()
    await session.execute(delete(Session).where(Session.person_id == other.id))
    left = select(Membership.id).where(Membership.person_id == other.id).limit(1)
    merged = Merge(
        kept_person_id=kept.id,
        # A person who keeps other members remains a person: deleting or exporting one leaves the other alone.
        merged_person_id=other.id if await session.scalar(left) is None else None,
        moved={
            "person": other.id,
            "memberships": [member.id for member in members],
            "identities": [identity.id for identity in identities],
        },
        made_by=made_by,
    )
    session.add(merged)
    await session.flush()
    return merged


async def undo(session: AsyncSession, merge_id: str, made_by: str) -> Merge:
    """Take two merged persons apart.

    Both have to sign in again, because a session does not show which of the two it belonged to.

    Raises:
        JoinNotFound: no persons were merged under this id.
        JoinUndone: it was undone before.
        JoinFollowed: a later merge of one of the two has to be undone first.
        JoinOutdated: something that moved is now another person's, or the earlier person is gone or is another member
            of a course by now.
        EmailTaken: a third member of a course has got the address of the earlier person.
    """
    record = await session.get(Merge, merge_id)
    if record is None or record.kept_person_id is None:
        raise JoinNotFound
    try:
        kept, other = await in_turn(session, record.kept_person_id, record.moved["person"])
    except PersonNotFound as exc:
        raise JoinOutdated(changed=["person"]) from exc
    await session.refresh(record, with_for_update=True)
    if record.undone_at is not None:
        raise JoinUndone
    await check_last(session, record, Merge.kept_person_id, Merge.merged_person_id, kept.id, other.id)
    moved = record.moved
    members = (await session.scalars(select(Membership).where(Membership.id.in_(moved["memberships"])))).all()
    identities = (await session.scalars(select(Identity).where(Identity.id.in_(moved["identities"])))).all()
    there = {member.course_id for member in await _members(session, other)}
    owners = {member.person_id for member in members} | {identity.person_id for identity in identities}
    if owners - {kept.id} or there & {member.course_id for member in members}:
        raise JoinOutdated(changed=["person"])
    await _check_emails(session, members, other, kept, since=record.created_at)
    for member in members:
        member.person_id = other.id
        changes.log(session, member, made_by, {"person_id": kept.id}, {"person_id": other.id})
    for identity in identities:
        identity.person_id = other.id
    await session.execute(delete(Session).where(Session.person_id.in_([kept.id, other.id])))
    record.undone_at = utc_now()
    await session.flush()
    return record


async def in_turn(session: AsyncSession, *ids: str) -> list[Person]:
    """Find these persons in their turns, and take those of their courses.

    Until the caller's transaction ends, no other merge changes them, none of them joins a course of another, and no
    member of the courses gets their addresses.

    Raises:
        PersonNotFound: one is not there.
    """
    await take_turns(session, [f"person:{id}" for id in ids])
    courses = (await session.scalars(select(Membership.course_id).where(Membership.person_id.in_(ids)))).all()
    await take_turns(session, [f"person:{course}:{id}" for course in courses for id in ids])
    await take_course(session, *courses)
    persons = {person.id: person for person in await session.scalars(select(Person).where(Person.id.in_(ids)))}
    if set(ids) - persons.keys():
        raise PersonNotFound
    return [persons[id] for id in ids]


async def _members(session: AsyncSession, person: Person) -> Sequence[Membership]:
    theirs = select(Membership).where(Membership.person_id == person.id).order_by(Membership.id)
    # The lock keeps joins and claims of these members waiting.
    return (await session.scalars(theirs.with_for_update(key_share=True))).all()


async def _check_emails(
    session: AsyncSession, members: Sequence[Membership], owner: Person, before: Person, since: datetime | None = None
) -> None:
    """Check that the address with which these members go to another person is nobody else's in their courses.

    Args:
        since: members who were confirmed before may have it.
    Raises:
        EmailTaken
    """
    if not is_same("email", owner.email, before.email):
        for member in members:
            await check_email(session, member, owner.email, since=since)


async def _find_merge(session: AsyncSession, kept: Person, other: Person) -> Merge | None:
    both = Merge.kept_person_id == kept.id, Merge.merged_person_id == other.id, Merge.undone_at.is_(None)
    earlier: Merge | None = await session.scalar(select(Merge).where(*both).order_by(Merge.id.desc()).limit(1))
    return earlier


async def check_last(
    session: AsyncSession,
    merge: Merge,
    kept: InstrumentedAttribute[str | None],
    merged: InstrumentedAttribute[str | None],
    *both: str,
) -> None:
    """Raises: JoinFollowed: a later merge involves one of these `both`, on either side."""
    later = select(Merge.id).where(
        Merge.id > merge.id, Merge.undone_at.is_(None), or_(kept.in_(both), merged.in_(both))
    )
    if last := await session.scalar(later.order_by(Merge.id.desc()).limit(1)):
        raise JoinFollowed(join=last)
