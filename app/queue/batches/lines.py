"""Lists the batches of a course with their progress, and the files of a batch."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.storage.models import Batch, BatchFile, BatchFileState, JobStatus, Membership, StoredReport, Submission
from app.submissions.reports import counting_report_id


@dataclass(frozen=True)
class BatchProgress:
    """A batch and its progress.

    Attributes:
        states: the number of files in each state.
        graded: the number of files with a report.
    """

    batch: Batch
    states: Mapping[BatchFileState, int] = field(default_factory=dict)
    graded: int = 0

    @property
    def files(self) -> int:
        return sum(self.states.values())

    @property
    def handed_in(self) -> int:
        return self.states.get(BatchFileState.HANDED_IN, 0)


@dataclass(frozen=True)
class BatchLine:
    """A file of a batch. Attributes: member: its owner; report: the counting one of its attempt."""

    file: BatchFile
    member: Membership | None
    submission: Submission | None
    report: StoredReport | None


async def list_batches(
    session: AsyncSession, course_id: str, *, limit: int, before: str | None = None
) -> Sequence[BatchProgress]:
    """List the newest batches of a course with their progress."""
    query = select(Batch).where(Batch.course_id == course_id, *([Batch.id < before] if before else []))
    batches = (await session.scalars(query.order_by(Batch.id.desc()).limit(limit))).all()
    return await progress_of(session, batches)


async def progress_of(session: AsyncSession, batches: Collection[Batch]) -> Sequence[BatchProgress]:
    """Count the files of these batches by their states."""
    ended = Submission.job_status.in_([JobStatus.DONE, JobStatus.CANCELLED])
    rows = await session.execute(
        select(BatchFile.batch_id, BatchFile.state, ended, func.count())
        .outerjoin(Submission, Submission.id == BatchFile.submission_id)
        .where(BatchFile.batch_id.in_([each.id for each in batches]))
        .group_by(BatchFile.batch_id, BatchFile.state, ended)
    )
    states: dict[str, Counter[BatchFileState]] = {each.id: Counter() for each in batches}
    graded: Counter[str] = Counter()
    for batch_id, state, is_ended, count in rows:
        states[batch_id][state] += count
        if state == BatchFileState.HANDED_IN and is_ended:
            graded[batch_id] += count
    return [BatchProgress(each, states[each.id], graded[each.id]) for each in batches]


async def list_files(
    session: AsyncSession,
    batch_id: str,
    states: Collection[BatchFileState],
    *,
    limit: int,
    after: str | None = None,
) -> Sequence[BatchLine]:
    """List files of a batch in these states, in the order of the archive."""
    rows = await session.execute(
        select(BatchFile, Membership, Submission, StoredReport)
        .outerjoin(Membership, Membership.id == BatchFile.membership_id)
        .outerjoin(Membership.person)
        .outerjoin(Submission, Submission.id == BatchFile.submission_id)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(
            BatchFile.batch_id == batch_id,
            BatchFile.state.in_(states),
            *([BatchFile.id > after] if after else []),
        )
        .order_by(BatchFile.id)
        .limit(limit)
        .options(contains_eager(Membership.person))
    )
    return [BatchLine(*row) for row in rows]
