"""Authentication: bearer tokens for programs, sessions for browsers.

Tokens and session cookies are random, so a plain SHA-256 is kept, which cannot be turned back into them. A session is
opened with a token and ends with it. In a frame without cookies its secret is in the path (`app.http.frames`). The
secret in a page's forms is derived from that of the session, which another site can neither read nor guess.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import BaseRoute

from app.access import links, sessions, tokens
from app.access.rights import Action
from app.access.sessions import LAUNCHED
from app.access.tokens import Principal, hash_secret
from app.errors.courses import CourseNotFound
from app.errors.requests import FormExpired, NotAuthenticated, OtherSite, SessionMissing
from app.errors.ways_in import NoCourseYet
from app.http.cookies import forget, keep, read
from app.http.frames import is_from_us, token_of
from app.http.masking import unmask
from app.http.parameters import ID, CourseParameter
from app.http.written import written_in
from app.lti.launch.login import COURSE_PATH, KEYS_PATH, LAUNCH_PATH, LOGIN_PATH, TARGET_PATH, WINDOW_PATH
from app.lti.registration.invitations import REGISTER_PATH
from app.lti.registration.tool import CANVAS_PATH
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.services import operations, services
from app.storage.batches import Batcher
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Course, Person, Token

#: The session of a frame without cookies, from the last time that it was used.
FRAMED = timedelta(hours=1)
#: From a page in a frame to the same one in a window.
TO_WINDOW = timedelta(seconds=60)
FORM_FIELD = "form_secret"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_COOKIE = "lstm_grader_session"
#: Paths that are open to everybody; all others need a token or a session.
PUBLIC = frozenset(
    {
        "/healthz",
        "/readyz",
        "/docs",
        "/enter",
        "/leave",
        "/link",
        "/join/{secret}",
        "/static/vega.js",
        START_PATH,
        CALLBACK_PATH,
        LOGIN_PATH,
        LAUNCH_PATH,
        COURSE_PATH,
        TARGET_PATH,
        f"{WINDOW_PATH}/open",
        KEYS_PATH,
        REGISTER_PATH,
        CANVAS_PATH,
    }
)

bearer_scheme = HTTPBearer(
    scheme_name="bearer",
    description="The service prints its owner's token when it starts.",
    auto_error=False,  # Its own error is not a problem document.
)


async def token_holder(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)],
    course: CourseParameter = None,
) -> Principal:
    """Return the holder of the token in this API request, acting in the course that the request names.

    Raises:
        NotAuthenticated: there is no bearer token, or not a valid one.
        CourseNotFound: there is no such course, or the token acts in another one.
    """
    if credentials is None:
        raise NotAuthenticated
    holder = await services(request).holders.do(hash_secret(credentials.credentials))
    if holder is None:
        raise NotAuthenticated
    return await _in_course(request, holder, course)


async def _in_course(request: Request, holder: Principal, course: str | None) -> Principal:
    if course is None:
        return holder
    async with services(request).database.read() as session:
        found = await session.get(Course, course) if ID.fullmatch(course) else None
    if found is None:
        raise CourseNotFound
    holder = holder.in_course(found)
    request.state.course = found
    return holder


def holders(database: Database) -> Batcher[str, Principal | None]:
    """Return a batcher that finds the holder of a token by its hash: one statement for all requests of the moment."""

    async def find(sha256s: Sequence[str]) -> Sequence[Principal | None]:
        async with database.read() as session:
            found = await tokens.find_holders(session, set(sha256s))
        return [found.get(each) for each in sha256s]

    return Batcher(find)


@dataclass(frozen=True)
class Permitted:
    """A dependency that gives the holder of the token, if it has this right (`Principal.check`)."""

    action: Action
    #: Whether the transaction refuses what an archived course no longer takes.
    archived_too: bool = False

    async def __call__(self, holder: Annotated[Principal, Depends(token_holder)]) -> Principal:
        holder.check(self.action, archived_too=self.archived_too)
        return holder


@dataclass(frozen=True)
class PermittedIn:
    """A dependency that gives the holder of the token, acting in the course of the path, if it has this right there."""

    action: Action

    async def __call__(
        self,
        request: Request,
        holder: Annotated[Principal, Depends(token_holder)],
        course_id: Annotated[str, Path(description="the `id` of a course", examples=[DEFAULT_COURSE])],
    ) -> Principal:
        """Raises: CourseNotFound: there is no such course, or the holder acts in another one."""
        holder = await _in_course(request, holder, course_id)
        holder.check(self.action)
        return holder


async def monitor(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer_scheme)]
) -> None:
    """Check for the metrics token of the settings, or for a token that may see everything.

    Raises:
        NotAuthenticated: there is no valid token.
        NotPermitted: the token may not see everything.
    """
    state = operations(request)
    expected = state.settings.metrics_token
    came = credentials.credentials if credentials else ""
    if expected and hmac.compare_digest(came.encode(), expected.get_secret_value().encode()):
        return
    sha256 = hash_secret(came)
    async with state.database.read() as session:
        holder = (await tokens.find_holders(session, [sha256])).get(sha256)
    if holder is None:
        raise NotAuthenticated
    holder.check(Action.SEE_METRICS)


async def session_holder(request: Request, course: CourseParameter = None) -> Principal:
    """Return the holder of the browser session in this request, acting in the course that its path or query names.

    Raises:
        SessionMissing: there is no session, or it is over.
        NoCourseYet: the person is signed in, and a member of no course.
        CourseNotFound: there is no such course, or the holder acts in others.
        OtherSite: it would change something, and another site has sent it.
    """
    if request.method not in SAFE_METHODS:
        check_origin(request)
    try:
        return await _session_holder(request, course)
    except SessionMissing:
        if request.method not in SAFE_METHODS:
            request.state.written = await written_in(request)
        raise


async def _session_holder(request: Request, course: str | None) -> Principal:
    if not has_session(request):
        raise SessionMissing
    sha256 = session_sha256(request)
    course = request.path_params.get("course_id", course)
    async with services(request).database.read() as session:
        of = request.path_params.get("submission_id")
        holder = await sessions.find_holder(session, sha256, course, submission_id=of)
        person = None if holder else await sessions.find_person(session, sha256)
        is_old = token_of(request) is not None and await sessions.ends_within(session, sha256, FRAMED / 2)
    if holder is None:
        raise NoCourseYet if person else SessionMissing
    if is_old:
        async with services(request).database.write() as session:
            await sessions.prolong(session, sha256, FRAMED, _longest_launched(request))
    holder = await _in_course(request, holder, course)
    if of is None:
        # For the page of a refusal that comes later. With a submission, the course of the holder would say where it is.
        request.state.viewer = holder
    return holder


@dataclass(frozen=True)
class PageFor:
    """A dependency that gives the holder of the browser session, if it has this right in the course of the page.

    A page that shows what an archived course still shows names a right to read, and its forms one to change.
    """

    action: Action

    async def __call__(self, holder: Annotated[Principal, Depends(session_holder)]) -> Principal:
        holder.check(self.action)
        return holder


async def signed_in(request: Request) -> None:
    """Check that the browser is signed in, in a course or in none.

    Raises:
        SessionMissing, OtherSite: see `session_holder`.
    """
    with contextlib.suppress(NoCourseYet):
        await session_holder(request)


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


def form_secret(request: Request) -> str:
    """Return the secret that proves a form to be from a page of ours. Pages hold it masked."""
    return hash_secret(f"form:{token_of(request) or read(request, SESSION_COOKIE)}")


def check_origin(request: Request) -> None:
    """Check that a form was sent by a page of ours, by the browser's headers. Programs send none, and have no session.

    Source: the Fetch Standard, "Origin header".
    Raises:
        OtherSite: another site sent it.
    """
    if not is_from_us(request.headers):
        raise OtherSite
    came = request.headers.get("origin")
    if came is None:
        return
    public = urlsplit(services(request).settings.public_url or "")
    ours = [request.headers.get("host", ""), public.netloc]
    try:
        origin = urlsplit(came)
    except ValueError as exc:
        raise OtherSite from exc
    # A proxy may have left the port out of `Host`.
    if not {origin.netloc, origin.hostname} & set(filter(None, ours)):
        raise OtherSite
    # A page of our host that came without TLS may be anybody's.
    if origin.hostname == public.hostname and origin.scheme != public.scheme:
        raise OtherSite


def check_form_secret(request: Request, came: object) -> None:
    """Raises: FormExpired: the secret is not this session's."""
    secret = unmask(came) if isinstance(came, str) else ""
    if not hmac.compare_digest(secret.encode(), form_secret(request).encode()):
        raise FormExpired


def check_guarded(routes: Iterable[BaseRoute]) -> None:
    """Check that every route authenticates its caller or is `PUBLIC`.

    Raises:
        RuntimeError: a route does neither.
    """
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path not in PUBLIC and not _asks_who(context.dependant):
            raise RuntimeError(f"{context.path} is open to everybody; it must ask for a token or a session")


def _asks_who(dependant: Dependant) -> bool:
    return dependant.call in (token_holder, session_holder, signed_in, monitor) or any(
        map(_asks_who, dependant.dependencies)
    )


Reader = Annotated[Principal, Depends(Permitted(Action.READ))]
SessionHolder = Annotated[Principal, Depends(session_holder)]
