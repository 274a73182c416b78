"""Invitations: addresses with which a platform may register itself, once and for some days.

Whoever has such an address can make a registration that does nothing until an admin confirms it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import hash_secret
from app.errors.lti import InvitationExpired, InvitationUnknown, InvitationUsed
from app.storage.models import LtiInvitation, utc_now

#: An administrator of a platform may take some days until it is opened.
LIFETIME = timedelta(days=7)
#: For so long an invitation that is over says so.
KEPT = timedelta(days=90)
#: The address that is pasted into the platform.
REGISTER_PATH = "/lti/register/{invitation}"


@dataclass(frozen=True)
class Invitation:
    """A new invitation. Attributes: path: holds the secret, which nobody can read again."""

    path: str
    expires_at: datetime


async def make(session: AsyncSession, *, made_by: str) -> Invitation:
    secret = secrets.token_urlsafe(32)
    made = LtiInvitation(sha256=hash_secret(secret), made_by=made_by, expires_at=utc_now() + LIFETIME)
    session.add(made)
    await session.flush()
    return Invitation(REGISTER_PATH.format(invitation=secret), made.expires_at)


async def find(session: AsyncSession, secret: str) -> LtiInvitation:
    """Find an invitation that can be used.

    Raises:
        InvitationUnknown, InvitationUsed, InvitationExpired
    """
    found = await session.get(LtiInvitation, hash_secret(secret))
    if found is None:
        raise InvitationUnknown
    if found.used_at is not None:
        raise InvitationUsed
    if found.expires_at <= utc_now():
        raise InvitationExpired
    return found


async def take(session: AsyncSession, secret: str) -> LtiInvitation:
    """Use an invitation; of several at once, one does.

    Raises:
        InvitationUnknown, InvitationUsed, InvitationExpired
    """
    found = await find(session, secret)
    now = utc_now()
    is_free = LtiInvitation.sha256 == found.sha256, LtiInvitation.used_at.is_(None)
    free = update(LtiInvitation).where(*is_free).values(used_at=now).returning(LtiInvitation.sha256)
    if await session.scalar(free) is None:
        raise InvitationUsed
    return found


async def give_back(session: AsyncSession, secret: str) -> None:
    """Let an invitation be used again, because nothing came of its use."""
    of = LtiInvitation.sha256 == hash_secret(secret)
    await session.execute(update(LtiInvitation).where(of).values(used_at=None))
