"""The persons of two joined members.

A teacher does not decide whether two persons are one, because each may have rights in other courses. Only where single
sign-on leads to the other one's person, and the kept one's person is in no other course and has none of its own, the
two members change persons, so that the student still gets in. A launch from a platform needs no person: it follows the
join (`app.lti.launch.people`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.membership import is_elsewhere
from app.storage.models import OF_PLATFORMS, Identity, Membership, Person, new_id


async def change(session: AsyncSession, kept: Membership, other: Membership) -> dict[str, Any] | None:
    """Let the members change persons, if only the other one's can get in; return what is needed to undo that."""
    if not await _has_more(session, other) or await _has_more(session, kept):
        return None
    named = None if await is_elsewhere(session, other) else {"name": other.person.name}
    roster_name = kept.person.name
    await _exchange(session, kept, other)
    if named is not None:  # Else the name is not this course's to change.
        # The address stays the person's own: the links of a course that comes later go to it.
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
    """Exchange two members' persons; a course has each once, so one stands aside for a moment."""
    first, second = kept.person, other.person
    aside = Person(id=new_id())
    session.add(aside)
    for member, person in ((other, aside), (kept, second), (other, first)):
        member.person = person
        await session.flush()
    await session.delete(aside)
    await session.flush()
