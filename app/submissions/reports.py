"""Queries on the reports of submissions, and the condition for the one that counts.

Each function works in the transaction of the given session.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, ScalarSelect, Select, Text, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer

from app.access.tokens import Principal
from app.storage.models import Artefact, StoredReport, Submission


async def newest_report(session: AsyncSession, submission_id: str) -> StoredReport | None:
    """Find the report that counts: the newest with a grade, or the newest of all if we always failed.

    Reports of previews do not count.
    """
    return await session.scalar(
        select(StoredReport)
        .where(StoredReport.submission_id == submission_id, StoredReport.preview_id.is_(None))
        .order_by(StoredReport.points.is_(None), StoredReport.id.desc())
        .limit(1)
    )


async def list_reports(session: AsyncSession, submission_id: str) -> Sequence[StoredReport]:
    """List all reports of a submission but those of previews, the newest first."""
    reports = await session.scalars(
        select(StoredReport)
        .where(StoredReport.submission_id == submission_id, StoredReport.preview_id.is_(None))
        .order_by(StoredReport.id.desc())
    )
    return reports.all()


async def find_report(
    session: AsyncSession, submission_id: str, report_id: int, viewer: Principal
) -> StoredReport | None:
    """Find this submission's report with this number. Reports of previews are visible to the staff only."""
    query = select(StoredReport).where(StoredReport.id == report_id, StoredReport.submission_id == submission_id)
    return await session.scalar(query if viewer.sees_everything else query.where(StoredReport.preview_id.is_(None)))


async def artefacts_of(session: AsyncSession, report_id: int) -> dict[str, bytes]:
    """Return the artefacts of this report, by name. A missing one costs the report a picture."""
    kept = await session.scalars(select(Artefact).where(Artefact.report_id == report_id))
    return {artefact.name: artefact.content for artefact in kept}


def with_reports(*conditions: ColumnElement[bool]) -> Select[Submission, StoredReport | None]:
    """Select submissions, each with the report that counts, if there is one, without its `body`."""
    query: Select[Submission, StoredReport | None] = select(Submission, StoredReport)
    joined = query.outerjoin(StoredReport, StoredReport.id == counting_report_id())
    return joined.where(*conditions).options(defer(StoredReport.body))


def counting_report_id(preview: str | None = None) -> ScalarSelect[int]:
    """Return the subquery for the id of the report that counts, in a query over `Submission`.

    Args:
        preview: the id of a regrade, as if it were applied.
    """
    other = aliased(StoredReport)
    counts = other.preview_id.is_(None)
    return (
        select(other.id)
        .where(other.submission_id == Submission.id, or_(counts, other.preview_id == preview) if preview else counts)
        .order_by(other.points.is_(None), other.id.desc())
        .limit(1)
        .correlate(Submission)
        .scalar_subquery()
    )


def part_of_body(name: str) -> ColumnElement[Any]:
    """Return the expression for one part of a report's body, which is read without the rest; null: it has none.

    A NUL in a text becomes U+FFFD: PostgreSQL takes no part out of a JSON value that has one anywhere.
    """
    without_nul = func.replace(cast(StoredReport.body, Text), r"\u0000", r"\ufffd")
    return func.json(without_nul, type_=JSON)[name]
