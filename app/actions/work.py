"""A student's work: decisions of the staff, comments, and requests for review."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from app.access.rights import Right
from app.actions.actor import Writer, change
from app.actions.fields import MOST_POINTS, ActionRequest, Id, Words
from app.courses import course as courses
from app.courses import extensions
from app.courses.assignments import MOST_ATTEMPTS
from app.errors import NotHeld
from app.storage.models import Adjustment, Comment, Extension, HoldDecision, ReviewRequest, Submission
from app.submissions import repository
from app.teaching import adjustments, comments, holds, reviews
from app.teaching.student_work import StudentWork, take_student_work
from app.values import WHOLE, Moment, Number


class AdjustGrade(ActionRequest):
    """Exactly one of `delta` and `value`, in points of the assignment."""

    examples = (
        {"delta": 5.0, "reason": "a nice plot"},
        {"value": 60.0, "reason": "graded on paper", "replaces": None},
    )
    exactly_one = "delta", "value"

    delta: Annotated[Number, Field(ge=-MOST_POINTS, le=MOST_POINTS)] | None = Field(
        None, description="points to add, less than 0 to take off; it waits until there is a grade to add them to"
    )
    value: Annotated[Number, Field(ge=0, le=MOST_POINTS)] | None = Field(
        None, description="the grade itself, without an attempt, too"
    )
    reason: Words = Field(description="for the student to read", examples=["a nice plot"])
    replaces: Id | None = Field(
        default_factory=lambda: None,
        description="the id of the adjustment that applies now, as you saw it; null: none applies. Another one in its "
        "place is then not replaced, and the answer is 409. Left out: whichever applies is replaced",
    )


class ExtendWork(ActionRequest):
    """At least one of the three. An extension only ever adds: a date before the course's has no effect."""

    examples = ({"due": "2026-10-08T20:59:59Z", "more_attempts": 1, "reason": "ill for a week"},)
    at_least_one = "due", "closes", "more_attempts"
    miscounted = "extension_empty"

    due: Moment | None = Field(
        None,
        description="replaces the course's; the student can hand in until then at least",
        examples=["2026-10-08T20:59:59Z"],
    )
    closes: Moment | None = Field(None, description="replaces the course's")
    more_attempts: Annotated[int, Field(ge=0, le=MOST_ATTEMPTS, strict=True), WHOLE] = Field(
        0, description="on top of the course's limit"
    )
    reason: Words = Field(description="for the staff and the student", examples=["ill for a week"])


class CommentOnWork(ActionRequest):
    examples = ({"text": "Look at the forget gate again."},)

    text: Words = Field(description="for the student to read")
    submission: Id | None = Field(None, description="the attempt that it is about; null: all of the work")


class AskForReview(ActionRequest):
    examples = ({"text": "The report says that my bias is missing."},)

    text: Words = Field(description="the student's question")


class AnswerReview(ActionRequest):
    examples = ({"answer": "It is added after the activation."},)

    answer: Words = Field(description="for the student to read")


class DecideAttempt(ActionRequest):
    decision: HoldDecision
    reason: Words = Field(description="for the student to read")


# --- the work of a student at an assignment; each raises what `take_student_work` raises ------------------------------


@dataclass(frozen=True)
class WorkId:
    """The ids of a student and an assignment, in the course where the holder acts."""

    member_id: str
    assignment_id: str


async def _take(actor: Writer, at: WorkId) -> StudentWork:
    """Find the work, and take the student's turn."""
    return await take_student_work(actor.session, actor.assignments, actor.course_id, at.member_id, at.assignment_id)


@change(Right.ADJUST)
async def adjust_grade(actor: Writer, at: WorkId, wanted: AdjustGrade) -> Adjustment:
    """Adjust the grade instead of the adjustment that applies. It is applied last, and kept within 0 and the maximum.

    One adjustment applies at a time, so the same request sent again changes nothing. The student reads the reason.

    Raises:
        AdjustmentReplaced: the adjustment that the request names no longer applies.
    """
    work = await _take(actor, at)
    return await adjustments.adjust(actor.session, actor.assignments, work, **wanted.set_values(), made_by=actor.name)


