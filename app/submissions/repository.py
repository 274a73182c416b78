"""Queries on submissions, their reports, and their positions in the queue.

Each function works in the transaction of the given session.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, undefer

from app.access.tokens import Principal
from app.courses import assignments, members
from app.courses.assignments import Use
from app.errors.submissions import ReportNotFound, ReportNotReady, SubmissionNotFound
from app.storage.announcements import announce, announce_queued
from app.storage.models import (
    Artefact,
    CourseAssignment,
    HoldDecision,
    JobStatus,
    MemberRole,
    Membership,
    RegradeItem,
    StoredReport,
    Submission,
    utc_now,
)
from app.submissions.events import record
from app.submissions.policy import Attempt

REGRADE_PRIORITY = -1000


@dataclass(frozen=True)
class QueueState:
    """The length of the queue. Attributes: oldest_seconds: the longest wait of an upload; 0: none waits."""

    queued: int
    running: int
    oldest_seconds: float


async def take_turns(session: AsyncSession, submissions: Sequence[Submission]) -> dict[Use, CourseAssignment]:
    """Give each new submission its member and its course assignment, and wait for the members' turns.

    A student unknown to the course becomes an unconfirmed member. Until the caller's transaction ends, no other one can
    add an attempt of these members.

    Returns:
        The assignments that the courses use. A submission to any other one is left unchanged.
    """
    uses = await assignments.offer(session, {(each.course_id, each.assignment_id) for each in submissions})
    placed = [each for each in submissions if (each.course_id, each.assignment_id) in uses]
    enrolled = await members.enrol(session, {(each.course_id, each.student) for each in placed})
    for each in placed:
        each.course_assignment_id = uses[each.course_id, each.assignment_id].id
        each.membership_id = enrolled[each.course_id, each.student].id
    return uses


async def handed_in_before(session: AsyncSession, submissions: Sequence[Submission]) -> dict[str, Submission]:
    """For each new submission, find the first attempt with the same bytes, member and assignment.

    Call this during the members' turns (`take_turns`).

    Returns:
        The attempts found, by the ids of the new submissions.
    """
    if not submissions:
        return {}
    same = Submission.membership_id, Submission.course_assignment_id, Submission.sha256
    new_ids = {(each.membership_id, each.course_assignment_id, each.sha256): each.id for each in submissions}
    found = await session.execute(
        select(*same, Submission).where(tuple_(*same).in_(new_ids)).order_by(Submission.attempt.desc())
    )
    return {new_ids[member, use, sha256]: earlier for member, use, sha256, earlier in found}


async def add_submissions(session: AsyncSession, submissions: Sequence[Submission]) -> None:
    """Store attempts during their students' turns (`take_turns`), and queue them.

    Attempts are numbered from 1 for each member and course assignment.
    """
    is_queued = case((Submission.job_status == JobStatus.QUEUED, 1))
    found = await session.execute(
        select(
            Submission.membership_id,
            Submission.course_assignment_id,
            func.max(Submission.attempt),
            func.count(is_queued),
        )
        .where(Submission.membership_id.in_({each.membership_id for each in submissions}))
        .group_by(Submission.membership_id, Submission.course_assignment_id)
    )
    last_attempt: Counter[tuple[str, str]] = Counter()
    waiting: Counter[str] = Counter()
    for member, use, attempt, queued in found:
        last_attempt[member, use] = attempt
        waiting[member] += queued
    last_arrival = await session.scalar(select(func.max(Submission.arrival))) or 0
    for submission in submissions:
        member, use = submission.membership_id, submission.course_assignment_id
        last_attempt[member, use] += 1
        last_arrival += 1
        submission.attempt = last_attempt[member, use]
        submission.arrival = last_arrival
        # Files of a batch have their priority already.
        if submission.priority != REGRADE_PRIORITY:
            submission.priority = max(-waiting[member], REGRADE_PRIORITY + 1)
        waiting[member] += 1
    session.add_all(submissions)
    await session.flush()
    for submission in submissions:
        record(session, submission.id, "queued")
    await announce_queued(session)


async def newest_attempt(session: AsyncSession, membership_id: str, assignment_id: str) -> Submission | None:
    """Find the newest attempt of a member at an assignment that was not taken back."""
    return await session.scalar(
        select(Submission)
        .where(
            Submission.membership_id == membership_id,
            Submission.assignment_id == assignment_id,
            Submission.job_status != JobStatus.CANCELLED,
        )
        .order_by(Submission.attempt.desc())
        .limit(1)
    )


async def attempts(session: AsyncSession, membership_id: str, course_assignment_id: str) -> Sequence[Attempt]:
    """List all attempts of a member at a course assignment, from the first. A cancelled one never has points."""
    found = await attempts_of(
        session, Submission.membership_id == membership_id, Submission.course_assignment_id == course_assignment_id
    )
    return found.get((membership_id, course_assignment_id), [])


async def attempts_of(
    session: AsyncSession, *conditions: ColumnElement[bool], preview: str | None = None
) -> dict[tuple[str, str], Sequence[Attempt]]:
    """List attempts, from the first, by the ids of member and course assignment.

    Args:
        conditions: on `Submission`.
        preview: the id of a regrade, as if it were applied.
    """
    withheld = is_withheld()
    if preview:
        is_held = exists().where(
            RegradeItem.regrade_id == preview, RegradeItem.submission_id == Submission.id, RegradeItem.is_held
        )
        withheld = or_(withheld, and_(is_held, Submission.hold_decision.is_distinct_from(HoldDecision.ACCEPTED)))
    rows = await session.execute(
        select(
            Submission.membership_id,
            Submission.course_assignment_id,
            Submission.attempt,
            Submission.created_at,
            Submission.job_status,
            Submission.hold_decision,
            StoredReport.points,
            StoredReport.max_points,
            StoredReport.id,
            withheld,
        )
        .outerjoin(StoredReport, StoredReport.id == counting_report_id(preview))
        .where(*conditions)
        .order_by(Submission.membership_id, Submission.course_assignment_id, Submission.attempt)
    )
    found: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for member, use, number, created_at, job_status, decision, points, max_points, report_id, is_kept_back in rows:
        attempt = Attempt(
            number,
            created_at,
            points,
            max_points or 0.0,
            is_ours=report_id is not None and points is None,
            is_withheld=is_kept_back,
            decision=decision,
            is_cancelled=job_status == JobStatus.CANCELLED,
        )
        found[member, use].append(attempt)
    return dict(found)


async def find_submission(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """Find the submission with this id, if `viewer` may see it."""
    return await session.scalar(select(Submission).where(Submission.id == submission_id, visible_to(viewer)))


async def existing_submission(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission:
    """Find the submission with this id.

    Raises:
        SubmissionNotFound: there is none, or `viewer` may not see it.
    """
    submission = await find_submission(session, submission_id, viewer)
    if submission is None:
        raise SubmissionNotFound
    return submission


async def submission_content(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """Find a submission as `find_submission` does, with the uploaded bytes."""
    found = select(Submission).where(Submission.id == submission_id, visible_to(viewer))
    return await session.scalar(found.options(undefer(Submission.content)))


async def cancel(session: AsyncSession, submission_id: str) -> bool:
    """Take a submission out of the queue; return False if it is not waiting for its first report.

    Cancelling it again changes nothing.
    """
    has_report = select(StoredReport.id).where(StoredReport.submission_id == submission_id).exists()
    cancelled = await session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.job_status == JobStatus.QUEUED, ~has_report)
        .values(job_status=JobStatus.CANCELLED, finished_at=utc_now())
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    if cancelled.one_or_none() is None:
        job_status = select(Submission.job_status).where(Submission.id == submission_id)
        return await session.scalar(job_status) == JobStatus.CANCELLED
    record(session, submission_id, "cancelled")
    await announce(session, submission_id)
    return True


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


async def existing_report(
    session: AsyncSession, submission_id: str, viewer: Principal, report_id: int | None = None
) -> tuple[Submission, StoredReport]:
    """Find a submission and one of its reports.

    Args:
        report_id: None: the counting report.
    Raises:
        SubmissionNotFound: there is none, or `viewer` may not see it.
        ReportNotReady: there is no report yet.
        ReportNotFound: the submission has no report with this number.
    """
    submission = await existing_submission(session, submission_id, viewer)
    if report_id is not None:
        stored = await find_report(session, submission_id, report_id, viewer)
    else:
        stored = await newest_report(session, submission_id)
    if stored is None:
        raise ReportNotReady if report_id is None else ReportNotFound
    return submission, stored


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
    found = select(StoredReport).where(StoredReport.id == report_id, StoredReport.submission_id == submission_id)
    return await session.scalar(found if viewer.sees_everything else found.where(StoredReport.preview_id.is_(None)))


async def artefacts_of(session: AsyncSession, report_id: int) -> dict[str, bytes]:
    """Return the artefacts of this report, by name. A missing one costs the report a picture."""
    kept = await session.scalars(select(Artefact).where(Artefact.report_id == report_id))
    return {artefact.name: artefact.content for artefact in kept}


async def queue_position(session: AsyncSession, submission: Submission) -> int | None:
    """Return the position in the queue: 1 is graded next; None: it is not waiting."""
    if submission.job_status != JobStatus.QUEUED:
        return None
    return (await queue_places(session, [submission.id])).get(submission.id)


async def queue_places(session: AsyncSession, ids: Collection[str] | None = None) -> dict[str, int]:
    """Return `queue_position` by id, for these or for all waiting submissions.

    Courses take turns, see `app.queue.claims`.
    """
    is_upload = Submission.priority > REGRADE_PRIORITY
    order = Submission.priority.desc(), Submission.arrival, Submission.id
    turn = func.row_number().over(partition_by=(Submission.course_id, is_upload), order_by=order).label("turn")
    waiting = (
        select(Submission.id, Submission.priority, Submission.arrival, is_upload.label("is_upload"), turn)
        .where(Submission.job_status == JobStatus.QUEUED)
        .subquery()
    )
    own = waiting.c
    place = func.row_number().over(order_by=(own.is_upload.desc(), own.turn, own.priority.desc(), own.arrival, own.id))
    queued = select(own.id, place.label("place")).subquery()
    found = await session.execute(select(queued) if ids is None else select(queued).where(queued.c.id.in_(ids)))
    return {id: place for id, place in found}  # noqa: C416


async def queue_state(session: AsyncSession) -> QueueState:
    """Count waiting and running submissions, and find the longest wait of an upload."""
    unfinished = Submission.job_status.in_([JobStatus.QUEUED, JobStatus.RUNNING])
    rows = await session.execute(
        select(Submission.job_status, func.count()).where(unfinished).group_by(Submission.job_status)
    )
    counts = {status: count for status, count in rows}  # noqa: C416
    return QueueState(
        queued=counts.get(JobStatus.QUEUED, 0),
        running=counts.get(JobStatus.RUNNING, 0),
        oldest_seconds=await oldest_upload_seconds(session),
    )


async def last_grading_seconds(session: AsyncSession, count: int) -> list[float]:
    """Return the durations of the latest grades, at most `count` of them."""
    rows = await session.execute(
        select(Submission.started_at, Submission.finished_at)
        .join(StoredReport, StoredReport.submission_id == Submission.id)
        .where(Submission.job_status == JobStatus.DONE, StoredReport.preview_id.is_(None))
        .order_by(StoredReport.id.desc())
        .limit(count)
    )
    return [(finished - started).total_seconds() for started, finished in rows if started and finished]


async def oldest_upload_seconds(session: AsyncSession) -> float:
    """Return the longest wait of an upload. Regrades do not count, because they may take all night."""
    oldest = await session.scalar(
        select(func.min(Submission.created_at)).where(
            Submission.job_status == JobStatus.QUEUED, Submission.priority > REGRADE_PRIORITY
        )
    )
    return max(0.0, (utc_now() - oldest).total_seconds()) if oldest is not None else 0.0


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


def waits_for_decision() -> ColumnElement[bool]:
    """Return the condition on `Submission` that it is held and waits for a decision."""
    return and_(Submission.held_at.is_not(None), Submission.hold_decision.is_(None))


def is_withheld() -> ColumnElement[bool]:
    """Return the condition on `Submission` that it was held and no teacher has accepted it."""
    return and_(Submission.held_at.is_not(None), Submission.hold_decision.is_distinct_from(HoldDecision.ACCEPTED))


def can_count() -> ColumnElement[bool]:
    """Return the condition on `Submission` and its `Membership` that it is in the numbers of an assignment: the student
    is in the course, and the attempt is neither cancelled nor withheld."""
    return and_(
        Membership.role == MemberRole.STUDENT,
        Membership.removed_at.is_(None),
        Submission.job_status != JobStatus.CANCELLED,
        ~is_withheld(),
    )


def visible_to(viewer: Principal) -> ColumnElement[bool]:
    """Return the condition on `Submission` that `viewer` may see it."""
    in_scope = true() if viewer.course is None else Submission.course_id == viewer.course
    if viewer.sees_everything:
        return in_scope
    if viewer.membership_id is not None:
        return and_(in_scope, Submission.membership_id == viewer.membership_id)
    return and_(in_scope, Submission.submitted_by == viewer.id)
