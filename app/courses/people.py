"""People across courses."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.matching import comparable, matches
from app.errors import PersonNotFound, existing
from app.storage.models import Course, Identity, Membership, Person
from app.storage.paging import Paging


@dataclass(frozen=True)
class PersonRecord:
    """A person, with the memberships in courses and the accounts of single sign-on, the oldest first."""

    person: Person
    memberships: Sequence[Membership]
    identities: Sequence[Identity]

    @property
    def display_name(self) -> str:
        """The name by which pages call the person."""
        ids = [member.external_id for member in self.memberships if member.external_id]
        return (self.person.name or self.person.email or next(iter(ids), self.person.id)).strip()


async def list_people(session: AsyncSession, paging: Paging, *, text: str | None = None) -> list[PersonRecord]:
    """List the newest people.

    Args:
        text: words of the name, of addresses, and of ids in courses (`matching.matches`); or the person's own id.
    """
    query = paging.of(select(Person), Person.id)
    if text:
        texts = await _texts(session)
        query = query.where(Person.id.in_([id for id in texts if id == text or matches(text, *texts[id])]))
    return await _records(session, (await session.scalars(query)).all())


async def find_by_name(session: AsyncSession, name: str, *, course_id: str | None = None) -> list[PersonRecord]:
    """List the people with exactly this name, address or id: in a grade book, of a member, or of the person.

    Args:
        course_id: of the only course whose members are meant; None: of all courses.
    """
    plain = comparable(name)
    texts = await _texts(session)
    matching = [id for id in texts if plain in map(comparable, filter(None, [id, *texts[id]]))]
    members = select(Membership.person_id)
    of_member = members.where(Membership.id == name)
    query = select(Person).where(or_(Person.id.in_(matching), Person.id.in_(of_member))).order_by(Person.id)
    if course_id is not None:
        query = query.where(Person.id.in_(members.where(Membership.course_id == course_id)))
    return await _records(session, (await session.scalars(query)).all())


async def _texts(session: AsyncSession) -> dict[str, list[str | None]]:
    """Return the texts that a search compares, by the id of the person.

    Databases fold the case of some alphabets only.
    """
    texts: dict[str, list[str | None]] = {}
    for id, name, email in await session.execute(select(Person.id, Person.name, Person.email)):
        texts[id] = [name, email]
    for id, external_id in await session.execute(select(Membership.person_id, Membership.external_id)):
        texts[id].append(external_id)
    for id, email in await session.execute(select(Identity.person_id, Identity.email)):
        texts[id].append(email)
    return texts


async def find(session: AsyncSession, person_id: str) -> PersonRecord:
    """Raises: PersonNotFound"""
    (record,) = await _records(session, [existing(await session.get(Person, person_id), PersonNotFound)])
    return record


async def courses_of(session: AsyncSession, people: Sequence[PersonRecord]) -> dict[str, Course]:
    """Find the courses of these people, by id."""
    ids = {member.course_id for each in people for member in each.memberships}
    return {course.id: course for course in await session.scalars(select(Course).where(Course.id.in_(ids)))}


async def _records(session: AsyncSession, people: Sequence[Person]) -> list[PersonRecord]:
    ids = [person.id for person in people]
    theirs = select(Membership).where(Membership.person_id.in_(ids))
    memberships = defaultdict(list)
    for member in await session.scalars(theirs.order_by(Membership.id)):
        memberships[member.person_id].append(member)
    identities = defaultdict(list)
    for identity in await session.scalars(select(Identity).where(Identity.person_id.in_(ids)).order_by(Identity.id)):
        identities[identity.person_id].append(identity)
    return [PersonRecord(person, memberships[person.id], identities[person.id]) for person in people]
