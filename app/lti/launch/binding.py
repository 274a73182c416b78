"""The connection of a platform's course with a course here, which its first teacher chooses.

The choice is a new course, one that the same person teaches, or one whose teacher has issued a code. The platform
vouches for the person, which is enough for a course that has no connection yet or one with this platform. A course of
another platform needs a code from its teacher, even if an admin has merged persons of the two platforms.

Each platform course has one course here, but several of them, such as the sections of a course, may share it. A teacher
may undo the connection, and is asked again at the next launch.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.access import identities
from app.access.codes import draw_code, hash_code
from app.access.tokens import hash_secret
from app.courses import changes, course
from app.errors import CourseNotFound, existing
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

#: The value in the form that stands for a new course.
NEW = "new"
#: The time in which the question can be answered.
LIFETIME = timedelta(hours=1)
CODE_LIFETIME = timedelta(days=1)
TITLE_CHARACTERS = 200
#: The time zone of a new course, by its language, until somebody sets it.
ZONE = {"ru": "Europe/Moscow", "en": "UTC"}


async def take_turn(session: AsyncSession, platform: LtiPlatform, deployment_id: str, context_id: str) -> None:
    """Take the turn of a platform's course: only one transaction at a time connects, updates or disconnects it."""
    await take_turns(session, [f"lti:{platform.id}:{deployment_id}:{context_id}"])


async def ask(session: AsyncSession, platform: LtiPlatform, message: Message) -> str:
    """Keep the message of a launch until the teacher has chosen a course.

    Returns:
        The secret of the question.
    """
    secret = secrets.token_urlsafe(32)
    document = message.model_dump(mode="json", by_alias=True)
    expires_at = utc_now() + LIFETIME
    session.add(
        LtiQuestion(sha256=hash_secret(secret), platform_id=platform.id, message=document, expires_at=expires_at)
    )
    await session.flush()
    return secret


async def find(session: AsyncSession, secret: str) -> tuple[LtiQuestion, LtiPlatform, Message]:
    """Find a question, with the platform and the message that it is about.

    Raises: LaunchOutdated: the question is unknown, answered or expired.
    """
    question = await session.get(LtiQuestion, hash_secret(secret), with_for_update=True)
    if question is None or question.expires_at <= utc_now():
        raise LaunchOutdated(reason="question")
    return question, await platforms.find(session, question.platform_id), Message.model_validate(question.message)


async def own_courses(session: AsyncSession, platform: LtiPlatform, message: Message) -> Sequence[Course]:
    """List the courses here that the person of the message teaches, the newest first.

    Archived courses are left out, and those connected with other platforms only.
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


async def choose_course(
    session: AsyncSession, platform: LtiPlatform, message: Message, choice: str, code: str, language: str
) -> Course:
    """Return the course that the teacher has chosen; a new one is added.

    Args:
        choice: `NEW`, or the id of one of the teacher's own courses.
        code: issued for a course; if not empty, it overrides `choice`.
        language: of a new course.
    Raises:
        CodeUnusable: no course has a valid code like this.
        CourseNotFound: it is not one of the teacher's own courses.
        CourseArchived: the chosen course is archived.
    """
    if code:
        local_course = await course.existing(session, await _take_code(session, code))
    elif choice != NEW:
        own = {each.id: each for each in await own_courses(session, platform, message)}
        if choice not in own:
            raise CourseNotFound
        local_course = own[choice]
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
    await course.keep_open(session, local_course.id)
    return local_course


@dataclass(frozen=True)
class NewCode:
    """A new code. It is stored nowhere else."""

    code: str
    expires_at: datetime


async def make_code(session: AsyncSession, course_id: str, made_by: str) -> NewCode:
    """Make a code that connects one platform course with this course.

    Raises:
        CourseArchived
    """
    await course.keep_open(session, course_id)
    new = NewCode(draw_code(groups=4), utc_now() + CODE_LIFETIME)
    sha256 = hash_code(new.code)
    session.add(LtiCode(sha256=sha256, course_id=course_id, made_by=made_by, expires_at=new.expires_at))
    await session.flush()
    return new


async def _take_code(session: AsyncSession, code: str) -> str:
    """Use up a code, and return the id of its course. Raises: CodeUnusable"""
    course_id = await session.scalar(
        delete(LtiCode)
        .where(LtiCode.sha256 == hash_code(code), LtiCode.expires_at > utc_now())
        .returning(LtiCode.course_id)
        .execution_options(synchronize_session=False)
    )
    return existing(course_id, CodeUnusable)


def connect(session: AsyncSession, platform: LtiPlatform, message: Message, local_course: Course) -> LtiContext:
    """Connect the message's course with this one, and log the change."""
    assert message.context is not None
    made_by = (message.person_name or made_by_platform(platform))[:200]
    context = LtiContext(
        platform_id=platform.id,
        deployment_id=message.deployment_id,
        context_id=message.context.id,
        course_id=local_course.id,
        made_by=made_by,
    )
    session.add(context)
    changes.log(session, local_course, made_by, {}, {"connection": _label_of(platform, message.context.title)})
    return context


def _label_of(platform: LtiPlatform, title: str | None) -> str:
    return f"{platform.name}: {title}" if title else platform.name


async def count_leaving(session: AsyncSession, context: LtiContext, manages: Collection[MemberRole]) -> int:
    """Count the members with these roles who would leave with this connection, because nothing else has added them."""
    other = aliased(LtiMember)
    elsewhere = exists().where(other.membership_id == Membership.id, other.lti_context_id != context.id)
    leaving = _members_of(context, manages).where(~elsewhere)
    return await session.scalar(select(func.count()).select_from(leaving.subquery())) or 0


async def disconnect(
    database: Database, course_id: str, context_id: str, *, manages: Collection[MemberRole], made_by: str
) -> LtiPlatform:
    """Undo a connection: its links are deleted, and members lose the roles that it gave them.

    Members whom nothing else has added are removed; they keep their work, and return with the next connection.

    Args:
        manages: the roles whose members the caller may remove (`app.courses.membership`). All others keep theirs
            until a platform names their role again.
    Raises:
        LinkNotFound: the course has no such connection.
    """
    while True:
        async with database.write() as session:
            context, platform = await find_context(session, course_id, context_id)
            await take_turn(session, platform, context.deployment_id, context.context_id)
            if (member := await session.scalar(_members_of(context, manages).limit(1))) is not None:
                await people.drop(session, context, member.person_id, made_by)
                continue
            for stays in (await session.scalars(_members_of(context, set(MemberRole) - set(manages)))).all():
                await people.let_stay(session, context, stays)
            local_course = await course.existing(session, course_id)
            changes.log(session, local_course, made_by, {"connection": _label_of(platform, context.title)}, {})
            await delete_rows(session, LtiContext, LtiContext.id == context.id)
            return platform


def _members_of(context: LtiContext, roles: Collection[MemberRole]) -> Select[Membership]:
    return (
        select(Membership)
        .join(LtiMember, LtiMember.membership_id == Membership.id)
        .where(LtiMember.lti_context_id == context.id, Membership.removed_at.is_(None), Membership.role.in_(roles))
        .order_by(Membership.id)
    )
