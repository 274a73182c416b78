"""The submissions that wait to be graded: their positions in the queue, and how long they wait.

Each function works in the transaction of the given session. `app.queue` claims them in this order.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import JobStatus, StoredReport, Submission, utc_now

REGRADE_PRIORITY = -1000


@dataclass(frozen=True)
class QueueState:
    """The length of the queue. Attributes: oldest_seconds: the longest wait of an upload; 0: none waits."""

    queued: int
    running: int
    oldest_seconds: float


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
    rows = await session.execute(select(queued) if ids is None else select(queued).where(queued.c.id.in_(ids)))
    return {id: place for id, place in rows}  # noqa: C416


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
