"""Join links: anybody who has one becomes a new, unconfirmed student of its course.

A typed name or id proves nothing, so it never leads to an existing entry. The id is kept as a claim: a teacher compares
it, and joins the two entries. Somebody who is signed in by single sign-on becomes a member as that
person.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import links
from app.access.links import NewLink
from app.access.tokens import Principal, hash_secret, new_token
from app.courses import changes, members
from app.errors import (
    CourseArchived,
    JoinLinkExpired,
    JoinLinkFull,
    JoinLinkNotFound,
    JoinLinkRevoked,
    MemberRemoved,
    existing,
)
from app.storage import turns
from app.storage.models import Course, JoinLink, Membership, Person, Token, new_id, utc_now
from app.storage.paging import Paging

#: The beginning of a newcomer's external id, until a teacher sets the one of the grade book.
NEW = "new-"
#: The secret of a join link begins with this.
PREFIX = "lstmj_"
# So many characters of an id are random enough within a course; the column is unique.
RANDOM_CHARACTERS = 10


@dataclass(frozen=True)
class Newcomer:
    """The form of somebody who opened a join link."""

    name: str
    email: str | None = None
    claimed_id: str | None = None


async def make(
    session: AsyncSession,
    maker: Principal,
    *,
    group: str | None,
    limit: int | None,
    expires_at: datetime | None,
    form_key: str | None = None,
) -> tuple[JoinLink, str]:
    """Make a join link of the maker's course.

    Args:
        limit: the most people who may join; None: no limit.
        form_key: random, known to the browser alone; the same form sent again finds the link that it has made, and
            makes another one if that was revoked since.
    Returns:
        The link and its secret. Only the hash of the secret is stored.
    """
    secret = new_token().replace("lstmg_", PREFIX, 1)
    if form_key:
        form = json.dumps(["join", maker.course_id, group, limit, str(expires_at)])
        secret, last = await links.find_last(session, JoinLink, form_key, form, PREFIX)
        if last is not None and last.revoked_at is None:
            return last, secret
    link = JoinLink(
        course_id=maker.course_id,
        sha256=hash_secret(secret),
        group=group,
        limit=limit,
        made_by=maker.name,
        expires_at=expires_at,
    )
    session.add(link)
    await session.flush()
    return link, secret


def address(url: str, secret: str) -> str:
    """Return the address at which somebody joins.

    Args:
        url: of the service, without a slash at the end.
    """
    return f"{url}/join/{secret}"


async def list_links(session: AsyncSession, course_id: str, paging: Paging) -> Sequence[JoinLink]:
    """List the newest join links of a course, ended ones too."""
    of_course = select(JoinLink).where(JoinLink.course_id == course_id)
    return (await session.scalars(paging.of(of_course, JoinLink.id))).all()


async def revoke(session: AsyncSession, course_id: str, link_id: str) -> None:
    """End a join link. The students who joined through it stay.

    Raises:
        JoinLinkNotFound: the course has none with this id.
    """
    link = await session.get(JoinLink, link_id, with_for_update=True)
    if link is None or link.course_id != course_id:
        raise JoinLinkNotFound
    link.revoked_at = link.revoked_at or utc_now()


async def course_of(session: AsyncSession, secret: str) -> Course:
    """Find the course of a join link, whether or not the link works.

    Raises:
        JoinLinkNotFound
    """
    return (await _find(session, secret))[1]


async def find(session: AsyncSession, secret: str) -> tuple[JoinLink, Course]:
    """Find a join link that works now, and its course.

    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull
        CourseArchived: nobody joins the course any more.
    """
    link, course = await _find(session, secret)
    _check(link, course)
    return link, course


async def join(session: AsyncSession, secret: str, form_key: str, newcomer: Newcomer) -> NewLink:
    """Add a new, unconfirmed student, and make the student's link.

    The same form sent again finds the same student. It makes another student if the name differs, because people share
    computers, or if the first student's link was revoked since.

    Args:
        form_key: random, known to the browser alone.
    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived: see `find`.
        MemberRemoved: the student whom this form added was removed from the course.
    """
    link, course = await _find(session, secret, locked=True)
    personal, earlier = await _link_of_form(session, link, form_key, newcomer)
    if earlier is not None:
        return earlier
    _check(link, course)
    link.uses += 1
    member = members.add(session, course.id, external_id=_new_external_id(), name=newcomer.name)
    member.person.email = newcomer.email
    await _describe(session, member, link, newcomer.claimed_id)
    return await links.make_again(session, member, personal, link.id)


async def find_link_of_form(session: AsyncSession, secret: str, form_key: str, newcomer: Newcomer) -> NewLink | None:
    """Find the personal link of this form, if it was sent before.

    Raises:
        JoinLinkNotFound
        MemberRemoved: the student whom it added was removed from the course.
    """
    link, _ = await _find(session, secret)
    return (await _link_of_form(session, link, form_key, newcomer))[1]


async def join_as(session: AsyncSession, secret: str, person: Person, claimed_id: str | None) -> Membership:
    """Make a signed-in person an unconfirmed student of the course. A member of the course stays as they are.

    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived: see `find`.
        MemberRemoved: this person was removed from the course.
    """
    link, course = await _find(session, secret, locked=True)
    # They may be joining through another link of the course at this moment.
    await turns.take_turns(session, [f"person:{course.id}:{person.id}"])
    of_person = Membership.person_id == person.id, Membership.course_id == course.id
    if (member := await session.scalar(select(Membership).where(*of_person))) is not None:
        if member.removed_at is not None:
            raise MemberRemoved
        return member
    _check(link, course)
    link.uses += 1
    themselves = await session.get_one(Person, person.id)
    member = members.add(session, course.id, external_id=_new_external_id(), person=themselves)
    await _describe(session, member, link, claimed_id)
    return member


async def _find(session: AsyncSession, secret: str, *, locked: bool = False) -> tuple[JoinLink, Course]:
    """Find a link. While it is locked, nobody else joins through it, so uses never exceed its limit."""
    query = select(JoinLink).where(JoinLink.sha256 == hash_secret(secret))
    link = existing(await session.scalar(query.with_for_update() if locked else query), JoinLinkNotFound)
    return link, await session.get_one(Course, link.course_id)


def _check(link: JoinLink, course: Course) -> None:
    if link.revoked_at is not None:
        raise JoinLinkRevoked
    if link.expires_at is not None and link.expires_at <= utc_now():
        raise JoinLinkExpired(expired_at=link.expires_at.isoformat())
    if course.archived_at is not None:
        raise CourseArchived
    if link.limit is not None and link.uses >= link.limit:
        raise JoinLinkFull(limit=link.limit)


def _new_external_id() -> str:
    return f"{NEW}{new_id()[-RANDOM_CHARACTERS:]}"


async def _describe(session: AsyncSession, member: Membership, link: JoinLink, claimed_id: str | None) -> None:
    member.group, member.claimed_id, member.join_link_id = link.group, claimed_id, link.id
    await session.flush()
    values = {
        "external_id": member.external_id,
        "role": member.role.value,
        "name": member.person.name,
        "email": member.person.email,
        "group": member.group,
        "claimed_id": claimed_id,
        "confirmed": False,
    }
    given = {name: value for name, value in values.items() if value is not None}
    changes.log(session, member, f"join link {link.id}", {}, given)


async def _link_of_form(
    session: AsyncSession, link: JoinLink, form_key: str, newcomer: Newcomer
) -> tuple[str, NewLink | None]:
    """Return the secret of this form's personal link, and the link if the form was sent before."""
    secret, last = await links.find_last(session, Token, form_key, json.dumps([link.id, *astuple(newcomer)]))
    if last is None:
        return secret, None
    member = await session.get_one(Membership, last.membership_id)
    if member.removed_at is not None:
        raise MemberRemoved
    return secret, NewLink(member, last, secret) if last.revoked_at is None else None
