"""Courses themselves: made, listed, changed, archived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes
from app.errors import CourseArchived, CourseNotFound
from app.storage.models import Course, utc_now

#: What an archived course still lets change.
LEFT_IN_ARCHIVED = frozenset({"archived", "retention_days"})


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA database on this machine."""
    return frozenset(available_timezones())


async def add(
    session: AsyncSession,
    *,
    title: str,
    language: str,
    time_zone: str,
    retention_days: float | None,
    made_by: str,
    created_by: str | None = None,
    idempotency_key: str | None = None,
) -> Course:
    """Store a new course, which uses no assignments yet.

    Args:
        made_by: for the log.
        created_by: the actor.
    """
    course = Course(
        title=title,
        language=language,
        time_zone=time_zone,
        retention_days=retention_days,
        created_by=created_by,
        idempotency_key=idempotency_key,
    )
    session.add(course)
    await session.flush()
    changes.log(session, course, made_by, {}, values(course))
    return course


async def list_courses(
    session: AsyncSession, *, only: str | None = None, limit: int, before: str | None = None
) -> Sequence[Course]:
    """List the newest courses.

    Args:
        only: the id of the only course that is shown; None: all are.
        before: an id; only older ones are listed.
    """
    conditions = [*([Course.id == only] if only else []), *([Course.id < before] if before else [])]
    return (await session.scalars(select(Course).where(*conditions).order_by(Course.id.desc()).limit(limit))).all()


async def existing(session: AsyncSession, course_id: str, *, locked: bool = False) -> Course:
    """Find a course.

    Args:
        locked: until the caller's transaction ends, no other one changes it.
    Raises:
        CourseNotFound: it was deleted meanwhile.
    """
    found = select(Course).where(Course.id == course_id).execution_options(populate_existing=True)
    if locked:
        found = found.with_for_update(key_share=True)  # Rows that refer to it may still be added.
    course = await session.scalar(found)
    if course is None:
        raise CourseNotFound
    return course


async def keep_open(session: AsyncSession, course_id: str) -> None:
    """Check that a course is not archived, and let nobody archive it until the caller's transaction ends.

    Call it before turns are taken. A request is checked when it comes, too, but the course may be archived after that.

    Raises:
        CourseArchived
        CourseNotFound: it was deleted meanwhile.
    """
    found = select(Course).where(Course.id == course_id).execution_options(populate_existing=True)
    course = await session.scalar(found.with_for_update(read=True))
    if course is None:
        raise CourseNotFound
    if course.archived_at is not None:
        raise CourseArchived


async def change(session: AsyncSession, course_id: str, given: Mapping[str, Any], made_by: str) -> Course:
    """Change what is given, and log it.

    Args:
        given: by the names of `values`.
    Raises:
        CourseArchived: the course is archived, and this does not open it again.
        CourseNotFound
    """
    course = await existing(session, course_id, locked=True)
    if course.archived_at is not None and given.get("archived") is not False and not LEFT_IN_ARCHIVED.issuperset(given):
        raise CourseArchived
    before = values(course)
    for name, value in given.items():
        if name != "archived":
            setattr(course, name, value)
        elif value != (course.archived_at is not None):
            course.archived_at = utc_now() if value else None
    changes.log(session, course, made_by, before, values(course))
    return course


def values(course: Course) -> dict[str, Any]:
    """Return what can be changed, for the log."""
    return {
        "title": course.title,
        "language": course.language,
        "time_zone": course.time_zone,
        "retention_days": course.retention_days,
        "archived": course.archived_at is not None,
    }
