"""Every query. Each function works in the transaction of the session it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, undefer

from app.events import announce, is_postgresql, record
from app.models import (
    Artefact,
    JobStatus,
    Regrade,
    RegradeItem,
    ReportDiagnosis,
    StoredReport,
    Submission,
    new_id,
    utc_now,
)
from app.policy import Attempt
from app.tokens import Principal
from app.webhooks import outbox
from grader import Report

REGRADE_PRIORITY = -1000


@dataclass(frozen=True)
class QueueState:
    """Attributes: oldest_seconds: how long the upload that waits longest has waited; 0 when none waits."""

    queued: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True)
class Claim:
    """A submission that this worker, and no other, is grading."""

    id: str
    submission_id: str
    assignment_id: str
    filename: str
    content: bytes
    tries: int


# Submissions


async def add_submission(
    session: AsyncSession,
    *,
    student: str,
    assignment_id: str,
    filename: str,
    content: bytes,
    sha256: str,
    submitted_by: str,
    idempotency_key: str | None = None,
) -> Submission:
    """Store one attempt. Its number counts the attempts of this student at this assignment, from 1."""
    await take_turn(session, student)
    waiting = select(func.count()).where(Submission.student == student, Submission.job_status == JobStatus.QUEUED)
    earlier = select(func.max(Submission.attempt)).where(
        Submission.student == student, Submission.assignment_id == assignment_id
    )
    submission = Submission(
        student=student,
        assignment_id=assignment_id,
        attempt=(await session.scalar(earlier) or 0) + 1,
        filename=filename,
        content=content,
        sha256=sha256,
        submitted_by=submitted_by,
        idempotency_key=idempotency_key,
        priority=max(-(await session.scalar(waiting) or 0), REGRADE_PRIORITY + 1),
    )
    session.add(submission)
    await session.flush()
    record(session, submission.id, "queued")
    return submission


async def attempts(session: AsyncSession, student: str, assignment_id: str) -> Sequence[Attempt]:
    """All attempts of a student at an assignment, from the first; a cancelled one never has points."""
    rows = await session.execute(
        select(Submission.attempt, Submission.created_at, StoredReport.points, StoredReport.max_points, StoredReport.id)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(Submission.student == student, Submission.assignment_id == assignment_id)
        .order_by(Submission.attempt)
    )
    return [
        Attempt(number, created_at, points, max_points or 0.0, is_ours=report_id is not None and points is None)
        for number, created_at, points, max_points, report_id in rows
    ]


async def take_turn(session: AsyncSession, student: str) -> None:
    """Wait until no other transaction adds an attempt of this student. On SQLite all writers take turns anyway."""
    if is_postgresql(session):
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"student:{student}", 0))))


async def find_submission(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """The submission with this id, if there is one that `viewer` may see."""
    return await session.scalar(select(Submission).where(Submission.id == submission_id, visible_to(viewer)))


async def find_repeated(session: AsyncSession, submitted_by: str, idempotency_key: str) -> Submission | None:
    """What was handed in with this key of this token."""
    return await session.scalar(
        select(Submission).where(Submission.submitted_by == submitted_by, Submission.idempotency_key == idempotency_key)
    )


async def submission_content(session: AsyncSession, submission_id: str, viewer: Principal) -> Submission | None:
    """As `find_submission`, with the bytes as they came."""
    found = select(Submission).where(Submission.id == submission_id, visible_to(viewer))
    return await session.scalar(found.options(undefer(Submission.content)))


async def cancel(session: AsyncSession, submission_id: str) -> bool:
    """Take a submission out of the queue; False when it does not wait for its first report."""
    has_report = select(StoredReport.id).where(StoredReport.submission_id == submission_id).exists()
    cancelled = await session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.job_status == JobStatus.QUEUED, ~has_report)
        .values(job_status=JobStatus.CANCELLED, finished_at=utc_now())
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    if cancelled.one_or_none() is None:
        return False
    record(session, submission_id, "cancelled")
    await announce(session, submission_id)
    return True


async def newest_report(session: AsyncSession, submission_id: str) -> StoredReport | None:
    """The report that counts: the newest with a grade, or the newest if we have failed each time."""
    return await session.scalar(
        select(StoredReport)
        .where(StoredReport.submission_id == submission_id)
        .order_by(StoredReport.points.is_(None), StoredReport.id.desc())
        .limit(1)
    )


async def list_reports(session: AsyncSession, submission_id: str) -> Sequence[StoredReport]:
    """All reports of a submission, the newest first."""
    reports = await session.scalars(
        select(StoredReport).where(StoredReport.submission_id == submission_id).order_by(StoredReport.id.desc())
    )
    return reports.all()


async def find_report(session: AsyncSession, submission_id: str, report_id: int) -> StoredReport | None:
    """The report with this number, if it is one of this submission."""
    found = select(StoredReport).where(StoredReport.id == report_id, StoredReport.submission_id == submission_id)
    return await session.scalar(found)


async def artefacts_of(session: AsyncSession, report_id: int) -> dict[str, bytes]:
    """What was kept with this report, by name. One that is missing makes a report poorer by a picture."""
    kept = await session.scalars(select(Artefact).where(Artefact.report_id == report_id))
    return {artefact.name: artefact.content for artefact in kept}


async def queue_position(session: AsyncSession, submission: Submission) -> int | None:
    """1 for the submission that is graded next; None for one that does not wait."""
    if submission.job_status != JobStatus.QUEUED:
        return None
    place = tuple_(-Submission.priority, Submission.created_at, Submission.id)
    ahead = select(func.count()).where(
        Submission.job_status == JobStatus.QUEUED,
        place < tuple_(-submission.priority, submission.created_at, submission.id),
    )
    return (await session.scalar(ahead) or 0) + 1


async def queue_state(session: AsyncSession) -> QueueState:
    """How much waits, how much is being graded, and for how long the first upload has waited."""
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


async def oldest_upload_seconds(session: AsyncSession) -> float:
    """How long the upload that waits longest has waited. Regrades do not count: they may take all night."""
    oldest = await session.scalar(
        select(func.min(Submission.created_at)).where(
            Submission.job_status == JobStatus.QUEUED, Submission.priority > REGRADE_PRIORITY
        )
    )
    return max(0.0, (utc_now() - oldest).total_seconds()) if oldest is not None else 0.0


def counting_report_id() -> ScalarSelect[int]:
    """The id of the report that counts, as part of a query over `Submission`."""
    other = aliased(StoredReport)
    return (
        select(other.id)
        .where(other.submission_id == Submission.id)
        .order_by(other.points.is_(None), other.id.desc())
        .limit(1)
        .correlate(Submission)
        .scalar_subquery()
    )


def visible_to(viewer: Principal) -> ColumnElement[bool]:
    """The part of a query over `Submission` that leaves out what is none of the viewer's business."""
    if viewer.sees_everything:
        return true()
    if viewer.student is not None:
        return Submission.student == viewer.student
    return Submission.submitted_by == viewer.token_id


