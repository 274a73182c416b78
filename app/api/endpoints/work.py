"""A student's work: adjustments of the grade, extensions, comments, and requests for review with their answers."""

from typing import Annotated

from fastapi import Depends, Query, Request

from app.actions import work as actions
from app.actions.actor import Actor
from app.api.dependencies import AnyReading, GradeReading, Paged, Resource, acts, page_of
from app.api.openapi import refusals
from app.api.schemas.base import Page
from app.api.schemas.work import AdjustmentBody, CommentBody, ExtensionBody, ReviewBody, ReviewsOfSubmission
from app.courses import extensions
from app.courses.assignments import in_course
from app.errors import ExtensionNotFound, existing
from app.http.parameters import AtWork, Omittable, SubmissionId
from app.services import services
from app.storage.models import Adjustment, Comment, Extension
from app.submissions import repository
from app.teaching import reviews
from app.teaching.student_work import StudentWork, find_student_work, list_rows

#: The work of a student at an assignment.
WORK = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"


async def _work(reading: GradeReading, at: AtWork) -> StudentWork:
    return await find_student_work(
        reading.session, reading.assignments, reading.course_id, at.member_id, at.assignment_id
    )


ShownWork = Annotated[StudentWork, Depends(_work)]

router = Resource(tags=["grades"])


@router.get(f"{WORK}/adjustments", summary="List the adjustments of a student's grade")
async def list_adjustments(reading: GradeReading, work: ShownWork, paging: Paged) -> Page[AdjustmentBody]:
    """List them, the newest first. One applies at most; the others were replaced or withdrawn."""
    rows = await list_rows(reading.session, work, Adjustment, paging)
    return page_of(paging, rows, AdjustmentBody.model_validate)


router.make(f"{WORK}/adjustments", actions.adjust_grade, AdjustmentBody, summary="Adjust a student's grade")
router.act(
    "DELETE",
    f"{WORK}/adjustments/{{adjustment_id}}",
    actions.withdraw_adjustment,
    summary="Withdraw an adjustment",
)


@router.get("/courses/{course_id}/extensions", summary="List the extensions of a course")
async def list_extensions(request: Request, reading: GradeReading, paging: Paged) -> Page[ExtensionBody]:
    """List them, the newest first."""
    rows = await extensions.list_extensions(reading.session, reading.course_id, paging)
    return page_of(paging, rows, lambda row: _extension(request, row))


@router.get(f"{WORK}/extension", summary="Read the extension of a student", responses=refusals(ExtensionNotFound))
async def read_extension(request: Request, reading: GradeReading, work: ShownWork) -> ExtensionBody:
    extension = existing(await extensions.find(reading.session, work.member, work.use), ExtensionNotFound)
    return _extension(request, extension)


@router.put(f"{WORK}/extension", summary="Give a student an extension")
async def set_extension(
    request: Request, actor: Annotated[Actor, acts(actions.extend_work)], at: AtWork, wanted: actions.ExtendWork
) -> ExtensionBody:
    return _extension(request, await actions.extend_work(actor, at, wanted))


router.act(
    "DELETE",
    f"{WORK}/extension",
    actions.take_back_extension,
    summary="Take an extension back",
    name="remove_extension",
)


@router.get(f"{WORK}/comments", summary="List the comments on a student's work")
async def list_comments(reading: GradeReading, work: ShownWork, paging: Paged) -> Page[CommentBody]:
    """List them, the newest first."""
    rows = await list_rows(reading.session, work, Comment, paging)
    return page_of(paging, rows, CommentBody.model_validate)


router.make(f"{WORK}/comments", actions.add_comment, CommentBody, summary="Comment on a student's work")
router.act("DELETE", f"{WORK}/comments/{{comment_id}}", actions.delete_comment, summary="Delete a comment")

# --- requests for review ----------------------------------------------------------------------------------------------


@router.get("/submissions/{submission_id}/reviews", summary="List the requests for review of an attempt")
async def list_submission_reviews(reading: AnyReading, submission_id: SubmissionId) -> ReviewsOfSubmission:
    """List them, the newest first."""
    await repository.existing_submission(reading.session, submission_id, reading.viewer)
    requests = await reviews.list_of(reading.session, submission_id)
    return ReviewsOfSubmission(items=list(map(ReviewBody.model_validate, requests)))


router.make(
    "/submissions/{submission_id}/reviews",
    actions.ask_for_review,
    ReviewBody,
    summary="Ask for a review of an attempt",
)


@router.get("/courses/{course_id}/reviews", summary="List the requests for review of a course")
async def list_reviews(
    reading: GradeReading,
    paging: Paged,
    answered: Annotated[Omittable[bool], Query(description="only those with an answer, or without one")] = None,
) -> Page[ReviewBody]:
    """List them, the newest first."""
    rows = await reviews.list_reviews(reading.session, reading.course_id, paging, answered=answered)
    return page_of(paging, rows, ReviewBody.model_validate)


router.act(
    "POST",
    "/courses/{course_id}/reviews/{review_id}/answer",
    actions.answer_review,
    ReviewBody,
    summary="Answer a request for review",
)


def _extension(request: Request, extension: Extension) -> ExtensionBody:
    assignment = in_course(services(request).assignments, extension.use)
    # None: its file is gone.
    effective = assignment and extensions.apply_extension(assignment, extension)
    return ExtensionBody.from_row(
        extension,
        effective_due=effective.deadline.due if effective else None,
        effective_closes=effective.deadline.closes if effective else None,
        effective_limit=effective.attempts.limit if effective else None,
    )
