"""The ways in of a member: personal links, tokens, and accounts of single sign-on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import is_valid
from app.storage.models import Identity, Membership, Token, utc_now


@dataclass(frozen=True)
class WaysIn:
    """The ways in which a member can come in.

    Attributes:
        link_made_at: of the newest personal link that is valid; None: there is none.
        link_used_at: when a browser first signed in by one; None: never.
        tokens: how many other tokens of the member are valid.
        accounts: how many accounts of single sign-on the person has.
    """

    link_made_at: datetime | None
    link_used_at: datetime | None
    tokens: int
    accounts: int


async def ways_in_of(session: AsyncSession, member: Membership) -> WaysIn:
    """Look up the ways in of a member."""
    rows = await session.execute(
        select(
            func.max(Token.created_at).filter(Token.is_link),
            func.max(Token.used_at).filter(Token.is_link),
            func.count().filter(~Token.is_link),
        ).where(Token.membership_id == member.id, is_valid(utc_now()))
    )
    made_at, used_at, others = rows.one()
    accounts = await session.scalar(select(func.count()).where(Identity.person_id == member.person_id)) or 0
    return WaysIn(made_at, used_at, others, accounts)
