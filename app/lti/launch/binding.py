"""The course here that a course of a platform is: the teacher who first comes from there says which.

It may be a new one, one where this very person teaches, or one whose teacher has made a code for it. A platform's word
on the person is enough for a course that is connected with it already, or with none; for a course of another platform
its teacher makes a code, also where an admin has found people of the two to be one.

A course of a platform is one course here; several of them, such as the sections of a course, may be the same one. A
teacher may undo it, and is asked again at the next launch.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.access import identities
from app.access.tokens import hash_secret
from app.courses import changes, course
from app.errors.courses import CourseNotFound
from app.errors.lti import CodeUnusable, LaunchOutdated
from app.lti import platforms
from app.lti.grades.connection import find_context
from app.lti.launch import people
from app.lti.launch.message import Message
from app.lti.launch.people import made_by_platform
from app.storage.cascade import delete_rows
from app.storage.database import Database
from app.storage.models import (
    Course,
    LtiCode,
    LtiContext,
    LtiMember,
    LtiPlatform,
    LtiQuestion,
    MemberRole,
    Membership,
    utc_now,
)
from app.storage.turns import take_turns

#: In the form of the question: the course that is made for the answer.
NEW = "new"
#: For so long the question can be answered.
LIFETIME = timedelta(hours=1)
CODE_LIFETIME = timedelta(days=1)
#: Letters and figures that nobody takes for one another.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_GROUPS, GROUP_CHARACTERS = 4, 4
TITLE_CHARACTERS = 200
#: Until somebody sets them.
ZONE = {"ru": "Europe/Moscow", "en": "UTC"}


async def take_turn(session: AsyncSession, platform: LtiPlatform, deployment_id: str, context_id: str) -> None:
    """Take the turn of a platform's course: it comes, goes and is connected in one transaction at a time."""
    await take_turns(session, [f"lti:{platform.id}:{deployment_id}:{context_id}"])


async def ask(session: AsyncSession, platform: LtiPlatform, message: Message) -> str:
    """Keep the message of a launch until its teacher has answered.

    Returns:
        The secret of the question.
    """
    secret = secrets.token_urlsafe(32)
    kept = message.model_dump(mode="json", by_alias=True)
    ends = utc_now() + LIFETIME
    session.add(LtiQuestion(sha256=hash_secret(secret), platform_id=platform.id, message=kept, expires_at=ends))
    await session.flush()
    return secret


async def find(session: AsyncSession, secret: str) -> LtiQuestion:
    """Raises: LaunchOutdated: it was answered, its time is over, or there was none."""
    found = await session.get(LtiQuestion, hash_secret(secret), with_for_update=True)
    if found is None or found.expires_at <= utc_now():
        raise LaunchOutdated(reason="question")
    return found


async def own_courses(session: AsyncSession, platform: LtiPlatform, message: Message) -> Sequence[Course]:
    """List the courses that the person of the message teaches here, the newest first.

    Archived ones are left out, and those that are connected with other platforms and not with this one.
    """
    identity = await identities.find(session, platforms.issuer_of_people(platform.id), message.subject)
    if identity is None:
        return []
    taught = [
        each
        for each, member in await course.list_of_person(session, identity.person_id)
        if member.role == MemberRole.TEACHER and each.archived_at is None
    ]
    of = LtiContext.course_id.in_([each.id for each in taught])
    connected = (await session.execute(select(LtiContext.course_id, LtiContext.platform_id).where(of))).all()
    here = {id for id, platform_id in connected if platform_id == platform.id}
    elsewhere = {id for id, _ in connected} - here
    return [each for each in taught if each.id not in elsewhere]


async def chosen(
    session: AsyncSession, platform: LtiPlatform, message: Message, choice: str, code: str, language: str
) -> Course:
    """Return the course that the teacher means.

    Args:
        choice: `NEW`, or the id of one of the teacher's own courses.
        code: of another course; it counts if there is one.
        language: of a new course.
    Raises:
        CodeUnusable: no course has this code now.
        CourseNotFound: it is not one of them.
        CourseArchived: nothing in it changes any more.
    """
    if code:
        found = await course.existing(session, await _take_code(session, code))
    elif choice != NEW:
        own = {each.id: each for each in await own_courses(session, platform, message)}
        if choice not in own:
            raise CourseNotFound
        found = own[choice]
    else:
        title = message.context and (message.context.title or message.context.label)
        return await course.add(
            session,
            title=(title or platform.name)[:TITLE_CHARACTERS],
            language=language,
            time_zone=ZONE[language],
            retention_days=None,
            made_by=made_by_platform(platform),
        )
    await course.keep_open(session, found.id)
    return found


