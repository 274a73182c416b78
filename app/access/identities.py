"""Identities of single sign-on: the person behind each, and the roster entries that become that person's.

An identity is a pair of issuer and subject, and belongs to one person until an admin takes it away. The address that
comes with it is used once for each entry of a roster, to find the student whom a teacher wrote down by the same
address:

* the operator has listed the issuer as the one that gives out the addresses of the domain, and the issuer says that
  this one is verified;
* it is the address with which the identity first came: one that the issuer changes later finds nothing;
* exactly one confirmed entry of the course has the address, in small letters and with nothing else folded. Entries
  that nobody confirmed, and those made through a join link, do not count: anybody can type any address there. Removed
  entries do not count either;
* the entry is a student's, and its person is a student in every course: an address never gives anybody a teacher's
  rights. Its course is not archived, and no identity has taken it before;
* its person has no identity yet, and the identity's person is not in the course already.

Everybody else starts as a person without a course. A join link makes them an unconfirmed student, whom a teacher
confirms or joins with the entry of the roster. Or they open their personal link while they are signed in, and confirm
that the link and the account belong to the same person.
"""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.access import persons
from app.courses import changes
from app.errors import EmailTaken, IdentityNotFound, MemberClaimed, PersonInCourse, PersonNotFound, existing
from app.mail.addresses import comparable, domain_of, is_address
from app.oidc.issuer import Claims
from app.storage.models import Course, Identity, MemberRole, Membership, Person, Session, utc_now
from app.storage.turns import take_turns

#: The maker of these changes in the log.
MADE_BY = "single sign-on"


async def sign_in(session: AsyncSession, claims: Claims, domains: Collection[str]) -> Person:
    """Find the person of an identity, or add one, and give that person the roster entries with the same address.

    Args:
        domains: the mail domains whose addresses the issuer gives out, in small letters.
    """
    address = usable_address(claims, domains)
    turns = [f"identity:{claims.issuer}:{claims.subject}", *([f"address:{address}"] if address else [])]
    await take_turns(session, turns)
    identity = await find(session, claims.issuer, claims.subject)
    if identity is not None:
        person = await session.get_one(Person, identity.person_id)
        known = identity.email
        entries = await _entries(session, address) if address and known and comparable(known) == address else []
    else:
        entries = await _entries(session, address) if address else []
        # With a single entry nothing has to move: the identity is given to the person of the entry.
        person = entries[0].person if entries else await _add_person(session, claims)
        identity = Identity(person_id=person.id, issuer=claims.issuer, subject=claims.subject, email=claims.email)
        session.add(identity)
        await session.flush()
    await _join(session, entries, person, identity)
    return person


def usable_address(claims: Claims, domains: Collection[str]) -> str | None:
    """Return the address in comparable form, if the issuer may vouch for it."""
    if claims.email is None or not claims.email_verified or domain_of(claims.email) not in domains:
        return None
    return comparable(claims.email)


async def detach(session: AsyncSession, person_id: str, identity_id: str, made_by: str) -> None:
    """Take an identity away from its person, whose browsers have to sign in again.

    The next sign-in with it makes a new person. A roster entry that it took by its address stays with the old person,
    and its address gives the entry to nobody else.

    Args:
        made_by: for the log.
    Raises:
        PersonNotFound
        IdentityNotFound: the person has none with this id.
    """
    known = await session.get(Identity, identity_id)
    turns = [] if known is None else [f"identity:{known.issuer}:{known.subject}"]
    # The identity's turn keeps sign-ins with it waiting, and the person's turn keeps merges from moving it.
    await take_turns(session, [f"person:{person_id}", *turns])
    existing(await session.get(Person, person_id), PersonNotFound)
    of_person = Identity.id == identity_id, Identity.person_id == person_id
    known = await session.scalar(select(Identity).where(*of_person).execution_options(populate_existing=True))
    identity = existing(known, IdentityNotFound)
    for member in await session.scalars(select(Membership).where(Membership.person_id == person_id)):
        changes.log(session, member, made_by, {"identity": identity.id}, {})
    await session.execute(delete(Session).where(Session.person_id == person_id))
    await session.delete(identity)
    await session.flush()


