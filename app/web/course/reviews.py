"""Requests for review: those that wait for an answer, and those that have one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses import course as courses
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.errors.teaching import ReviewAnswered
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import Grader, ReviewId, staff_page, titles_of, words
from app.services import services
from app.teaching import reviews
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of

#: Requests on one page.
ROWS = 30

Answerer = Annotated[Principal, Depends(PageFor(Right.ANSWER_REVIEWS))]

router = APIRouter(prefix="/courses/{course_id}/reviews")


@router.get("")
async def reviews_page(request: Request, viewer: Grader) -> Response:
    return await _page(request, viewer)


@router.get("/{review_id}")
async def review_page(request: Request, viewer: Grader, review_id: ReviewId) -> Response:
    """Show one request, with the form for the answer."""
    return await _one(request, viewer, review_id)


@router.post("/{review_id}")
async def answer(request: Request, holder: Answerer, review_id: ReviewId) -> Response:
    """Answer, for the student to read. The grade stays; an adjustment or a regrade changes it."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    said = words(fields, "answer")
    try:
        fields.check()
        async with services(request).database.write() as session:
            await reviews.answer(session, holder.course_id, review_id, said, answered_by=holder.name)
    except (FieldsWrong, ReviewAnswered) as refusal:
        return await _one(request, holder, review_id, fields, refusal)
    return see_other(f"/courses/{holder.course_id}/reviews", said="review.answered")


async def _page(request: Request, viewer: Principal) -> Response:
    answered = request.query_params.get("show") == "answered"
    came = request.query_params.get("from")
    before = came if came and ID.fullmatch(came) else None
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await reviews.list_reviews(session, course.id, answered=answered, limit=ROWS + 1, before=before)
        shown = found[:ROWS]
        names = await names_of(session, [submission for _, submission in shown])
        uses = await used_assignments(session, parts.assignments, course.id)
    return staff_page(
        request,
        "course/reviews.html",
        viewer,
        course,
        here="reviews",
        rows=shown,
        names=names,
        titles=titles_of(request, uses),
        answered=answered,
        next=shown[-1][0].id if len(found) > ROWS else None,
    )


async def _one(
    request: Request, viewer: Principal, review_id: str, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        review, submission = await reviews.find(session, course.id, review_id)
        names = await names_of(session, [submission])
        uses = await used_assignments(session, parts.assignments, course.id)
    return staff_page(
        request,
        "course/review.html",
        viewer,
        course,
        here="reviews",
        review=review,
        submission=submission,
        names=names,
        titles=titles_of(request, uses),
        **form_context(request, fields, refusal),
    )
