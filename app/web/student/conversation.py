"""Words about an attempt: comments of the staff, and the student's request for a review with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right, check_course
from app.access.tokens import Principal
from app.errors.requests import FieldsWrong
from app.http.auth.holders import SessionHolder
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.parameters import SubmissionId
from app.http.staff import words
from app.services import services
from app.storage.models import Comment, CourseAssignment, Membership, ReviewRequest, Submission
from app.submissions import repository
from app.teaching import comments, reviews
from app.teaching.places import Place

COMMENTS = 50

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Conversation:
    """The words about an attempt or about all of the work, the newest first.

    Attributes:
        comments: on this attempt, or on all of the work.
        may_ask: the reader can ask for a review now.
    """

    comments: Sequence[Comment]
    reviews: Sequence[ReviewRequest]
    may_ask: bool


async def conversation_of(session: AsyncSession, viewer: Principal, submission: Submission) -> Conversation | None:
    """Return what was said about an attempt; None: the reader is a script, and words to students are none of its."""
    if viewer.membership_id is None and not viewer.sees_everything:
        return None
    member = await session.get_one(Membership, submission.membership_id)
    use = await session.get_one(CourseAssignment, submission.course_assignment_id)
    said = await comments.list_said(session, Place(member, use), submission.id, limit=COMMENTS)
    asked = await reviews.list_of(session, submission.id)
    is_own = viewer.membership_id == submission.membership_id
    is_open = any(request.answered_at is None for request in asked)
    return Conversation(
        said,
        asked,
        may_ask=is_own and viewer.student is not None and not is_open and viewer.may(Right.ASK_FOR_REVIEW),
    )


async def words_on_all(session: AsyncSession, viewer: Principal, use: CourseAssignment) -> Conversation | None:
    """Return what was said about all of the reader's work at an assignment; None: the reader is no member."""
    member = await session.get(Membership, viewer.membership_id) if viewer.membership_id else None
    if member is None:
        return None
    return Conversation(await comments.list_said(session, Place(member, use), None, limit=COMMENTS), (), may_ask=False)


@router.post("/submissions/{submission_id}/reviews")
async def ask_for_review(request: Request, viewer: SessionHolder, submission_id: SubmissionId) -> Response:
    """Ask the staff to look at the attempt, and show its page again."""
    viewer.check(Right.ASK_FOR_REVIEW, archived_too=True)
    address = f"/submissions/{submission_id}#conversation"
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    if not fields.has("text"):
        return see_other(address)
    text = words(fields, "text")
    if fields.faults:
        context = form_context(request, fields, FieldsWrong(fields=["text"]))
        context["problem"]["detail"] = context["errors"]["text"]
        return page(request, "problem.html", number=None, steps=[("onward.form", address)], written=[text], **context)
    async with services(request).database.write() as session:
        submission = await repository.existing_submission(session, submission_id, viewer)
        await check_course(session, Right.ASK_FOR_REVIEW, submission.course_id)
        await reviews.ask(session, submission, text)
    return see_other(f"/submissions/{submission_id}", said="review.asked")
