"""Tokens: make, find and end them, and the rights of their holders.

Only hashes are kept. A token that is bound to a member is the member's own, and has the rights that the member's role
gives now. A student's holder hands in as this student and sees everything that was handed in for this student, by any
token. The token of a notebook (`app.access.notebooks`) does so at one assignment only, and opens no browser's session.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import ADDING, Right
from app.courses import members
from app.errors import (
    CourseArchived,
    CourseNotFound,
    LinkUnusable,
    MemberNotStudent,
    MemberRemoved,
    NotPermitted,
    existing,
)
from app.onward import HOME
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, Membership, Role, Session, Token, utc_now
from app.storage.paging import EVERY_ROW, Paging
from app.storage.updates import update_rows

OWNER = "owner"
#: The role of a member's own tokens, by the member's role in the course.
ROLES = {
    MemberRole.TEACHER: Role.TEACHER,
    MemberRole.ASSISTANT: Role.ASSISTANT,
    MemberRole.STUDENT: Role.SUBMITTER,
}


@dataclass(frozen=True)
class Principal:
    """The holder of a valid token or of a session, as one request acts.

    Attributes:
        id: the actor in the records: the id of the token, or of the membership in a session of single sign-on.
        role: a member's own token has the rights of the member's role.
        external_id: the member's, if the token or the session is a member's own.
        name: for logs that people read.
        course_id: what the holder makes is made in this course.
        names_course: the request of an admin names the course, so the admin sees no other.
        in_archived: that course is archived.
        assignment_id: the only assignment, for the token of a student's notebook; None: all of them.
    """

    id: str
    role: Role
    external_id: str | None = None
    course_id: str = DEFAULT_COURSE
    membership_id: str | None = None
    name: str = ""
    names_course: bool = False
    in_archived: bool = False
    assignment_id: str | None = None

    @classmethod
    def of(cls, token: Token, course: Course | None = None, member: Membership | None = None) -> Principal:
        """Return the holder of a token.

        Args:
            course: the token's; None: it is not archived.
            member: whose own token it is.
        """
        archived = course is not None and course.archived_at is not None
        if member is None:
            return cls(token.id, token.role, course_id=token.course_id, name=token.name, in_archived=archived)
        holder = cls.of_member(member, archived=archived)
        return replace(holder, id=token.id, name=token.name, assignment_id=token.assignment_id)

    @classmethod
    def of_member(cls, member: Membership, name: str | None = None, *, archived: bool = False) -> Principal:
        """Return a member in a session of their own.

        Args:
            name: the person's.
            archived: whether the course is.
        """
        return cls(
            member.id,
            ROLES[member.role],
            member.external_id,
            member.course_id,
            member.id,
            name or member.external_id or member.id,
            in_archived=archived,
        )

    @property
    def student(self) -> str | None:
        """The student's id in the grade book, if the holder is a student."""
        return self.external_id if self.role == Role.SUBMITTER else None

    @property
    def hands_in_for_others(self) -> bool:
        """Whether the holder names the student of an upload: a script or a teacher, not a student or an assistant."""
        return self.student is None and self.role != Role.ASSISTANT

    @property
    def course(self) -> str | None:
        """The only course whose data the holder sees; None: those of all courses."""
        return None if self.role == Role.ADMIN and not self.names_course else self.course_id

    @property
    def sees_everything(self) -> bool:
        """Whether the holder sees everybody's submissions in `course`."""
        return self.role in (Role.ADMIN, Role.TEACHER, Role.ASSISTANT)

    def in_course(self, course: Course) -> Principal:
        """Return the holder as this request acts, which names its course.

        Raises:
            CourseNotFound: the holder acts in another one only.
        """
        if self.course not in (None, course.id):
            raise CourseNotFound
        return replace(self, course_id=course.id, names_course=True, in_archived=course.archived_at is not None)

    def may(self, right: str) -> bool:
        """Tell whether the holder has this right (`check`), which templates name by its value."""
        try:
            self.check(Right[right.upper()])
        except (NotPermitted, CourseArchived):
            return False
        return True

    def has(self, right: Right) -> bool:
        """Tell whether the role has this right in courses that are not archived."""
        holders = right.holders
        if self.assignment_id is not None and not holders.notebooks:
            return False
        is_student = self.role == Role.SUBMITTER and self.membership_id is not None
        return holders.students if is_student else self.role in holders.roles

    def check(self, right: Right, *, archived_too: bool = False) -> None:
        """Check that the holder has this right, in the course in which this request acts.

        An admin's request that names no course may concern things of any course; `course.keep_open` asks theirs.

        Args:
            archived_too: leave it to the transaction to refuse what an archived course no longer takes.

        Raises:
            NotPermitted: the role does not have it.
            CourseArchived: it is not left in this course.
        """
        if not self.has(right):
            raise NotPermitted
        if (
            self.in_archived
            and not right.holders.in_archived
            and not archived_too
            and (self.course is not None or right in ADDING)
        ):
            raise CourseArchived


def new_token() -> str:
    return f"lstmg_{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 in hex. The secret is random and long, so a slow hash would gain nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def sign_in_link(url: str, secret: str, next: str = HOME) -> str:
    """Return the address at which a browser signs in.

    Args:
        url: of the service, without a slash at the end.
        next: the page to go on with.
    """
    query = {"token": secret} if next == HOME else {"token": secret, "next": next}
    return f"{url}/enter?{urlencode(query)}"


def holder_in_words(token: Token) -> str:
    """Name the holder of a token for people."""
    # A link has the member's name; the id of somebody who joined by themselves says nothing.
    return token.name if token.is_link else token.student or token.name


