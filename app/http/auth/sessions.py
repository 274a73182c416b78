"""Sessions of browsers: opened with a token or a sign-on, lent by a frame to a window, closed, known by their secret.

The secret of a session is in a cookie; in a frame without cookies it is in the path (`app.http.frames`). It is random,
so a plain SHA-256 of it is kept, which cannot be turned back.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from fastapi import Request, Response

from app.access import links, sessions, tokens
from app.access.sessions import LAUNCHED
from app.access.tokens import hash_secret
from app.errors.requests import SessionMissing
from app.http.cookies import forget, keep, read
from app.http.frames import token_of
from app.services import services
from app.storage.models import Person, Token

#: The session of a frame without cookies, from the last time that it was used.
FRAMED = timedelta(hours=1)
#: From a page in a frame to the same one in a window.
TO_WINDOW = timedelta(seconds=60)
SESSION_COOKIE = "lstm_grader_session"


async def session_person(request: Request) -> Person | None:
    """Find the person who is signed in by single sign-on in this browser."""
    async with services(request).database.read() as session:
        return await sessions.find_person(session, session_sha256(request))


async def signed_in_as(request: Request) -> str | None:
    """Name the one who is signed in in this browser; None: nobody is."""
    sha256 = session_sha256(request)
    async with services(request).database.read() as session:
        if person := await sessions.find_person(session, sha256):
            return person.name or person.email or person.id
        holder = await sessions.find_holder(session, sha256)
        if holder is None:
            return None
        token = await session.get(Token, holder.id)
    return tokens.holder_in_words(token) if token else holder.name


async def open_session(
    request: Request,
    response: Response,
    of: Token | Person,
    *,
    course_id: str | None = None,
) -> None:
    """Sign the browser in.

    Args:
        course_id: the only course that is open to the session of a person.
    Raises:
        SessionMissing: the link has ended in the meantime.
    """
    cookie = secrets.token_urlsafe(32)
    lifetime = _longest(request) if course_id is None else _longest_launched(request)
    async with services(request).database.write() as session:
        if isinstance(of, Token) and of.is_link:
            await links.use(session, of)
        await sessions.add(session, sha256=hash_secret(cookie), of=of, lifetime=lifetime, course_id=course_id)
    keep(request, response, SESSION_COOKIE, cookie, max_age=int(lifetime.total_seconds()))


async def open_framed_session(request: Request, person: Person, course_id: str) -> str:
    """Sign the browser in within a frame where it keeps no cookie; return the token of its paths."""
    token = secrets.token_urlsafe(32)
    async with services(request).database.write() as session:
        sha256 = hash_secret(f"frame:{token}")
        lifetime = min(FRAMED, _longest_launched(request))
        await sessions.add(session, sha256=sha256, of=person, lifetime=lifetime, course_id=course_id)
    return token


async def lend_session(request: Request) -> str:
    """Return a secret with which a window of this browser gets the session of this frame, once and soon."""
    secret = secrets.token_urlsafe(32)
    async with services(request).database.write() as session:
        longest = _longest_launched(request)
        await sessions.copy(session, session_sha256(request), hash_secret(f"window:{secret}"), TO_WINDOW, longest)
    return secret


async def take_lent_session(request: Request, response: Response, secret: str) -> None:
    """Sign the browser in with what `lend_session` returned.

    Raises:
        SessionMissing: it was taken before, or too late.
    """
    cookie, lent = secrets.token_urlsafe(32), hash_secret(f"window:{secret}")
    longest = _longest_launched(request)
    async with services(request).database.write() as session:
        if not await sessions.copy(session, lent, hash_secret(cookie), longest, longest):
            raise SessionMissing
        await sessions.delete(session, lent)
    keep(request, response, SESSION_COOKIE, cookie, max_age=int(longest.total_seconds()))


async def prolong_framed(request: Request) -> None:
    """Let the session of this frame go on, for it is in use."""
    async with services(request).database.write() as session:
        await sessions.prolong(session, session_sha256(request), FRAMED, _longest_launched(request))


def _longest(request: Request) -> timedelta:
    return timedelta(seconds=services(request).settings.session_seconds)


def _longest_launched(request: Request) -> timedelta:
    # A click on the platform opens the next session, and computers are shared.
    return min(_longest(request), LAUNCHED)


async def close_session(request: Request, response: Response) -> None:
    async with services(request).database.write() as session:
        await sessions.delete(session, session_sha256(request))
    forget(request, response, SESSION_COOKIE)


def has_session(request: Request) -> bool:
    """Tell whether the request brings the secret of a session, which may be over."""
    return token_of(request) is not None or bool(read(request, SESSION_COOKIE))


def session_sha256(request: Request) -> str:
    """Return the hash under which the session of this request is kept."""
    token = token_of(request)
    return hash_secret(read(request, SESSION_COOKIE)) if token is None else hash_secret(f"frame:{token}")
