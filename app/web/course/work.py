"""Students' work: the pages of a student and of the work at one assignment; reviews, extensions, adjustments."""

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from app.access.rights import Right
from app.access.ways_in import ways_in_of
from app.actions import work as actions
from app.courses import extensions, membership
from app.courses.membership import Members
from app.errors import AssignmentNotFound, ExtensionNotFound, MemberNotStudent, existing
from app.http.fields import local
from app.http.visits import Pages, Visit, one_page, search_of
from app.storage.models import MemberRole
from app.submissions.derivation import step_in_words
from app.teaching import adjustments, reviews
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of
from app.teaching.overview.work import Work, work_of
from app.teaching.student_work import find_student_work
from app.texts import text

#: The address of a student's work at an assignment.
WORK = "/members/{member_id}/assignments/{assignment_id}"
#: Requests for review on one page.
REQUESTS = 30
#: How many students a search offers.
OFFERED = 10

router = Pages("/courses/{course_id}")


@router.page("/members/{member_id}", Right.SEE_GRADES)
async def member_page(visit: Visit, member_id: str) -> Response:
    member = await membership.find(visit.session, visit.course_id, member_id)
    work = await work_of(visit.session, visit.assignments, member)
    ways_in = await ways_in_of(visit.session, member)
    return visit.page(
        "course/member.html",
        "course",
        member=member,
        is_student=member.role == MemberRole.STUDENT,
        ways_in=ways_in,
        work=work,
        titles=visit.titles_of([each.use for each in work]),
        derivations=_derivations(visit, work),
    )


@router.page(WORK, Right.SEE_GRADES)
async def work_page(visit: Visit, at: actions.WorkId) -> Response:
    """Show a student's work at one assignment, with the forms for an adjustment, an extension, a comment.

    Raises:
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    member = await membership.find(visit.session, visit.course_id, at.member_id)
    every = await work_of(visit.session, visit.assignments, member)
    work = next((each for each in every if each.use.assignment_id == at.assignment_id), None)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    work = existing(work, AssignmentNotFound)
    extension = work.extension
    return visit.page(
        "course/work.html",
        "course",
        member=member,
        each=work,
        title=visit.title_of(work.use),
        derivations=_derivations(visit, [work]),
        comment_choices=_attempts(visit, work),
        due=local(extension.due if extension else None, visit.zone),
        closes=local(extension.closes if extension else None, visit.zone),
    )


@router.form(f"{WORK}/adjustment", actions.adjust_grade, again=work_page)
async def adjust(visit: Visit, at: actions.WorkId) -> Response:
    """Adjust the grade. If somebody else has adjusted it meanwhile, show that, and ask again."""
    names = {"delta": "points", "value": "points", "reason": "adjustment_reason"}
    other: dict[str, Any] = {"delta" if visit.fields.typed.get("way") == "value" else "value": None}
    await actions.adjust_grade(visit, at, visit.fields.read(actions.AdjustGrade, names=names, **other))
    return _back(visit, at, "work.adjusted")


@router.form(f"{WORK}/extension", actions.extend_work, again=work_page)
async def extend(visit: Visit, at: actions.WorkId) -> Response:
    async with visit.database.read() as session:
        work = await find_student_work(session, visit.assignments, visit.course_id, at.member_id, at.assignment_id)
        given = await extensions.find(session, work.member, work.use)
    stored = {"due": given.due, "closes": given.closes} if given else {}
    wanted = visit.fields.read(actions.ExtendWork, names={"reason": "extension_reason"}, zone=visit.zone, stored=stored)
    await actions.extend_work(visit, at, wanted)
    return _back(visit, at, "work.extended")


router.act(f"{WORK}/adjustments/{{adjustment_id}}/withdraw", actions.withdraw_adjustment, WORK, "work.withdrawn")
for path, page, removed in (
    (f"{WORK}/extension/remove", WORK, "work.extension_removed"),
    ("/extensions/{member_id}/{assignment_id}/remove", "/extensions", "extension.removed"),
):
    router.act(path, actions.take_back_extension, page, removed, twice=[ExtensionNotFound])
router.act(f"{WORK}/comments", actions.add_comment, WORK, "work.commented", names={"text": "comment"}, again=work_page)
router.act(f"{WORK}/comments/{{comment_id}}/delete", actions.delete_comment, WORK, "work.comment_deleted")


def _back(visit: Visit, at: actions.WorkId, said: str) -> Response:
    return visit.lead_to(WORK.format(**vars(at)), said)


def _attempts(visit: Visit, work: Work) -> Sequence[tuple[str, str]]:
    """Return the choices for a comment: all of the work, or one attempt."""
    attempts = [each.submission for each in work.attempts]
    numbered = ((each.id, text("course.attempt", visit.language, number=each.attempt)) for each in attempts)
    return [("", text("course.all_work", visit.language)), *numbered]


def _derivations(visit: Visit, work: Sequence[Work]) -> dict[str, list[str]]:
    return {
        each.use.assignment_id: [step_in_words(step, visit.language, visit.zone) for step in each.counted.steps]
        for each in work
    }


# --- lists of a course ------------------------------------------------------------------------------------------------


@router.page("/reviews", Right.SEE_GRADES)
async def list_reviews(visit: Visit, show: str = "") -> Response:
    """List the requests for review that wait for an answer, or those that have one."""
    answered, paging = show == "answered", visit.paging(REQUESTS, "from")
    requests = await reviews.list_reviews(visit.session, visit.course_id, paging, answered=answered)
    names = await names_of(visit.session, [each.submission for each in requests])
    uses = await used_assignments(visit.session, visit.assignments, visit.course_id)
    return visit.page(
        "course/reviews.html",
        "reviews",
        names=names,
        titles=visit.titles_of(uses),
        answered=answered,
        **one_page("rows", paging, requests),
    )


@router.page("/reviews/{review_id}", Right.SEE_GRADES)
async def review_page(visit: Visit, review_id: str) -> Response:
    review = await reviews.find(visit.session, visit.course_id, review_id)
    names = await names_of(visit.session, [review.submission])
    uses = await used_assignments(visit.session, visit.assignments, visit.course_id)
    return visit.page(
        "course/review.html",
        "reviews",
        review=review,
        submission=review.submission,
        names=names,
        titles=visit.titles_of(uses),
    )


router.act("/reviews/{review_id}", actions.answer_review, "/reviews", "review.answered", again=review_page)


@router.page("/extensions", Right.SEE_GRADES)
async def list_extensions(visit: Visit, search: str = "") -> Response:
    """List the extensions, and find the student for a new one."""
    search, paging = search_of(search), visit.paging()
    rows = await extensions.list_extensions(visit.session, visit.course_id, paging)
    offered = []
    if search:
        chosen = Members(role=MemberRole.STUDENT, removed=False, text=search)
        offered = list((await membership.list_by_name(visit.session, visit.course_id, chosen, limit=OFFERED))[0])
    return visit.page(
        "course/extensions.html",
        "extensions",
        search=search,
        offered=offered,
        **one_page("extensions", paging, rows),
    )


@router.page("/adjustments", Right.SEE_GRADES)
async def list_adjustments(visit: Visit, ended: str = "") -> Response:
    """List the adjustments that apply, or all that ever did, with a mark where the points below have changed."""
    paging = visit.paging()
    rows = await adjustments.list_of_course(
        visit.session, visit.assignments, visit.course_id, paging, ended_too=bool(ended)
    )
    return visit.page(
        "course/adjustments.html",
        "adjustments",
        ended=bool(ended),
        **one_page("adjustments", paging, rows, lambda row: row.adjustment.id),
    )
