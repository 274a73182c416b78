"""People of a platform as persons and members here, with the role that the platform currently gives them.

Each transaction adds or drops one person, and takes several turns in a fixed order. With more people in a transaction,
two of them could deadlock, as the lists of two sections of one course did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import identities
from app.courses import changes, course, members, membership
from app.errors import MemberRemoved
from app.lti import platforms
from app.lti.launch.message import Message
from app.lti.launch.roles import Part
from app.mail.addresses import address_of
from app.storage.due import database_now
from app.storage.models import (
    Identity,
    LtiContext,
    LtiMember,
    LtiPlatform,
    MemberRole,
    Membership,
    Person,
    new_id,
    utc_now,
)
from app.storage.passback import members_changed
from app.storage.turns import take_turns


@dataclass(frozen=True)
class PlatformPerson:
    """A platform's description of a person.

    Attributes:
        subject: the id there (`sub`, `user_id`).
        sourced_id: the id in the institution's register.
        is_suspended: still in the course, but locked out for now.
    """

    subject: str
    part: Part
    name: str | None
    email: str | None
    sourced_id: str | None
    is_suspended: bool = False

    @classmethod
    def of(cls, message: Message) -> PlatformPerson:
        sourced_id = message.lis.person_sourcedid if message.lis else None
        return cls(message.subject, message.part, message.person_name, address_of(message.email), sourced_id)


def made_by_platform(platform: LtiPlatform) -> str:
    """Return the platform's name for the log of changes."""
    return platform.name[:200]


async def find_or_add(session: AsyncSession, platform: LtiPlatform, who: PlatformPerson) -> Person:
    """Find the person with this id at this platform, or add one. E-mail addresses identify nobody."""
    issuer = platforms.issuer_of_people(platform.id)
    await take_turns(session, [f"identity:{issuer}:{who.subject}"])
    identity = await identities.find(session, issuer, who.subject)
    if identity is None:
        person = Person(name=who.name, email=who.email)
        session.add(person)
        await session.flush()
        session.add(Identity(person_id=person.id, issuer=issuer, subject=who.subject, email=who.email))
        await session.flush()
        return person
    person = await session.get_one(Person, identity.person_id)
    # A correction made here stays.
    person.name = person.name or who.name
    return person


async def members_by_subject(session: AsyncSession, context: LtiContext) -> dict[str, Membership]:
    """Find the members of the context's course whom the platform knows, by its ids for them.

    A member who was joined with another one is replaced by that one.
    """
    rows = await session.execute(
        select(Identity.subject, Membership)
        .join(Membership, Membership.person_id == Identity.person_id)
        .where(Identity.issuer == platforms.issuer_of_people(context.platform_id))
        .where(Membership.course_id == context.course_id)
        .order_by(Membership.id)
    )
    return {subject: await membership.kept_of(session, member) for subject, member in rows.all()}


async def keep_member(
    session: AsyncSession,
    context: LtiContext,
    person: Person,
    who: PlatformPerson,
    made_by: str,
    *,
    is_listed: bool = False,
    keeps_staff: bool = False,
) -> Membership:
    """Find or add the person's membership in the context's course, and update its role.

    The role is the highest that any context of the course gives. A member whom no context has added keeps the role
    given here. In an archived course, rights only shrink.

    A member who was joined with another one is replaced by that one, whose person may be another.

    A teacher may look at the platform's course as a student, and a launch then says the same as after a demotion. So a
    launch makes no student of staff by the platform's list, which is read again soon.

    Args:
        is_listed: the role comes from the platform's list, not from a launch.
        keeps_staff: that list calls some staff students, so it demotes only those whose latest launch said so, too.
    Raises:
        MemberRemoved: a teacher here has removed the member.
        CourseArchived: the person is new or returns, and the course is archived.
    """
    member = await _lock_member(session, context.course_id, person.id)
    if member is None:
        return await _add(session, context, person, who, made_by, is_listed=is_listed)
    before = _values(member)
    if member.removed_at is not None:
        if member.dropped_by is None:
            raise MemberRemoved
        await course.keep_open(session, context.course_id)
        member.removed_at = member.dropped_by = None
        session.add(_new_part(context, member, who, is_listed=is_listed))
    elif (parts := await _parts_of(session, member)) or member.dropped_by == context.platform_id:
        here, role = next((each for each in parts if each.lti_context_id == context.id), None), who.part.role
        if here is not None:
            here.seen_at = utc_now()
            if role == MemberRole.STUDENT != here.role and _is_staff_elsewhere(here, is_listed, keeps_staff):
                if not is_listed and here.launched_as != role:
                    context.waits_since = context.next_at = await database_now(session)
                role = here.role
            _note(here, who, is_listed=is_listed)
        has_less = rank(role) < rank(here.role if here else member.role)
        if has_less or await course.is_open(session, context.course_id):
            if here is None:
                session.add(_new_part(context, member, who, is_listed=is_listed))
            else:
                here.role = role
            member.dropped_by = None
    await _apply_parts(session, member, made_by, before)
    return member


