"""Regrades: begun, how far they are, and what they have changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app import repository
from app.listing import Selection
from app.models import Regrade, RegradeItem, StoredReport, Submission
from app.repository import counting_report_id

Enqueue = Callable[[AsyncSession, Submission], Awaitable[None]]
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


async def begin(
    session: AsyncSession,
    enqueue: Enqueue | None,
    *,
    requested_by: str,
    meant: Sequence[str] | Selection,
    selection: dict[str, Any],
) -> str:
    """Have submissions graded again, as part of the caller's transaction.

    Args:
        enqueue: gives one to the queue; None: the submissions table itself is the queue.
        selection: what is meant, in the words of who asked.
    Returns:
        The id of the regrade.
    """
    ids = _selected_ids(meant) if isinstance(meant, Selection) else meant
    regrade, queued = await repository.add_regrade(
        session, requested_by=requested_by, selection=selection, submission_ids=ids
    )
    if enqueue is not None:
        for submission in queued:
            await enqueue(session, submission)
    return regrade.id


def _selected_ids(selection: Selection) -> Select[str]:
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
