"""Previews of regrades, whose reports do not count and send nothing until the preview is applied.

Then they are like those of any regrade: they count, hold attempts, and go to webhooks. A preview is applied in
one transaction, so a student's grade never mixes old and new reports. A submission with a newer report keeps that one,
and the preview's report of it never counts.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.courses.course import keep_open
from app.errors import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview, existing
from app.storage.cascade import delete_rows
from app.storage.models import JobStatus, Regrade, RegradeItem, StoredReport, Submission, utc_now
from app.storage.updates import update_rows
from app.submissions.new_grades import let_count
from app.submissions.reports import counting_report_id
from app.teaching.regrades import in_scope

# Values in one statement.
AT_ONCE = 1000
Each = TypeVar("Each")


async def apply(session: AsyncSession, regrade_id: str, course: str | None = None) -> None:
    """Let the reports of a preview count. Applying it again changes nothing.

    Args:
        course: the id of the only course whose regrades the caller sees; None: of all courses.
    Raises:
        RegradeNotFound, RegradeNotPreview, CourseArchived
        PreviewDropped: its reports are gone.
        PreviewUnfinished: some of its reports are missing.
    """
    regrade = await _lock(session, regrade_id, course)
    if regrade.dropped_at is not None:
        raise PreviewDropped
    if regrade.applied_at is not None:
        return
    total, done = (
        await session.execute(
            select(func.count(), func.count(RegradeItem.new_report_id)).where(RegradeItem.regrade_id == regrade_id)
        )
    ).one()
    if done < total:
        raise PreviewUnfinished(done=done, total=total)
    # The newer report of a submission counts, whichever of the two became valid first.
    counting = func.coalesce(counting_report_id(), 0)
    items = await session.execute(
        select(RegradeItem.submission_id, RegradeItem.new_report_id, RegradeItem.is_held)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .where(RegradeItem.regrade_id == regrade_id, counting < RegradeItem.new_report_id)
        .order_by(RegradeItem.submission_id)
    )
    for some in _in_parts(items.all()):
        there = set(await _lock_submissions(session, [submission_id for submission_id, *_ in some]))
        await _let_count(
            session,
            {submission_id: report_id for submission_id, report_id, _ in some if report_id and submission_id in there},
            held=[submission_id for submission_id, _, is_held in some if is_held],
        )
    regrade.applied_at = utc_now()


async def drop(session: AsyncSession, regrade_id: str, course: str | None = None) -> None:
    """Delete the reports of a preview, and grade no more for it. Dropping it again changes nothing.

    Call `Database.empty_log` afterwards: students' data is in the reports.

    Raises:
        RegradeNotFound, RegradeNotPreview, CourseArchived
        PreviewApplied: its reports count.
    """
    regrade = await _lock(session, regrade_id, course)
    if regrade.applied_at is not None:
        raise PreviewApplied
    if regrade.dropped_at is not None:
        return
    of_it = RegradeItem.regrade_id == regrade_id
    submissions = await session.scalars(
        select(RegradeItem.submission_id).where(of_it).order_by(RegradeItem.submission_id)
    )
    for some in _in_parts(submissions.all()):
        await _lock_submissions(session, some)
    await session.execute(
        select(RegradeItem.submission_id).where(of_it).order_by(RegradeItem.submission_id).with_for_update()
    )
    # A worker that is grading for it loses its claim, and stores nothing.
    await update_rows(session, RegradeItem, of_it, job_status=JobStatus.CANCELLED, claim=None, new_report_id=None)
    await delete_rows(session, StoredReport, StoredReport.preview_id == regrade_id)
    regrade.dropped_at = utc_now()


async def _lock(session: AsyncSession, regrade_id: str, course: str | None) -> Regrade:
    """Find the preview; until the transaction ends, no other one applies or drops it, and its courses stay open."""
    query = select(Regrade).where(Regrade.id == regrade_id, in_scope(course))
    regrade = existing(await session.scalar(query), RegradeNotFound)
    if not regrade.is_preview:
        raise RegradeNotPreview
    of_items = select(Submission.course_id).join(RegradeItem, RegradeItem.submission_id == Submission.id)
    courses = set(await session.scalars(of_items.where(RegradeItem.regrade_id == regrade_id).distinct()))
    if regrade.course_id is not None:
        courses.add(regrade.course_id)
    for course_id in sorted(courses):
        await keep_open(session, course_id)
    # Not the strongest lock: a worker that is storing a report of it goes on.
    locked = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return existing(await session.scalar(locked), RegradeNotFound)


async def _lock_submissions(session: AsyncSession, ids: Sequence[str]) -> Sequence[str]:
    """Keep these submissions from being deleted; return those that are there. Deletion locks them in this order too."""
    query = select(Submission.id).where(Submission.id.in_(ids)).order_by(Submission.id)
    return (await session.scalars(query.with_for_update(read=True, key_share=True))).all()


def _in_parts(all_of_them: Sequence[Each]) -> Iterator[Sequence[Each]]:
    return (all_of_them[start : start + AT_ONCE] for start in range(0, len(all_of_them), AT_ONCE))


async def _let_count(session: AsyncSession, reports: dict[str, int], *, held: Sequence[str]) -> None:
    """Let these reports count, as if they had been stored now.

    Args:
        reports: id of the report, by that of the submission.
        held: the submissions whose report holds the attempt.
    """
    await update_rows(session, StoredReport, StoredReport.id.in_(reports.values()), preview_id=None)
    query = select(StoredReport).where(StoredReport.id.in_(reports.values())).order_by(StoredReport.id)
    await let_count(session, (await session.scalars(query.options(defer(StoredReport.body)))).all(), held=held)
