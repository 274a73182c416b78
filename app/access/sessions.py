"""Sessions: browsers that are signed in, with a token or as a person. Only hashes of their secrets are kept."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sql
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.access import notebooks
from app.access.tokens import Principal, find_holders, hash_secret, holders, is_valid
from app.errors import SessionMissing, existing
from app.storage.database import Database
from app.storage.models import Course, Membership, NotebookCode, Person, Session, Submission, Token, utc_now

#: The longest session that a launch from a platform begins.
LAUNCH_LIFETIME = timedelta(hours=12)
#: The lifetime of a frame's session without cookies, from its last use.
FRAME_LIFETIME = timedelta(hours=1)
#: The time to get from a page in a frame to the same page in a window.
TO_WINDOW = timedelta(seconds=60)


def hash_of_frame(token: str) -> str:
    """Return the hash under which a frame's session is kept, from the token in its paths."""
    return hash_secret(f"frame:{token}")


def _hash_of_window(secret: str) -> str:
    return hash_secret(f"window:{secret}")


def new_secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Visitor:
    """A browser to sign in or out. Methods that sign it in return the secret of its session.

    Attributes:
        longest: the lifetime of a session.
    """

    database: Database
    longest: timedelta

    @property
    def longest_of_launch(self) -> timedelta:
        """The lifetime of a session that a platform has begun."""
        # A click on the platform begins the next session, and computers are shared.
        return min(self.longest, LAUNCH_LIFETIME)

    async def enter_from_launch(self, person: Person, course_id: str, *, in_frame: bool = False) -> str:
        """Sign in the person of a platform's launch, in this course only.

        Args:
            in_frame: the browser keeps no cookie there; the secret is the token of its paths.
        """
        secret, longest = new_secret(), self.longest_of_launch
        sha256, lifetime = (
            (hash_of_frame(secret), min(FRAME_LIFETIME, longest)) if in_frame else (hash_secret(secret), longest)
        )
        async with self.database.write() as session:
            await add(session, sha256=sha256, of=person, lifetime=lifetime, course_id=course_id)
        return secret

    async def prolong_frame(self, sha256: str) -> None:
        """Let the session of a frame go on from now, for it is in use."""
        async with self.database.write() as session:
            if (stored := await session.get(Session, sha256)) is not None:
                stored.expires_at = min(utc_now() + FRAME_LIFETIME, stored.created_at + self.longest_of_launch)

    async def lend(self, sha256: str) -> str:
        """Return a secret with which a window of this browser can take over the frame's session, once and soon."""
        secret = new_secret()
        async with self.database.write() as session:
            await self._copy(session, sha256, _hash_of_window(secret), TO_WINDOW)
        return secret

    async def take_lent(self, lent: str) -> str:
        """Sign the browser in with a secret from `lend`.

        Raises:
            SessionMissing: it was taken before, or too late.
        """
        secret, sha256 = new_secret(), _hash_of_window(lent)
        async with self.database.write() as session:
            if not await self._copy(session, sha256, hash_secret(secret), self.longest_of_launch):
                raise SessionMissing
            await session.execute(sql.delete(Session).where(Session.sha256 == sha256))
        return secret

    async def leave(self, sha256: str) -> None:
        """End a session. It may be over already."""
        async with self.database.write() as session:
            await session.execute(sql.delete(Session).where(Session.sha256 == sha256))

    async def _copy(self, session: AsyncSession, sha256: str, to_sha256: str, lifetime: timedelta) -> bool:
        """Open a session beside the one with the first hash, of the same launch. Returns: whether there is that one."""
        now = utc_now()
        of = Session.sha256 == sha256, Session.expires_at > now, Session.person_id.is_not(None)
        if (first := await session.scalar(select(Session).where(*of).with_for_update())) is None:
            return False
        copy = Session(sha256=to_sha256, person_id=first.person_id, course_id=first.course_id)
        copy.created_at, copy.expires_at = (
            first.created_at,
            min(now + lifetime, first.created_at + self.longest_of_launch),
        )
        session.add(copy)
        await session.flush()
        return True


async def add(
    session: AsyncSession, *, sha256: str, of: Token | Person, lifetime: timedelta, course_id: str | None = None
) -> None:
    """Store a signed-in browser of a token or a person, and delete the sessions that are over.

    It lasts no longer than its token.

    Args:
        course_id: the only course that a person's session opens; None: all of the person's courses.
    """
    now = utc_now()
    await session.execute(sql.delete(Session).where(Session.expires_at <= now))
    if isinstance(of, Person):
        session.add(Session(sha256=sha256, person_id=of.id, course_id=course_id, expires_at=now + lifetime))
        return
    expires_at = min(now + lifetime, of.expires_at or now + lifetime)
    session.add(Session(sha256=sha256, token_id=of.id, expires_at=expires_at))


@dataclass(frozen=True)
class SignedIn:
    """Everything by which somebody is signed in.

    Attributes:
        person_id: None: the session is that of a token which is nobody's own, and the others are those of the token.
        browsers: the number of sessions.
        notebooks: the tokens of notebooks, in all courses.
    """

    person_id: str | None
    browsers: int
    notebooks: Sequence[Token]


async def signed_in_everywhere(session: AsyncSession, sha256: str) -> SignedIn:
    """Find everything by which the person of the session with this hash is signed in, in all courses.

    Raises:
        SessionMissing: it is over.
    """
    return await _signed_in(session, *await _everywhere(session, sha256))


