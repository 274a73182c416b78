"""Claims of workers on submissions: the queries of both queues. Each works in the transaction of the given session.

A claim is one worker's hold on one submission. Only the newest claim of a submission may end it, so a worker that was
taken for dead changes nothing.

A preview of a regrade has jobs of its own, in `RegradeItem`: the submission does not change, and so no reader sees that
it is graded again. They are claimed when nothing else waits. A submission may be graded for several previews, and for
itself, at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    delete,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningUpdate

from app.storage.announcements import announce, announce_queued
from app.storage.models import (
    Artefact,
    JobStatus,
    LiveWorker,
    RegradeItem,
    ReportDiagnosis,
    StoredReport,
    Submission,
    new_id,
    utc_now,
)
from app.storage.passback import attempts_changed
from app.submissions.events import done_event, record
from app.submissions.repository import REGRADE_PRIORITY
from app.teaching import holds
from app.webhooks import outbox
from grader import Report


@dataclass(frozen=True)
class Claim:
    """A submission that this worker, and no other, is grading.

    Attributes:
        seed: of the submission, the same at every claim; kept out of logs.
        preview_id: the regrade whose preview it is; None: the report will count.
    """

    id: str
    submission_id: str
    assignment_id: str
    filename: str
    content: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    tries: int
    preview_id: str | None = None


@dataclass(frozen=True)
class OtherClaim:
    """The claim of another worker, and the count of its heartbeats. `preview_id` is as in `Claim`."""

    submission_id: str
    claim: str | None
    beat: int
    preview_id: str | None = None


def _is_running(submission: type[Submission]) -> ColumnElement[bool]:
    # As a literal, so that the planner uses the partial index on running submissions.
    return submission.job_status == literal(JobStatus.RUNNING, literal_execute=True)


@cache  # SQLAlchemy takes longer to put it together than PostgreSQL to execute it.
def _turns() -> Select[str, bool]:
    """Select the courses that wait, for an upload or else for a regrade, in the order in which they are served.

    The one with fewest running comes first, and of equal ones the one that has waited longest for a turn. So a course
    gets every slot that no other one wants, and the next free slot goes to whoever has none.
    """
    running, started = aliased(Submission), aliased(Submission)
    count = select(func.count()).where(running.course_id == Submission.course_id, _is_running(running))
    last_turn = (
        select(started.started_at)
        # A clock that has been set back must not keep a course waiting.
        .where(started.course_id == Submission.course_id, started.started_at <= bindparam("now"))
        .order_by(started.id.desc())
        .limit(1)
    )
    is_upload = Submission.priority > REGRADE_PRIORITY
    return (
        select(Submission.course_id, is_upload)
        .where(Submission.job_status == JobStatus.QUEUED)
        .group_by(Submission.course_id, is_upload)
        .order_by(
            is_upload.desc(),
            count.scalar_subquery(),
            last_turn.scalar_subquery().nulls_first(),
            Submission.course_id,
        )
    )


@cache
def _claiming(is_upload: bool) -> ReturningUpdate[str, str, str, bytes, bytes, int]:
    other, earlier = aliased(Submission), aliased(Submission)
    of_the_same_member = exists().where(other.membership_id == Submission.membership_id, _is_running(other))
    # A submission that another worker is taking still reads as queued.
    before_it = exists().where(
        earlier.membership_id == Submission.membership_id,
        earlier.job_status == JobStatus.QUEUED,
        tuple_(-earlier.priority, earlier.arrival, earlier.id)
        < tuple_(-Submission.priority, Submission.arrival, Submission.id),
    )
    is_regrade = Submission.priority <= REGRADE_PRIORITY
    first = (
        select(Submission.id)
        .where(Submission.job_status == JobStatus.QUEUED, ~of_the_same_member, ~before_it)
        .where(Submission.course_id == bindparam("course"), is_regrade if not is_upload else ~is_regrade)
        .order_by(Submission.priority.desc(), Submission.arrival, Submission.id)
        .limit(1)
        # Skips rows that are being claimed, cancelled or deleted. Left out on SQLite.
        .with_for_update(skip_locked=True, of=Submission)
        .scalar_subquery()
    )
    return (
        update(Submission)
        .where(Submission.id == first, Submission.job_status == JobStatus.QUEUED)
        .values(
            job_status=JobStatus.RUNNING,
            claim=bindparam("claim_id"),
            tries=Submission.tries + 1,
            started_at=bindparam("now"),
        )
        .returning(
            Submission.id,
            Submission.assignment_id,
            Submission.filename,
            Submission.content,
            Submission.seed,
            Submission.tries,
        )
        .execution_options(synchronize_session=False)
    )


class Overtaken(Exception):
    """Another worker claimed a submission of the same student at the same moment. Look again."""


async def claim_next(session: AsyncSession) -> Claim | None:
    """Claim the next submission; else one of a preview.

    Courses take turns, see `_turns`. In a course it is the first to arrive among those of the highest priority.
    Only one submission of a student is graded at a time, apart from previews. Two workers never get the same one: each
    skips a submission that another is about to take, and all others of that student.

    Raises:
        Overtaken
    """
    claim_id = new_id()
    try:
        for course_id, is_upload in (await session.execute(_turns(), {"now": utc_now()})).all():
            values = {"course": course_id, "claim_id": claim_id, "now": utc_now()}
            row = (await session.execute(_claiming(is_upload), values)).one_or_none()
            if row is not None:
                await announce(session, row.id)
                return Claim(claim_id, *row)
    except IntegrityError as exc:
        raise Overtaken from exc
    return await _claim_preview(session, claim_id)


async def _claim_preview(session: AsyncSession, claim_id: str) -> Claim | None:
    waiting = (
        select(RegradeItem.regrade_id, RegradeItem.submission_id)
        .where(RegradeItem.job_status == JobStatus.QUEUED)
        # One whose worker died goes behind the others: it may be the reason.
        .order_by(RegradeItem.tries, RegradeItem.regrade_id, RegradeItem.submission_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if (first := (await session.execute(waiting)).one_or_none()) is None:
        return None
    item = await session.execute(
        update(RegradeItem)
        .where(RegradeItem.regrade_id == first.regrade_id, RegradeItem.submission_id == first.submission_id)
        .values(job_status=JobStatus.RUNNING, claim=claim_id, tries=RegradeItem.tries + 1)
        .returning(RegradeItem.tries)
        .execution_options(synchronize_session=False)
    )
    facts = select(Submission.id, Submission.assignment_id, Submission.filename, Submission.content, Submission.seed)
    row = (await session.execute(facts.where(Submission.id == first.submission_id))).one()
    return Claim(claim_id, *row, item.scalar_one(), first.regrade_id)


async def finish(
    session: AsyncSession, claim: Claim, report: Report, artefacts: Mapping[str, bytes] = MappingProxyType({})
) -> bool:
    """Store the report and end the job, if it is still this claim's; else change nothing.

    Args:
        artefacts: the arrays for the report's pictures, by name.
    Returns:
        Whether it was stored. False: the submission was queued again meanwhile, or this report is already there.
    """
    if claim.preview_id is not None:
        return await _finish_preview(session, claim, claim.preview_id, report, artefacts)
    if not await _end_claim(session, claim, job_status=JobStatus.DONE, finished_at=utc_now()):
        return False
    stored = await _store(session, claim, report, artefacts)
    record(session, claim.submission_id, "done", **done_event(stored))
    if not await holds.hold(session, claim.submission_id, report):
        await outbox.add_deliveries(session, [stored.id])
    await attempts_changed(session, [claim.submission_id])
    await session.execute(
        update(RegradeItem)
        .where(
            RegradeItem.submission_id == claim.submission_id,
            RegradeItem.new_report_id.is_(None),
            RegradeItem.job_status.is_(None),
        )
        .values(new_report_id=stored.id)
        .execution_options(synchronize_session=False)
    )
    return True


async def _finish_preview(
    session: AsyncSession, claim: Claim, preview_id: str, report: Report, artefacts: Mapping[str, bytes]
) -> bool:
    """Store the report of a preview. It does not count, and nobody is told of it."""
    # The submission is locked first, as by its deletion, so that neither waits for the other.
    there = select(Submission.id).where(Submission.id == claim.submission_id)
    if await session.scalar(there.with_for_update(read=True, key_share=True)) is None:
        return False
    if not await _end_claim(session, claim, job_status=JobStatus.DONE, is_held=report.is_held):
        return False
    stored = await _store(session, claim, report, artefacts)
    await session.execute(
        update(RegradeItem)
        .where(RegradeItem.regrade_id == preview_id, RegradeItem.submission_id == claim.submission_id)
        .values(new_report_id=stored.id)
        .execution_options(synchronize_session=False)
    )
    return True


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
    """Put the submission back into its place in the queue after an interrupted grade; the try does not count."""
    if not await _end_claim(session, claim, job_status=JobStatus.QUEUED, tries=claim.tries - 1):
        return False
    if claim.preview_id is None:
        record(session, claim.submission_id, "queued")
    await announce_queued(session)
    return True


async def add_stages(session: AsyncSession, claim: Claim, stages: Sequence[str]) -> None:
    """Record that these stages of grading have begun, if the submission is still this claim's.

    Those of a preview are not recorded.
    """
    held = select(Submission.id).where(Submission.id == claim.submission_id, Submission.claim == claim.id)
    if claim.preview_id is not None or await session.scalar(held) is None:
        return
    for stage in stages:
        record(session, claim.submission_id, stage)
    await announce(session, claim.submission_id)


async def _end_claim(session: AsyncSession, claim: Claim, **values: object) -> bool:
    is_preview = claim.preview_id is not None
    held = (
        update(RegradeItem)
        .where(RegradeItem.regrade_id == claim.preview_id, RegradeItem.submission_id == claim.submission_id)
        .where(RegradeItem.claim == claim.id)
        .returning(RegradeItem.submission_id)
        if is_preview
        else update(Submission)
        .where(Submission.id == claim.submission_id, Submission.claim == claim.id)
        .returning(Submission.id)
    )
    ended = await session.execute(held.values(claim=None, **values).execution_options(synchronize_session=False))
    if ended.one_or_none() is None:
        return False
    if not is_preview:
        await announce(session, claim.submission_id)
    return True


async def requeue_running(session: AsyncSession) -> int:
    """Put every running submission back into the queue. Call only when no worker is running.

    Returns:
        How many there were.
    """
    return await _requeue(session) + await _requeue_previews(session)


async def requeue_silent(session: AsyncSession, silent: OtherClaim) -> bool:
    """Put a dead worker's submission back into the queue, unless there was a heartbeat since."""
    if silent.preview_id is not None:
        return bool(
            await _requeue_previews(
                session,
                RegradeItem.regrade_id == silent.preview_id,
                RegradeItem.submission_id == silent.submission_id,
                RegradeItem.claim.is_not_distinct_from(silent.claim),
                RegradeItem.beat == silent.beat,
            )
        )
    return bool(
        await _requeue(
            session,
            Submission.id == silent.submission_id,
            Submission.claim.is_not_distinct_from(silent.claim),
            Submission.beat == silent.beat,
        )
    )


