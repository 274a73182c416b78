"""Invitations: addresses at which a platform may register itself once, within some days.

Anybody with such an address can make a registration, but it has no effect until an admin confirms it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import hash_secret
from app.errors import existing
from app.errors.lti import InvitationExpired, InvitationUnknown, InvitationUsed
from app.storage.models import LtiInvitation, utc_now
from app.storage.updates import update_rows

#: A platform's administrator may need some days to open it.
LIFETIME = timedelta(days=7)
#: The path of the address that is pasted into the platform.
REGISTER_PATH = "/lti/register/{invitation}"


@dataclass(frozen=True)
class Invitation:
    """A new invitation. Attributes: path: holds the secret, which is shown only once."""

    path: str
    expires_at: datetime


async def make(session: AsyncSession, *, made_by: str) -> Invitation:
    secret = secrets.token_urlsafe(32)
    invitation = LtiInvitation(sha256=hash_secret(secret), made_by=made_by, expires_at=utc_now() + LIFETIME)
    session.add(invitation)
    await session.flush()
    return Invitation(REGISTER_PATH.format(invitation=secret), invitation.expires_at)


async def find(session: AsyncSession, secret: str) -> LtiInvitation:
    """Find a usable invitation.

    Raises:
        InvitationUnknown, InvitationUsed, InvitationExpired
    """
    invitation = existing(await session.get(LtiInvitation, hash_secret(secret)), InvitationUnknown)
    if invitation.used_at is not None:
        raise InvitationUsed
    if invitation.expires_at <= utc_now():
        raise InvitationExpired
    return invitation


async def take(session: AsyncSession, secret: str) -> LtiInvitation:
    """Use up an invitation; of several concurrent calls only one succeeds.

    Raises:
        InvitationUnknown, InvitationUsed, InvitationExpired
    """
    invitation = await find(session, secret)
    is_free = LtiInvitation.sha256 == invitation.sha256, LtiInvitation.used_at.is_(None)
    if not await update_rows(session, LtiInvitation, *is_free, used_at=utc_now()):
        raise InvitationUsed
    return invitation


async def give_back(session: AsyncSession, secret: str) -> None:
    """Make an invitation usable again, because the registration failed."""
    await update_rows(session, LtiInvitation, LtiInvitation.sha256 == hash_secret(secret), used_at=None)
