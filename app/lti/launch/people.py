"""People of a platform: persons and members here, with the part that the platform gives them now."""

from __future__ import annotations

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
from app.mail.addresses import is_address
from app.storage.models import Change, Course, Identity, LtiPlatform, Membership, Person, new_id, utc_now
from app.storage.passback import members_changed
from app.storage.turns import take_turns


@dataclass(frozen=True)
class Who:
    """A person as a platform describes them.

    Attributes:
        subject: the id there (`sub`, `user_id`).
        sourced_id: of the institution's register.
    """

    subject: str
    part: Part
    name: str | None
    email: str | None
    sourced_id: str | None

    @classmethod
    def of(cls, message: Message) -> Who:
        email = message.email if message.email is not None and is_address(message.email) else None
        sourced = message.lis.person_sourcedid if message.lis else None
        return cls(message.subject, message.part, message.person_name, email, sourced)


def made_by_platform(platform: LtiPlatform) -> str:
    """Return the platform's name in the log of changes."""
    return platform.name[:200]


async def find_or_add(session: AsyncSession, platform: LtiPlatform, who: Who) -> Person:
    """Find the person whom this platform knows by this id, or add one. An address leads to nobody."""
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
    # A name that was corrected here stays.
    person.name = person.name or who.name
    return person


async def keep_member(session: AsyncSession, found: Course, person: Person, who: Who, made_by: str) -> Membership:
    """Find the person's membership, or add one, with the part that the platform gives now.

    A member whom a teacher has joined to another one is that one from then on, whose person may be another.

    Raises:
        MemberRemoved: a teacher here has removed the member.
        CourseArchived: the person is new in a course in which nothing changes any more.
    """
    await take_turns(session, [f"person:{found.id}:{person.id}"])
    role = who.part.role
    of = Membership.course_id == found.id, Membership.person_id == person.id
    member = await session.scalar(select(Membership).where(*of).execution_options(populate_existing=True))
    if member is None:
        await course.keep_open(session, found.id)
        external_id = await _external_id(session, found.id, who)
        await members.take_turns(session, [(found.id, external_id)])
        await members.take_course(session, found.id)
        member = members.add(session, found.id, external_id=external_id, role=role, person=person)
        member.confirmed_at = utc_now()
        await session.flush()
        changes.log(session, member, made_by, {}, _values(member))
        return member
    member = await membership.kept_of(session, member)
    if found.archived_at is not None:
        return member
    before = _values(member)
    if member.removed_at is not None:
        if not await _removed_by(session, member, made_by):
            raise MemberRemoved
        member.removed_at = None
    member.role = role
    if changes.log(session, member, made_by, before, _values(member)):
        await session.flush()
        await members_changed(session, [member.id])
    await session.flush()
    return member


def _values(member: Membership) -> dict[str, Any]:
    return {
        "role": member.role.value,
        "external_id": member.external_id,
        "removed": member.removed_at is not None,
        "confirmed": member.confirmed_at is not None,
    }


async def _removed_by(session: AsyncSession, member: Membership, made_by: str) -> bool:
    """Tell whether the member was removed by this platform, which lists the person again."""
    rows = await session.scalars(
        select(Change).where(Change.membership_id == member.id, Change.subject == "member").order_by(Change.id.desc())
    )
    newest = next((row for row in rows if row.after.get("removed") is True), None)
    return newest is not None and newest.made_by == made_by


async def _external_id(session: AsyncSession, course_id: str, who: Who) -> str:
    """Return an id for the grade book: that of the institution's register, if nobody here has it."""
    ours = f"lti-{who.subject}"[:200]
    wanted = [who.sourced_id, ours] if who.sourced_id and who.sourced_id != members.TRIALS else [ours]
    for external_id in wanted:
        if (course_id, external_id) not in await members.find(session, [(course_id, external_id)]):
            return external_id
    return new_id()
