"""Single members of a course: list, add, change, remove and restore them, with a line in the log for each change.

A caller names the roles that it manages: a teacher's are students and assistants, so a teacher neither makes, changes
nor removes a teacher. Every change is made in the student's turn, in which uploads are stored too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes, course, members
from app.courses.matching import matches
from app.errors import EmailTaken, ExternalIdTaken, MemberJoined, MemberNotFound, NotPermitted, PersonShared, existing
from app.mail.addresses import comparable
from app.storage.memberships import are_students, with_persons
from app.storage.models import OF_PLATFORMS, Identity, MemberRole, Membership, Merge, Person, Submission, Token, utc_now
from app.storage.paging import Paging
from app.storage.updates import update_rows

OF_PERSON = frozenset({"name", "email"})
#: Students who are offered as perhaps the same one.
MOST_ALIKE = 20
#: How a member joined: the platform (`Identity`), a join link, or empty for a roster or a teacher.
_WAY = func.coalesce(
    select(func.min(Identity.issuer))
    .where(Identity.person_id == Membership.person_id, Identity.issuer.startswith(OF_PLATFORMS))
    .correlate(Membership)
    .scalar_subquery(),
    case((Membership.join_link_id.is_not(None), "join"), else_=""),
)


@dataclass(frozen=True)
class Members:
    """A choice of members.

    Attributes:
        text: words of the id, the name and the address (`matching.matches`). None: any.
    """

    role: MemberRole | None = None
    group: str | None = None
    confirmed: bool | None = None
    removed: bool | None = None
    text: str | None = None

    async def conditions(self, session: AsyncSession, course_id: str) -> list[ColumnElement[bool]]:
        """Return the conditions on `Membership` for the members of a course."""
        conditions: list[ColumnElement[bool]] = [Membership.course_id == course_id]
        if self.role is not None:
            conditions.append(Membership.role == self.role)
        if self.group is not None:
            conditions.append(Membership.group == self.group)
        if self.confirmed is not None:
            conditions.append(Membership.confirmed_at.is_not(None) == self.confirmed)
        if self.removed is not None:
            conditions.append(Membership.removed_at.is_not(None) == self.removed)
        if self.text is not None:
            # Databases fold the case of some alphabets only.
            values = Membership.external_id, Membership.claimed_id, Person.name, Person.email
            rows = await session.execute(select(Membership.id, *values).join(Membership.person).where(*conditions))
            conditions.append(Membership.id.in_([id for id, *texts in rows if matches(self.text, *texts)]))
        return conditions


async def list_members(session: AsyncSession, course_id: str, chosen: Members, paging: Paging) -> Sequence[Membership]:
    """List the newest of these members of a course, with their persons."""
    chosen_ones = with_persons(*await chosen.conditions(session, course_id))
    return (await session.scalars(paging.of(chosen_ones, Membership.id))).all()


async def list_by_name(
    session: AsyncSession, course_id: str, chosen: Members, *, limit: int, offset: int = 0
) -> tuple[Sequence[Membership], int]:
    """List these members of a course by role, group and name, with their persons; and count all of them.

    Args:
        offset: how many are left out at the beginning.
    """
    conditions = await chosen.conditions(session, course_id)
    places = {MemberRole.TEACHER: 0, MemberRole.ASSISTANT: 1, MemberRole.STUDENT: 2}
    ordered = with_persons(*conditions).order_by(
        case(places, value=Membership.role),
        func.coalesce(Membership.group, ""),
        func.lower(func.coalesce(Person.name, Membership.external_id, "")),
        Membership.id,
    )
    counted = select(func.count()).select_from(Membership).join(Membership.person).where(*conditions)
    return (await session.scalars(ordered.limit(limit).offset(offset))).all(), await session.scalar(counted) or 0


async def groups(session: AsyncSession, course_id: str) -> Sequence[str]:
    """List the groups of a course's members, by name."""
    named = Membership.course_id == course_id, Membership.group.is_not(None), Membership.group != ""
    rows = await session.scalars(select(Membership.group).where(*named).distinct().order_by(Membership.group))
    return [group for group in rows if group]


