"""The actor of an operator's command, its database and its course: the owner acts, by the rules of the API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import tokens
from app.access.rights import Right, check_course
from app.access.tokens import Principal
from app.actions.answers import answer_for, words_for
from app.actions.asking import Asking
from app.actions.fields import ID
from app.courses.course import moment_meant
from app.errors import AppError
from app.errors.commands import CannotStart, NotPossible
from app.errors.courses import CourseArchived
from app.errors.members import MemberNotFound
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Course, Membership
from grader import load_assignments
from grader.errors import sentence_of

Wanted = TypeVar("Wanted", bound=BaseModel)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Raises: DatabaseOutdated: the tables are missing, or of an older version."""
    database = Database(settings.database_url)
    try:
        await database.check_revision()
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def asking(settings: Settings, course: str | None = None) -> AsyncIterator[Asking]:
    """Give the owner, who asks for actions in a course.

    Args:
        course: its id; None: the course Default.
    Raises:
        NotPossible: there is no such course, or an action was refused.
        DatabaseOutdated
    """
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_of(database)
            async with database.read() as session:
                acting = owner.in_course(await session.get_one(Course, await course_id_of(session, course)))
            yield Asking(acting, database, load_assignments(settings.assignments_dir))


async def owner_of(database: Database) -> Principal:
    """Raises: NotPossible: no service was ever started on this database."""
    async with database.read() as session:
        owner = await tokens.find_owner_token(session)
    if owner is None:
        raise NotPossible(
            reason="no service was ever started on this database, so nobody owns it; start it once: lstm-grader serve"
        )
    return Principal.of(owner)


async def owner_in(database: Database, course: str | None, right: Right) -> Principal:
    """Return the owner, acting in a course.

    Args:
        course: its id; None: the course Default.
    Raises:
        NotPossible: there is no such course, or the right is not left in it.
    """
    owner = await owner_of(database)
    async with database.read() as session:
        course_id = await course_id_of(session, course)
        await check_left(session, right, course_id)
        return owner.in_course(await session.get_one(Course, course_id))


async def course_id_of(session: AsyncSession, course: str | None) -> str:
    """Return the id of the course that a command names; by default that of the course Default.

    Raises:
        NotPossible: there is no such course.
    """
    if course is None:
        return DEFAULT_COURSE
    if not ID.fullmatch(course) or await session.get(Course, course) is None:
        raise NotPossible(reason=f"there is no course {course!a}")
    return course


async def member_id_of(session: AsyncSession, owner: Principal, named: str) -> str:
    """Find a member of the owner's course by the id in the grade book, or by the member's own.

    Raises:
        MemberNotFound: the course has none with this id.
    """
    here = select(Membership.id).where(Membership.course_id == owner.course_id)
    if not named.isprintable():  # Such as a byte of another encoding, which no database takes.
        raise MemberNotFound
    found = await session.scalar(here.where(Membership.external_id == named))
    if found is None and ID.fullmatch(named):
        found = await session.scalar(here.where(Membership.id == named))
    if found is None:
        raise MemberNotFound
    return found


async def check_left(session: AsyncSession, right: Right, course_id: str) -> None:
    """Check the operator's right, which is an admin's, by the table that the API asks.

    Raises:
        NotPossible: the course is archived.
    """
    try:
        await check_course(session, right, course_id)
    except CourseArchived as exc:
        raise NotPossible(reason=f"the course {course_id} is archived; nothing in it changes") from exc


@contextlib.contextmanager
def refused_in_words() -> Iterator[None]:
    """Say a refusal of the service as the API does, in English. Raises: NotPossible: the block was refused."""
    try:
        yield
    except CannotStart:
        raise
    except AppError as exc:
        title, detail = words_for(answer_for(exc), "en", exc.params)
        raise NotPossible(reason=f"{title}. {detail}") from exc


def checked(model: type[Wanted], values: dict[str, Any]) -> Wanted:
    """Raises: NotPossible: the API would refuse these values."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise NotPossible(reason="; ".join(map(_in_words, exc.errors()))) from exc


def moment(name: str, typed: str, zone: ZoneInfo) -> datetime:
    """Read a moment by the clock of the course.

    Raises:
        NotPossible: it is no moment.
    """
    try:
        return moment_meant(typed, zone, begins=name == "opens")
    except ValueError as exc:
        raise NotPossible(reason=f"{name}: expected a date such as 2026-10-01T23:59, not {typed!a}") from exc


def _in_words(error: ErrorDetails) -> str:
    """Say what is wrong, with the name of the argument if there is one."""
    names = [part for part in error["loc"] if isinstance(part, str)]
    return f"{names[-1]}: {sentence_of(error)} (got {error['input']!r:.80})" if names else sentence_of(error)