async def _requeue(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    """Queue them again, behind the others of their kind: one of them may be why the worker died."""
    requeued = await session.execute(
        update(Submission)
        .where(Submission.job_status == JobStatus.RUNNING, *which)
        .values(job_status=JobStatus.QUEUED, claim=None, priority=Submission.priority - 1)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    ids = requeued.scalars().all()
    for submission_id in ids:
        record(session, submission_id, "queued")
        await announce(session, submission_id)
    if ids:
        await announce_queued(session)
    return len(ids)


async def _requeue_previews(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    requeued = await session.execute(
        update(RegradeItem)
        .where(RegradeItem.job_status == JobStatus.RUNNING, *which)
        .values(job_status=JobStatus.QUEUED, claim=None)
        .returning(RegradeItem.submission_id)
        .execution_options(synchronize_session=False)
    )
    count = len(requeued.all())
    if count:
        await announce_queued(session)
    return count


async def beat(
    session: AsyncSession,
    worker: str,
    claims: Collection[str],
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Sequence[OtherClaim]:
    """Store a heartbeat for the worker and its claims, on PostgreSQL.

    Args:
        about: what the worker says of itself, as JSON.
    Returns:
        The claims of other workers.
    """
    told = {"seen_at": func.now(), "about": {**about, "claims": sorted(claims)}}
    seen = insert(LiveWorker).values(id=worker, **told)
    await session.execute(seen.on_conflict_do_update(index_elements=[LiveWorker.id], set_=told))
    await session.execute(
        update(Submission)
        .where(Submission.claim.in_(claims))
        .values(beat=Submission.beat + 1)
        .execution_options(synchronize_session=False)
    )
    # Locked in the order in which a preview that is dropped locks them.
    in_order = RegradeItem.regrade_id, RegradeItem.submission_id
    own = select(*in_order).where(RegradeItem.claim.in_(claims), RegradeItem.job_status == JobStatus.RUNNING)
    await session.execute(own.order_by(*in_order).with_for_update())
    await session.execute(
        update(RegradeItem)
        .where(RegradeItem.claim.in_(claims), RegradeItem.job_status == JobStatus.RUNNING)
        .values(beat=RegradeItem.beat + 1)
        .execution_options(synchronize_session=False)
    )
    rows = await session.execute(
        select(Submission.id, Submission.claim, Submission.beat, null()).where(
            Submission.job_status == JobStatus.RUNNING,
            or_(Submission.claim.is_(None), Submission.claim.not_in(claims)),
        )
    )
    previews = await session.execute(
        select(RegradeItem.submission_id, RegradeItem.claim, RegradeItem.beat, RegradeItem.regrade_id).where(
            RegradeItem.job_status == JobStatus.RUNNING,
            or_(RegradeItem.claim.is_(None), RegradeItem.claim.not_in(claims)),
        )
    )
    return [OtherClaim(*row) for row in [*rows, *previews]]


async def leave(session: AsyncSession, worker: str) -> None:
    """Delete a worker that stops, and others that have been gone for a day."""
    gone = LiveWorker.seen_at < func.now() - timedelta(days=1)
    await session.execute(delete(LiveWorker).where(or_(LiveWorker.id == worker, gone)))


async def live_workers(session: AsyncSession, seconds: float) -> int:
    """Count the workers with a heartbeat in the last seconds; only on PostgreSQL."""
    recent = LiveWorker.seen_at > func.now() - timedelta(seconds=seconds)
    return await session.scalar(select(func.count()).where(recent)) or 0
