"""Personal links: how people sign in, who have no password here.

A link is a token that is bound to a member. It has the rights of the member's role, opens a browser's session, and is
shown once. Older links work until somebody signs in with a new one, so a link that is lost on its way to the
student locks nobody out.
"""

import base64
import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.access import notebooks
from app.access.rights import Right
from app.access.tokens import ROLES, Principal, hash_secret, is_valid, managed_by, new_token, sign_in_link
from app.errors import MemberNotFound, MemberRemoved, SessionMissing, existing
from app.mail.mailer import Mailer
from app.mail.messages import MailKind
from app.storage.memberships import are_students, is_student, with_persons
from app.storage.models import Course, Identity, JoinLink, MemberRole, Membership, Session, Token, utc_now
from app.storage.paging import Paging
from app.storage.turns import take_turns
from grader.batch.cells import csv_of

CSV_COLUMNS = ("id", "name", "email", "group", "link")

Row = TypeVar("Row", JoinLink, Token)


@dataclass(frozen=True)
class NewLink:
    """A new link. Its secret is nowhere else.

    Attributes:
        mailed: whether it goes out by mail; None: the request asked for no mail.
    """

    member: Membership
    token: Token
    secret: str
    mailed: bool | None = None


async def choose(
    session: AsyncSession, maker: Principal, ids: Collection[str] | None = None, *, never_used: bool = False
) -> Sequence[Membership]:
    """Find the members for whom `maker` wants links, in the maker's course, with their persons.

    Args:
        ids: of memberships; None: all students.
        never_used: only those who never signed in, by a link or by single sign-on.
    Raises:
        MemberNotFound: one of these ids is not of this course.
        MemberRemoved: one was removed from it.
        NotPermitted: one is a teacher, whose link only an admin makes.
    """
    conditions = [Membership.course_id == maker.course_id]
    if ids is None:
        conditions.append(is_student())
    else:
        conditions.append(Membership.id.in_(ids))
    if never_used:
        conditions.append(~_has_arrived())
    members = (await session.scalars(with_persons(*conditions).order_by(Membership.id))).all()
    if ids is not None and not never_used and len(members) < len(set(ids)):
        raise MemberNotFound
    check(maker, members)
    return members


def check(maker: Principal, chosen: Collection[Membership]) -> None:
    """Check that `maker` may make links for these members of the maker's course.

    Raises:
        MemberRemoved, NotPermitted: see `choose`.
    """
    if any(member.role == MemberRole.TEACHER for member in chosen):
        maker.check(Right.MANAGE_TEACHERS)
    if any(member.removed_at is not None for member in chosen):
        raise MemberRemoved


async def make(session: AsyncSession, chosen: Collection[Membership], made_by: str | None) -> list[NewLink]:
    """Make a link for each of these members, whose persons are loaded.

    Args:
        made_by: the id of the actor.
    """
    new_links = [_new_link(member, new_token(), made_by) for member in chosen]
    session.add_all([link.token for link in new_links])
    await session.flush()
    return new_links


async def make_again(session: AsyncSession, member: Membership, secret: str, made_by: str) -> NewLink:
    """Make a link with a secret that `find_last` gives, so that the same request sent again shows the same one."""
    link = _new_link(member, secret, made_by)
    session.add(link.token)
    await session.flush()
    return link


async def make_once(
    session: AsyncSession, chosen: Collection[Membership], form_key: str, made_by: str
) -> list[NewLink]:
    """Make a link for each of these members, as `make` does.

    The same form sent again gives the same links, and a new one for each that was revoked since.
    """
    await _take_turn(session, form_key)
    secrets = {member.id: _secret_of_form(form_key, f"link {member.id}") for member in chosen}
    while True:
        hashes = {hash_secret(secret): id for id, secret in secrets.items()}
        rows = await session.scalars(select(Token).where(Token.sha256.in_(hashes)))
        before = {hashes[token.sha256]: token for token in rows}
        revoked = [id for id, token in before.items() if token.revoked_at is not None]
        if not revoked:
            break
        secrets |= {id: _secret_of_form(form_key, secrets[id]) for id in revoked}
    new_links = [
        NewLink(member, before[member.id], secrets[member.id])
        if member.id in before
        else _new_link(member, secrets[member.id], made_by)
        for member in chosen
    ]
    session.add_all([link.token for link in new_links if link.member.id not in before])
    await session.flush()
    return new_links


@dataclass(frozen=True)
class Usage:
    """Numbers of students by their way in.

    Attributes:
        arrived: they have signed in.
        waiting: they have a link that nobody has used.
    """

    students: int
    arrived: int
    waiting: int

    @property
    def without(self) -> int:
        return self.students - self.arrived - self.waiting


async def usage(session: AsyncSession, course_id: str) -> Usage:
    """Count the students who have signed in, by a link or by single sign-on, and those who only have a link."""
    has_link = exists().where(Token.membership_id == Membership.id, Token.is_link, Token.revoked_at.is_(None))
    is_waiting = ~_has_arrived() & has_link
    counted = select(func.count(), func.count().filter(_has_arrived()), func.count().filter(is_waiting))
    return Usage(*(await session.execute(counted.where(are_students(course_id)))).one())


def _has_arrived() -> ColumnElement[bool]:
    """Return the condition that a member has signed in, by a link or by single sign-on."""
    used = exists().where(Token.membership_id == Membership.id, Token.is_link, Token.used_at.is_not(None))
    return or_(used, exists().where(Identity.person_id == Membership.person_id))


