"""Holds on attempts whose code attacked the grader, until a teacher decides.

The report is not changed. Until the decision the attempt gives no grade, and no webhook is sent. A regrade does not
change a decision.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes
from app.errors import SubmissionNotFound, existing
from app.storage.models import HoldDecision, Membership, StoredReport, Submission, utc_now
from app.submissions import reports
from app.submissions.new_grades import tell
from grader import Report
from grader.report.messages import render
from grader.report.model import HELD
from grader.report.server_paths import clean


async def decide(
    session: AsyncSession, submission: Submission, *, decision: HoldDecision, reason: str, decided_by: str
) -> bool:
    """Store a teacher's decision. The first one sends the deliveries that were kept back; a later one replaces it.

    Storing the same decision again changes nothing.

    Args:
        decided_by: the name of the teacher.
    Returns:
        False: the attempt was never held.
    Raises:
        SubmissionNotFound: it was deleted meanwhile.
    """
    # The lock makes a second decision wait for the first, and lets reports, which refer to the row, be stored.
    turn = {"key_share": True}
    there = await session.get(Submission, submission.id, with_for_update=turn, populate_existing=True)
    existing(there, SubmissionNotFound)
    if submission.held_at is None:
        return False
    before = _log_values(submission)
    submission.hold_decision, submission.hold_reason = decision, reason
    member = await session.get_one(Membership, submission.membership_id)
    if not changes.log(session, member, decided_by, before, _log_values(submission)):
        return True
    submission.hold_decided_by, submission.hold_decided_at = decided_by, utc_now()
    await session.flush()
    report = await reports.newest_report(session, submission.id)
    await tell(session, [submission.id], [report.id] if report is not None and not before else [])
    return True


def _log_values(submission: Submission) -> dict[str, Any]:
    if submission.hold_decision is None:
        return {}
    decision = {"decision": submission.hold_decision, "reason": submission.hold_reason}
    return {"hold": {"assignment": submission.assignment_id, "attempt": submission.attempt, **decision}}


def reasons_of(stored: StoredReport | None, language: str) -> Sequence[str]:
    """Return the reasons, in words, why an attempt is held; none if a later report gives none."""
    if stored is None:
        return ()
    advisories = render(Report.model_validate(stored.body), language)["advisories"]
    return [clean(each["message"]) for each in advisories if each["code"] == HELD]
