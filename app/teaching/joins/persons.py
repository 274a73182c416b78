"""The persons of two joined members.

A teacher may not merge two persons, because each may have rights in other courses. In one case the two members exchange
persons, so that the student can still sign in: single sign-on leads to the removed member's person, and the kept
member's person has no single sign-on and is in no other course. A launch from a platform follows the join by itself
(`app.lti.launch.people`).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.membership import is_elsewhere
from app.storage.models import OF_PLATFORMS, Identity, Membership, Person, new_id


async def change(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any] | None:
    """Exchange the members' persons, if only the other one's can sign in; return what undoing this needs."""
    if not await _has_more(session, other) or await _has_more(session, kept):
        return None
    named = None if await is_elsewhere(session, other) else {"name": other.person.name}
    roster_name = kept.person.name
    await _exchange(session, kept, other)
    if named is not None:  # Otherwise the course may not change the name.
        # The address stays the person's: links of later courses are sent to it.
        kept.person.name = roster_name or named["name"]
    return {"named": named, "after": [kept.person_id, other.person_id]}


async def put_back(session: AsyncSession, changed: Mapping[str, Any], kept: Membership, other: Membership) -> None:
    """Give both their persons back, and the other one's its name."""
    await _exchange(session, kept, other)
    for name, value in (changed["named"] or {}).items():
        setattr(other.person, name, value)


async def _has_more(session: AsyncSession, member: Membership) -> bool:
    """Tell whether the person has an identity of single sign-on, or is in another course."""
    of = Identity.person_id == member.person_id, ~Identity.issuer.startswith(OF_PLATFORMS)
    identity = select(Identity.id).where(*of).limit(1)
    return await session.scalar(identity) is not None or await is_elsewhere(session, member)


async def _exchange(session: AsyncSession, kept: Membership, other: Membership) -> None:
    """Exchange two members' persons. A course holds each person once, so one is set aside for a moment."""
    first, second = kept.person, other.person
    aside = Person(id=new_id())
    session.add(aside)
    for member, person in ((other, aside), (kept, second), (other, first)):
        member.person = person
        await session.flush()
    await session.delete(aside)
    await session.flush()
