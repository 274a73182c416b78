"""Who grades which submission: the queries of both queues. Each works in the transaction of the session it is given.

A claim names one worker's hold on one submission. Only the newest claim of a submission may end it, so that whoever was
taken for dead meanwhile changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import ColumnElement, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.events import announce, record
from app.models import Artefact, JobStatus, RegradeItem, ReportDiagnosis, StoredReport, Submission, new_id, utc_now
from app.webhooks import outbox
from grader import Report


@dataclass(frozen=True)
class Claim:
    """A submission that this worker, and no other, is grading."""

    id: str
    submission_id: str
    assignment_id: str
    filename: str
    content: bytes
    tries: int


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
