"""People across courses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.matching import comparable, matches
from app.errors.members import PersonNotFound
from app.storage.models import Course, Identity, Membership, Person


@dataclass(frozen=True)
class Known:
    """A person, the parts in courses and the accounts of single sign-on, each from the first."""

    person: Person
    memberships: Sequence[Membership]
    identities: Sequence[Identity]

    @property
    def called(self) -> str:
        """The name by which pages call the person."""
        ids = [member.external_id for member in self.memberships if member.external_id]
        return (self.person.name or self.person.email or next(iter(ids), self.person.id)).strip()


async def list_people(
    session: AsyncSession, *, limit: int, before: str | None = None, text: str | None = None
) -> list[Known]:
    """List the newest people.

    Args:
        before: an id; only older ones are listed.
        text: words of the name, of addresses, and of ids in courses (`matching.matches`); or the person's own id.
    """
    found = select(Person).order_by(Person.id.desc()).limit(limit)
    if before:
        found = found.where(Person.id < before)
    if text:
        texts = await _texts(session)
        found = found.where(Person.id.in_([id for id in texts if id == text or matches(text, *texts[id])]))
    return await _known(session, (await session.scalars(found)).all())


async def named(session: AsyncSession, name: str, *, course_id: str | None = None) -> list[Known]:
    """List the people of whom this is the whole name, an address, an id in a grade book, a member's or their own id.

    Args:
        course_id: of the only course whose members are meant; None: of all courses.
    """
    wanted = comparable(name)
    texts = await _texts(session)
    so_named = [id for id in texts if wanted in map(comparable, filter(None, [id, *texts[id]]))]
    members = select(Membership.person_id)
    of_member = members.where(Membership.id == name)
    found = select(Person).where(or_(Person.id.in_(so_named), Person.id.in_(of_member))).order_by(Person.id)
    if course_id is not None:
        found = found.where(Person.id.in_(members.where(Membership.course_id == course_id)))
    return await _known(session, (await session.scalars(found)).all())


async def _texts(session: AsyncSession) -> dict[str, list[str | None]]:
    """Return of each person what a search looks at. Databases fold the case of some alphabets only."""
    texts: dict[str, list[str | None]] = {}
    for id, name, email in await session.execute(select(Person.id, Person.name, Person.email)):
        texts[id] = [name, email]
    for id, external_id in await session.execute(select(Membership.person_id, Membership.external_id)):
        texts[id].append(external_id)
    for id, email in await session.execute(select(Identity.person_id, Identity.email)):
        texts[id].append(email)
    return texts


async def find(session: AsyncSession, person_id: str) -> Known:
    """Raises: PersonNotFound"""
    person = await session.get(Person, person_id)
    if person is None:
        raise PersonNotFound
    (known,) = await _known(session, [person])
    return known


async def courses_of(session: AsyncSession, known: Sequence[Known]) -> dict[str, Course]:
    """Find the courses of these people, by id."""
    ids = {member.course_id for each in known for member in each.memberships}
    return {course.id: course for course in await session.scalars(select(Course).where(Course.id.in_(ids)))}


async def _known(session: AsyncSession, people: Sequence[Person]) -> list[Known]:
    ids = [person.id for person in people]
    theirs = select(Membership).where(Membership.person_id.in_(ids))
    memberships = defaultdict(list)
    for member in await session.scalars(theirs.order_by(Membership.id)):
        memberships[member.person_id].append(member)
    identities = defaultdict(list)
    for identity in await session.scalars(select(Identity).where(Identity.person_id.in_(ids)).order_by(Identity.id)):
        identities[identity.person_id].append(identity)
    return [Known(person, memberships[person.id], identities[person.id]) for person in people]
