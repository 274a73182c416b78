"""Copies of courses for the next term: assignments, rules and staff, without students and what they handed in."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes, course, membership, uses
from app.courses.assignments import Assignments
from app.courses.uses import DATES
from app.storage.memberships import with_persons
from app.storage.models import Course, CourseAssignment, MemberRole, Membership, new_id, utc_now
from grader.assignment import Deadline

NO_DEADLINE = Deadline()
#: Rules that a copy without dates leaves out: without dates nobody is late.
DATED = (*DATES, "late_percent_per_day")


async def copy(
    session: AsyncSession,
    source: Course,
    assignments: Assignments,
    *,
    title: str,
    shift_days: int | None,
    made_by: str,
    created_by: str | None = None,
    idempotency_key: str | None = None,
) -> Course:
    """Copy a course.

    Args:
        shift_days: how far the dates that hold move, by the clock on the wall in the course's time zone; None: they
            are left out.
        made_by: for the log.
        created_by: the actor.
    """
    new_course = await course.add(
        session,
        title=title,
        language=source.language,
        time_zone=source.time_zone,
        retention_days=source.retention_days,
        made_by=made_by,
        created_by=created_by,
        idempotency_key=idempotency_key,
    )
    for used in await uses.list_used(session, source.id, assignments):
        file = assignments.get(used.use.assignment_id)
        use = CourseAssignment(
            id=new_id(),
            course_id=new_course.id,
            assignment_id=used.use.assignment_id,
            title=used.use.title,
            grade_book_points=used.use.grade_book_points,
            rules=move_dates(used.use.rules, shift_days, source.time_zone, file.deadline if file else NO_DEADLINE),
        )
        session.add(use)
        await session.flush()
        changes.log(session, use, made_by, {}, uses.values(use))
    for member in await _staff(session, source.id):
        same = Membership(
            id=new_id(),
            course_id=new_course.id,
            person=member.person,
            role=member.role,
            external_id=member.external_id,
            group=member.group,
            confirmed_at=utc_now(),
        )
        session.add(same)
        await session.flush()
        changes.log(session, same, made_by, {}, membership.values(same))
    await session.flush()
    return new_course


def move_dates(
    rules: Mapping[str, Any], shift_days: int | None, time_zone: str, in_file: Deadline = NO_DEADLINE
) -> dict[str, Any]:
    """Return the rules with every date moved by `shift_days`; None: without dates and penalties for lateness.

    Args:
        in_file: the file's deadline, for dates that the rules leave out.
    """
    if shift_days is None:
        left_out = {name: getattr(NO_DEADLINE, name) for name in DATED if getattr(in_file, name)}
        return left_out | {name: value for name, value in rules.items() if name not in DATED}
    dates = {name: date.isoformat() for name in DATES if (date := getattr(in_file, name)) and shift_days}
    given = {name: value for name, value in {**dates, **rules}.items() if name in DATES and value is not None}
    return {**rules, **{name: _move(value, shift_days, time_zone) for name, value in given.items()}}


def _move(moment: str, days: int, time_zone: str) -> str:
    zone = ZoneInfo(time_zone)
    try:
        # Adding to a moment of a zone keeps the time on the clock, across the changes to and from summer time.
        local = datetime.fromisoformat(moment).astimezone(zone) + timedelta(days=days)
    except OverflowError:
        return moment  # At the end of the calendar it never comes anyway.
    return local.astimezone(ZoneInfo("UTC")).isoformat().replace("+00:00", "Z")


async def _staff(session: AsyncSession, course_id: str) -> list[Membership]:
    staff = Membership.role != MemberRole.STUDENT, Membership.removed_at.is_(None)
    query = with_persons(Membership.course_id == course_id, *staff).order_by(Membership.id)
    return list(await session.scalars(query))
