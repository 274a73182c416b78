"""A student's work: the page of a student, the page of the work at one assignment, and the decisions of the staff."""

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from app.access.rights import Right
from app.access.ways_in import ways_in_of
from app.actions import work as actions
from app.courses import extensions, membership
from app.errors.courses import AssignmentNotFound
from app.errors.members import MemberNotStudent
from app.errors.teaching import ExtensionNotFound
from app.http.fields import local
from app.http.parameters import AtWork, MemberId
from app.http.staff import titles_of
from app.http.visits import Pages, Visit
from app.storage.models import MemberRole
from app.submissions.derivation import step_in_words
from app.teaching.overview.work import Work, work_of
from app.teaching.student_work import find_student_work
from app.texts import text

#: The address of a student's work at an assignment.
WORK = "/members/{member_id}/assignments/{assignment_id}"

router = Pages("/courses/{course_id}")


@router.page("/members/{member_id}", Right.SEE_GRADES)
async def member_page(visit: Visit, member_id: MemberId) -> Response:
    async with visit.database.read() as session:
        member = await membership.find(session, visit.course_id, member_id)
        work = await work_of(session, visit.assignments, member)
        ways_in = await ways_in_of(session, member)
    return visit.page(
        "course/member.html",
        "course",
        member=member,
        is_student=member.role == MemberRole.STUDENT,
        ways_in=ways_in,
        work=work,
        titles=titles_of(visit.request, [each.use for each in work]),
        derivations=_derivations(visit, work),
    )


@router.page(WORK, Right.SEE_GRADES)
async def work_page(visit: Visit, at: AtWork) -> Response:
    """Show a student's work at one assignment, with the forms for an adjustment, an extension, a comment.

    Raises:
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    async with visit.database.read() as session:
        member = await membership.find(session, visit.course_id, at.member_id)
        every = await work_of(session, visit.assignments, member)
        work = next((each for each in every if each.use.assignment_id == at.assignment_id), None)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    if work is None:
        raise AssignmentNotFound
    extension = work.extension
    return visit.page(
        "course/work.html",
        "course",
        member=member,
        each=work,
        title=titles_of(visit.request, [work.use])[at.assignment_id],
        derivations=_derivations(visit, [work]),
        comment_choices=_attempts(visit, work),
        due=local(extension.due if extension else None, visit.zone),
        closes=local(extension.closes if extension else None, visit.zone),
    )


@router.form(f"{WORK}/adjustment", actions.adjust_grade, again=work_page)
async def adjust(visit: Visit, at: AtWork) -> Response:
    """Adjust the grade. If somebody else has adjusted it meanwhile, show that, and ask again."""
    names = {"delta": "points", "value": "points", "reason": "adjustment_reason"}
    other: dict[str, Any] = {"delta" if visit.fields.typed.get("way") == "value" else "value": None}
    await actions.adjust_grade(visit, at, visit.fields.read(actions.AdjustGrade, names=names, **other))
    return _back(visit, at, "work.adjusted")


@router.form(f"{WORK}/extension", actions.extend_work, again=work_page)
async def extend(visit: Visit, at: AtWork) -> Response:
    async with visit.database.read() as session:
        work = await find_student_work(session, visit.assignments, visit.course_id, at.member_id, at.assignment_id)
        given = await extensions.find(session, work.member, work.use)
    stored = {"due": given.due, "closes": given.closes} if given else {}
    wanted = visit.fields.read(actions.ExtendWork, names={"reason": "extension_reason"}, zone=visit.zone, stored=stored)
    await actions.extend_work(visit, at, wanted)
    return _back(visit, at, "work.extended")


_GONE = [ExtensionNotFound]
router.act(f"{WORK}/adjustments/{{adjustment_id}}/withdraw", actions.withdraw_adjustment, WORK, "work.withdrawn")
router.act(f"{WORK}/extension/remove", actions.take_back_extension, WORK, "work.extension_removed", twice=_GONE)
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