# The queue


async def claim_next(session: AsyncSession) -> Claim | None:
    """Take the submission that is next: of the highest priority, and of those the one that waits longest.

    Only one submission of a student is graded at a time. Two workers never get the same one.
    """
    running = aliased(Submission)
    of_the_same_student = exists().where(running.student == Submission.student, running.job_status == JobStatus.RUNNING)
    first = (
        select(Submission.id)
        .where(Submission.job_status == JobStatus.QUEUED, ~of_the_same_student)
        .order_by(Submission.priority.desc(), Submission.created_at, Submission.id)
        .limit(1)
        .scalar_subquery()
    )
    return await _claim(session, Submission.id == first, Submission.job_status == JobStatus.QUEUED)


async def claim(session: AsyncSession, submission_id: str) -> Claim | None:
    """Take this submission, away from whoever may be grading it; None when it is not to be graded (any more)."""
    unfinished = Submission.job_status.in_([JobStatus.QUEUED, JobStatus.RUNNING])
    return await _claim(session, Submission.id == submission_id, unfinished)


async def _claim(session: AsyncSession, *which: ColumnElement[bool]) -> Claim | None:
    claim_id = new_id()
    claimed = await session.execute(
        update(Submission)
        .where(*which)
        .values(job_status=JobStatus.RUNNING, claim=claim_id, tries=Submission.tries + 1, started_at=utc_now())
        .returning(
            Submission.id,
            Submission.assignment_id,
            Submission.filename,
            Submission.content,
            Submission.tries,
        )
        .execution_options(synchronize_session=False)
    )
    row = claimed.one_or_none()
    if row is None:
        return None
    await announce(session, row.id)
    return Claim(claim_id, *row)


async def finish(
    session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes] = MappingProxyType({})
) -> bool:
    """Store the report and end the job, if it is still this claim's; else change nothing.

    Args:
        artefacts: what the report names, by that name.
    Returns:
        Whether it was stored. False: the submission was queued again meanwhile, or this report is already there.
    """
    if not await _end_claim(session, claim, job_status=JobStatus.DONE, finished_at=utc_now()):
        return False
    stored = StoredReport(
        submission_id=claim.submission_id,
        status=report.status.value,
        points=report.points,
        max_points=report.max_points,
        body=report.model_dump(mode="json"),
    )
    session.add(stored)
    await session.flush()
    facts = {"report": stored.id, "status": stored.status, "points": stored.points, "max_points": stored.max_points}
    record(session, claim.submission_id, "done", **facts)
    await outbox.add_deliveries(session, stored)
    session.add_all(Artefact(report_id=stored.id, name=name, content=each) for name, each in artefacts.items())
    codes = sorted({diagnosis.code for diagnosis in report.diagnoses})
    session.add_all(ReportDiagnosis(report_id=stored.id, code=code) for code in codes)
    await session.execute(
        update(RegradeItem)
        .where(RegradeItem.submission_id == claim.submission_id, RegradeItem.new_report_id.is_(None))
        .values(new_report_id=stored.id)
        .execution_options(synchronize_session=False)
    )
    return True


