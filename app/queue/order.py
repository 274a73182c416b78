"""The order of the queue: the choice of the next submission over all courses.

Courses take turns, and within a course students do. Two workers never get the same submission.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, undefer
from sqlalchemy.sql.dml import ReturningUpdate

from app.queue.claims import Claim
from app.storage.announcements import announce
from app.storage.models import Check, JobStatus, Membership, RegradeItem, Submission, new_id, utc_now
from app.submissions.positions import REGRADE_PRIORITY
from reference import new_seed


def _is_running(submission: type[Submission]) -> ColumnElement[bool]:
    # As a literal, so that the planner uses the partial index on running submissions.
    return submission.job_status == literal(JobStatus.RUNNING, literal_execute=True)


@cache  # SQLAlchemy takes longer to put it together than PostgreSQL to execute it.
def _turns() -> Select[str, bool]:
    """Select the courses with waiting uploads, or else waiting regrades, in the order of service.

    The course with the fewest running submissions comes first; among equals, the one that has waited longest. So a
    course gets every slot that no other one needs, and the next free slot goes to a course that has none.
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
def _claiming(is_upload: bool) -> ReturningUpdate[str, str, str, str, bytes, bytes, int]:
    other, earlier = aliased(Submission), aliased(Submission)
    of_the_same_member = exists().where(other.membership_id == Submission.membership_id, _is_running(other))
    # A submission that another worker is claiming still appears as queued.
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
            Submission.course_id,
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


async def claim_next(session: AsyncSession, besides: Collection[str] = ()) -> Claim | None:
    """Claim the next submission; else a check before handing in; else a submission of a preview.

    Courses take turns, see `_turns`. Within a course, the highest priority and then the earliest arrival comes first.
    Only one submission of a student is graded at a time, apart from checks and previews. Two workers never get the same
    one: each skips a submission that another is claiming, and all others of that student.

    Args:
        besides: courses to pass over. Checks and previews are not claimed then.
    Raises:
        Overtaken
    """
    claim_id = new_id()
    try:
        for course_id, is_upload in (await session.execute(_turns(), {"now": utc_now()})).all():
            if course_id in besides:
                continue
            values = {"course": course_id, "claim_id": claim_id, "now": utc_now()}
            row = (await session.execute(_claiming(is_upload), values)).one_or_none()
            if row is not None:
                await announce(session, row.id)
                return Claim(claim_id, *row)
    except IntegrityError as exc:
        raise Overtaken from exc
    if besides:
        return None
    return await _claim_check(session, claim_id) or await _claim_preview(session, claim_id)


async def _claim_check(session: AsyncSession, claim_id: str) -> Claim | None:
    waiting = (
        select(Check, Membership.course_id)
        .join(Membership)
        .options(undefer(Check.content))
        .where(Check.job_status == JobStatus.QUEUED)
        # As with previews.
        .order_by(Check.tries, Check.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Check)
    )
    if (first := (await session.execute(waiting)).one_or_none()) is None:
        return None
    check, course_id = first
    _take(check, claim_id)
    await announce(session, check.id)
    # The numbers that a check draws are names and an order: what it asks is published.
    own = check.id, course_id, check.assignment_id, check.filename, check.content or b"", new_seed(), check.tries
    return Claim(claim_id, *own, is_check=True)


async def _claim_preview(session: AsyncSession, claim_id: str) -> Claim | None:
    own = Submission
    waiting = (
        select(RegradeItem, own.id, own.course_id, own.assignment_id, own.filename, own.content, own.seed)
        .join(own, own.id == RegradeItem.submission_id)
        .where(RegradeItem.job_status == JobStatus.QUEUED)
        # If its worker died, it goes behind the others, because it may be the reason.
        .order_by(RegradeItem.tries, RegradeItem.regrade_id, RegradeItem.submission_id)
        .limit(1)
        .with_for_update(skip_locked=True, of=RegradeItem)
    )
    if (first := (await session.execute(waiting)).one_or_none()) is None:
        return None
    item, submission_id, course_id, assignment_id, filename, content, seed = first
    _take(item, claim_id)
    facts = submission_id, course_id, assignment_id, filename, content, seed, item.tries
    return Claim(claim_id, *facts, item.regrade_id)


def _take(job: Check | RegradeItem, claim_id: str) -> None:
    job.job_status, job.claim = JobStatus.RUNNING, claim_id
    job.tries += 1