async def find_last(
    session: AsyncSession, table: type[Row], form_key: str, sent: str, prefix: str = "lstmg_"
) -> tuple[str, Row | None]:
    """Find the newest link or token of this form, if it was sent before.

    A link or token that was revoked is not shown as if it were new: its form, sent again, makes another one.

    Args:
        form_key: random; only its browser has it.
        sent: the content of the form, in one text.
    Returns:
        The secret of the row, or, if there is none or it was revoked, the secret for the next one; and the row.
    """
    await _take_turn(session, form_key)
    last: Row | None = None
    secret = _secret_of_form(form_key, sent, prefix)
    while (earlier := await session.scalar(select(table).where(table.sha256 == hash_secret(secret)))) is not None:
        last = earlier
        if earlier.revoked_at is None:
            break
        secret = _secret_of_form(form_key, secret, prefix)
    return secret, last


async def _take_turn(session: AsyncSession, form_key: str) -> None:
    """Let the same form, sent twice at once, find what it made."""
    await take_turns(session, [f"form:{hash_secret(form_key)}"])


def _secret_of_form(form_key: str, sent: str, prefix: str = "lstmg_") -> str:
    digest = hmac.digest(form_key.encode(), sent.encode(), hashlib.sha256)
    return f"{prefix}{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _new_link(member: Membership, secret: str, made_by: str | None) -> NewLink:
    student = member.external_id if member.role == MemberRole.STUDENT else None
    token = Token(
        name=member.person.name or member.external_id or member.id,
        role=ROLES[member.role],
        course_id=member.course_id,
        membership_id=member.id,
        student=student,
        sha256=hash_secret(secret),
        is_link=True,
        created_by=made_by,
    )
    return NewLink(member, token, secret)


def mail(mailer: Mailer, link: NewLink, course: Course, url: str) -> bool:
    """Mail a new link to its member; return whether the mailer will try.

    Args:
        url: of the service, without a slash at the end.
    """
    to = link.member.person.email
    address = sign_in_link(url, link.secret)
    return bool(to) and mailer.send(to or "", course.language, MailKind.INVITATION, course=course.title, link=address)


def links_csv(new_links: Collection[NewLink], url: str) -> str:
    """Write the links for a mail merge, with the byte order mark that tells spreadsheets it is UTF-8.

    No cell is a formula to a spreadsheet.

    Args:
        url: of the service, without a slash at the end.
    """
    people = [(link.member, link.member.person, sign_in_link(url, link.secret)) for link in new_links]
    lines = [(member.external_id, person.name, person.email, member.group, link) for member, person, link in people]
    return f"\ufeff{csv_of([CSV_COLUMNS, *(tuple(cell or '' for cell in line) for line in lines)]).text}"


async def use(session: AsyncSession, link: Token) -> None:
    """Note a sign-in with this link. The first one ends the member's older links and their sessions.

    Raises:
        SessionMissing: it ended in the meantime.
    """
    # When two links are used at once, the lock decides which is the first.
    locked = select(Membership.id).where(Membership.id == link.membership_id).with_for_update(key_share=True)
    await session.execute(locked)
    now = utc_now()
    valid = select(Token.used_at).where(Token.id == link.id, is_valid(now))
    row = existing((await session.execute(valid)).one_or_none(), SessionMissing)
    if row.used_at is None:
        await session.execute(update(Token).where(Token.id == link.id).values(used_at=now))
        await _end(session, and_(Token.membership_id == link.membership_id, Token.id < link.id))


async def list_links(
    session: AsyncSession, viewer: Principal, paging: Paging, *, member_id: str | None = None
) -> Sequence[tuple[Token, Membership]]:
    """List the newest links of the viewer's course that `viewer` may manage, ended ones too.

    Args:
        member_id: list only this member's.
    """
    conditions = [Token.is_link, Token.course_id == viewer.course_id, managed_by(viewer)]
    if member_id is not None:
        conditions.append(Token.membership_id == member_id)
    listed = select(Token, Membership).join(Membership, Membership.id == Token.membership_id).where(*conditions)
    rows = await session.execute(paging.of(listed.options(joinedload(Membership.person)), Token.id))
    return [(token, member) for token, member in rows]


async def revoke(session: AsyncSession, manager: Principal, member_id: str | None = None) -> int:
    """End the links of one member, or of everybody in the manager's course, with the sessions that they opened, and
    the notebooks that may have been connected in those.

    Returns:
        The number of links that were valid until now.
    Raises:
        MemberNotFound: there is no such member in the course.
        NotPermitted: the member is a teacher, and `manager` no admin.
    """
    conditions = [Token.course_id == manager.course_id, managed_by(manager)]
    if member_id is not None:
        member = await session.get(Membership, member_id)
        if member is None or member.course_id != manager.course_id:
            raise MemberNotFound
        if member.role == MemberRole.TEACHER:
            manager.check(Right.MANAGE_TEACHERS)
        conditions.append(Token.membership_id == member_id)
    await notebooks.end(session, and_(*conditions))
    return await _end(session, and_(*conditions))


async def _end(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    ended = await session.execute(
        update(Token)
        .where(condition, Token.is_link, Token.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .returning(Token.id)
        .execution_options(synchronize_session=False)
    )
    ids = ended.scalars().all()
    await session.execute(delete(Session).where(Session.token_id.in_(ids)))
    return len(ids)
