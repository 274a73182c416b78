"""Courses themselves: make, list, change and archive them."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes
from app.errors import CourseArchived, CourseNotFound
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, Membership, utc_now
from app.storage.paging import EVERY_ROW, Paging

#: Fields of an archived course that can still be changed.
LEFT_IN_ARCHIVED = frozenset({"archived", "retention_days"})


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA database on this machine."""
    return frozenset(available_timezones())


def time_zone_of(name: str) -> str:
    """Return the zone of a city, such as "Moscow". A name that fits no zone, or several, is returned as it is."""
    city = "_".join(name.casefold().split())
    zones = [zone for zone in time_zones() if zone.rpartition("/")[2].casefold() == city]
    return zones[0] if name not in time_zones() and len(zones) == 1 else name


def read_moment(typed: str, zone: ZoneInfo, *, begins: bool) -> datetime:
    """Read a moment in the clock of a zone. A date without a time means the whole day.

    Args:
        begins: the moment is a beginning, so a date means its first minute; else its last one.
    Raises:
        ValueError: the text is no moment.
    """
    with contextlib.suppress(ValueError):
        return datetime.combine(date.fromisoformat(typed), time() if begins else time(23, 59), zone)
    moment = datetime.fromisoformat(typed)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


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
    session: AsyncSession, paging: Paging = EVERY_ROW, *, only: str | None = None
) -> Sequence[Course]:
    """List the newest courses.

    Args:
        only: the id of the only course that is shown; None: all are.
    """
    courses = select(Course).where(Course.id == only) if only else select(Course)
    return (await session.scalars(paging.of(courses, Course.id))).all()


async def has_only_default(session: AsyncSession) -> bool:
    """Tell whether the course Default, which is there from the beginning, is still the only one."""
    return await session.scalar(select(Course.id).where(Course.id != DEFAULT_COURSE).limit(1)) is None


async def list_of_person(session: AsyncSession, person_id: str) -> Sequence[tuple[Course, Membership]]:
    """List the courses of which somebody is a member now, the newest first, with the part that they have there."""
    rows = await session.execute(
        select(Course, Membership)
        .join(Membership, Membership.course_id == Course.id)
        .where(Membership.person_id == person_id, Membership.removed_at.is_(None))
        .order_by(Course.id.desc())
    )
    return [(course, member) for course, member in rows]


@dataclass(frozen=True)
class Size:
    """Numbers of people in a course, without removed ones. Attributes: students: unconfirmed ones, too."""

    students: int = 0
    unconfirmed: int = 0
    staff: int = 0


async def sizes(session: AsyncSession, course_ids: Collection[str]) -> dict[str, Size]:
    """Count the people of these courses."""
    is_student = Membership.role == MemberRole.STUDENT
    rows = await session.execute(
        select(
            Membership.course_id,
            func.count().filter(is_student),
            func.count().filter(is_student, Membership.confirmed_at.is_(None)),
            func.count().filter(~is_student),
        )
        .where(Membership.course_id.in_(course_ids), Membership.removed_at.is_(None))
        .group_by(Membership.course_id)
    )
    return {id: Size() for id in course_ids} | {id: Size(*counts) for id, *counts in rows}


async def existing(session: AsyncSession, course_id: str, *, locked: bool = False) -> Course:
    """Find a course.

    Args:
        locked: until the caller's transaction ends, no other one changes it.
    Raises:
        CourseNotFound: it was deleted meanwhile.
    """
    query = select(Course).where(Course.id == course_id).execution_options(populate_existing=True)
    if locked:
        query = query.with_for_update(key_share=True)  # Rows that refer to it may still be added.
    course = await session.scalar(query)
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
    if not await is_open(session, course_id):
        raise CourseArchived


async def is_open(session: AsyncSession, course_id: str) -> bool:
    """Tell whether a course is not archived, and let that not change until the caller's transaction ends.

    Raises:
        CourseNotFound: it was deleted meanwhile.
    """
    state = await are_open(session, [course_id])
    if not state:
        raise CourseNotFound
    return state[course_id]


async def are_open(session: AsyncSession, course_ids: Collection[str]) -> dict[str, bool]:
    """As `is_open`, of several courses by their ids; a deleted one is missing."""
    query = select(Course.id, Course.archived_at).where(Course.id.in_(course_ids)).order_by(Course.id)
    rows = await session.execute(query.with_for_update(read=True))
    return {id: archived_at is None for id, archived_at in rows}


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
