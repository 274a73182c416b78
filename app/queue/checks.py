"""Checks before handing in: stored and queued behind everything that is graded, and found by their student alone."""

import math
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.errors import CheckNotFound, ChecksNotAllowed, ChecksUsedUp, MemberRemoved
from app.storage.announcements import announce_queued
from app.storage.models import Check, JobStatus, Membership, Submission, utc_now
from app.submissions.policy import check_attempt
from app.submissions.uploads import Upload
from grader import Assignment, Status

HOUR = timedelta(hours=1)


async def add(
    session: AsyncSession, holder: Principal, upload: Upload, assignment: Assignment, key: str | None = None
) -> Check:
    """Store a check and queue it.

    Args:
        assignment: with the dates and rules that hold for the student.
        key: the name of this request.
    Raises:
        ChecksNotAllowed, ChecksUsedUp
        AssignmentNotOpen, AssignmentClosed: nothing can be handed in.
        MemberRemoved
    """
    allowed = assignment.attempts.checks_per_hour
    if not allowed:
        raise ChecksNotAllowed
    check_attempt(assignment, (), utc_now())
    # Locked, so that of two at once the second one counts the first.
    member = select(Membership.id).where(Membership.id == holder.membership_id, Membership.removed_at.is_(None))
    if await session.scalar(member.with_for_update(key_share=True)) is None:
        raise MemberRemoved
    now = utc_now()
    own = Check.membership_id == holder.membership_id, Check.assignment_id == assignment.id
    # A check that we failed costs nothing.
    is_ours = func.coalesce(Check.report["status"].as_string(), "") == Status.INTERNAL_ERROR
    # A row from further ahead was made before a clock was set back.
    recent = Check.created_at > now - HOUR, Check.created_at < now + HOUR
    newest = select(Check.created_at).where(*own, *recent, ~is_ours)
    earlier = (await session.scalars(newest.order_by(Check.created_at.desc()).limit(allowed))).all()
    if len(earlier) == allowed:
        left = math.ceil((earlier[-1] + HOUR - now).total_seconds())
        raise ChecksUsedUp(limit=allowed, retry_after_seconds=left)
    check = Check(
        membership_id=holder.membership_id,
        assignment_id=assignment.id,
        filename=upload.filename,
        content=upload.content,
        sha256=upload.sha256,
        submitted_by=holder.id,
        idempotency_key=key,
    )
    session.add(check)
    await session.flush()
    await announce_queued(session)
    return check


async def existing(session: AsyncSession, check_id: str, viewer: Principal) -> Check:
    """Find a check of the viewer's.

    Raises:
        CheckNotFound: there is none with this id, or it is somebody else's.
    """
    check = await session.get(Check, check_id)
    is_own = check and check.membership_id == viewer.membership_id
    if check is None or not is_own or viewer.assignment_id not in (None, check.assignment_id):
        raise CheckNotFound
    return check


async def position(session: AsyncSession, check: Check) -> int | None:
    """Return the position in the queue: 1 runs next; None: it is not waiting."""
    if check.job_status != JobStatus.QUEUED:
        return None
    attempts = select(func.count()).where(Submission.job_status == JobStatus.QUEUED)
    before = select(func.count()).where(Check.job_status == JobStatus.QUEUED, Check.id < check.id)
    return (await session.scalar(attempts) or 0) + (await session.scalar(before) or 0) + 1
