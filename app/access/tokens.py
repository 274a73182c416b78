"""Tokens, and the sessions that browsers open with them: made, found, ended.

Only hashes are kept. A token that is bound to a student is the student's own: its holder hands in as this student and
sees everything that was handed in for this student, by any token.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import ADDING, RIGHTS, Action
from app.courses import members
from app.errors import CourseArchived, CourseNotFound, MemberRemoved, NotPermitted
from app.storage.models import DEFAULT_COURSE, Course, Membership, Role, Session, Token, utc_now

OWNER = "owner"


@dataclass(frozen=True)
class Principal:
    """The holder of a valid token, or of a session that was opened with one.

    Attributes:
        course_id: what the holder makes is made in this course.
        names_course: the request of an admin names the course, so the admin sees no other.
        in_archived: that course is archived.
    """

    token_id: str
    role: Role
    student: str | None = None
    course_id: str = DEFAULT_COURSE
    membership_id: str | None = None
    names_course: bool = False
    in_archived: bool = False

    @classmethod
    def of(cls, token: Token, course: Course | None = None) -> Principal:
        """Make it.

        Args:
            course: the token's; None: it is not archived.
        """
        archived = course is not None and course.archived_at is not None
        return cls(token.id, token.role, token.student, token.course_id, token.membership_id, in_archived=archived)

    @property
    def course(self) -> str | None:
        """The only course whose data the holder sees; None: those of all courses."""
        return None if self.role == Role.ADMIN and not self.names_course else self.course_id

    @property
    def sees_everything(self) -> bool:
        """Whether the holder sees everybody's submissions in `course`."""
        return self.role in (Role.ADMIN, Role.TEACHER)

    def in_course(self, course: Course) -> Principal:
        """Return the holder as this request acts, which names its course.

        Raises:
            CourseNotFound: the holder acts in another one only.
        """
        if self.course not in (None, course.id):
            raise CourseNotFound
        return replace(self, course_id=course.id, names_course=True, in_archived=course.archived_at is not None)

    def check(self, action: Action) -> None:
        """Check that the holder has this right, in the course in which this request acts.

        An admin's request that names no course may concern things of any course; `rights.check_course` asks theirs.

        Raises:
            NotPermitted: the role does not have it.
            CourseArchived: it is not left in this course.
        """
        right = RIGHTS[action]
        if self.role not in right.roles or (self.student is not None and not right.students):
            raise NotPermitted
        if self.in_archived and not right.in_archived and (self.course is not None or action in ADDING):
            raise CourseArchived


def new_token() -> str:
    return f"lstmg_{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 in hex. The secret is random and long, so a slow hash would gain nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def sign_in_link(url: str, secret: str) -> str:
    """Return the address at which a browser signs in.

    Args:
        url: of the service, without a slash at the end.
    """
    return f"{url}/enter?token={secret}"


async def find_token(session: AsyncSession, sha256: str) -> Token | None:
    """Find the token with this hash, if it is valid now."""
    return await session.scalar(select(Token).where(Token.sha256 == sha256, is_valid(utc_now())))


async def find_holders(session: AsyncSession, sha256s: Collection[str]) -> dict[str, Principal]:
    """Find the holders of the valid tokens with these hashes, by hash."""
    found = await session.execute(
        select(Token, Course)
        .join(Course, Course.id == Token.course_id)
        .where(Token.sha256.in_(sha256s), is_valid(utc_now()))
    )
    return {token.sha256: Principal.of(token, course) for token, course in found}


async def add_token(
    session: AsyncSession,
    *,
    name: str,
    role: Role,
    sha256: str,
    course_id: str = DEFAULT_COURSE,
    student: str | None = None,
    expires_at: datetime | None = None,
    created_by: str | None = None,
    idempotency_key: str | None = None,
) -> Token:
    """Store a token of a course.

    Args:
        student: makes it the own token of the student with this external id, who becomes an unconfirmed member if the
            course does not know the id.
    Raises:
        MemberRemoved: this student was removed from the course.
    """
    member = student and (await members.enrol(session, [(course_id, student)]))[course_id, student]
    if member and member.removed_at is not None:
        raise MemberRemoved
    token = Token(
        name=name,
        role=role,
        sha256=sha256,
        course_id=course_id,
        membership_id=member.id if member else None,
        student=student,
        expires_at=expires_at,
        created_by=created_by,
        idempotency_key=idempotency_key,
    )
    session.add(token)
    await session.flush()
    return token


