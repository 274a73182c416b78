"""Holds on attempts whose code attacked the grader, until a teacher decides.

The report is not changed. Until the decision the attempt gives no grade, and no webhook is sent. A regrade does not
change a hold that was decided.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes
from app.errors.submissions import SubmissionNotFound
from app.storage.announcements import announce
from app.storage.models import HoldDecision, Membership, Submission, utc_now
from app.storage.passback import attempts_changed
from app.submissions import repository
from app.webhooks import outbox
from grader import Report


async def hold(session: AsyncSession, submission_id: str, report: Report) -> bool:
    """Hold the attempt if its new report says so.

    Returns:
        Whether it waits for a decision, from now or from before.
    """
    if report.is_held:
        await session.execute(
            update(Submission)
            .where(Submission.id == submission_id, Submission.held_at.is_(None))
            .values(held_at=utc_now())
            .execution_options(synchronize_session=False)
        )
    waits = select(Submission.id).where(Submission.id == submission_id, repository.waits_for_decision())
    return await session.scalar(waits) is not None


async def decide(
    session: AsyncSession, submission: Submission, *, decision: HoldDecision, reason: str, decided_by: str
) -> bool:
    """Store a teacher's decision. The first one sends the deliveries that were kept back; a later one replaces it.

    The same one again changes nothing.

    Args:
        decided_by: the name of who decides.
    Returns:
        False: the attempt was never held.
    Raises:
        SubmissionNotFound: it was deleted meanwhile.
    """
    # Of two decisions at the same time the later one sees the other. Reports refer to the row, and are stored.
    turn = {"key_share": True}
    if await session.get(Submission, submission.id, with_for_update=turn, populate_existing=True) is None:
        raise SubmissionNotFound
    if submission.held_at is None:
        return False
    before = _logged(submission)
    submission.hold_decision, submission.hold_reason = decision, reason
    member = await session.get_one(Membership, submission.membership_id)
    if not changes.log(session, member, decided_by, before, _logged(submission)):
        return True
    submission.hold_decided_by, submission.hold_decided_at = decided_by, utc_now()
    await session.flush()
    report = await repository.newest_report(session, submission.id)
    if not before and report is not None:
        await outbox.add_deliveries(session, [report.id])
    await attempts_changed(session, [submission.id])
    await announce(session, submission.id)
    return True


def _logged(submission: Submission) -> dict[str, Any]:
    if submission.hold_decision is None:
        return {}
    decision = {"decision": submission.hold_decision, "reason": submission.hold_reason}
    return {"hold": {"assignment": submission.assignment_id, "attempt": submission.attempt, **decision}}
