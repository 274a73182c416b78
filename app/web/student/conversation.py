"""Conversations about an attempt: comments of the staff, and the student's request for review with its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import work as actions
from app.errors import FieldsWrong
from app.http.fields import form_context
from app.http.forms import see_other
from app.http.pages import page
from app.http.visits import Pages, Visit
from app.storage.models import Comment, CourseAssignment, Membership, ReviewRequest, Submission
from app.teaching import comments, reviews
from app.teaching.student_work import StudentWork

COMMENTS = 50

router = Pages()


@dataclass(frozen=True)
class Conversation:
    """A conversation about an attempt or about all of the work, the newest first.

    Attributes:
        comments: on this attempt, or on all of the work.
        may_ask: the reader can ask for a review now.
    """

    comments: Sequence[Comment]
    reviews: Sequence[ReviewRequest]
    may_ask: bool


async def conversation_of(session: AsyncSession, viewer: Principal, submission: Submission) -> Conversation | None:
    """Return the conversation about an attempt; None for scripts, because its words are for the student."""
    if viewer.membership_id is None and not viewer.sees_everything:
        return None
    member = await session.get_one(Membership, submission.membership_id)
    use = await session.get_one(CourseAssignment, submission.course_assignment_id)
    words = await comments.list_for_attempt(session, StudentWork(member, use), submission.id, limit=COMMENTS)
    asked = await reviews.list_of(session, submission.id)
    is_own = viewer.membership_id == submission.membership_id
    is_open = any(request.answered_at is None for request in asked)
    return Conversation(
        words,
        asked,
        may_ask=is_own and viewer.student is not None and not is_open and viewer.may(Right.ASK_FOR_REVIEW),
    )


async def words_on_all(session: AsyncSession, viewer: Principal, use: CourseAssignment) -> Conversation | None:
    """Return the conversation about the reader's work at an assignment; None: the reader is no member."""
    member = await session.get(Membership, viewer.membership_id) if viewer.membership_id else None
    if member is None:
        return None
    return Conversation(
        await comments.list_for_attempt(session, StudentWork(member, use), None, limit=COMMENTS), (), may_ask=False
    )


@router.form("/submissions/{submission_id}/reviews", actions.ask_for_review)
async def ask_for_review(visit: Visit, submission_id: str) -> Response:
    try:
        wanted = visit.fields.read(actions.AskForReview)
    except FieldsWrong as refusal:
        context = form_context(visit.request, visit.fields, refusal)
        context["problem"]["detail"] = context["errors"]["text"]
        steps = [("onward.form", f"/submissions/{submission_id}#conversation")]
        written = [visit.fields.typed.get("text", "")]
        return page(visit.request, "problem.html", number=None, steps=steps, written=written, **context)
    await actions.ask_for_review(visit, submission_id, wanted)
    return see_other(f"/submissions/{submission_id}", said="review.asked")
