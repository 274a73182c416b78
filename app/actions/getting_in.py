"""Signing in and out. The visitor has no right yet, and shows a link or an account instead.

A browser that signs in gets a session, which only the returned secret opens.
"""

import logging
from collections.abc import Collection
from datetime import timedelta

from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import identities, joining, links, sessions, tokens
from app.access.joining import Newcomer
from app.access.links import NewLink
from app.access.sessions import SignedIn, Visitor, new_secret
from app.access.tokens import hash_secret
from app.actions.fields import ActionRequest, Email, Name
from app.errors import SessionMissing
from app.oidc.issuer import Claims
from app.storage.models import Membership, Person, Token
from app.storage.outage import is_ours, reason_of

logger = logging.getLogger(__name__)


class AskForLink(ActionRequest):
    """For `LostLinks`, which looks the address up afterwards."""

    email: Email


class JoinAsPerson(ActionRequest):
    """The form of somebody who is signed in by single sign-on and joins a course through a join link."""

    claimed_id: Name | None = Field(None, description="the id in the grade book, as they say")


class JoinByName(JoinAsPerson):
    """The form of anybody else who joins."""

    name: Name
    email: Email | None = None


async def enter(visitor: Visitor, secret: str) -> str:
    """Sign a browser in with a personal link or a token.

    While nothing can be stored, as on a full disk, the browser keeps the token itself instead of a session: students
    read their reports, and an admin sees what is wrong.

    Returns:
        The secret for the browser: of a session, or this one.
    Raises:
        LinkUnusable: it is unknown, expired or revoked.
        SessionMissing: it ended meanwhile.
    """
    async with visitor.database.read() as session:
        token = await tokens.existing_token(session, secret)
    try:
        async with visitor.database.write() as session:
            return await _begin(session, token, visitor.longest)
    except SQLAlchemyError as exc:
        if is_ours(exc):
            raise
        logger.warning("session_not_stored", extra={"reason": reason_of(exc)})
        return secret


async def leave(visitor: Visitor, sha256: str) -> None:
    """End a session. It may be over already. While nothing can be stored, only the browser forgets it."""
    try:
        await visitor.leave(sha256)
    except SQLAlchemyError as exc:
        if is_ours(exc):
            raise
        logger.warning("session_not_ended", extra={"reason": reason_of(exc)})


async def leave_everywhere(visitor: Visitor, sha256: str) -> SignedIn:
    """Sign the person of the session with this hash out of all browsers and notebooks.

    Returns:
        The ended sessions and notebooks.
    Raises:
        SessionMissing: the session is over.
    """
    async with visitor.database.write() as session:
        ended = await sessions.end_everywhere(session, sha256)
    facts = {"person_id": ended.person_id, "browsers": ended.browsers, "notebooks": len(ended.notebooks)}
    logger.info("signed_out_everywhere", extra=facts)
    return ended


async def sign_on(visitor: Visitor, claims: Claims, domains: Collection[str]) -> str:
    """Sign in the person behind an issuer's claims (`identities`).

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
    """Add a new, unconfirmed student through a join link, and sign the browser in.

    Args:
        secret: of the join link.
        form_key: random, known to this browser alone; the same form sent again finds the same student.
        is_member: the browser is signed in as a member of the course already, by this form perhaps.
    Returns:
        The student's own link, and the secret of the session; None: a member has sent another form.
    Raises: JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived, MemberRemoved
    """
    newcomer = Newcomer(**wanted.model_dump())
    async with visitor.database.write() as session:
        if is_member:
            link = await joining.find_link_of_form(session, secret, form_key, newcomer)
        else:
            link = await joining.join(session, secret, form_key, newcomer)
        return None if link is None else (link, await _begin(session, link.token, visitor.longest))


async def join_as(visitor: Visitor, secret: str, person: Person, wanted: JoinAsPerson) -> None:
    """Add a signed-in person to the course of a join link, as an unconfirmed student.

    Raises: JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived, MemberRemoved
    """
    async with visitor.database.write() as session:
        await joining.join_as(session, secret, person, wanted.claimed_id)


async def _begin(session: AsyncSession, of: Token | Person, lifetime: timedelta) -> str:
    secret = new_secret()
    if isinstance(of, Token) and of.is_link:
        await links.use(session, of)
    await sessions.add(session, sha256=hash_secret(secret), of=of, lifetime=lifetime)
    return secret
