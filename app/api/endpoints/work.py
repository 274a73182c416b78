"""A student's work: adjustments of the grade, extensions, comments, and requests for review with their answers."""

from typing import Annotated

from fastapi import Depends, Query, Request

from app.access.rights import Right
from app.actions import work as actions
from app.actions.actor import Actor
from app.api.dependencies import AnyReading, Paged, Reading, Resource, acts, page_of, reads
from app.api.openapi import refusals
from app.api.schemas.base import Page
from app.api.schemas.work import AdjustmentBody, CommentBody, ExtensionBody, ReviewBody, ReviewsOfSubmission
from app.courses import extensions
from app.courses.assignments import in_course
from app.errors import ExtensionNotFound, existing
from app.http.parameters import AtWork, Omittable, ReviewId, SubmissionId
from app.services import services
from app.storage.models import Adjustment, Comment, CourseAssignment, Extension, Membership, ReviewRequest, Submission
from app.submissions import repository
from app.teaching import reviews
from app.teaching.student_work import StudentWork, find_student_work, list_rows

#: The work of a student at an assignment.
WORK = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"

Viewer = Annotated[Reading, reads(Right.SEE_GRADES)]


async def _work(reading: Viewer, at: AtWork) -> StudentWork:
    return await find_student_work(
        reading.session, reading.assignments, reading.course_id, at.member_id, at.assignment_id
    )


ShownWork = Annotated[StudentWork, Depends(_work)]

router = Resource(tags=["grades"])


@router.get(f"{WORK}/adjustments", summary="List the adjustments of a student's grade")
async def list_adjustments(reading: Viewer, work: ShownWork, paging: Paged) -> Page[AdjustmentBody]:
    """List them, the newest first. One applies at most; the others were replaced or withdrawn."""
    rows = await list_rows(reading.session, work, Adjustment, paging)
    return page_of(paging, rows, lambda row: AdjustmentBody.from_row(row, assignment=work.use.assignment_id))


@router.post(f"{WORK}/adjustments", summary="Adjust a student's grade", status_code=201)
async def adjust_grade(
    actor: Annotated[Actor, acts(actions.adjust_grade)], at: AtWork, wanted: actions.AdjustGrade
) -> AdjustmentBody:
    adjustment = await actions.adjust_grade(actor, at, wanted)
    return AdjustmentBody.from_row(adjustment, assignment=at.assignment_id)


router.act(
    "DELETE",
    f"{WORK}/adjustments/{{adjustment_id}}",
    actions.withdraw_adjustment,
    summary="Withdraw an adjustment",
)


@router.get("/courses/{course_id}/extensions", summary="List the extensions of a course")
async def list_extensions(request: Request, reading: Viewer, paging: Paged) -> Page[ExtensionBody]:
    """List them, the newest first."""
    rows = await extensions.list_extensions(reading.session, reading.course_id, paging)
    return page_of(paging, rows, lambda row: _extension(request, *row), lambda row: row[0].id)


@router.get(f"{WORK}/extension", summary="Read the extension of a student", responses=refusals(ExtensionNotFound))
async def read_extension(request: Request, reading: Viewer, work: ShownWork) -> ExtensionBody:
    extension = existing(await extensions.find(reading.session, work.member, work.use), ExtensionNotFound)
    return _extension(request, extension, work.member, work.use)


@router.put(f"{WORK}/extension", summary="Give a student an extension")
async def set_extension(
    request: Request, actor: Annotated[Actor, acts(actions.extend_work)], at: AtWork, wanted: actions.ExtendWork
) -> ExtensionBody:
    extension, work = await actions.extend_work(actor, at, wanted)
    return _extension(request, extension, work.member, work.use)


router.act(
    "DELETE",
    f"{WORK}/extension",
    actions.take_back_extension,
    summary="Take an extension back",
    name="remove_extension",
)


@router.get(f"{WORK}/comments", summary="List the comments on a student's work")
async def list_comments(reading: Viewer, work: ShownWork, paging: Paged) -> Page[CommentBody]:
    """List them, the newest first."""
    rows = await list_rows(reading.session, work, Comment, paging)
    return page_of(paging, rows, lambda row: CommentBody.from_row(row, assignment=work.use.assignment_id))


@router.post(f"{WORK}/comments", summary="Comment on a student's work", status_code=201)
async def add_comment(
    actor: Annotated[Actor, acts(actions.add_comment)], at: AtWork, wanted: actions.CommentOnWork
) -> CommentBody:
    comment = await actions.add_comment(actor, at, wanted)
    return CommentBody.from_row(comment, assignment=at.assignment_id)


router.act("DELETE", f"{WORK}/comments/{{comment_id}}", actions.delete_comment, summary="Delete a comment")

# --- requests for review ----------------------------------------------------------------------------------------------


@router.get("/submissions/{submission_id}/reviews", summary="List the requests for review of an attempt")
async def list_submission_reviews(reading: AnyReading, submission_id: SubmissionId) -> ReviewsOfSubmission:
    """List them, the newest first."""
    submission = await repository.existing_submission(reading.session, submission_id, reading.viewer)
    requests = await reviews.list_of(reading.session, submission_id)
    return ReviewsOfSubmission(items=[review_body(each, submission) for each in requests])


@router.post("/submissions/{submission_id}/reviews", summary="Ask for a review of an attempt", status_code=201)
async def ask_for_review(
    actor: Annotated[Actor, acts(actions.ask_for_review)], submission_id: SubmissionId, wanted: actions.AskForReview
) -> ReviewBody:
    return review_body(*await actions.ask_for_review(actor, submission_id, wanted))


@router.get("/courses/{course_id}/reviews", summary="List the requests for review of a course")
async def list_reviews(
    reading: Viewer,
    paging: Paged,
    answered: Annotated[Omittable[bool], Query(description="only those with an answer, or without one")] = None,
) -> Page[ReviewBody]:
    """List them, the newest first."""
    rows = await reviews.list_reviews(reading.session, reading.course_id, paging, answered=answered)
    return page_of(paging, rows, lambda row: review_body(*row), lambda row: row[0].id)


@router.post("/courses/{course_id}/reviews/{review_id}/answer", summary="Answer a request for review")
async def answer_review(
    actor: Annotated[Actor, acts(actions.answer_review)], review_id: ReviewId, wanted: actions.AnswerReview
) -> ReviewBody:
    return review_body(*await actions.answer_review(actor, review_id, wanted))


def review_body(review: ReviewRequest, submission: Submission) -> ReviewBody:
    return ReviewBody.from_row(
        review, student=submission.student, assignment=submission.assignment_id, attempt=submission.attempt
    )


def _extension(request: Request, extension: Extension, member: Membership, use: CourseAssignment) -> ExtensionBody:
    assignment = in_course(services(request).assignments, use)
    # None: its file is gone.
    effective = assignment and extensions.apply_extension(assignment, extension)
    return ExtensionBody.from_row(
        extension,
        member=member.id,
        student=member.external_id,
        assignment=use.assignment_id,
        effective_due=effective.deadline.due if effective else None,
        effective_closes=effective.deadline.closes if effective else None,
        effective_limit=effective.attempts.limit if effective else None,
    )
