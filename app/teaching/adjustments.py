"""Adjustments of grades: one applies at a time, and those before it stay in the history.

Each change is made in the student's turn. A new adjustment replaces the one that applies. A request that names
the one to replace is refused if another one applies by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, joinedload

from app.courses import changes
from app.courses.assignments import Assignments
from app.errors import AdjustmentNotFound, AdjustmentReplaced
from app.storage.models import Adjustment, CourseAssignment, Membership, new_id, utc_now
from app.storage.paging import Paging
from app.storage.passback import grades_changed
from app.submissions.grades import counted_grade, counted_grades
from app.teaching.student_work import StudentWork


async def adjust(
    session: AsyncSession,
    assignments: Assignments,
    work: StudentWork,
    *,
    delta: float | None = None,
    value: float | None = None,
    reason: str,
    made_by: str,
    **expected: str | None,
) -> Adjustment:
    """Adjust the grade instead of the adjustment that applies. Making the same one again changes nothing.

    Args:
        work: in the student's turn (`student_work.take_student_work`).
        delta: points to add; or else `value`, the grade itself.
        reason: for the student to read.
        expected: `replaces`, the id of the adjustment that this one is to replace, or None if none applies; left out:
            whichever applies.
    Raises:
        AdjustmentReplaced: another one applies by now.
    """
    all_current = await _all_current(session, work)
    before = next(iter(all_current), None)
    is_same = before is not None and (before.delta, before.value, before.reason) == (delta, value, reason)
    current_id = before.id if before else None
    if "replaces" in expected and expected["replaces"] != current_id:
        if before is not None and is_same and before.made_by == made_by:
            return before  # The same request was sent twice.
        raise AdjustmentReplaced(expected=expected["replaces"], current=current_id)
    counted = await counted_grade(session, assignments, work.member, work.use)
    below = counted.points_below if counted else None
    if before is not None and is_same and before.points_below == below:
        return before
    now = utc_now()
    for each in all_current:
        each.ended_at, each.ended_by = now, made_by
    adjustment = Adjustment(
        id=new_id(),
        membership_id=work.member.id,
        use=work.use,
        delta=delta,
        value=value,
        reason=reason,
        points_below=below,
        made_by=made_by,
        created_at=now,
    )
    session.add(adjustment)
    changes.log(session, work.member, made_by, _log_values(before, work.use), _log_values(adjustment, work.use))
    await session.flush()
    await grades_changed(session, work.use.id, [work.member.id])
    return adjustment


async def withdraw(session: AsyncSession, work: StudentWork, adjustment_id: str, *, made_by: str) -> None:
    """Let an adjustment apply no more. Asking twice changes nothing.

    Args:
        work: in the student's turn (`student_work.take_student_work`).
    Raises:
        AdjustmentNotFound: the student has none with this id at this assignment.
    """
    adjustment = await session.get(Adjustment, adjustment_id, populate_existing=True)
    if adjustment is None or not work.holds(adjustment):
        raise AdjustmentNotFound
    if adjustment.ended_at is None:
        adjustment.ended_at, adjustment.ended_by = utc_now(), made_by
        changes.log(session, work.member, made_by, _log_values(adjustment, work.use), {})
        await session.flush()
        await grades_changed(session, work.use.id, [work.member.id])


@dataclass(frozen=True)
class CourseAdjustment:
    """An adjustment of a course. Attributes: is_stale: it applies, but the points below have changed since."""

    adjustment: Adjustment
    is_stale: bool


async def list_of_course(
    session: AsyncSession, assignments: Assignments, course_id: str, paging: Paging, *, ended_too: bool
) -> list[CourseAdjustment]:
    """List the newest adjustments of a course, with members, persons and assignments.

    Args:
        ended_too: list those that were replaced or withdrawn, too.
    """
    query = (
        select(Adjustment)
        .join(Adjustment.use)
        .where(CourseAssignment.course_id == course_id)
        .options(contains_eager(Adjustment.use), joinedload(Adjustment.member).joinedload(Membership.person))
    )
    if not ended_too:
        query = query.where(Adjustment.ended_at.is_(None))
    rows = (await session.scalars(paging.of(query, Adjustment.id))).all()
    members = {row.member.id: row.member for row in rows}
    uses = {row.use.id: row.use for row in rows}
    counted = await counted_grades(session, assignments, list(members.values()), list(uses.values()))
    stale = {key for key, grade in counted.items() if grade.is_stale}
    return [
        CourseAdjustment(row, row.ended_at is None and (row.membership_id, row.course_assignment_id) in stale)
        for row in rows
    ]


async def _all_current(session: AsyncSession, work: StudentWork) -> Sequence[Adjustment]:
    """Find the adjustments that have not ended, the newest first: there may be two after a join of members."""
    query = (
        select(Adjustment)
        .where(work.has(Adjustment), Adjustment.ended_at.is_(None))
        .options(joinedload(Adjustment.use))
    )
    return (await session.scalars(query.order_by(Adjustment.id.desc()))).all()


def _log_values(adjustment: Adjustment | None, use: CourseAssignment) -> dict[str, Any]:
    """Return an adjustment as one value of the log, so that each change names the assignment."""
    if adjustment is None:
        return {}
    values = {name: getattr(adjustment, name) for name in ("id", "delta", "value", "reason")}
    return {"adjustment": {"assignment": use.assignment_id, **values}}
