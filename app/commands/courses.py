"""An operator's commands on courses, their assignments and members, by the rules of the API."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.api.schemas.courses.assignments import UseChangeRequest
from app.api.schemas.courses.course import CourseChangeRequest, CourseCopyRequest, CourseRequest
from app.api.schemas.courses.members import MemberChangeRequest, MemberRequest
from app.commands.acting import checked, moment, opened, owner_in, owner_of, refused_in_words
from app.courses import changes, copying, course, membership, uses
from app.courses.membership import Members
from app.courses.uses import DATES, UsedAssignment
from app.errors.courses import AssignmentNotFound
from app.errors.members import JoinNotFound, MemberNotFound
from app.http.parameters import ID
from app.settings import Settings
from app.storage.models import Change, Course, MemberRole, Membership
from app.teaching.joins import joins
from grader import load_assignments

MOST_LISTED = 5000
#: Stands for null in an option.
NONE = "none"


async def list_courses(settings: Settings) -> list[str]:
    """Return a line for each course, the newest first."""
    async with opened(settings) as database, database.read() as session:
        return [_course_line(each) for each in await course.list_courses(session, limit=MOST_LISTED)]


async def create(settings: Settings, values: Mapping[str, Any]) -> str:
    """Make a course; return its id. Raises: NotPossible: the API would not make it either."""
    wanted = checked(CourseRequest, dict(values))
    async with opened(settings) as database:
        owner = await owner_of(database)
        async with database.write() as session:
            return (await course.add(session, **wanted.model_dump(mode="json"), made_by=owner.name)).id


async def show(settings: Settings, course_id: str) -> list[str]:
    """Return what a course is, and a line for each of its assignments."""
    assignments = load_assignments(settings.assignments_dir)
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.READ)
        async with database.read() as session:
            found = await course.existing(session, owner.course_id)
            used = await uses.list_used(session, owner.course_id, assignments)
    kept = "as in the settings" if found.retention_days is None else f"{found.retention_days:g} days"
    facts = {"language": found.language, "time zone": found.time_zone, "submissions are kept": kept}
    lines = [_course_line(found), *(f"{name}: {value}" for name, value in facts.items())]
    return lines + [_use_line(each, found.time_zone) for each in used]


async def change(settings: Settings, course_id: str, given: Mapping[str, Any]) -> str:
    """Change what is given; return the course in a line."""
    wanted = checked(CourseChangeRequest, dict(given)).model_dump(mode="json", exclude_unset=True)
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_COURSE)
            async with database.write() as session:
                return _course_line(await course.change(session, owner.course_id, wanted, owner.name))


async def copy(settings: Settings, course_id: str, title: str, shift_days: int | None) -> str:
    """Copy a course; return the id of the copy."""
    wanted = checked(CourseCopyRequest, {"title": title, "shift_days": shift_days})
    assignments = load_assignments(settings.assignments_dir)
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.MANAGE_COURSE)
        async with database.write() as session:
            source = await course.existing(session, owner.course_id)
            copied = await copying.copy(session, source, assignments, **wanted.model_dump(), made_by=owner.name)
            return copied.id


async def list_changes(settings: Settings, course_id: str | None, limit: int) -> list[str]:
    """Return a line for each of the newest changes of a course."""
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.SEE_MEMBERS)
        async with database.read() as session:
            return [_change_line(each) for each in await changes.list_changes(session, owner.course_id, limit=limit)]


async def list_uses(settings: Settings, course_id: str | None) -> list[str]:
    """Return a line for each assignment of a course, with the dates and rules that hold."""
    assignments = load_assignments(settings.assignments_dir)
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.READ)
        async with database.read() as session:
            found = await course.existing(session, owner.course_id)
            used = await uses.list_used(session, owner.course_id, assignments)
    return [_use_line(each, found.time_zone) for each in used]


async def set_use(
    settings: Settings,
    course_id: str | None,
    assignment_id: str,
    given: Mapping[str, Any],
    rules: Mapping[str, Any],
    as_in_file: Collection[str],
) -> str:
    """Have a course use an assignment, and change what is given; return it in a line.

    Args:
        rules: dates without a time zone are in that of the course; "none" is null.
    """
    assignments = load_assignments(settings.assignments_dir)
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_ASSIGNMENTS)
            async with database.write() as session:
                time_zone = (await course.existing(session, owner.course_id)).time_zone
                asked = {
                    **{name: None if value == NONE else value for name, value in given.items()},
                    "rules": {name: _rule(name, value, time_zone) for name, value in rules.items()},
                    "as_in_file": list(as_in_file),
                }
                wanted = checked(UseChangeRequest, asked)
                change = wanted.model_dump(mode="json", exclude_unset=True)
                where = (session, owner.course_id, assignment_id, assignments)
                try:
                    used = await uses.change(*where, change, owner.name, wanted.as_in_file)
                except AssignmentNotFound:
                    used = await uses.put(*where, change, owner.name)
    return _use_line(used, time_zone)


async def remove_use(settings: Settings, course_id: str | None, assignment_id: str) -> None:
    """Raises: NotPossible: the course does not use it, or there are submissions to it."""
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_ASSIGNMENTS)
            async with database.write() as session:
                await uses.remove(session, owner.course_id, assignment_id, owner.name)


async def list_members(settings: Settings, course_id: str | None, chosen: Members) -> list[str]:
    """Return a line for each of these members of a course, the newest first."""
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.SEE_MEMBERS)
        async with database.read() as session:
            found = await membership.list_members(session, owner.course_id, chosen, limit=MOST_LISTED)
    return [_member_line(member) for member in found]


async def add_member(settings: Settings, course_id: str | None, values: Mapping[str, Any]) -> str:
    """Add a member; return the member in a line."""
    wanted = checked(MemberRequest, dict(values))
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_MEMBERS)
            async with database.write() as session:
                member = await membership.add(
                    session, owner.course_id, **wanted.model_dump(), manages=set(MemberRole), made_by=owner.name
                )
    return _member_line(member)


async def change_member(settings: Settings, course_id: str | None, named: str, given: Mapping[str, Any]) -> str:
    """Change a member, or remove one, or take one back; return the member in a line.

    Args:
        given: in the words of the API, and `removed`; "none" is null.
    """
    values = {name: None if value == NONE else value for name, value in given.items()}
    state = {name: values.pop(name) for name in ("removed",) if name in values}
    wanted = checked(MemberChangeRequest, values).model_dump(exclude_unset=True)
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_MEMBERS)
            async with database.write() as session:
                member = await membership.change(
                    session,
                    owner.course_id,
                    await member_id(session, owner, named),
                    {**wanted, **state},
                    manages=set(MemberRole),
                    may_change_shared=True,
                    made_by=owner.name,
                )
    return _member_line(member)


async def join_members(settings: Settings, course_id: str | None, kept: str, other: str) -> str:
    """Join two members; return the id of the join, which undoes it."""
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_MEMBERS)
            async with database.write() as session:
                ids = [await member_id(session, owner, named) for named in (kept, other)]
                return (await joins.join(session, owner.course_id, ids[0], ids[1], owner.name)).id


async def undo_join(settings: Settings, course_id: str | None, join_id: str) -> None:
    """Raises: NotPossible: there is no such join, or it cannot be undone."""
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course_id, Right.MANAGE_MEMBERS)
            async with database.write() as session:
                if not ID.fullmatch(join_id):
                    raise JoinNotFound
                await joins.undo(session, owner.course_id, join_id, owner.name)


async def member_id(session: AsyncSession, owner: Principal, named: str) -> str:
    """Find a member by the id in the grade book, or by the member's own.

    Raises:
        MemberNotFound: the course has none with this id.
    """
    here = select(Membership.id).where(Membership.course_id == owner.course_id)
    found = None
    if named.isprintable():  # No byte of another encoding, which no database takes.
        found = await session.scalar(here.where(Membership.external_id == named))
    if found is None and ID.fullmatch(named):
        found = await session.scalar(here.where(Membership.id == named))
    if found is None:
        raise MemberNotFound
    return found


def _rule(name: str, value: Any, time_zone: str) -> Any:
    if value == NONE:
        return None
    return moment(name, value, ZoneInfo(time_zone)) if name in DATES else value


def _course_line(found: Course) -> str:
    return f"{found.id}  {'archived' if found.archived_at else 'open':<8}  {found.title}"


def _use_line(used: UsedAssignment, time_zone: str) -> str:
    def shown(name: str, value: Any) -> str:
        local = (
            value.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else value
        )
        return f"{name} {local}{'*' if name in used.use.rules else ''}"

    rules = [shown(name, value) for name, value in used.rules if value is not None]
    title = f" ({used.use.title})" if used.use.title else ""
    return f"{used.use.assignment_id}{title}: {', '.join(rules)}{'' if used.effective else '; its file is gone'}"


def _member_line(member: Membership) -> str:
    state = "removed" if member.removed_at else "confirmed" if member.confirmed_at else "unconfirmed"
    said = filter(None, (member.person.name, member.person.email, member.group and f"group {member.group}"))
    return f"{member.id}  {member.role:<9}  {state:<11}  {member.external_id or '-'}  {', '.join(said)}".rstrip()


def _change_line(change: Change) -> str:
    names = sorted({*change.before, *change.after})
    what = ", ".join(f"{name}: {change.before.get(name)} -> {change.after.get(name)}" for name in names)
    return f"{change.created_at:%Y-%m-%d %H:%M}  {change.made_by}  {change.subject} {change.subject_id}  {what}"
