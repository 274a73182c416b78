"""People across courses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Identity, Membership, Person


@dataclass(frozen=True)
class Known:
    """A person, the parts in courses and the accounts of single sign-on, each from the first."""

    person: Person
    memberships: Sequence[Membership]
    identities: Sequence[Identity]


async def list_people(session: AsyncSession, *, limit: int, before: str | None = None) -> list[Known]:
    """List the newest people. Args: before: an id; only older ones are listed."""
    found = select(Person).order_by(Person.id.desc()).limit(limit)
    people = (await session.scalars(found.where(Person.id < before) if before else found)).all()
    ids = [person.id for person in people]
    theirs = select(Membership).where(Membership.person_id.in_(ids))
    memberships = defaultdict(list)
    for member in await session.scalars(theirs.order_by(Membership.id)):
        memberships[member.person_id].append(member)
    identities = defaultdict(list)
    for identity in await session.scalars(select(Identity).where(Identity.person_id.in_(ids)).order_by(Identity.id)):
        identities[identity.person_id].append(identity)
    return [Known(person, memberships[person.id], identities[person.id]) for person in people]
