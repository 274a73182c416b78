"""Schedules scores for learning platforms (`app.lti`) when a grade changes.

All code that changes a grade calls this module in the same transaction, so that no change is forgotten. The grade
itself is computed when the score is sent.
"""

from collections.abc import Collection
from http import HTTPStatus

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.due import database_now
from app.storage.models import LtiContext, LtiLink, LtiScore, Submission
from app.storage.updates import update_rows

#: A platform's answers for a deleted column.
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
#: The values of a score whose column has no grade yet.
NOTHING_SENT = {"submitted_at": None, "comment_sha256": None, "mended_at": None}


async def grades_changed(
    session: AsyncSession, course_assignment_id: str, membership_ids: Collection[str] | None = None
) -> None:
    """Send the scores of these members at a course assignment again.

    Args:
        membership_ids: None: all members.
    """
    links = select(LtiLink.id).where(LtiLink.course_assignment_id == course_assignment_id)
    conditions = [LtiScore.lti_link_id.in_(links)]
    if membership_ids is not None:
        conditions.append(LtiScore.membership_id.in_(membership_ids))
    await _send_changed(session, and_(*conditions))


async def attempts_changed(session: AsyncSession, submission_ids: Collection[str]) -> None:
    """Send the scores to which these submissions may contribute again."""
    await _send_changed(session, _of_attempts(submission_ids))


async def attempts_expired(session: AsyncSession, submission_ids: Collection[str]) -> None:
    """Preserve the sent grades that may depend on these submissions, which are about to be deleted for their age."""
    sent = and_(LtiScore.points.is_not(None), LtiScore.max_points.is_not(None))
    is_higher = LtiScore.points * LtiScore.kept_max > LtiScore.kept_points * LtiScore.max_points
    kept = and_(_of_attempts(submission_ids), sent, or_(LtiScore.kept_points.is_(None), is_higher))
    now_there = {"kept_points": LtiScore.points, "kept_max": LtiScore.max_points}
    await update_rows(session, LtiScore, LtiScore.id.in_(_in_order(kept)), **now_there)
    # A grade that may have arrived without an answer also stays at the platform, instead of being cleared.
    unanswered = and_(_of_attempts(submission_ids), LtiScore.points.is_(None), LtiScore.stamp.is_not(None))
    is_clear = LtiScore.id.in_(_in_order(unanswered)), LtiScore.max_points.is_(None)
    await update_rows(session, LtiScore, *is_clear, max_points=0)


def _of_attempts(submission_ids: Collection[str]) -> ColumnElement[bool]:
    places = (
        select(LtiScore.id)
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .join(
            Submission,
            and_(
                Submission.membership_id == LtiScore.membership_id,
                Submission.course_assignment_id == LtiLink.course_assignment_id,
            ),
        )
        .where(Submission.id.in_(submission_ids))
    )
    return LtiScore.id.in_(places)


async def scores_changed(session: AsyncSession, score_ids: Collection[str]) -> None:
    """Send these scores again."""
    await _send_changed(session, LtiScore.id.in_(score_ids))


async def link_changed(session: AsyncSession, link_id: str) -> None:
    """Send all scores of this link again, because it opens another assignment."""
    await _again(session, LtiScore.lti_link_id == link_id, **NOTHING_SENT, kept_points=None, kept_max=None)


async def column_changed(session: AsyncSession, link_id: str) -> None:
    """Send all scores of this link again, because it has another column at the platform."""
    await _again(session, LtiScore.lti_link_id == link_id, **NOTHING_SENT)


async def members_changed(session: AsyncSession, membership_ids: Collection[str]) -> None:
    """Send all scores of these members again."""
    await _send_changed(session, LtiScore.membership_id.in_(membership_ids))


async def key_changed(session: AsyncSession) -> None:
    """Send the scores again that were given up because a platform rejected our signature."""
    refused = LtiScore.last_status.in_((HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN))
    await _again(session, and_(LtiScore.failed_at.is_not(None), or_(refused, LtiScore.token_refused)))
    await tokens_given(session)


async def sites_changed(session: AsyncSession, platform_id: str) -> None:
    """Send a platform's scores again that were given up without an answer, because their address may be allowed now."""
    links = select(LtiLink.id).join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
    of_platform = LtiScore.lti_link_id.in_(links.where(LtiContext.platform_id == platform_id))
    await _again(session, and_(of_platform, LtiScore.failed_at.is_not(None), LtiScore.last_status.is_(None)))


async def tokens_given(session: AsyncSession, platform_id: str | None = None) -> None:
    """Send the scores that wait for a token at once, because the platform may give one now.

    Args:
        platform_id: None: all platforms.
    """
    waits = and_(LtiScore.token_refused, LtiScore.next_at.is_not(None))
    if platform_id is not None:
        links = select(LtiLink.id).join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
        waits = and_(waits, LtiScore.lti_link_id.in_(links.where(LtiContext.platform_id == platform_id)))
    now = await database_now(session)
    await update_rows(session, LtiScore, LtiScore.id.in_(_in_order(waits)), waits_since=now, next_at=now)


async def send_again(session: AsyncSession, link_id: str, score_id: str | None = None) -> None:
    """Send one score of a link again, or all that were given up."""
    chosen = LtiScore.id == score_id if score_id is not None else LtiScore.failed_at.is_not(None)
    await _again(session, and_(LtiScore.lti_link_id == link_id, chosen))


async def _send_changed(session: AsyncSession, condition: ColumnElement[bool]) -> None:
    """Send these scores again after a change of grade, except to columns that were deleted with their link."""
    was_gone = func.coalesce(LtiScore.last_status, 0).in_(GONE), LtiScore.token_refused.is_(False)
    without_column = LtiScore.lti_link_id.in_(select(LtiLink.id).where(LtiLink.lineitem_url.is_(None)))
    is_gone = and_(LtiScore.failed_at.is_not(None), *was_gone, without_column)
    await _again(session, and_(condition, not_(is_gone)))


async def _again(session: AsyncSession, condition: ColumnElement[bool], **also: None) -> None:
    """Make these scores due, with a new version, by which a sender of the older one notices the change afterwards."""
    now = await database_now(session)
    # A score that is being sent, or waits for the platform, keeps its time and its reason.
    idle = LtiScore.next_at.is_(None)
    await update_rows(
        session,
        LtiScore,
        LtiScore.id.in_(_in_order(condition)),
        version=LtiScore.version + 1,
        attempts=case((idle, 0), else_=LtiScore.attempts),
        waits_since=case((idle, now), else_=LtiScore.waits_since),
        next_at=case((idle, now), else_=LtiScore.next_at),
        failed_at=None,
        token_refused=case((idle, False), else_=LtiScore.token_refused),
        last_error=case((idle, null()), else_=LtiScore.last_error),
        last_status=case((idle, null()), else_=LtiScore.last_status),
        **also,
    )


def _in_order(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    """Lock these scores in a fixed order, so that two transactions cannot deadlock."""
    chosen = select(LtiScore.id).where(condition).order_by(LtiScore.id).with_for_update().cte("chosen")
    return select(chosen.c.id)