async def find_token(session: AsyncSession, sha256: str) -> Token | None:
    """Find the token with this hash, if a browser can sign in with it now."""
    opens_a_session = Token.assignment_id.is_(None), is_valid(utc_now())
    return await session.scalar(select(Token).where(Token.sha256 == sha256, *opens_a_session))


async def existing_token(session: AsyncSession, secret: str) -> Token:
    """Find the token with this secret, if a browser can sign in with it now.

    Raises:
        LinkUnusable: nobody has it.
    """
    return existing(await find_token(session, hash_secret(secret)), LinkUnusable)


async def find_holders(session: AsyncSession, sha256s: Collection[str]) -> dict[str, Principal]:
    """Find the holders of the valid tokens with these hashes, by hash."""
    rows = await session.execute(holders().where(Token.sha256.in_(sha256s), is_valid(utc_now())))
    return {token.sha256: Principal.of(token, course, member) for token, course, member in rows}


def holders() -> Select[Token, Course, Membership]:
    """Select tokens with their course and, if they are a member's own, the member."""
    return (
        select(Token, Course, Membership)
        .join(Course, Course.id == Token.course_id)
        .outerjoin(Membership, Membership.id == Token.membership_id)
    )


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
        MemberNotStudent: the id is that of a teacher or an assistant, whose rights no such token gives.
    """
    member = student and (await members.enrol(session, [(course_id, student)]))[course_id, student]
    if member and member.removed_at is not None:
        raise MemberRemoved
    if member and member.role != MemberRole.STUDENT:
        raise MemberNotStudent
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


async def list_tokens(session: AsyncSession, viewer: Principal, paging: Paging = EVERY_ROW) -> Sequence[Token]:
    """List the newest tokens that `viewer` may manage, ended ones too, without personal links (`links.list_links`)."""
    managed = select(Token).where(managed_by(viewer), ~Token.is_link)
    return (await session.scalars(paging.of(managed, Token.id))).all()


async def revoke_token(session: AsyncSession, token_id: str, viewer: Principal) -> bool:
    """End a token and its sessions; return False when there is none that `viewer` may manage."""
    if not await update_rows(session, Token, Token.id == token_id, managed_by(viewer), revoked_at=utc_now()):
        return False
    await session.execute(delete(Session).where(Session.token_id == token_id))
    return True


def managed_by(viewer: Principal) -> ColumnElement[bool]:
    """Select the tokens that `viewer` may manage: all for an admin; for a teacher those of the course that scripts,
    students and assistants hold.

    So a teacher cannot make a token that may do more than the teacher's own.
    """
    in_scope = true() if viewer.course is None else Token.course_id == viewer.course
    if viewer.role == Role.ADMIN:
        return in_scope
    # A member's own token has the rights of the member's role now, whatever that was when it was made.
    of_script = and_(Token.membership_id.is_(None), Token.role.in_([Role.SUBMITTER, Role.ASSISTANT]))
    return and_(in_scope, or_(of_script, _own_member(Membership.role != MemberRole.TEACHER)))


async def find_owner_token(session: AsyncSession) -> Token | None:
    """Find the owner's token; None: no service was ever started on this database."""
    owners = select(Token).where(Token.name == OWNER, Token.role == Role.ADMIN)
    return await session.scalar(owners.order_by(Token.id.desc()).limit(1))


async def set_owner_token(session: AsyncSession, sha256: str, *, chosen: bool = False) -> Token:
    """Make this the owner's only token.

    The owner stays one row under new hashes, so a restart neither signs out its browsers nor ends webhooks.

    Args:
        chosen: the operator has set it. A different token then means that the earlier one is no longer trusted, so
            its browsers are signed out. A random token differs at each start, and signs nobody out.
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
    earlier = Token.name == OWNER, Token.role == Role.ADMIN, Token.id != token.id, Token.revoked_at.is_(None)
    await update_rows(session, Token, *earlier, revoked_at=utc_now())
    return token


async def as_of_now(session: AsyncSession, viewer: Principal) -> Principal | None:
    """Return the holder with current rights, for a request that takes minutes; None: the rights have ended.

    A token may have ended meanwhile, and a member may have been removed, or have another role.
    """
    of_token = await session.execute(holders().where(Token.id == viewer.id, is_valid(utc_now())))
    if row := of_token.one_or_none():
        holder = Principal.of(*row)
    else:
        of_member = select(Membership).where(Membership.id == viewer.id, Membership.removed_at.is_(None))
        if (member := await session.scalar(of_member)) is None:
            return None
        holder = Principal.of_member(member, viewer.name)
    if viewer.names_course and (holder.role == Role.ADMIN or holder.course_id == viewer.course_id):
        return replace(holder, course_id=viewer.course_id, names_course=True, in_archived=viewer.in_archived)
    return holder


def is_valid(now: datetime) -> ColumnElement[bool]:
    """Return the condition on `Token` that it may be used; one of a removed member may not, nor a notebook's if the
    member is no student any more."""
    removed = _own_member(Membership.removed_at.is_not(None))
    of_staff = and_(Token.assignment_id.is_not(None), _own_member(Membership.role != MemberRole.STUDENT))
    lasts = or_(Token.expires_at.is_(None), Token.expires_at > now)
    return and_(Token.revoked_at.is_(None), lasts, ~removed, ~of_staff)


def _own_member(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition on `Token` that it is a member's own, of one who meets this condition."""
    return select(Membership.id).where(Membership.id == Token.membership_id, condition).correlate(Token).exists()