async def list_tokens(
    session: AsyncSession, viewer: Principal, *, limit: int, before: str | None = None
) -> Sequence[Token]:
    """List the newest tokens that `viewer` may manage, ended ones too.

    Args:
        before: an id; only older ones are listed.
    """
    conditions = [managed_by(viewer), *([Token.id < before] if before else [])]
    return (await session.scalars(select(Token).where(*conditions).order_by(Token.id.desc()).limit(limit))).all()


async def revoke_token(session: AsyncSession, token_id: str, viewer: Principal) -> bool:
    """End a token and its sessions; return False when there is none that `viewer` may manage."""
    revoked = await session.execute(
        update(Token)
        .where(Token.id == token_id, managed_by(viewer))
        .values(revoked_at=utc_now())
        .returning(Token.id)
        .execution_options(synchronize_session=False)
    )
    if revoked.one_or_none() is None:
        return False
    await session.execute(delete(Session).where(Session.token_id == token_id))
    return True


def managed_by(viewer: Principal) -> ColumnElement[bool]:
    """Select the tokens that `viewer` may manage: all for an admin, submitters' of the course for a teacher.

    So a teacher cannot make a token that may do more than the teacher's own.
    """
    in_scope = true() if viewer.course is None else Token.course_id == viewer.course
    return in_scope if viewer.role == Role.ADMIN else and_(in_scope, Token.role == Role.SUBMITTER)


async def find_owner_token(session: AsyncSession) -> Token | None:
    """Find the owner's token; None: no service was ever started on this database."""
    owners = select(Token).where(Token.name == OWNER, Token.role == Role.ADMIN)
    return await session.scalar(owners.order_by(Token.id.desc()).limit(1))


async def set_owner_token(session: AsyncSession, sha256: str, *, chosen: bool = False) -> Token:
    """Make this the owner's only token.

    The owner stays one row under new hashes, so that a restart ends neither the owner's browsers nor webhooks.

    Args:
        chosen: the operator has set it. A new one then means that the earlier one is not trusted any more, so its
            browsers are signed out. A random token is new at each start, and means nothing.
    """
    token = await session.scalar(select(Token).where(Token.sha256 == sha256))
    if token is None and (token := await find_owner_token(session)) is not None:
        token.sha256 = sha256
        if chosen:
            await session.execute(delete(Session).where(Session.token_id == token.id))
    if token is None:
        return await add_token(session, name=OWNER, role=Role.ADMIN, sha256=sha256)
    token.name, token.role, token.expires_at, token.revoked_at = OWNER, Role.ADMIN, None, None
    token.student, token.membership_id = None, None
    await session.flush()
    await session.execute(
        update(Token)
        .where(Token.name == OWNER, Token.role == Role.ADMIN, Token.id != token.id, Token.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    return token


async def add_session(session: AsyncSession, *, sha256: str, token: Token, lifetime: timedelta) -> None:
    """Store a signed-in browser, no longer than its token lasts, and delete the sessions that are over."""
    now = utc_now()
    await session.execute(delete(Session).where(Session.expires_at <= now))
    expires_at = min(now + lifetime, token.expires_at or now + lifetime)
    session.add(Session(sha256=sha256, token_id=token.id, expires_at=expires_at))


async def find_session_holder(session: AsyncSession, sha256: str) -> Principal | None:
    """Find the holder of the token that opened the session with this hash, if both are valid now."""
    now = utc_now()
    found = await session.execute(
        select(Token, Course)
        .join(Session, Session.token_id == Token.id)
        .join(Course, Course.id == Token.course_id)
        .where(Session.sha256 == sha256, Session.expires_at > now, is_valid(now))
    )
    row = found.one_or_none()
    return row and Principal.of(*row)


async def delete_session(session: AsyncSession, sha256: str) -> None:
    await session.execute(delete(Session).where(Session.sha256 == sha256))


def is_valid(now: datetime) -> ColumnElement[bool]:
    """Return the condition on `Token` that it may be used; one of a removed member may not."""
    removed = exists().where(Membership.id == Token.membership_id, Membership.removed_at.is_not(None))
    return and_(Token.revoked_at.is_(None), or_(Token.expires_at.is_(None), Token.expires_at > now), ~removed)
