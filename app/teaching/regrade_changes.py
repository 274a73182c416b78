"""The changes that a regrade makes, or that a preview would make: how many, for whom, and from which cause to which."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.courses.assignments import Assignments
from app.storage.models import CourseAssignment, Membership, Person, RegradeItem, StoredReport, Submission
from app.submissions.derivation import Counted
from app.submissions.grades import counted_grades
from app.teaching.causes import Cause, causes_of, only_in
from app.teaching.regrades import NEW, OLD, is_changed


@dataclass(frozen=True)
class ChangeCounts:
    """The number of attempts by their change.

    Attributes:
        changed: points or verdict differ.
        fewer, more: there are fewer or more points than before.
        without: there were points before, and the grader fails now.
        held: attempts that the new report would hold, and that are not held.
    """

    changed: int = 0
    fewer: int = 0
    more: int = 0
    without: int = 0
    held: int = 0


@dataclass(frozen=True)
class ItemChange:
    """One attempt of a regrade.

    Attributes:
        name: of the student, as far as it is known.
        new: None: it waits.
        gone, come: the mistakes that only the old report names, and that only the new one names.
    """

    submission: Submission
    name: str | None
    old: StoredReport
    new: StoredReport | None
    gone: Sequence[Cause]
    come: Sequence[Cause]


async def count_changes(session: AsyncSession, regrade_id: str) -> ChangeCounts:
    row = await session.execute(
        select(
            func.count(case((is_changed(), 1))),
            func.count(case((NEW.points < OLD.points, 1))),
            func.count(case((NEW.points > OLD.points, 1))),
            func.count(case((OLD.points.is_not(None) & NEW.id.is_not(None) & NEW.points.is_(None), 1))),
            func.count(case((_would_hold(), 1))),
        )
        .select_from(RegradeItem)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .join(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(RegradeItem.regrade_id == regrade_id)
    )
    return ChangeCounts(*row.one())


async def list_changes(
    session: AsyncSession, regrade_id: str, *, only_changed: bool, limit: int, offset: int = 0
) -> Sequence[ItemChange]:
    """List the attempts of a regrade, those with the largest change of points first; those that wait come last.

    Args:
        only_changed: only attempts whose points or verdict change, or that the new report would hold.
    """
    conditions = [RegradeItem.regrade_id == regrade_id, *([is_changed() | _would_hold()] if only_changed else [])]
    rows = await session.execute(
        select(Submission, Person.name, OLD, NEW)
        .select_from(RegradeItem)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .join(Membership, Membership.id == Submission.membership_id)
        .join(Person, Person.id == Membership.person_id)
        .join(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(*conditions)
        .order_by(NEW.id.is_(None), _size().desc(), is_changed().desc(), RegradeItem.submission_id)
        .limit(limit)
        .offset(offset)
        .options(defer(OLD.body), defer(NEW.body))
    )
    items = [(submission, name, old, new) for submission, name, old, new in rows]
    causes = await causes_of(session, [report.id for _, _, *reports in items for report in reports if report])
    return [
        ItemChange(
            submission,
            name,
            old,
            new,
            gone=only_in(causes[old.id], causes[new.id]) if new else (),
            come=only_in(causes[new.id], causes[old.id]) if new else (),
        )
        for submission, name, old, new in items
    ]


async def counted_changes(
    session: AsyncSession, assignments: Assignments, items: Sequence[ItemChange], preview: str
) -> dict[str, tuple[Counted, Counted]]:
    """Return the counted grades that a preview is about, now and if it were applied, by the ids of the submissions."""
    places = {
        each.submission.id: (each.submission.membership_id, each.submission.course_assignment_id) for each in items
    }
    member_ids, use_ids = ({place[part] for place in places.values()} for part in (0, 1))
    members = (await session.scalars(select(Membership).where(Membership.id.in_(member_ids)))).all()
    uses = (await session.scalars(select(CourseAssignment).where(CourseAssignment.id.in_(use_ids)))).all()
    now = await counted_grades(session, assignments, members, uses)
    then = await counted_grades(session, assignments, members, uses, preview=preview)
    return {id: (now[place], then[place]) for id, place in places.items() if place in now}


def _would_hold() -> ColumnElement[bool]:
    return RegradeItem.is_held & Submission.held_at.is_(None)


def _size() -> ColumnElement[float]:
    """Return how many points change. If the grader failed, all of them do."""
    before, after = func.coalesce(OLD.points, 0.0), func.coalesce(NEW.points, 0.0)
    return func.abs(after - before)