@change(Right.ADJUST)
async def withdraw_adjustment(actor: Writer, at: WorkId, adjustment_id: str) -> None:
    """Let an adjustment apply no more. It stays in the history. Asking twice changes nothing.

    Raises: AdjustmentNotFound
    """
    work = await _take(actor, at)
    await adjustments.withdraw(actor.session, work, adjustment_id, made_by=actor.name)


@change(Right.EXTEND)
async def extend_work(actor: Writer, at: WorkId, wanted: ExtendWork) -> Extension:
    """Give more time, or more attempts, instead of an earlier extension of this student at this assignment.

    It counts at once, for what was handed in, too. It only ever adds: of each date and the course's the later one
    holds. The log of the course's changes keeps earlier ones.
    """
    work = await _take(actor, at)
    values = wanted.model_dump()
    return await extensions.put(actor.session, work.member, work.use, made_by=actor.name, **values)


@change(Right.EXTEND)
async def take_back_extension(actor: Writer, at: WorkId) -> None:
    """Let the dates and the limit of the course hold again, for what was handed in, too. Raises: ExtensionNotFound"""
    work = await _take(actor, at)
    await extensions.remove(actor.session, work.member, work.use, made_by=actor.name)


@change(Right.COMMENT)
async def add_comment(actor: Writer, at: WorkId, wanted: CommentOnWork) -> Comment:
    """Write a comment for the student to read. The newest one sent again is one comment.

    Raises:
        SubmissionNotFound: the work has no such attempt.
    """
    work = await _take(actor, at)
    return await comments.add(actor.session, work, wanted.text, submission_id=wanted.submission, made_by=actor.name)


@change(Right.COMMENT)
async def delete_comment(actor: Writer, at: WorkId, comment_id: str) -> None:
    """Delete a comment for good. A teacher deletes any, an assistant their own.

    Raises: CommentNotFound, NotPermitted
    """
    work = await _take(actor, at)
    await comments.delete(actor.session, work, comment_id, actor.holder)


# --- about an attempt -------------------------------------------------------------------------------------------------


async def _attempt(actor: Writer, submission_id: str) -> Submission:
    """Find an attempt, in a course that nobody archives until the transaction ends.

    Raises:
        SubmissionNotFound: the holder may see none with this id.
        CourseArchived
    """
    submission = await repository.existing_submission(actor.session, submission_id, actor.holder)
    await courses.keep_open(actor.session, submission.course_id)
    return submission


@change(Right.DECIDE)
async def decide_attempt(actor: Writer, submission_id: str, wanted: DecideAttempt) -> None:
    """Decide whether it counts: accepted, it counts like any other; rejected, it never does.

    The first decision sends the webhook deliveries that were kept back. A later decision replaces an earlier one.

    Raises:
        SubmissionNotFound, CourseArchived
        NotHeld
    """
    submission = await _attempt(actor, submission_id)
    if not await holds.decide(actor.session, submission, **wanted.model_dump(), decided_by=actor.name):
        raise NotHeld


# A student must not learn from somebody else's attempt that its course is archived.
@change(Right.ASK_FOR_REVIEW, archived_too=True)
async def ask_for_review(actor: Writer, submission_id: str, wanted: AskForReview) -> ReviewRequest:
    """Ask the staff whether the attempt was graded right. One request of an attempt is open at a time.

    The same words sent again are the same request.

    Raises:
        SubmissionNotFound, CourseArchived, ReportNotReady
        ReviewOpen: an earlier request waits for an answer.
    """
    submission = await _attempt(actor, submission_id)
    return await reviews.ask(actor.session, submission, wanted.text)


@change(Right.ANSWER_REVIEWS)
async def answer_review(actor: Writer, review_id: str, wanted: AnswerReview) -> ReviewRequest:
    """Answer, for the student to read. The grade stays; an adjustment or a regrade changes it.

    Raises:
        CourseArchived, ReviewNotFound
        ReviewAnswered: it has another answer.
    """
    return await reviews.answer(actor.session, actor.course_id, review_id, wanted.answer, answered_by=actor.name)
