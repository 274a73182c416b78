"""Getting in and out. Nobody is signed in yet, so a visitor shows a link or an account, and has no right.

A browser that gets in has a session. Only its secret, which these functions return, opens it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import identities, joining, links, sessions, tokens
from app.access.joining import Newcomer
from app.access.links import NewLink
from app.access.sessions import FRAMED, LAUNCHED, TO_WINDOW, hash_of_frame
from app.access.tokens import hash_secret
from app.actions.fields import ActionRequest, Email, Name
from app.errors.requests import SessionMissing
from app.oidc.issuer import Claims
from app.storage.database import Database
from app.storage.models import Membership, Person, Token

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """A browser that is to be signed in or out, and what these functions work with.

    Attributes:
        longest: how long a session lasts.
    """

    database: Database
    longest: timedelta

    @property
    def longest_launched(self) -> timedelta:
        """How long a session lasts that a platform has begun."""
        # A click there begins the next one, and computers are shared.
        return min(self.longest, LAUNCHED)


class AskForLink(ActionRequest):
    """Asked of `LostLinks`, which looks the address up afterwards."""

    email: Email


class JoinAsPerson(ActionRequest):
    """What somebody says who is signed in by single sign-on, and joins a course by a join link."""

    claimed_id: Name | None = Field(None, description="the id in the grade book, as they say")


class JoinByName(JoinAsPerson):
    """What anybody else says."""

    name: Name
    email: Email | None = None


async def enter(visitor: Visitor, secret: str) -> str:
    """Sign a browser in with a personal link or a token.

    Raises:
        LinkUnusable: nobody has it now.
        SessionMissing: it has ended in this moment.
    """
    async with visitor.database.read() as session:
        token = await tokens.existing_token(session, secret)
    async with visitor.database.write() as session:
        return await _begin(session, token, visitor.longest)


async def sign_on(visitor: Visitor, claims: Claims, domains: Collection[str]) -> str:
    """Sign the person in whom an issuer names (`identities`).

    Args:
        domains: those whose addresses the issuer gives out.
    """
    async with visitor.database.write() as session:
        person = await identities.sign_in(session, claims, domains)
        secret = await _begin(session, person, visitor.longest)
    logger.info("signed_on", extra={"person_id": person.id})
    return secret


async def claim(visitor: Visitor, person: Person | None, secret: str) -> Membership:
    """Give the member of a personal link to the person who is signed in in the same browser.

    Raises:
        SessionMissing: one of the two has ended.
        MemberClaimed, PersonInCourse: see `identities.claim`.
    """
    async with visitor.database.write() as session:
        token = await tokens.find_token(session, hash_secret(secret))
        if token is None or person is None or token.membership_id is None:
            raise SessionMissing
        member = await identities.claim(session, token.membership_id, person)
        if token.is_link:
            await links.use(session, token)
    return member


async def join(
    visitor: Visitor, secret: str, form_key: str, wanted: JoinByName, *, is_member: bool
) -> tuple[NewLink, str] | None:
    """Make a new, unconfirmed student by a join link, and sign the browser in.

    Args:
        secret: of the join link.
        form_key: random, known to this browser alone; the same form sent again finds the student that it has made.
        is_member: the browser is signed in as a member of the course already, by this form perhaps.
    Returns:
        The student's own link, and the secret of the session; None: a member has sent another form.
    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived, MemberRemoved
    """
    newcomer = Newcomer(**wanted.model_dump())
    async with visitor.database.write() as session:
        if is_member:
            link = await joining.find_made(session, secret, form_key, newcomer)
        else:
            link = await joining.join(session, secret, form_key, newcomer)
        return None if link is None else (link, await _begin(session, link.token, visitor.longest))


async def join_as(visitor: Visitor, secret: str, person: Person, wanted: JoinAsPerson) -> None:
    """Make a person who is signed in an unconfirmed student by a join link.

    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived, MemberRemoved
    """
    async with visitor.database.write() as session:
        await joining.join_as(session, secret, person, wanted.claimed_id)


async def enter_launched(visitor: Visitor, person: Person, course_id: str, *, in_frame: bool = False) -> str:
    """Sign a person in whom a platform has sent, in this course alone.

    Args:
        in_frame: the browser keeps no cookie there; the secret is the token of its paths.
    """
    secret, longest = _new_secret(), visitor.longest_launched
    sha256, lifetime = (hash_of_frame(secret), min(FRAMED, longest)) if in_frame else (hash_secret(secret), longest)
    async with visitor.database.write() as session:
        await sessions.add(session, sha256=sha256, of=person, lifetime=lifetime, course_id=course_id)
    return secret


async def prolong_framed(visitor: Visitor, sha256: str) -> None:
    """Let the session of a frame go on, for it is in use."""
    async with visitor.database.write() as session:
        await sessions.prolong(session, sha256, FRAMED, visitor.longest_launched)


async def lend(visitor: Visitor, sha256: str) -> str:
    """Return a secret with which a window of this browser gets the session of this frame, once and soon."""
    secret = _new_secret()
    async with visitor.database.write() as session:
        await sessions.copy(session, sha256, _hash_of_window(secret), TO_WINDOW, visitor.longest_launched)
    return secret


async def take_lent(visitor: Visitor, lent: str) -> str:
    """Sign the browser in with what `lend` returned.

    Raises:
        SessionMissing: it was taken before, or too late.
    """
    secret, longest = _new_secret(), visitor.longest_launched
    async with visitor.database.write() as session:
        if not await sessions.copy(session, _hash_of_window(lent), hash_secret(secret), longest, longest):
            raise SessionMissing
        await sessions.delete(session, _hash_of_window(lent))
    return secret


async def leave(visitor: Visitor, sha256: str) -> None:
    """End a session. It may be over already."""
    async with visitor.database.write() as session:
        await sessions.delete(session, sha256)


async def _begin(session: AsyncSession, of: Token | Person, lifetime: timedelta) -> str:
    secret = _new_secret()
    if isinstance(of, Token) and of.is_link:
        await links.use(session, of)
    await sessions.add(session, sha256=hash_secret(secret), of=of, lifetime=lifetime)
    return secret


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _hash_of_window(secret: str) -> str:
    return hash_secret(f"window:{secret}")
