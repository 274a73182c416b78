"""The state of the queue, for the operator: what waits, and the processes that grade."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.queue.backlog import pace_of
from app.queue.heartbeat import STALLED_SECONDS
from app.storage.announcements import is_postgresql
from app.storage.models import Check, JobStatus, LiveWorker, RegradeItem, StoredReport, Submission, utc_now
from app.submissions import positions
from app.submissions.positions import QueueState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Queue:
    """The queue.

    Attributes:
        previews: waiting and running jobs of previews.
        checks: waiting and running checks before handing in.
        graded_hour, graded_day: reports in that time.
        empty_seconds: the estimated time until it is empty; None: it is, or nobody knows.
    """

    state: QueueState
    previews: int
    checks: int
    graded_hour: int
    graded_day: int
    empty_seconds: float | None = None


@dataclass(frozen=True)
class Job:
    """An attempt in grading, also for a preview of a regrade."""

    submission_id: str
    assignment_id: str
    student: str


@dataclass(frozen=True)
class WorkerState:
    """A process that grades.

    Attributes:
        seconds: the time since its last heartbeat; None: it is this process.
        about: its description of itself (`About.as_json`).
    """

    seconds: float | None
    about: Mapping[str, Any]
    jobs: Sequence[Job] = ()

    @property
    def is_alive(self) -> bool:
        return self.seconds is None or self.seconds < STALLED_SECONDS

    @property
    def test(self) -> Mapping[str, Any]:
        return self.about.get("self_test") or {}

    @property
    def proved_at(self) -> datetime | None:
        """The time of the latest proof that it can grade: a self-test, or a student's grade."""
        text = self.test.get("proved_at")
        return datetime.fromisoformat(text) if text else None

    @property
    def open_parts(self) -> list[str]:
        """The mechanisms of its wall that are not in force."""
        return [name for name, enforced in (self.about.get("wall") or {}).items() if not enforced]


async def queue_of(session: AsyncSession, own_slots: int) -> Queue:
    """Read the state of the queue. Args: own_slots: see `pace_of`."""
    state = await positions.queue_state(session)
    unfinished = [JobStatus.QUEUED, JobStatus.RUNNING]
    others = [
        await session.scalar(select(func.count()).where(table.job_status.in_(unfinished)))
        for table in (RegradeItem, Check)
    ]
    now = utc_now()
    graded = [
        await session.scalar(select(func.count()).where(StoredReport.created_at > now - time)) for time in (HOUR, DAY)
    ]
    previews, checks, graded_hour, graded_day = (count or 0 for count in (*others, *graded))
    waiting, pace = state.queued + previews + checks, await pace_of(session, own_slots)
    empty_seconds = pace.seconds_to_report(waiting) if pace and waiting else None
    return Queue(state, previews, checks, graded_hour, graded_day, empty_seconds)


async def workers_of(session: AsyncSession, about: Mapping[str, Any] | None) -> Sequence[WorkerState]:
    """List the processes that grade, or did in the last hour.

    Args:
        about: this process, which grades alone on SQLite; None: it does not grade.
    """
    if not is_postgresql(session):
        return [] if about is None else [WorkerState(None, about, list((await _jobs(session, None)).values()))]
    rows = await session.execute(
        select(LiveWorker, func.extract("epoch", func.now() - LiveWorker.seen_at))
        .where(LiveWorker.seen_at > func.now() - HOUR)
        .order_by(LiveWorker.id)
    )
    workers = [(worker.about, float(seconds)) for worker, seconds in rows]
    jobs = await _jobs(session, [claim for about, _ in workers for claim in about.get("claims", [])])
    return [
        WorkerState(seconds, about, [jobs[claim] for claim in about.get("claims", []) if claim in jobs])
        for about, seconds in workers
    ]


async def _jobs(session: AsyncSession, claims: Collection[str] | None) -> dict[str, Job]:
    """Find the attempts in grading under these claims, or under any."""
    facts = Submission.id, Submission.assignment_id, Submission.student
    own = select(Submission.claim, *facts).where(Submission.job_status == JobStatus.RUNNING)
    of_previews = (
        select(RegradeItem.claim, *facts)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .where(RegradeItem.job_status == JobStatus.RUNNING)
    )
    if claims is not None:
        own = own.where(Submission.claim.in_(claims))
        of_previews = of_previews.where(RegradeItem.claim.in_(claims))
    rows = [*await session.execute(own), *await session.execute(of_previews)]
    return {claim: Job(*rest) for claim, *rest in rows}
