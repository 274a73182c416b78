"""An operator's commands on courses and their members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.courses import ChangeCourse, CopyCourse, MakeCourse
from app.actions.fields import ID
from app.actions.members import AddMember, ChangeMember
from app.commands.acting import asking, checked, opened, owner_in, refused_in_words
from app.courses import course, membership
from app.courses.membership import Members
from app.errors.members import JoinNotFound, MemberNotFound
from app.privacy.deletion import DeletedCourse
from app.settings import Settings
from app.storage.models import Course, MemberRole, Membership
from app.teaching.joins import joins

MOST_LISTED = 5000
#: Stands for null in an option.
NONE = "none"


async def list_courses(settings: Settings) -> list[str]:
    """Return a line for each course, the newest first."""
    async with opened(settings) as database, database.read() as session:
        return [_course_line(each) for each in await course.list_courses(session, limit=MOST_LISTED)]


async def make(settings: Settings, given: Mapping[str, Any]) -> str:
    """Make a course; return its id."""
    async with asking(settings) as owner:
        return (await actions.make_course(owner, checked(MakeCourse, dict(given)))).id


async def copy(settings: Settings, course_id: str, title: str, shift_days: int | None) -> str:
    """Copy a course; return the id of the copy."""
    async with asking(settings, course_id) as owner:
        wanted = checked(CopyCourse, {"title": title, "shift_days": shift_days})
        return (await actions.copy_course(owner, wanted)).id


async def archive(settings: Settings, course_id: str, *, archived: bool) -> str:
    """Archive a course, or open it again; return it in a line."""
    async with asking(settings, course_id) as owner:
        return _course_line(await actions.change_course(owner, ChangeCourse(archived=archived)))


async def title_of(settings: Settings, course_id: str) -> tuple[str, bool]:
    """Return the title of a course, and whether it is archived."""
    async with asking(settings, course_id) as owner, owner.database.read() as session:
        found = await course.existing(session, owner.course_id)
        return found.title, found.archived_at is not None


async def delete(settings: Settings, course_id: str, title: str) -> DeletedCourse:
    """Delete a course with everything in it. Args: title: its exact title."""
    async with asking(settings, course_id) as owner:
        return await actions.delete_course(owner, title=title)


async def list_members(settings: Settings, course_id: str | None, chosen: Members) -> list[str]:
    """Return a line for each of these members of a course, the newest first."""
    async with opened(settings) as database:
        owner = await owner_in(database, course_id, Right.SEE_MEMBERS)
        async with database.read() as session:
            found = await membership.list_members(session, owner.course_id, chosen, limit=MOST_LISTED)
    return [_member_line(member) for member in found]


async def add_member(settings: Settings, course_id: str | None, values: Mapping[str, Any]) -> str:
    """Add a member; return the member in a line."""
    wanted = checked(AddMember, dict(values))
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
    wanted = checked(ChangeMember, values).model_dump(exclude_unset=True)
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


def _course_line(found: Course) -> str:
    return f"{found.id}  {'archived' if found.archived_at else 'open':<8}  {found.title}"


def _member_line(member: Membership) -> str:
    state = "removed" if member.removed_at else "confirmed" if member.confirmed_at else "unconfirmed"
    said = filter(None, (member.person.name, member.person.email, member.group and f"group {member.group}"))
    return f"{member.id}  {member.role:<9}  {state:<11}  {member.external_id or '-'}  {', '.join(said)}".rstrip()
