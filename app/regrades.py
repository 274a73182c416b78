"""How far a regrade is, and what it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.listing import Selection
from app.models import Regrade, RegradeItem, StoredReport, Submission
from app.repository import counting_report_id

OLD, NEW = aliased(StoredReport), aliased(StoredReport)


@dataclass(frozen=True)
class Progress:
    """How far one is.

    Attributes:
        done: submissions with a new report.
        changed: of these, where points or verdict differ from before.
    """

    regrade: Regrade
    total: int
    done: int
    changed: int


@dataclass(frozen=True)
class Regraded:
    """One submission of a regrade; without a new report it still waits."""

    submission: Submission
    old: StoredReport
    new: StoredReport | None


def selected_ids(selection: Selection) -> Select[str]:
    """A query for the ids of the submissions that are meant."""
    return (
        select(Submission.id)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(*selection.conditions())
    )


async def list_regrades(session: AsyncSession, *, limit: int, before: str | None = None) -> Sequence[Progress]:
    """The newest, each with how far it is."""
    return await _progress(session, *([Regrade.id < before] if before else []), limit=limit)


async def find_regrade(session: AsyncSession, regrade_id: str) -> Progress | None:
    return next(iter(await _progress(session, Regrade.id == regrade_id, limit=1)), None)


async def list_items(
    session: AsyncSession, regrade_id: str, *, only_changed: bool, limit: int, after: str | None = None
) -> Sequence[Regraded]:
    """The submissions of a regrade by their ids, the earliest first."""
    conditions = [RegradeItem.regrade_id == regrade_id]
    if only_changed:
        conditions.append(_changed())
    if after:
        conditions.append(RegradeItem.submission_id > after)
    rows = await session.execute(
        select(Submission, OLD, NEW)
        .select_from(RegradeItem)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .join(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(*conditions)
        .order_by(RegradeItem.submission_id)
        .limit(limit)
    )
    return [Regraded(*row) for row in rows]


async def _progress(session: AsyncSession, *conditions: ColumnElement[bool], limit: int) -> Sequence[Progress]:
    rows = await session.execute(
        select(
            Regrade,
            func.count(RegradeItem.submission_id),
            func.count(RegradeItem.new_report_id),
            func.count(case((_changed(), 1))),
        )
        .outerjoin(RegradeItem, RegradeItem.regrade_id == Regrade.id)
        .outerjoin(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(*conditions)
        .group_by(Regrade.id)
        .order_by(Regrade.id.desc())
        .limit(limit)
    )
    return [Progress(*row) for row in rows]


def _changed() -> ColumnElement[bool]:
    return (NEW.status != OLD.status) | NEW.points.is_distinct_from(OLD.points) & NEW.id.is_not(None)