async def find(session: AsyncSession, issuer: str, subject: str) -> Identity | None:
    return await session.scalar(select(Identity).where(Identity.issuer == issuer, Identity.subject == subject))


async def _add_person(session: AsyncSession, claims: Claims) -> Person:
    person = Person(name=claims.name, email=claims.email if claims.email_verified else None)
    session.add(person)
    await session.flush()
    return person


async def _entries(session: AsyncSession, address: str) -> Sequence[Membership]:
    """Find the entries, with their persons, that an identity with this address may take."""
    rows = await session.execute(
        select(Membership, Course.archived_at)
        .join(Membership.person)
        .join(Course, Course.id == Membership.course_id)
        .where(
            func.lower(Person.email) == address,
            Membership.confirmed_at.is_not(None),
            Membership.removed_at.is_(None),
            Membership.join_link_id.is_(None),
        )
        .options(contains_eager(Membership.person))
        .order_by(Membership.id)
    )
    by_course = defaultdict(list)
    for member, archived_at in rows:
        # Databases fold letters that addresses do not.
        email = member.person.email or ""
        if is_address(email) and comparable(email) == address:
            by_course[member.course_id].append((member, archived_at))
    alone = [members[0] for members in by_course.values() if len(members) == 1]
    open_ones = [member for member, archived_at in alone if archived_at is None and _is_free(member)]
    taken = await _with_identity_or_staff(session, {member.person_id for member in open_ones})
    return sorted((member for member in open_ones if member.person_id not in taken), key=lambda member: member.id)


def _is_free(member: Membership) -> bool:
    return member.role == MemberRole.STUDENT and member.signed_on_at is None


async def _with_identity_or_staff(session: AsyncSession, person_ids: Collection[str]) -> Collection[str]:
    """Find the persons who already have an identity, or are staff in some course."""
    has_identity = exists().where(Identity.person_id == Person.id)
    is_staff = exists().where(Membership.person_id == Person.id, Membership.role != MemberRole.STUDENT)
    closed = select(Person.id).where(Person.id.in_(person_ids), has_identity | is_staff)
    return (await session.scalars(closed)).all()


async def _join(session: AsyncSession, entries: Sequence[Membership], person: Person, identity: Identity) -> None:
    """Make these entries the person's, with everything else that their persons have."""
    if others := {entry.person_id for entry in entries} - {person.id}:
        by_id = {each.id: each for each in await persons.in_turn(session, person.id, *others)}
        courses = set(await _courses_of(session, person))
        for other in sorted(others):
            moving = (await session.scalars(select(Membership).where(Membership.person_id == other))).all()
            if moving and not courses & {member.course_id for member in moving}:
                # Otherwise a teacher, who sees both, joins two members of one course, or mends the address.
                with contextlib.suppress(EmailTaken):
                    await persons.move(session, by_id[person.id], by_id[other], moving, [], MADE_BY)
                    courses |= {member.course_id for member in moving}
    for entry in entries:
        if entry.person_id == person.id:
            entry.signed_on_at = utc_now()
            changes.log(session, entry, MADE_BY, {}, {"identity": identity.id})
    await session.flush()


async def _courses_of(session: AsyncSession, person: Person) -> Collection[str]:
    return (await session.scalars(select(Membership.course_id).where(Membership.person_id == person.id))).all()


async def claim(session: AsyncSession, member_id: str, person: Person) -> Membership:
    """Give a member to a person who is signed in as both: by an identity, and by the member's own link.

    Only this member moves. The link proves nothing about the person's members in other courses.

    Raises:
        MemberClaimed: an identity has the member already, or the member was given to somebody else at this moment.
        PersonInCourse: the person is in the course as another member, or another member has the person's address.
    """
    member = await session.get_one(Membership, member_id)
    kept, owner = await persons.in_turn(session, person.id, member.person_id)
    await session.refresh(member, with_for_update={"key_share": True})
    if member.person_id == kept.id:
        return member
    has_identity = exists().where(Identity.person_id == member.person_id)
    if member.person_id != owner.id or await session.scalar(select(has_identity)):
        raise MemberClaimed
    if member.course_id in await _courses_of(session, kept):
        raise PersonInCourse
    try:
        await persons.move(session, kept, owner, [member], [], MADE_BY)
    except EmailTaken as exc:
        raise PersonInCourse from exc
    return member
