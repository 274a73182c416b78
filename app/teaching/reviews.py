"""Requests for review: a student asks whether an attempt was graded right, and the staff answer.

One request of an attempt is open at a time. An answer changes no grade; an adjustment or a regrade does.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from app.courses import changes, course, members
from app.errors import ReportNotReady, ReviewAnswered, ReviewNotFound, ReviewOpen, existing
from app.storage.models import Membership, ReviewRequest, Submission, new_id, utc_now
from app.storage.paging import EVERY_ROW, Paging
from app.storage.updates import update_rows
from app.submissions import reports


async def ask(session: AsyncSession, submission: Submission, text: str) -> ReviewRequest:
    """Ask for a review. The same words sent again are the same request.

    Raises:
        ReportNotReady: the attempt has no report yet.
        ReviewOpen: the last request of this attempt waits for an answer.
    """
    existing(await reports.newest_report(session, submission.id), ReportNotReady)
    await members.take_turns(session, [(submission.course_id, submission.student)])
    is_open = ReviewRequest.submission_id == submission.id, ReviewRequest.answered_at.is_(None)
    for earlier in await _requests(session, *is_open):
        if earlier.text != text:
            raise ReviewOpen(request=earlier.id)
        return earlier
    request = ReviewRequest(id=new_id(), submission=submission, text=text)
    session.add(request)
    await session.flush()
    return request


async def list_of(session: AsyncSession, submission_id: str) -> Sequence[ReviewRequest]:
    """List the requests of an attempt, the newest first."""
    return await _requests(session, ReviewRequest.submission_id == submission_id)


async def list_reviews(
    session: AsyncSession, course_id: str, paging: Paging, *, answered: bool | None
) -> Sequence[ReviewRequest]:
    """List the newest requests of a course.

    Args:
        answered: only those that are, or are not; None: all.
    """
    conditions = [Submission.course_id == course_id]
    if answered is not None:
        has_answer = ReviewRequest.answered_at.is_not(None)
        conditions.append(has_answer if answered else ~has_answer)
    return await _requests(session, *conditions, paging=paging)


async def open_places(session: AsyncSession, course_id: str) -> set[tuple[str, str]]:
    """Find the ids of member and course assignment of each request of a course that waits for an answer."""
    rows = await session.execute(
        select(Submission.membership_id, Submission.course_assignment_id)
        .join(ReviewRequest, ReviewRequest.submission_id == Submission.id)
        .where(ReviewRequest.answered_at.is_(None), Submission.course_id == course_id)
    )
    return {(member, use) for member, use in rows}


async def find(session: AsyncSession, course_id: str, review_id: str) -> ReviewRequest:
    """Find a request of a course, with the attempt that it is about.

    Raises:
        ReviewNotFound: the course has none with this id.
    """
    for each in await _requests(session, ReviewRequest.id == review_id, Submission.course_id == course_id):
        return each
    raise ReviewNotFound


async def all_of(session: AsyncSession, membership_id: str) -> Sequence[ReviewRequest]:
    """List all requests of a member, the newest first."""
    return await _requests(session, Submission.membership_id == membership_id)


async def _requests(
    session: AsyncSession, *conditions: ColumnElement[bool], paging: Paging = EVERY_ROW
) -> Sequence[ReviewRequest]:
    query = select(ReviewRequest).join(ReviewRequest.submission).options(contains_eager(ReviewRequest.submission))
    return (await session.scalars(paging.of(query.where(*conditions), ReviewRequest.id))).all()


async def answer(
    session: AsyncSession, course_id: str, review_id: str, text: str, *, answered_by: str
) -> ReviewRequest:
    """Answer a request. The same answer again changes nothing.

    Raises:
        CourseArchived: nothing there changes any more.
        ReviewNotFound: the course has none with this id.
        ReviewAnswered: it has another answer.
    """
    await course.keep_open(session, course_id)
    in_course = ReviewRequest.submission_id.in_(select(Submission.id).where(Submission.course_id == course_id))
    is_open = ReviewRequest.id == review_id, ReviewRequest.answered_at.is_(None), in_course
    answer = {"answer": text, "answered_by": answered_by, "answered_at": utc_now()}
    is_new = await update_rows(session, ReviewRequest, *is_open, **answer) > 0
    request = await find(session, course_id, review_id)
    if is_new:
        member = await session.get_one(Membership, request.submission.membership_id)
        changes.log(session, member, answered_by, {}, {"answered_review": request.id})
    elif (request.answer, request.answered_by) != (text, answered_by):
        raise ReviewAnswered(answered_by=request.answered_by)
    return request