async def perhaps_the_same(session: AsyncSession, member: Membership) -> Sequence[Membership]:
    """List students of the course who may be the same one as this student.

    They share the address, or an id that one of them has claimed. A shared name counts only if one of the two is
    unconfirmed or joined in another way: two entries of a roster are two students.
    """
    ids = [id for id in (member.external_id, member.claimed_id) if id]
    alike: list[ColumnElement[bool]] = [Membership.external_id.in_(ids), Membership.claimed_id.in_(ids)]
    if member.person.email:
        alike.append(func.lower(Person.email) == comparable(member.person.email))
    if member.person.name:
        name = member.person.name
        # Databases fold the case of some alphabets only.
        namesake = or_(
            func.lower(Person.name) == name.lower(), Person.name.in_({name, name.lower(), name.upper(), name.title()})
        )
        if member.confirmed_at is not None:
            own_way = await session.scalar(select(_WAY).where(Membership.id == member.id))
            namesake &= or_(Membership.confirmed_at.is_(None), own_way != _WAY)
        alike.append(namesake)
    others = with_persons(are_students(member.course_id), Membership.id != member.id, or_(*alike))
    return (await session.scalars(others.order_by(Membership.id).limit(MOST_ALIKE))).all()


async def by_ids(session: AsyncSession, course_id: str, ids: Collection[str]) -> dict[str, Membership]:
    """Find members of a course, with their persons, by their ids; those who are not there are missing."""
    query = with_persons(Membership.id.in_(ids), Membership.course_id == course_id)
    return {member.id: member for member in await session.scalars(query)}


async def join_of(session: AsyncSession, member: Membership) -> Merge | None:
    """Find the join by which this member was removed, in favour of another one."""
    of = Merge.merged_member_id == member.id, Merge.undone_at.is_(None)
    merge: Merge | None = await session.scalar(select(Merge).where(*of).order_by(Merge.id.desc()).limit(1))
    return merge


async def kept_of(session: AsyncSession, member: Membership) -> Membership:
    """Return the member that this one was joined to, or this one if it was joined to none."""
    while member.removed_at is not None and (join := await join_of(session, member)) is not None:
        assert join.kept_member_id is not None
        member = await session.get_one(Membership, join.kept_member_id, populate_existing=True)
    return member


async def is_elsewhere(session: AsyncSession, member: Membership) -> bool:
    """Tell whether the member's person is in another course, too."""
    others = select(Membership.id).where(Membership.person_id == member.person_id, Membership.id != member.id)
    return await session.scalar(others.limit(1)) is not None


async def find(session: AsyncSession, course_id: str, member_id: str, *, locked: bool = False) -> Membership:
    """Find a member of a course, with the person.

    Args:
        locked: until the caller's transaction ends, no other one changes the member.
    Raises:
        MemberNotFound: the course has none with this id.
    """
    query = with_persons(Membership.id == member_id, Membership.course_id == course_id)
    if locked:
        query = query.with_for_update(of=Membership, key_share=True)  # Uploads refer to the row, and go on.
    return existing(await session.scalar(query.execution_options(populate_existing=True)), MemberNotFound)


async def add(
    session: AsyncSession,
    course_id: str,
    *,
    external_id: str,
    role: MemberRole,
    name: str | None,
    email: str | None,
    group: str | None,
    manages: Collection[MemberRole],
    made_by: str,
) -> Membership:
    """Add a confirmed member, as a new person.

    Args:
        manages: the roles that the caller may give.
        made_by: for the log.
    Raises:
        NotPermitted: the role is not one of `manages`.
        CourseArchived: nothing there changes any more.
        ExternalIdTaken, EmailTaken
    """
    if role not in manages:
        raise NotPermitted
    await course.keep_open(session, course_id)
    await members.take_turns(session, [(course_id, external_id)])
    await members.take_course(session, course_id)
    if other := (await members.find(session, [(course_id, external_id)])).get((course_id, external_id)):
        raise ExternalIdTaken(member=other.id)
    member = members.add(session, course_id, external_id=external_id, role=role, name=name)
    member.person.email, member.group, member.confirmed_at = email, group, utc_now()
    await check_email(session, member, email)
    await session.flush()
    changes.log(session, member, made_by, {}, values(member))
    return member


