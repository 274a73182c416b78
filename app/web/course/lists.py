"""Lists of a course: requests for review, extensions and adjustments."""

from __future__ import annotations

import contextlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import work as actions
from app.actions.asking import Asking
from app.actions.work import AnswerReview, WorkId
from app.courses import course as courses
from app.courses import extensions, membership, uses
from app.courses.membership import Members
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.errors.teaching import ExtensionNotFound, ReviewAnswered
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import (
    ROWS,
    AssignmentId,
    Grader,
    MemberId,
    ReadPageFor,
    ReviewId,
    cursor_of,
    staff_page,
    titles_of,
)
from app.services import services
from app.storage.models import MemberRole
from app.teaching import adjustments, reviews
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of

#: Requests for review on one page.
REQUESTS = 30
#: How many students a search offers.
OFFERED = 10

Viewer = Annotated[Principal, Depends(ReadPageFor(Right.SEE_GRADES))]

router = APIRouter(prefix="/courses/{course_id}")


@router.get("/reviews")
async def list_reviews(request: Request, viewer: Grader) -> Response:
    """List the requests for review that wait for an answer, or those that have one."""
    answered = request.query_params.get("show") == "answered"
    before = cursor_of(request.query_params.get("from"))
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await reviews.list_reviews(session, course.id, answered=answered, limit=REQUESTS + 1, before=before)
        shown = found[:REQUESTS]
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
        next=shown[-1][0].id if len(found) > REQUESTS else None,
    )


@router.get("/reviews/{review_id}")
async def review_page(request: Request, viewer: Grader, review_id: ReviewId) -> Response:
    """Show one request, with the form for the answer."""
    return await _review_page(request, viewer, review_id)


@router.post("/reviews/{review_id}")
async def answer_review(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.answer_review))], review_id: ReviewId
) -> Response:
    """Answer, for the student to read. The grade stays; an adjustment or a regrade changes it."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.answer_review(asking, review_id, fields.read(AnswerReview))
    except (FieldsWrong, ReviewAnswered) as refusal:
        return await _review_page(request, asking.holder, review_id, fields, refusal)
    return see_other(f"/courses/{asking.course_id}/reviews", said="review.answered")


@router.get("/extensions")
async def list_extensions(request: Request, viewer: Viewer, page_from: str | None = None, search: str = "") -> Response:
    """List the extensions, and find the student for a new one."""
    parts = services(request)
    search = search.strip()[:200]
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await extensions.list_extensions(session, course.id, limit=ROWS + 1, before=cursor_of(page_from))
        used = await uses.list_used(session, course.id, parts.assignments)
        offered = []
        if search and search.isprintable():
            chosen = Members(role=MemberRole.STUDENT, removed=False, text=search)
            offered = list((await membership.list_by_name(session, course.id, chosen, limit=OFFERED))[0])
    return staff_page(
        request,
        "course/extensions.html",
        viewer,
        course,
        here="extensions",
        wide=True,
        extensions=found[:ROWS],
        next=found[ROWS - 1][0].id if len(found) > ROWS else None,
        used={each.use.assignment_id: each for each in used},
        search=search,
        offered=offered,
    )


@router.post("/extensions/{member_id}/{assignment_id}/remove")
async def take_back_extension(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.take_back_extension))],
    member_id: MemberId,
    assignment_id: AssignmentId,
) -> Response:
    """Take an extension back. Sending the form twice changes nothing."""
    async with form_of(request):
        with contextlib.suppress(ExtensionNotFound):
            await actions.take_back_extension(asking, WorkId(member_id, assignment_id))
    return see_other(f"/courses/{asking.course_id}/extensions", said="extension.removed")


@router.get("/adjustments")
async def list_adjustments(request: Request, viewer: Viewer, page_from: str | None = None, ended: str = "") -> Response:
    """List the adjustments that apply, or all that ever did, with a mark where the points below have changed."""
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await adjustments.list_of_course(
            session,
            parts.assignments,
            course.id,
            limit=ROWS + 1,
            before=cursor_of(page_from),
            ended_too=bool(ended),
        )
        used = await uses.list_used(session, course.id, parts.assignments)
    return staff_page(
        request,
        "course/adjustments.html",
        viewer,
        course,
        here="adjustments",
        wide=True,
        adjustments=found[:ROWS],
        next=found[ROWS - 1].adjustment.id if len(found) > ROWS else None,
        used={each.use.assignment_id: each for each in used},
        ended=bool(ended),
    )


async def _review_page(
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
