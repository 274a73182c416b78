"""Requests for review: a student asks about an attempt, and the staff answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic.json_schema import SkipJsonSchema
from starlette.status import HTTP_201_CREATED

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import work as actions
from app.actions.asking import Asking
from app.actions.work import AnswerReview, AskForReview
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.grades import ReviewBody, ReviewList, ReviewsOfSubmission
from app.errors.courses import CourseArchived, CourseNotFound
from app.errors.requests import NotPermitted
from app.errors.submissions import ReportNotReady, SubmissionNotFound
from app.errors.teaching import ReviewAnswered, ReviewNotFound, ReviewOpen
from app.http.auth.holders import Asks, AsksIn, Reader, TokenInCourseFor
from app.http.parameters import Cursor, Limit, SubmissionId, id_in_path
from app.services import services
from app.storage.models import ReviewRequest, Submission
from app.submissions import repository
from app.teaching import reviews

ReviewId = Annotated[str, id_in_path("review_id", ReviewNotFound, "an `id` from the list")]

router = APIRouter(tags=["grades"])


@router.get(
    "/submissions/{submission_id}/reviews",
    summary="List the requests for review of an attempt",
    responses=problem_answers(SubmissionNotFound),
)
async def list_submission_reviews(request: Request, viewer: Reader, submission_id: SubmissionId) -> ReviewsOfSubmission:
    async with services(request).database.read() as session:
        submission = await repository.existing_submission(session, submission_id, viewer)
        found = await reviews.list_of(session, submission_id)
    return ReviewsOfSubmission(items=[review_body(each, submission) for each in found])


@router.post(
    "/submissions/{submission_id}/reviews",
    summary="Ask for a review of an attempt",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY,
        NotPermitted,
        CourseArchived,
        SubmissionNotFound,
        ReportNotReady,
        ReviewOpen,
        RequestValidationError,
    ),
)
async def ask_for_review(
    asking: Annotated[Asking, Depends(Asks(actions.ask_for_review))], submission_id: SubmissionId, wanted: AskForReview
) -> ReviewBody:
    """Ask the staff whether the attempt was graded right. One request of an attempt is open at a time.

    The same words sent again are the same request.
    """
    return review_body(*await actions.ask_for_review(asking, submission_id, wanted))


@router.get(
    "/courses/{course_id}/reviews",
    summary="List the requests for review of a course",
    responses=problem_answers(CourseNotFound, NotPermitted),
)
async def list_reviews(
    request: Request,
    viewer: Annotated[Principal, Depends(TokenInCourseFor(Right.SEE_GRADES))],
    answered: Annotated[
        bool | SkipJsonSchema[None], Query(description="only those with an answer, or without one")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReviewList:
    async with services(request).database.read() as session:
        found = await reviews.list_reviews(session, viewer.course_id, answered=answered, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda row: row[0].id)
    return ReviewList(items=[review_body(*row) for row in shown], next_cursor=next_cursor)


@router.post(
    "/courses/{course_id}/reviews/{review_id}/answer",
    summary="Answer a request for review",
    responses=problem_answers(
        *JSON_BODY, CourseNotFound, NotPermitted, CourseArchived, ReviewNotFound, ReviewAnswered, RequestValidationError
    ),
)
async def answer_review(
    asking: Annotated[Asking, Depends(AsksIn(actions.answer_review))], review_id: ReviewId, wanted: AnswerReview
) -> ReviewBody:
    """Answer, for the student to read. The grade stays; an adjustment or a regrade changes it."""
    return review_body(*await actions.answer_review(asking, review_id, wanted))


def review_body(review: ReviewRequest, submission: Submission) -> ReviewBody:
    return ReviewBody.from_row(
        review,
        student=submission.student,
        submission=submission.id,
        assignment=submission.assignment_id,
        attempt=submission.attempt,
    )
