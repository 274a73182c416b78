"""People across courses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

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
        text: a part of the name, of an address, or of an id in a course.
    """
    found = select(Person).order_by(Person.id.desc()).limit(limit)
    if before:
        found = found.where(Person.id < before)
    if text:
        # SQLite folds the case of ASCII letters only.
        forms = {text, text.lower(), text.upper(), text.title()}
        here = [column.icontains(form, autoescape=True) for column in (Person.name, Person.email) for form in forms]
        of_member = [Membership.external_id.icontains(form, autoescape=True) for form in forms]
        in_course = exists().where(Membership.person_id == Person.id, or_(*of_member))
        signs_on = exists().where(Identity.person_id == Person.id, Identity.email.icontains(text, autoescape=True))
        found = found.where(or_(*here, in_course, signs_on, Person.id == text))
    return await _known(session, (await session.scalars(found)).all())


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