async def end_everywhere(session: AsyncSession, sha256: str) -> SignedIn:
    """End all of it at once, with a code that is still to be used. Returns: what has ended. Raises: SessionMissing."""
    person_id, browsers, members, unstored = await _everywhere(session, sha256)
    ended = await _signed_in(session, person_id, browsers, members, unstored)
    await session.execute(sql.delete(NotebookCode).where(NotebookCode.membership_id.in_(members)))
    await notebooks.end(session, Token.membership_id.in_(members))
    await session.execute(sql.delete(Session).where(browsers).execution_options(synchronize_session=False))
    return ended


async def _signed_in(
    session: AsyncSession, person_id: str | None, browsers: ColumnElement[bool], members: Select[str], unstored: int
) -> SignedIn:
    now = Session.expires_at > utc_now()
    counted = await session.scalar(select(func.count()).select_from(Session).where(browsers, now))
    return SignedIn(
        person_id, unstored + (counted or 0), await notebooks.notebooks_of(session, Token.membership_id.in_(members))
    )


async def _everywhere(session: AsyncSession, sha256: str) -> tuple[str | None, ColumnElement[bool], Select[str], int]:
    """Return the person, the condition on `Session` that it is theirs, the ids of their memberships, and the number of
    browsers without a stored session: this one, or none.
    """
    of = select(Session.token_id, func.coalesce(Session.person_id, Membership.person_id))
    joined = of.outerjoin(Token, Token.id == Session.token_id).outerjoin(
        Membership, Membership.id == Token.membership_id
    )
    this = joined.where(Session.sha256 == sha256, Session.expires_at > utc_now())
    owner, unstored = (await session.execute(this)).one_or_none(), 0
    if owner is None:
        # As in `find_holder`.
        own = select(Token.id, Membership.person_id).outerjoin(Membership, Membership.id == Token.membership_id)
        of_token = Token.sha256 == sha256, is_valid(utc_now())
        owner, unstored = (await session.execute(own.where(*of_token))).one_or_none(), 1
    token_id, person_id = existing(owner, SessionMissing)
    members = select(Membership.id).where(Membership.person_id == person_id)
    if person_id is None:
        return None, Session.token_id == token_id, members, unstored
    own_tokens = select(Token.id).where(Token.membership_id.in_(members))
    return person_id, or_(Session.person_id == person_id, Session.token_id.in_(own_tokens)), members, unstored


async def ends_within(session: AsyncSession, sha256: str, time: timedelta) -> bool:
    """Tell whether the session with this hash is over so soon."""
    of = Session.sha256 == sha256, Session.expires_at < utc_now() + time
    return await session.scalar(select(Session.sha256).where(*of)) is not None


async def other_launches(session: AsyncSession, sha256: str) -> Sequence[str]:
    """List the hashes of the person's other sessions from launches into the same course, such as an earlier tab's."""
    this, now = aliased(Session), utc_now()
    same = Session.person_id == this.person_id, Session.course_id == this.course_id, Session.expires_at > now
    others = select(Session.sha256).join(this, and_(*same)).where(this.sha256 == sha256, this.expires_at > now)
    return (await session.scalars(others)).all()


async def find_holder(
    session: AsyncSession, sha256: str, course_id: str | None = None, *, submission_id: str | None = None
) -> Principal | None:
    """Find the holder of the session with this hash, if the session and its token are valid now.

    Args:
        course_id: the course in which a person with several memberships acts; None: the course of the submission, or
            else the course that the person joined last.
        submission_id: the request is about this submission, of whatever course.
    """
    now = utc_now()
    tokens = await session.execute(
        holders()
        .join(Session, Session.token_id == Token.id)
        .where(Session.sha256 == sha256, Session.expires_at > now, is_valid(now))
    )
    if row := tokens.one_or_none():
        return Principal.of(*row)
    # A browser that signed in while no session could be stored (`actions.getting_in.enter`); no notebook does.
    of_token = (await find_holders(session, [sha256])).get(sha256)
    if of_token and of_token.assignment_id is None:
        return of_token
    of_submission = select(Submission.course_id).where(Submission.id == submission_id).scalar_subquery()
    chosen = Membership.course_id == (of_submission if course_id is None else course_id)
    of_person = (
        select(Membership, Person.name, Course.archived_at)
        .join(Session, Session.person_id == Membership.person_id)
        .join(Person, Person.id == Membership.person_id)
        .join(Course, Course.id == Membership.course_id)
        .where(Session.sha256 == sha256, Session.expires_at > now, Membership.removed_at.is_(None))
        .where(or_(Session.course_id.is_(None), Session.course_id == Membership.course_id))
        .order_by(chosen.desc(), Membership.id.desc())
        .limit(1)
    )
    if (memberships := (await session.execute(of_person)).one_or_none()) is None:
        return None
    member, name, archived_at = memberships
    return Principal.of_member(member, name, archived=archived_at is not None)


async def member_ids(session: AsyncSession, sha256: str, holder: Principal) -> Collection[str]:
    """List the members whom the holder of this session is: in one course, or by single sign-on in all of theirs."""
    if holder.membership_id is None:
        return ()
    of_person = (
        select(Membership.id)
        .join(Session, Session.person_id == Membership.person_id)
        .where(Session.sha256 == sha256, Session.course_id.is_(None), Membership.removed_at.is_(None))
    )
    return {holder.membership_id, *await session.scalars(of_person)}


async def find_person(session: AsyncSession, sha256: str) -> Person | None:
    """Find the person of a session of single sign-on, who may be in no course.

    A launch from a platform signs a person in to one course only, so it does not count here.
    """
    return await session.scalar(
        select(Person)
        .join(Session, Session.person_id == Person.id)
        .where(Session.sha256 == sha256, Session.expires_at > utc_now(), Session.course_id.is_(None))
    )
