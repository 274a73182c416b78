"""Browsers: the address of a client, and its session, which is known by a secret that the browser keeps.

The secret of a session is in a cookie; in a frame without cookies it is in the path (`app.http.frames`). It is random,
so a plain SHA-256 of it is kept, which cannot be turned back.
"""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request, Response

from app.access import sessions, tokens
from app.access.sessions import Visitor, hash_of_frame
from app.access.tokens import hash_secret
from app.http.cookies import keep, read
from app.http.frames import token_of
from app.services import services
from app.storage.models import Person, Token

SESSION_COOKIE = "lstm_grader_session"
UNSTORED_LIFETIME = timedelta(hours=1)


async def session_person(request: Request) -> Person | None:
    """Find the person who is signed in by single sign-on in this browser."""
    async with services(request).database.read() as session:
        return await sessions.find_person(session, session_sha256(request))


async def signed_in_as(request: Request) -> str | None:
    """Return the name of the person or token that is signed in; None: nobody is."""
    sha256 = session_sha256(request)
    async with services(request).database.read() as session:
        if person := await sessions.find_person(session, sha256):
            return person.name or person.email or person.id
        holder = await sessions.find_holder(session, sha256)
        if holder is None:
            return None
        token = await session.get(Token, holder.id)
    return tokens.holder_in_words(token) if token else holder.name


def visitor(request: Request) -> Visitor:
    parts = services(request)
    return Visitor(parts.database, timedelta(seconds=parts.settings.session_seconds))


def keep_session(
    request: Request, response: Response, secret: str, *, launched: bool = False, is_stored: bool = True
) -> None:
    """Have the browser keep the secret of its session.

    Args:
        launched: a platform's launch began the session.
        is_stored: nothing but the browser knows when it ends otherwise.
    """
    of = visitor(request)
    lifetime = of.longest_of_launch if launched else of.longest if is_stored else UNSTORED_LIFETIME
    keep(request, response, SESSION_COOKIE, secret, max_age=int(lifetime.total_seconds()))


def has_session(request: Request) -> bool:
    return token_of(request) is not None or bool(read(request, SESSION_COOKIE))


def session_sha256(request: Request) -> str:
    """Return the hash under which the session of this request is kept."""
    token = token_of(request)
    return hash_secret(read(request, SESSION_COOKIE)) if token is None else hash_of_frame(token)


def client_of(request: Request) -> str:
    """Return the client's address, and for IPv6 its network, all of whose addresses one customer has."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host
