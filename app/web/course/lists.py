"""Lists of a course: requests for review, extensions and adjustments."""

from typing import Annotated

from fastapi import Query, Response

from app.access.rights import Right
from app.actions import work as actions
from app.courses import extensions, membership
from app.courses.membership import Members
from app.errors.teaching import ExtensionNotFound
from app.http.parameters import ReviewId
from app.http.staff import ROWS, cursor_of, search_of, titles_of
from app.http.visits import Pages, Visit
from app.storage.models import MemberRole
from app.teaching import adjustments, reviews
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of

#: Requests for review on one page.
REQUESTS = 30
#: How many students a search offers.
OFFERED = 10

From = Annotated[str | None, Query(alias="from")]

EXTENSION = "/extensions/{member_id}/{assignment_id}"

router = Pages("/courses/{course_id}")


@router.page("/reviews", Right.SEE_GRADES)
async def list_reviews(visit: Visit, show: str = "", before: From = None) -> Response:
    """List the requests for review that wait for an answer, or those that have one."""
    answered = show == "answered"
    async with visit.database.read() as session:
        requests = await reviews.list_reviews(
            session, visit.course_id, answered=answered, limit=REQUESTS + 1, before=cursor_of(before)
        )
        shown = requests[:REQUESTS]
        names = await names_of(session, [submission for _, submission in shown])
        uses = await used_assignments(session, visit.assignments, visit.course_id)
    return visit.page(
        "course/reviews.html",
        "reviews",
        rows=shown,
        names=names,
        titles=titles_of(visit.request, uses),
        answered=answered,
        next=shown[-1][0].id if len(requests) > REQUESTS else None,
    )


@router.page("/reviews/{review_id}", Right.SEE_GRADES)
async def review_page(visit: Visit, review_id: ReviewId) -> Response:
    async with visit.database.read() as session:
        review, submission = await reviews.find(session, visit.course_id, review_id)
        names = await names_of(session, [submission])
        uses = await used_assignments(session, visit.assignments, visit.course_id)
    return visit.page(
        "course/review.html",
        "reviews",
        review=review,
        submission=submission,
        names=names,
        titles=titles_of(visit.request, uses),
    )


router.act("/reviews/{review_id}", actions.answer_review, "/reviews", "review.answered", again=review_page)


@router.page("/extensions", Right.SEE_GRADES)
async def list_extensions(visit: Visit, page_from: str | None = None, search: str = "") -> Response:
    """List the extensions, and find the student for a new one."""
    search = search_of(search)
    async with visit.database.read() as session:
        rows = await extensions.list_extensions(session, visit.course_id, limit=ROWS + 1, before=cursor_of(page_from))
        offered = []
        if search:
            chosen = Members(role=MemberRole.STUDENT, removed=False, text=search)
            offered = list((await membership.list_by_name(session, visit.course_id, chosen, limit=OFFERED))[0])
    return visit.page(
        "course/extensions.html",
        "extensions",
        extensions=rows[:ROWS],
        next=rows[ROWS - 1][0].id if len(rows) > ROWS else None,
        titles=titles_of(visit.request, [use for _, _, use in rows]),
        search=search,
        offered=offered,
    )


router.act(
    f"{EXTENSION}/remove", actions.take_back_extension, "/extensions", "extension.removed", twice=[ExtensionNotFound]
)


@router.page("/adjustments", Right.SEE_GRADES)
async def list_adjustments(visit: Visit, page_from: str | None = None, ended: str = "") -> Response:
    """List the adjustments that apply, or all that ever did, with a mark where the points below have changed."""
    async with visit.database.read() as session:
        rows = await adjustments.list_of_course(
            session,
            visit.assignments,
            visit.course_id,
            limit=ROWS + 1,
            before=cursor_of(page_from),
            ended_too=bool(ended),
        )
    return visit.page(
        "course/adjustments.html",
        "adjustments",
        adjustments=rows[:ROWS],
        next=rows[ROWS - 1].adjustment.id if len(rows) > ROWS else None,
        titles=titles_of(visit.request, [each.use for each in rows]),
        ended=bool(ended),
    )