async def drop(session: AsyncSession, context: LtiContext, person_id: str, made_by: str) -> bool:
    """Remove the role that this context gives a person, even in archived courses.

    A member without a role from another context is removed until the platform adds them again.

    Returns:
        Whether this has changed the member.
    """
    if (member := await _lock_member(session, context.course_id, person_id)) is None:
        return False
    if member.removed_at is not None:
        return False
    before = _values(member)
    parts = await _parts_of(session, member)
    if (here := next((each for each in parts if each.lti_context_id == context.id), None)) is None:
        return False
    await session.delete(here)
    if len(parts) == 1:
        member.removed_at, member.dropped_by = utc_now(), context.platform_id
    return await _apply_parts(session, member, made_by, before)


async def let_stay(session: AsyncSession, context: LtiContext, member: Membership) -> None:
    """Let a member whom only this context has added stay, until the platform names their role again."""
    if [each.lti_context_id for each in await _parts_of(session, member)] == [context.id]:
        member.dropped_by = context.platform_id


def rank(role: MemberRole) -> int:
    """Return the rank of a role: the higher, the more rights."""
    return (MemberRole.STUDENT, MemberRole.ASSISTANT, MemberRole.TEACHER).index(role)


async def _lock_member(session: AsyncSession, course_id: str, person_id: str) -> Membership | None:
    """Find and lock the person's member, or the one with which it was joined.

    A member made of two persons has two turns.
    """
    await take_turns(session, [f"person:{course_id}:{person_id}"])
    of = Membership.course_id == course_id, Membership.person_id == person_id
    member = await session.scalar(select(Membership).where(*of).execution_options(populate_existing=True))
    if member is not None:
        member = await membership.kept_of(session, member)
        await session.refresh(member, with_for_update={"key_share": True})  # Uploads may still refer to the row.
    return member


async def _add(
    session: AsyncSession, context: LtiContext, person: Person, who: PlatformPerson, made_by: str, *, is_listed: bool
) -> Membership:
    course_id = context.course_id
    await course.keep_open(session, course_id)
    external_id = await _external_id(session, course_id, who)
    await members.take_turns(session, [(course_id, external_id)])
    await members.take_course(session, course_id)
    member = members.add(session, course_id, external_id=external_id, role=who.part.role, person=person)
    member.confirmed_at = utc_now()
    await session.flush()
    session.add(_new_part(context, member, who, is_listed=is_listed))
    await session.flush()
    changes.log(session, member, made_by, {}, _values(member))
    return member


def _new_part(context: LtiContext, member: Membership, who: PlatformPerson, *, is_listed: bool) -> LtiMember:
    part = LtiMember(lti_context_id=context.id, membership_id=member.id, role=who.part.role)
    _note(part, who, is_listed=is_listed)
    return part


def _is_staff_elsewhere(part: LtiMember, is_listed: bool, keeps_staff: bool) -> bool:
    """Tell whether the list still calls this student of a launch staff, or the launch this student of Moodle's list."""
    if is_listed:
        return keeps_staff and part.launched_as != MemberRole.STUDENT
    return part.listed_as not in (None, MemberRole.STUDENT)


def _note(part: LtiMember, who: PlatformPerson, *, is_listed: bool) -> None:
    """Keep what the list, or the launch, says."""
    if is_listed:
        part.listed_as = who.part.role
    else:
        part.launched_as = who.part.role


async def _parts_of(session: AsyncSession, member: Membership) -> Sequence[LtiMember]:
    return (await session.scalars(select(LtiMember).where(LtiMember.membership_id == member.id))).all()


async def _apply_parts(session: AsyncSession, member: Membership, made_by: str, before: Mapping[str, Any]) -> bool:
    """Give the member the highest remaining role, log the change, and send the grades that depend on it."""
    await session.flush()
    if parts := await _parts_of(session, member):
        member.role = max((each.role for each in parts), key=rank)
    await session.flush()
    if not changes.log(session, member, made_by, before, _values(member)):
        return False
    await members_changed(session, [member.id])
    return True


def _values(member: Membership) -> dict[str, Any]:
    return {
        "role": member.role.value,
        "external_id": member.external_id,
        "removed": member.removed_at is not None,
        "confirmed": member.confirmed_at is not None,
    }


async def _external_id(session: AsyncSession, course_id: str, who: PlatformPerson) -> str:
    """Return an id for the grade book: the one in the institution's register, unless somebody here has it."""
    ours = f"lti-{who.subject}"[:200]
    choices = [who.sourced_id, ours] if who.sourced_id and who.sourced_id != members.TRIALS else [ours]
    for external_id in choices:
        if (course_id, external_id) not in await members.find(session, [(course_id, external_id)]):
            return external_id
    return new_id()
