"""Reports that begin to count, and all consequences of that in one place.

A finished grade, an applied preview and a decision about a held attempt all call this, each in its own transaction.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import is_valid
from app.storage.announcements import announce
from app.storage.due import database_now
from app.storage.models import Delivery, MemberRole, Membership, Role, StoredReport, Submission, Token, Webhook, utc_now
from app.storage.passback import attempts_changed
from app.storage.updates import update_rows
from app.submissions.events import record
from app.submissions.repository import waits_for_decision

GRADED = "submission.graded"


async def let_count(session: AsyncSession, reports: Sequence[StoredReport], *, held: Collection[str]) -> None:
    """Apply all consequences of these reports beginning to count.

    The event `done` is recorded, attempts are held, and everybody concerned is notified (`tell`).

    Args:
        reports: one for each submission.
        held: the ids of submissions whose report holds the attempt. Earlier decisions about holds stay.
    """
    submissions = [report.submission_id for report in reports]
    for report in reports:
        facts = {"status": report.status, "points": report.points, "max_points": report.max_points}
        record(session, report.submission_id, "done", report=report.id, **facts)
    if held:
        await update_rows(session, Submission, Submission.id.in_(held), Submission.held_at.is_(None), held_at=utc_now())
    # Locked, so that a concurrent decision either sends these reports or is visible here.
    waiting = select(Submission.id).where(Submission.id.in_(submissions), waits_for_decision()).order_by(Submission.id)
    kept_back = set(await session.scalars(waiting.with_for_update(key_share=True)))
    await tell(session, submissions, [report.id for report in reports if report.submission_id not in kept_back])


async def tell(session: AsyncSession, submissions: Collection[str], reports: Collection[int]) -> None:
    """Notify everybody concerned by the grades of these submissions: webhooks, learning platforms, and open pages.

    Args:
        reports: the ids of the reports for webhooks.
    """
    if reports:
        await _add_deliveries(session, reports)
    await attempts_changed(session, submissions)
    await announce(session, *submissions)


async def _add_deliveries(session: AsyncSession, reports: Collection[int]) -> None:
    """Queue each report for every webhook of its course whose token may read it."""
    now = await database_now(session)
    rows = await session.execute(
        select(Webhook.id, StoredReport.id)
        .join(Token, Token.id == Webhook.created_by)
        .join(Submission, Submission.course_id == Webhook.course_id)
        .join(StoredReport, StoredReport.submission_id == Submission.id)
        .outerjoin(Membership, Membership.id == Token.membership_id)
        .where(StoredReport.id.in_(reports), is_valid(now), token_reads())
        .order_by(StoredReport.id)
    )
    session.add_all(
        Delivery(webhook_id=webhook_id, event=GRADED, report_id=report_id, waits_since=now, next_at=now)
        for webhook_id, report_id in rows
    )


def token_reads() -> ColumnElement[bool]:
    """Return the condition on `Token`, the member that owns it, and `Submission` that the token may read it."""
    return or_(
        and_(Token.membership_id.is_(None), or_(Token.role != Role.SUBMITTER, Token.id == Submission.submitted_by)),
        Membership.role != MemberRole.STUDENT,
        # Students see their own submissions, whoever handed them in.
        and_(Token.membership_id == Submission.membership_id, Token.id == Submission.submitted_by),
    )