async def release(session: AsyncSession, claim: Claim) -> bool:
    """Put the submission back into its place in the queue, because grading was stopped; the try does not count."""
    if not await _end_claim(session, claim, job_status=JobStatus.QUEUED, tries=claim.tries - 1):
        return False
    record(session, claim.submission_id, "queued")
    return True


async def add_stages(session: AsyncSession, claim: Claim, stages: Sequence[str]) -> None:
    """Write down that these stages of grading have begun, if the submission is still this claim's."""
    held = select(Submission.id).where(Submission.id == claim.submission_id, Submission.claim == claim.id)
    if await session.scalar(held) is None:
        return
    for stage in stages:
        record(session, claim.submission_id, stage)
    await announce(session, claim.submission_id)


async def _end_claim(session: AsyncSession, claim: Claim, **values: object) -> bool:
    ended = await session.execute(
        update(Submission)
        .where(Submission.id == claim.submission_id, Submission.claim == claim.id)
        .values(claim=None, **values)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    if ended.one_or_none() is None:
        return False
    await announce(session, claim.submission_id)
    return True


async def requeue_running(session: AsyncSession) -> int:
    """Put every running submission back into the queue, behind those of its kind: it may be why the worker died.

    Only for who knows that no worker is alive.

    Returns:
        How many there were.
    """
    requeued = await session.execute(
        update(Submission)
        .where(Submission.job_status == JobStatus.RUNNING)
        .values(job_status=JobStatus.QUEUED, claim=None, priority=Submission.priority - 1)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    ids = requeued.scalars().all()
    for submission_id in ids:
        record(session, submission_id, "queued")
    return len(ids)


async def send_back(session: AsyncSession, submission_id: str, priority: int) -> None:
    """A rescued submission waits again, with this priority."""
    await session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.job_status == JobStatus.RUNNING)
        .values(job_status=JobStatus.QUEUED, claim=None, priority=priority)
        .execution_options(synchronize_session=False)
    )
    record(session, submission_id, "queued")
    await announce(session, submission_id)


async def may_rescue(session: AsyncSession) -> bool:
    """Whether no other worker looks for lost jobs; none will until this transaction ends."""
    lock = select(func.pg_try_advisory_xact_lock(func.hashtextextended("lstm-grader rescue", 0)))
    return bool(await session.scalar(lock))


async def without_job(session: AsyncSession, task: str) -> Sequence[tuple[str, str, int]]:
    """Submissions that wait or run without a job in procrastinate's table: id, student, priority."""
    rows = await session.execute(
        text("""
            SELECT id, student, priority FROM submissions WHERE job_status IN ('queued', 'running') AND NOT EXISTS (
                SELECT FROM procrastinate_jobs
                WHERE task_name = :task AND status IN ('todo', 'doing') AND args ->> 'submission_id' = submissions.id
            )
        """),
        {"task": task},
    )
    return [(id, student, priority) for id, student, priority in rows]


# Regrades


async def add_regrade(
    session: AsyncSession,
    *,
    requested_by: str,
    selection: dict[str, Any],
    submission_ids: Sequence[str] | Select[str],
) -> tuple[Regrade, Sequence[Submission]]:
    """Queue submissions to be graded once more, behind all uploads; their reports stay.

    Those that have no report yet are left out: they will be graded by the grader of today anyway.

    Returns:
        The regrade, and the submissions that have to be given to the queue; those that wait for an earlier regrade are
        in it already, and get one new report for both.
    """
    regrade = Regrade(requested_by=requested_by, selection=selection)
    session.add(regrade)
    await session.flush()
    report_id = counting_report_id()
    graded = select(literal(regrade.id), Submission.id, report_id).where(
        Submission.id.in_(submission_ids), report_id.is_not(None)
    )
    await session.execute(insert(RegradeItem).from_select(["regrade_id", "submission_id", "old_report_id"], graded))
    items = select(RegradeItem.submission_id).where(RegradeItem.regrade_id == regrade.id)
    queued = await session.scalars(
        update(Submission)
        .where(Submission.id.in_(items), Submission.job_status == JobStatus.DONE)
        .values(job_status=JobStatus.QUEUED, priority=REGRADE_PRIORITY, tries=0)
        .returning(Submission)
        .execution_options(synchronize_session=False)
    )
    submissions = queued.all()
    for submission in submissions:
        record(session, submission.id, "queued")
    return regrade, submissions
