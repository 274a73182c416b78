"""Regrades: their start, their progress, and their changes. `app.teaching.previews` applies and drops previews."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, insert, literal, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.courses import course as courses
from app.errors import RegradeNotFound
from app.storage.announcements import announce_queued
from app.storage.models import Course, JobStatus, Regrade, RegradeItem, StoredReport, Submission
from app.storage.paging import EVERY_ROW, Paging
from app.submissions.events import record
from app.submissions.listing import Selection
from app.submissions.positions import REGRADE_PRIORITY
from app.submissions.reports import counting_report_id

OLD, NEW = aliased(StoredReport), aliased(StoredReport)


@dataclass(frozen=True)
class RegradeProgress:
    """A regrade and its progress.

    Attributes:
        done: submissions with a new report.
        changed: those of them whose points or verdict differ from before.
        superseded: for an applied preview, the submissions that already had a newer report, and keep it.
    """

    regrade: Regrade
    total: int
    done: int
    changed: int
    superseded: int


@dataclass(frozen=True)
class RegradeChange:
    """One submission of a regrade; it waits while it has no new report.

    Attributes:
        is_applied: whether the new report is among the submission's; None: not from a preview, or not applied.
    """

    submission: Submission
    old: StoredReport
    new: StoredReport | None
    is_applied: bool | None


async def begin(
    session: AsyncSession,
    *,
    requested_by: str,
    choice: Sequence[str] | Selection,
    selection: dict[str, Any],
    course: str | None = None,
    idempotency_key: str | None = None,
    is_preview: bool = False,
) -> Regrade:
    """Queue submissions to be graded again, behind all uploads; their reports stay.

    Submissions without a report are left out: the current grader will grade them anyway. A submission that waits for an
    earlier regrade gets one new report for both. A preview has jobs and reports of its own, and its submissions do not
    change.

    Args:
        is_preview: the new reports do not count before the preview is applied.
        course: the id of the only course whose submissions are graded again; None: all that are not archived.
        choice: ids of submissions, or a filter.
        selection: `choice` in the words of the request.
    Raises:
        CourseArchived
    """
    ids = (
        _selected_ids(choice)
        if isinstance(choice, Selection)
        else select(Submission.id).where(Submission.id.in_(choice))
    )
    if course is not None:
        await courses.keep_open(session, course)
        open_courses: Sequence[str] = [course]
    else:
        theirs = select(Submission.course_id).where(Submission.id.in_(ids))
        lasting = select(Course.id).where(Course.id.in_(theirs), Course.archived_at.is_(None)).order_by(Course.id)
        open_courses = (await session.scalars(lasting.with_for_update(read=True))).all()
    regrade = Regrade(
        requested_by=requested_by,
        course_id=course,
        selection=selection,
        idempotency_key=idempotency_key,
        is_preview=is_preview,
    )
    session.add(regrade)
    await session.flush()
    report_id = counting_report_id()
    job_status = literal(JobStatus.QUEUED if is_preview else None, RegradeItem.job_status.type)
    graded = select(literal(regrade.id), Submission.id, report_id, job_status).where(
        Submission.id.in_(ids), Submission.course_id.in_(open_courses), report_id.is_not(None)
    )
    columns = ["regrade_id", "submission_id", "old_report_id", "job_status"]
    await session.execute(insert(RegradeItem).from_select(columns, graded))
    items = select(RegradeItem.submission_id).where(RegradeItem.regrade_id == regrade.id)
    if course is None:
        # A regrade by an admin belongs to a course, too, if all its submissions are in that course.
        query = select(Submission.course_id).where(Submission.id.in_(items)).distinct().limit(2)
        of_items = (await session.scalars(query)).all()
        regrade.course_id = of_items[0] if len(of_items) == 1 else None
    if not is_preview:
        queued = await session.scalars(
            update(Submission)
            .where(Submission.id.in_(items), Submission.job_status == JobStatus.DONE)
            .values(job_status=JobStatus.QUEUED, priority=REGRADE_PRIORITY, tries=0)
            .returning(Submission.id)
            .execution_options(synchronize_session=False)
        )
        for submission_id in queued:
            record(session, submission_id, "queued")
    await announce_queued(session)
    return regrade


def _selected_ids(selection: Selection) -> Select[str]:
    return (
        select(Submission.id)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(*selection.conditions())
    )


async def list_regrades(session: AsyncSession, paging: Paging, *, course: str | None) -> Sequence[RegradeProgress]:
    """List the newest regrades of a course, or of all, with their progress."""
    return await _progress(session, in_scope(course), paging=paging)


async def running_preview(session: AsyncSession, course: str, selection: Mapping[str, Any]) -> Regrade | None:
    """Find a preview of the same choice that is still being graded; a second one would only repeat it."""
    waits = exists().where(RegradeItem.regrade_id == Regrade.id, RegradeItem.new_report_id.is_(None))
    rows = await session.scalars(
        select(Regrade)
        .where(Regrade.course_id == course, Regrade.is_preview, Regrade.dropped_at.is_(None), waits)
        .order_by(Regrade.id)
    )
    return next((each for each in rows if each.selection == selection), None)


async def find_regrade(session: AsyncSession, regrade_id: str, course: str | None = None) -> RegradeProgress:
    """Raises: RegradeNotFound: there is none with this id, or it is not of this course."""
    for regrade in await _progress(session, in_scope(course), Regrade.id == regrade_id):
        return regrade
    raise RegradeNotFound


def in_scope(course: str | None) -> ColumnElement[bool]:
    return true() if course is None else Regrade.course_id == course


async def list_items(
    session: AsyncSession, regrade_id: str, paging: Paging, *, only_changed: bool
) -> Sequence[RegradeChange]:
    """List the submissions of a regrade by their ids, the earliest first."""
    query = (
        select(Submission, OLD, NEW, case((Regrade.applied_at.is_not(None), NEW.preview_id.is_(None))))
        .select_from(RegradeItem)
        .join(Regrade, Regrade.id == RegradeItem.regrade_id)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .join(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(RegradeItem.regrade_id == regrade_id)
    )
    if only_changed:
        query = query.where(is_changed())
    rows = await session.execute(paging.of(query, RegradeItem.submission_id, oldest_first=True))
    return [RegradeChange(*row) for row in rows]


async def _progress(
    session: AsyncSession, *conditions: ColumnElement[bool], paging: Paging = EVERY_ROW
) -> Sequence[RegradeProgress]:
    query = (
        select(
            Regrade,
            func.count(RegradeItem.submission_id),
            func.count(RegradeItem.new_report_id),
            func.count(case((is_changed(), 1))),
            func.count(case((Regrade.applied_at.is_not(None) & NEW.preview_id.is_not(None), 1))),
        )
        .outerjoin(RegradeItem, RegradeItem.regrade_id == Regrade.id)
        .outerjoin(OLD, OLD.id == RegradeItem.old_report_id)
        .outerjoin(NEW, NEW.id == RegradeItem.new_report_id)
        .where(*conditions)
        .group_by(Regrade.id)
    )
    return [RegradeProgress(*row) for row in await session.execute(paging.of(query, Regrade.id))]


def is_changed() -> ColumnElement[bool]:
    """Return the condition on `OLD` and `NEW` that points or verdict differ."""
    return (NEW.status != OLD.status) | NEW.points.is_distinct_from(OLD.points) & NEW.id.is_not(None)
