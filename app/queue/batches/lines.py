"""Lists the batches of a course with their progress, and the files of a batch."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.storage.models import Batch, BatchFile, BatchFileState, JobStatus, Membership, StoredReport, Submission
from app.storage.paging import Paging
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


async def list_batches(session: AsyncSession, course_id: str, paging: Paging) -> Sequence[BatchProgress]:
    """List the newest batches of a course with their progress."""
    of_course = select(Batch).where(Batch.course_id == course_id)
    return await progress_of(session, (await session.scalars(paging.of(of_course, Batch.id))).all())


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
    session: AsyncSession, batch_id: str, states: Collection[BatchFileState], paging: Paging
) -> Sequence[BatchLine]:
    """List files of a batch in these states, in the order of the archive."""
    query = (
        select(BatchFile, Membership, Submission, StoredReport)
        .outerjoin(Membership, Membership.id == BatchFile.membership_id)
        .outerjoin(Membership.person)
        .outerjoin(Submission, Submission.id == BatchFile.submission_id)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(BatchFile.batch_id == batch_id, BatchFile.state.in_(states))
        .options(contains_eager(Membership.person))
    )
    rows = await session.execute(paging.of(query, BatchFile.id, oldest_first=True))
    return [BatchLine(*row) for row in rows]