@dataclass(frozen=True)
class NewCode:
    """A code that was just made. Nothing but this holds it."""

    code: str
    expires_at: datetime


async def make_code(session: AsyncSession, course_id: str, made_by: str) -> NewCode:
    """Make a code with which a course of a platform becomes this course, once.

    Raises:
        CourseArchived
    """
    await course.keep_open(session, course_id)
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS)) for _ in range(CODE_GROUPS))
    made = NewCode("-".join(groups), utc_now() + CODE_LIFETIME)
    hashed = hash_secret(_plain(made.code))
    session.add(LtiCode(sha256=hashed, course_id=course_id, made_by=made_by, expires_at=made.expires_at))
    await session.flush()
    return made


async def _take_code(session: AsyncSession, code: str) -> str:
    """Use a code up, and return the id of its course. Raises: CodeUnusable"""
    found = await session.scalar(
        delete(LtiCode)
        .where(LtiCode.sha256 == hash_secret(_plain(code)), LtiCode.expires_at > utc_now())
        .returning(LtiCode.course_id)
        .execution_options(synchronize_session=False)
    )
    if found is None:
        raise CodeUnusable
    return found


def _plain(code: str) -> str:
    """Return a code as it is compared, however it was typed."""
    return "".join(char for char in code[:100].upper() if char.isascii() and char.isalnum())


def connect(session: AsyncSession, platform: LtiPlatform, message: Message, found: Course) -> LtiContext:
    """Let the course of the message be this course from now on, and log it."""
    assert message.context is not None
    made_by = (message.person_name or made_by_platform(platform))[:200]
    context = LtiContext(
        platform_id=platform.id,
        deployment_id=message.deployment_id,
        context_id=message.context.id,
        course_id=found.id,
        made_by=made_by,
    )
    session.add(context)
    changes.log(session, found, made_by, {}, {"connection": _named(platform, message.context.title)})
    return context


def _named(platform: LtiPlatform, title: str | None) -> str:
    return f"{platform.name}: {title}" if title else platform.name


async def would_go(session: AsyncSession, context: LtiContext, manages: Collection[MemberRole]) -> int:
    """Count the members of these roles whom nothing but this connection has brought."""
    other = aliased(LtiMember)
    elsewhere = exists().where(other.membership_id == Membership.id, other.lti_context_id != context.id)
    found = _brought(context, manages).where(~elsewhere)
    return await session.scalar(select(func.count()).select_from(found.subquery())) or 0


async def disconnect(
    database: Database, course_id: str, context_id: str, *, manages: Collection[MemberRole], made_by: str
) -> LtiPlatform:
    """Undo a connection: its links are forgotten, and members lose the part that it gave, as if the platform had.

    Members whom nothing else has brought are removed; they keep their work, and come back with the next connection.

    Args:
        manages: the roles whose members the caller may remove (`app.courses.membership`). All others stay as they are,
            until a platform says their part again.
    Raises:
        LinkNotFound: the course has no such connection.
    """
    while True:
        async with database.write() as session:
            context, platform = await find_context(session, course_id, context_id)
            await take_turn(session, platform, context.deployment_id, context.context_id)
            if (member := await session.scalar(_brought(context, manages).limit(1))) is not None:
                await people.drop(session, context, member.person_id, made_by)
                continue
            for stays in (await session.scalars(_brought(context, set(MemberRole) - set(manages)))).all():
                await people.let_stay(session, context, stays)
            found = await course.existing(session, course_id)
            changes.log(session, found, made_by, {"connection": _named(platform, context.title)}, {})
            await delete_rows(session, LtiContext, LtiContext.id == context.id)
            return platform


def _brought(context: LtiContext, roles: Collection[MemberRole]) -> Select[Membership]:
    return (
        select(Membership)
        .join(LtiMember, LtiMember.membership_id == Membership.id)
        .where(LtiMember.lti_context_id == context.id, Membership.removed_at.is_(None), Membership.role.in_(roles))
        .order_by(Membership.id)
    )
