"""The caller of a route, as a dependency: the holder of a bearer token, in programs, or of a session, in browsers.

Tokens are random, so a plain SHA-256 is kept, which cannot be turned back into them.
"""

import contextlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import SQLAlchemyError

from app.access import notebooks, sessions, tokens
from app.access.rights import Right
from app.access.sessions import FRAME_LIFETIME
from app.access.tokens import Principal, hash_secret
from app.actions.actor import Action, Actor
from app.actions.fields import ID
from app.errors import CourseNotFound, NoCourseYet, NotAuthenticated, SessionMissing, existing
from app.http.auth.proof import SAFE_METHODS, check_origin
from app.http.auth.sessions import has_session, session_sha256, visitor
from app.http.bodies import read_long_texts
from app.http.frames import token_of
from app.http.parameters import CourseParameter
from app.services import operations, service_url, services
from app.storage.batches import Batcher
from app.storage.database import Database
from app.storage.models import Course
from app.teaching.news import count_unseen

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
    secret = existing(credentials, NotAuthenticated).credentials
    holder = existing(await services(request).holders.do(hash_secret(secret)), NotAuthenticated)
    return await _in_course(request, holder, course)


async def _in_course(request: Request, holder: Principal, course: str | None) -> Principal:
    if course is None:
        return holder
    async with services(request).database.read() as session:
        known = existing(await session.get(Course, course) if ID.fullmatch(course) else None, CourseNotFound)
    holder = holder.in_course(known)
    request.state.course = known
    return holder


def holders(database: Database) -> Batcher[str, Principal | None]:
    """Return a batcher that finds the holder of a token by its hash: one statement for all requests of the moment."""

    async def find(sha256s: Sequence[str]) -> Sequence[Principal | None]:
        async with database.read() as session:
            by_hash = await tokens.find_holders(session, set(sha256s))
            unnoted = await notebooks.unnoted(session, by_hash.values())
        if unnoted:
            # A database that takes no writes still answers readers.
            with contextlib.suppress(SQLAlchemyError):
                async with database.write() as session:
                    await notebooks.note_use(session, unnoted)
        return [by_hash.get(each) for each in sha256s]

    return Batcher(find)


async def acting_holder(request: Request, holder: Annotated[Principal, Depends(token_holder)]) -> Principal:
    """Return the holder of the token, acting in the course of the path if the path names one (`openapi.COURSE_ID`).

    Raises:
        CourseNotFound: there is no such course, or the holder acts in another one.
    """
    return await _in_course(request, holder, request.path_params.get("course_id"))


@dataclass(frozen=True)
class TokenFor:
    """A dependency that gives the holder of the token, if it has this right (`Principal.check`)."""

    right: Right

    async def __call__(self, holder: Annotated[Principal, Depends(acting_holder)]) -> Principal:
        holder.check(self.right)
        return holder


def actor_of(request: Request, holder: Principal) -> Actor:
    parts = services(request)
    return Actor(holder, parts.database, parts.assignments, service_url(request), parts.mailer)


@dataclass(frozen=True)
class RouteAction:
    """The action of a route. Its dependencies refuse before the body is read."""

    action: Action[..., Any]

    @property
    def right(self) -> Right:
        return self.action.right


@dataclass(frozen=True)
class ActorFor(RouteAction):
    """A dependency of a route with an action: it gives the `Actor`."""

    async def __call__(self, request: Request, holder: Annotated[Principal, Depends(acting_holder)]) -> Actor:
        self.action.check(holder)
        return actor_of(request, holder)


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
    secret = credentials.credentials if credentials else ""
    if expected and hmac.compare_digest(secret.encode(), expected.get_secret_value().encode()):
        return
    sha256 = hash_secret(secret)
    async with state.database.read() as session:
        holder = existing((await tokens.find_holders(session, [sha256])).get(sha256), NotAuthenticated)
    holder.check(Right.SEE_METRICS)


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
            request.state.long_texts = await read_long_texts(request)
        raise


async def _session_holder(request: Request, course: str | None) -> Principal:
    if not has_session(request):
        raise SessionMissing
    sha256 = session_sha256(request)
    course = request.path_params.get("course_id", course)
    async with services(request).database.read() as session:
        of = request.path_params.get("submission_id")
        # Any other text is refused later; it might hold a NUL, which PostgreSQL does not take.
        ids = [each if each and ID.fullmatch(each) else None for each in (course, of)]
        holder = await sessions.find_holder(session, sha256, ids[0], submission_id=ids[1])
        person = None if holder else await sessions.find_person(session, sha256)
        if holder and not holder.sees_everything and "text/html" in request.headers.get("accept", ""):
            request.state.news = await count_unseen(session, await sessions.member_ids(session, sha256, holder))
        is_old = token_of(request) is not None and await sessions.ends_within(session, sha256, FRAME_LIFETIME / 2)
    if holder is None:
        raise NoCourseYet if person else SessionMissing
    if is_old:
        await visitor(request).prolong_frame(sha256)
    holder = await _in_course(request, holder, course)
    if of is None:
        # Kept for the page of a later refusal; not with a submission, since that page would tell its course.
        request.state.viewer = holder
    return holder


async def signed_in(request: Request) -> None:
    """Check that the browser is signed in, in a course or in none.

    Raises:
        SessionMissing, OtherSite: see `session_holder`.
    """
    with contextlib.suppress(NoCourseYet):
        await session_holder(request)


Reader = Annotated[Principal, Depends(TokenFor(Right.READ))]
SubmissionReader = Annotated[Principal, Depends(TokenFor(Right.READ_SUBMISSIONS))]
SessionHolder = Annotated[Principal, Depends(session_holder)]