async def change(
    session: AsyncSession,
    course_id: str,
    member_id: str,
    given: Mapping[str, Any],
    *,
    manages: Collection[MemberRole],
    may_change_shared: bool,
    made_by: str,
) -> Membership:
    """Change what is given, and log it.

    A new external id changes the copies of it that submissions and tokens have. With a new role, tokens and sessions
    have other rights at once.

    Args:
        given: by the names of `values`.
        manages: the roles whose members the caller may change, and that it may give.
        may_change_shared: whether name and address change of a person who is in other courses, too.
        made_by: for the log.
    Raises:
        MemberNotFound
        CourseArchived: nothing there changes any more.
        NotPermitted: the member's role, the old or the new one, is not one of `manages`.
        PersonShared: the person is in other courses, too, or an address is given to one who signs on.
        MemberJoined: a removed member who was joined with another one is not taken back.
        ExternalIdTaken, EmailTaken
    """
    member = await _in_turn(session, course_id, member_id, given.get("external_id"))
    if not {member.role, given.get("role", member.role)} <= set(manages):
        raise NotPermitted
    before = values(member)
    if before["removed"] and given.get("removed") is False:
        await _check_no_join(session, member)
    if changed := {name for name in OF_PERSON & given.keys() if not members.is_same(name, given[name], before[name])}:
        if not may_change_shared and (
            await is_elsewhere(session, member) or ("email" in changed and await _signs_on(session, member))
        ):
            raise PersonShared
        for name in changed:
            setattr(member.person, name, given[name])
    if (new := given.get("external_id")) not in (None, member.external_id):
        if other := (await members.find(session, [(course_id, new)])).get((course_id, new)):
            raise ExternalIdTaken(member=other.id)
        member.external_id = new
    member.role = given.get("role", member.role)
    member.group = given.get("group", member.group)
    for name, moment in (("confirmed", "confirmed_at"), ("removed", "removed_at")):
        if name in given and given[name] != before[name]:
            setattr(member, moment, utc_now() if given[name] else None)
    if "removed" in given:
        member.dropped_by = None
    await check_email(session, member, member.person.email)
    await session.flush()
    after = values(member)
    if {name: before[name] for name in ("external_id", "role")} != {
        name: after[name] for name in ("external_id", "role")
    }:
        await _copy_external_id(session, member)
    changes.log(session, member, made_by, before, after)
    return member


def values(member: Membership) -> dict[str, Any]:
    """Return what can be changed of a member whose person is loaded, for the log."""
    return {
        "role": member.role.value,
        "external_id": member.external_id,
        "name": member.person.name,
        "email": member.person.email,
        "group": member.group,
        "confirmed": member.confirmed_at is not None,
        "removed": member.removed_at is not None,
    }


async def _in_turn(session: AsyncSession, course_id: str, member_id: str, new_id: str | None) -> Membership:
    """Find a member in the member's turn, and in that of the new external id."""
    await course.keep_open(session, course_id)
    member = await find(session, course_id, member_id)
    while True:
        known = member.external_id
        await members.take_turns(
            session, [(course_id, name) for name in {known or member.id, new_id or known or member.id}]
        )
        await members.take_course(session, course_id)
        member = await find(session, course_id, member_id, locked=True)
        if member.external_id == known:  # Otherwise the id was changed before our turn.
            return member


async def _copy_external_id(session: AsyncSession, member: Membership) -> None:
    if member.external_id is not None:
        await update_rows(session, Submission, Submission.membership_id == member.id, student=member.external_id)
    student = member.external_id if member.role == MemberRole.STUDENT else None
    await update_rows(session, Token, Token.membership_id == member.id, student=student)


async def check_email(
    session: AsyncSession,
    member: Membership,
    email: str | None,
    *,
    joined_with: str = "",
    since: datetime | None = None,
) -> None:
    """Check that no other member who is confirmed and not removed has the address that this one, who is, too, gets.

    Args:
        joined_with: the id of a member who may have it.
        since: members who were confirmed before may have it, as platforms send one address for several people.
    Raises:
        EmailTaken
    """
    if email is None or member.confirmed_at is None or member.removed_at is not None:
        return
    with session.no_autoflush:
        rows = await session.execute(
            select(Membership.id, Person.email)
            .join(Membership.person)
            .where(
                Membership.course_id == member.course_id,
                Membership.id.not_in([member.id, joined_with]),
                Membership.confirmed_at.is_not(None) if since is None else Membership.confirmed_at > since,
                Membership.removed_at.is_(None),
                func.lower(Person.email) == comparable(email),
            )
        )
    for other, address in rows:
        if comparable(address or "") == comparable(email):
            raise EmailTaken(member=other)


async def _check_no_join(session: AsyncSession, member: Membership) -> None:
    """Raises: MemberJoined"""
    if (merge := await join_of(session, member)) is not None:
        raise MemberJoined(member=merge.kept_member_id, join=merge.id)


async def _signs_on(session: AsyncSession, member: Membership) -> bool:
    """Tell whether the person has an identity, by which other courses may come: their links go to the same address."""
    identities = select(Identity.id).where(Identity.person_id == member.person_id)
    return await session.scalar(identities.limit(1)) is not None
