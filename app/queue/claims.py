"""Claims of workers on submissions, after their start (`order`), and the heartbeats that keep them alive.

Both queues use these queries. Each works in the transaction of the given session.

A claim is one worker's hold on one job. Only the newest claim of a job may end it, so a worker that was taken for dead
cannot change anything.

A job is a row with a status: a submission; a check before handing in (`Check`); or a preview of a regrade, in
`RegradeItem`: the submission does not change, so no reader notices the regrade. Checks and previews are claimed when
nothing else waits. A submission may be graded for several previews and for itself at the same time.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.storage.announcements import announce, announce_queued
from app.storage.models import (
    Artefact,
    Check,
    JobStatus,
    LiveWorker,
    RegradeItem,
    ReportDiagnosis,
    StoredReport,
    Submission,
    utc_now,
)
from app.storage.updates import update_rows
from app.submissions.advisories import for_student
from app.submissions.events import record
from app.submissions.new_grades import let_count
from grader import Report, Status


@dataclass(frozen=True)
class Claim:
    """A submission that this worker, and no other, is grading.

    Attributes:
        submission_id: of a check, its own id.
        seed: of the submission, the same at every claim; of a check a new one. Kept out of logs.
        preview_id: the regrade that the job is a preview for; None: the report will count.
        is_check: the job is a check before handing in.
        began: on the monotonic clock.
    """

    id: str
    submission_id: str
    course_id: str
    assignment_id: str
    filename: str
    content: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    tries: int
    preview_id: str | None = None
    is_check: bool = False
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class OtherClaim:
    """The claim of another worker, and the count of its heartbeats. `preview_id` and `is_check` are as in `Claim`."""

    submission_id: str
    claim: str | None
    beat: int
    preview_id: str | None = None
    is_check: bool = False


Job = Submission | RegradeItem | Check
#: The ids by which watchers know the jobs.
IDS: Mapping[type[Job], InstrumentedAttribute[str]] = {
    Submission: Submission.id,
    RegradeItem: RegradeItem.submission_id,
    Check: Check.id,
}


async def finish(
    session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes] = MappingProxyType({})
) -> bool:
    """Store the report and end the job, if this claim still holds it; otherwise change nothing.

    Args:
        artefacts: the arrays for the report's pictures, by name.
    Returns:
        Whether it was stored. False: the submission was queued again meanwhile, or the report is already stored.
    """
    if claim.preview_id is not None:
        return await _finish_preview(session, claim, report, artefacts)
    if claim.is_check:
        return await _finish_check(session, claim, report, artefacts)
    code = _code_of(report)
    if not await _end_claim(session, claim, job_status=JobStatus.DONE, finished_at=utc_now(), **code):
        return False
    stored = await _store(session, claim, report, artefacts)
    await let_count(session, [stored], held=[claim.submission_id] if report.is_held else [])
    # The regrades that queued the submission wait for this report.
    waits = RegradeItem.new_report_id.is_(None), RegradeItem.job_status.is_(None)
    await update_rows(
        session, RegradeItem, RegradeItem.submission_id == claim.submission_id, *waits, new_report_id=stored.id
    )
    return True


async def _finish_preview(session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes]) -> bool:
    """Store the report of a preview. It does not count, and nobody is notified."""
    # The submission is locked first, as its deletion does, so that the two cannot deadlock.
    there = select(Submission.id).where(Submission.id == claim.submission_id)
    if await session.scalar(there.with_for_update(read=True, key_share=True)) is None:
        return False
    if not await _end_claim(session, claim, job_status=JobStatus.DONE, is_held=report.is_held):
        return False
    if code := _code_of(report):
        await update_rows(session, Submission, Submission.id == claim.submission_id, **code)
    stored = await _store(session, claim, report, artefacts)
    table, job = _job(claim)
    await update_rows(session, table, job, new_report_id=stored.id)
    return True


async def _finish_check(session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes]) -> bool:
    """Store the report of a check, and no more of the file than it shows. Nobody but a waiting student is notified."""
    kept = {
        "report": for_student(report).model_dump(mode="json"),
        "source": artefacts.get(report.source.artefact or ""),
        "content": None,
    }
    if report.status == Status.INTERNAL_ERROR:
        kept["idempotency_key"] = None
    ended = await _end_claim(session, claim, job_status=JobStatus.DONE, **kept)
    await announce(session, claim.submission_id)
    return ended


def _code_of(report: Report) -> dict[str, Any]:
    """Return the columns of a submission that hold the fingerprint of its code; none if we failed to read it."""
    code = report.fingerprint
    return {f"code_{name}": value for name, value in code} if code is not None else {}


async def _store(session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes]) -> StoredReport:
    stored = StoredReport(
        submission_id=claim.submission_id,
        status=report.status.value,
        points=report.points,
        max_points=report.max_points,
        body=report.model_dump(mode="json"),
        assignment_digest=report.assignment.digest,
        grader_version=report.receipt.grader_version,
        preview_id=claim.preview_id,
    )
    session.add(stored)
    await session.flush()
    session.add_all(Artefact(report_id=stored.id, name=name, content=each) for name, each in artefacts.items())
    codes = sorted({diagnosis.code for diagnosis in report.diagnoses})
    session.add_all(ReportDiagnosis(report_id=stored.id, code=code) for code in codes)
    return stored


async def release(session: AsyncSession, claim: Claim) -> bool:
    """Put the submission back into its position in the queue after an interrupted grade; the try does not count."""
    if not await _end_claim(session, claim, job_status=JobStatus.QUEUED, tries=claim.tries - 1):
        return False
    if _job(claim)[0] is Submission:
        record(session, claim.submission_id, "queued")
        await announce(session, claim.submission_id)
    await announce_queued(session)
    return True


async def add_stages(session: AsyncSession, claim: Claim, stages: Sequence[str]) -> None:
    """Record the beginning of these stages of grading, if this claim still holds the submission.

    Stages of previews and checks are not recorded.
    """
    held = select(Submission.id).where(Submission.id == claim.submission_id, Submission.claim == claim.id)
    if _job(claim)[0] is not Submission or await session.scalar(held) is None:
        return
    for stage in stages:
        record(session, claim.submission_id, stage)
    await announce(session, claim.submission_id)


def _job(claim: Claim | OtherClaim) -> tuple[type[Job], ColumnElement[bool]]:
    """Return the table of the claimed job, and the condition for its row."""
    if claim.is_check:
        return Check, Check.id == claim.submission_id
    if claim.preview_id is None:
        return Submission, Submission.id == claim.submission_id
    key = RegradeItem.regrade_id == claim.preview_id, RegradeItem.submission_id == claim.submission_id
    return RegradeItem, and_(*key)


async def _end_claim(session: AsyncSession, claim: Claim, **values: object) -> bool:
    table, job = _job(claim)
    return await update_rows(session, table, job, table.claim == claim.id, claim=None, **values) > 0


async def requeue_running(session: AsyncSession) -> int:
    """Put every running submission back into the queue. Call this only while no worker is running.

    Returns:
        Their number.
    """
    return sum([await _requeue(session, table) for table in (Submission, RegradeItem, Check)])


async def requeue_silent(session: AsyncSession, silent: OtherClaim) -> bool:
    """Put a dead worker's submission back into the queue, unless a heartbeat has arrived since."""
    table, job = _job(silent)
    is_silent = table.claim.is_not_distinct_from(silent.claim), table.beat == silent.beat
    return bool(await _requeue(session, table, job, *is_silent))


