"""Queries on submissions.

Each function works in the transaction of the given session.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.access.tokens import Principal
from app.courses import assignments, members
from app.courses.assignments import Use
from app.errors import ReportNotFound, ReportNotReady, SubmissionNotFound, existing
from app.storage.announcements import announce, announce_queued
from app.storage.memberships import is_student
from app.storage.models import (
    CourseAssignment,
    HoldDecision,
    JobStatus,
    RegradeItem,
    StoredReport,
    Submission,
    utc_now,
)
from app.storage.updates import update_rows
from app.submissions import reports
from app.submissions.events import record
from app.submissions.policy import Attempt
from app.submissions.positions import REGRADE_PRIORITY
from grader import Status


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
    rows = await session.execute(
        select(*same, Submission).where(tuple_(*same).in_(new_ids)).order_by(Submission.attempt.desc())
    )
    return {new_ids[member, use, sha256]: earlier for member, use, sha256, earlier in rows}


async def add_submissions(session: AsyncSession, submissions: Sequence[Submission]) -> None:
    """Store attempts during their students' turns (`take_turns`), and queue them.

    Attempts are numbered from 1 for each member and course assignment.
    """
    is_queued = case((Submission.job_status == JobStatus.QUEUED, 1))
    rows = await session.execute(
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
    for member, use, attempt, queued in rows:
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
    by_work = await attempts_of(
        session, Submission.membership_id == membership_id, Submission.course_assignment_id == course_assignment_id
    )
    return by_work.get((membership_id, course_assignment_id), [])


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
            StoredReport.status,
            withheld,
        )
        .outerjoin(StoredReport, StoredReport.id == reports.counting_report_id(preview))
        .where(*conditions)
        .order_by(Submission.membership_id, Submission.course_assignment_id, Submission.attempt)
    )
    by_work: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for member, use, number, at, job_status, decision, points, max_points, report_id, status, is_kept_back in rows:
        attempt = Attempt(
            number,
            at,
            points,
            max_points or 0.0,
            is_ours=report_id is not None and points is None,
            is_invalid=status == Status.INVALID_SUBMISSION,
            is_withheld=is_kept_back,
            decision=decision,
            is_cancelled=job_status == JobStatus.CANCELLED,
        )
        by_work[member, use].append(attempt)
    return dict(by_work)


async def find_submission(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """Find the submission with this id, if `viewer` may see it."""
    return await session.scalar(select(Submission).where(Submission.id == submission_id, visible_to(viewer)))


async def existing_submission(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission:
    """Find the submission with this id.

    Raises:
        SubmissionNotFound: there is none, or `viewer` may not see it.
    """
    return existing(await find_submission(session, submission_id, viewer), SubmissionNotFound)


async def submission_content(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """Find a submission as `find_submission` does, with the uploaded bytes."""
    query = select(Submission).where(Submission.id == submission_id, visible_to(viewer))
    return await session.scalar(query.options(undefer(Submission.content)))


async def cancel(session: AsyncSession, submission_id: str) -> bool:
    """Take a submission out of the queue; return False if it is not waiting for its first report.

    Cancelling it again changes nothing.
    """
    has_report = select(StoredReport.id).where(StoredReport.submission_id == submission_id).exists()
    can_be = Submission.id == submission_id, Submission.job_status == JobStatus.QUEUED, ~has_report
    if not await update_rows(session, Submission, *can_be, job_status=JobStatus.CANCELLED, finished_at=utc_now()):
        job_status = select(Submission.job_status).where(Submission.id == submission_id)
        return await session.scalar(job_status) == JobStatus.CANCELLED
    record(session, submission_id, "cancelled")
    await announce(session, submission_id)
    return True


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
        stored = await reports.find_report(session, submission_id, report_id, viewer)
    else:
        stored = await reports.newest_report(session, submission_id)
    return submission, existing(stored, ReportNotReady if report_id is None else ReportNotFound)


def waits_for_decision() -> ColumnElement[bool]:
    """Return the condition on `Submission` that it is held and waits for a decision."""
    return and_(Submission.held_at.is_not(None), Submission.hold_decision.is_(None))


def is_withheld() -> ColumnElement[bool]:
    """Return the condition on `Submission` that it was held and no teacher has accepted it."""
    return and_(Submission.held_at.is_not(None), Submission.hold_decision.is_distinct_from(HoldDecision.ACCEPTED))


def can_count() -> ColumnElement[bool]:
    """Return the condition on `Submission` and its `Membership` that it is in the numbers of an assignment: the student
    is in the course, and the attempt is neither cancelled nor withheld."""
    return and_(is_student(), Submission.job_status != JobStatus.CANCELLED, ~is_withheld())


def visible_to(viewer: Principal) -> ColumnElement[bool]:
    """Return the condition on `Submission` that `viewer` may see it."""
    in_scope = true() if viewer.course is None else Submission.course_id == viewer.course
    if viewer.assignment_id is not None:
        in_scope = and_(in_scope, Submission.assignment_id == viewer.assignment_id)
    if viewer.sees_everything:
        return in_scope
    if viewer.membership_id is not None:
        return and_(in_scope, Submission.membership_id == viewer.membership_id)
    return and_(in_scope, Submission.submitted_by == viewer.id)
