"""The log of changes to a course, its members and its assignments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Change, Course, CourseAssignment, Membership


def log(
    session: AsyncSession,
    subject: Course | CourseAssignment | Membership,
    made_by: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> bool:
    """Add a line with the values that differ, as part of the caller's transaction.

    Args:
        made_by: the name of the token.
        before: values by name, as JSON has them; empty for a new row.
    Returns:
        Whether anything differs.
    """
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if not changed:
        return False
    change = Change(
        course_id=subject.id if isinstance(subject, Course) else subject.course_id,
        membership_id=subject.id if isinstance(subject, Membership) else None,
        made_by=made_by,
        subject=SUBJECTS[type(subject)],
        subject_id=subject.id,
        before={name: before[name] for name in changed if name in before},
        after={name: after[name] for name in changed if name in after},
    )
    session.add(change)
    return True


SUBJECTS = {Course: "course", CourseAssignment: "assignment", Membership: "member"}


async def list_changes(
    session: AsyncSession, course_id: str, *, limit: int, before: int | None = None
) -> Sequence[Change]:
    """List the newest changes of a course.

    Args:
        before: an id; only older ones are listed.
    """
    conditions = [Change.course_id == course_id, *([Change.id < before] if before is not None else [])]
    return (await session.scalars(select(Change).where(*conditions).order_by(Change.id.desc()).limit(limit))).all()