async def _requeue(session: AsyncSession, table: type[Job], *which: ColumnElement[bool]) -> int:
    """Queue these jobs again, uploads behind all others of their kind, because one may be why the worker died."""
    is_upload = table is Submission
    requeued = await session.execute(
        update(table)
        .where(table.job_status == JobStatus.RUNNING, *which)
        .values(job_status=JobStatus.QUEUED, claim=None, **({"priority": Submission.priority - 1} if is_upload else {}))
        .returning(IDS[table])
        .execution_options(synchronize_session=False)
    )
    ids = requeued.scalars().all()
    for submission_id in ids if is_upload else ():
        record(session, submission_id, "queued")
        await announce(session, submission_id)
    if ids:
        await announce_queued(session)
    return len(ids)


async def beat(
    session: AsyncSession,
    worker: str,
    claims: Collection[str],
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Sequence[OtherClaim]:
    """Store a heartbeat for the worker and its claims, on PostgreSQL.

    Args:
        about: the worker's description of itself, as JSON.
    Returns:
        The claims of other workers.
    """
    facts = {"seen_at": func.now(), "about": {**about, "claims": sorted(claims)}}
    seen = insert(LiveWorker).values(id=worker, **facts)
    await session.execute(seen.on_conflict_do_update(index_elements=[LiveWorker.id], set_=facts))
    for own_table in (Submission, Check):
        await update_rows(session, own_table, own_table.claim.in_(claims), beat=own_table.beat + 1)
    # Locked in the same order as by the dropping of a preview.
    in_order = RegradeItem.regrade_id, RegradeItem.submission_id
    own = RegradeItem.claim.in_(claims), RegradeItem.job_status == JobStatus.RUNNING
    await session.execute(select(*in_order).where(*own).order_by(*in_order).with_for_update())
    await update_rows(session, RegradeItem, *own, beat=RegradeItem.beat + 1)
    others: list[OtherClaim] = []
    previews: Mapping[type[Job], Any] = {Submission: null(), RegradeItem: RegradeItem.regrade_id, Check: null()}
    for table, preview in previews.items():
        is_other = or_(table.claim.is_(None), table.claim.not_in(claims))
        rows = await session.execute(
            select(IDS[table], table.claim, table.beat, preview).where(table.job_status == JobStatus.RUNNING, is_other)
        )
        others += [OtherClaim(id, claim, beat, of, is_check=table is Check) for id, claim, beat, of in rows]
    return others


async def leave(session: AsyncSession, worker: str) -> None:
    """Delete the row of a worker that stops, and rows without a heartbeat for a day."""
    gone = LiveWorker.seen_at < func.now() - timedelta(days=1)
    await session.execute(delete(LiveWorker).where(or_(LiveWorker.id == worker, gone)))


async def live_workers(session: AsyncSession, seconds: float) -> Sequence[Mapping[str, Any]]:
    """List the workers with a heartbeat within these last seconds, as they describe themselves; only on PostgreSQL."""
    recent = LiveWorker.seen_at > func.now() - timedelta(seconds=seconds)
    return (await session.scalars(select(LiveWorker.about).where(recent))).all()
