"""A student's work: the page of a student, the page of the work at one assignment, and the decisions of the staff."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.tokens import Principal
from app.access.ways_in import ways_in_of
from app.actions import work as actions
from app.actions.asking import Asking
from app.actions.work import AdjustGrade, CommentOnWork, ExtendWork, WorkId
from app.courses import course as courses
from app.courses import extensions, membership
from app.errors import AppError
from app.errors.courses import AssignmentNotFound
from app.errors.members import MemberNotStudent
from app.errors.requests import FieldsWrong
from app.errors.teaching import AdjustmentReplaced, ExtensionNotFound
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context, local
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import AdjustmentId, AssignmentId, CommentId, Grader, MemberId, staff_page, titles_of
from app.http.texts import language_of
from app.services import services
from app.storage.models import MemberRole
from app.submissions.derivation import step_in_words
from app.teaching.overview.work import Work, work_of
from app.teaching.student_work import find_student_work
from app.texts import text

#: The address of a student's work at an assignment.
WORK = "/members/{member_id}/assignments/{assignment_id}"

router = APIRouter(prefix="/courses/{course_id}")


async def _work_id(member_id: MemberId, assignment_id: AssignmentId) -> WorkId:
    return WorkId(member_id, assignment_id)


AtWork = Annotated[WorkId, Depends(_work_id)]


@router.get("/members/{member_id}")
async def member_page(request: Request, viewer: Grader, member_id: MemberId) -> Response:
    """Show a member: the facts, and the work at every assignment."""
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        member = await membership.find(session, course.id, member_id)
        work = await work_of(session, parts.assignments, member)
        ways_in = await ways_in_of(session, member)
    return staff_page(
        request,
        "course/member.html",
        viewer,
        course,
        member=member,
        is_student=member.role == MemberRole.STUDENT,
        ways_in=ways_in,
        work=work,
        titles=titles_of(request, [each.use for each in work]),
        derivations=_derivations(request, work, ZoneInfo(course.time_zone)),
    )


@router.get(WORK)
async def work_page(request: Request, viewer: Grader, at: AtWork) -> Response:
    """Show a student's work at one assignment, with the forms for an adjustment, an extension, a comment."""
    return await _work_page(request, viewer, at)


@router.post(f"{WORK}/adjustment")
async def adjust(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.adjust_grade))], at: AtWork
) -> Response:
    """Adjust the grade. If somebody else has adjusted it meanwhile, show that, and ask again."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    names = {"delta": "points", "value": "points", "reason": "adjustment_reason"}
    other: dict[str, Any] = {"delta" if fields.typed.get("way") == "value" else "value": None}
    try:
        wanted = fields.read(AdjustGrade, names=names, **other)
        await actions.adjust_grade(asking, at, wanted)
    except (FieldsWrong, AdjustmentReplaced) as refusal:
        return await _work_page(request, asking.holder, at, fields, refusal)
    return _back(asking, at, "work.adjusted")


@router.post(f"{WORK}/adjustments/{{adjustment_id}}/withdraw")
async def withdraw(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.withdraw_adjustment))],
    at: AtWork,
    adjustment_id: AdjustmentId,
) -> Response:
    """Let an adjustment apply no more. It stays in the history."""
    async with form_of(request):
        await actions.withdraw_adjustment(asking, at, adjustment_id)
    return _back(asking, at, "work.withdrawn")


@router.post(f"{WORK}/extension")
async def extend(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.extend_work))], at: AtWork
) -> Response:
    """Give more time, or more attempts, instead of an earlier extension."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    async with asking.database.read() as session:
        zone = ZoneInfo((await courses.existing(session, asking.course_id)).time_zone)
        work = await find_student_work(session, asking.assignments, asking.course_id, at.member_id, at.assignment_id)
        given = await extensions.find(session, work.member, work.use)
    stored = {"due": given.due, "closes": given.closes} if given else {}
    try:
        wanted = fields.read(ExtendWork, names={"reason": "extension_reason"}, zone=zone, stored=stored)
        await actions.extend_work(asking, at, wanted)
    except FieldsWrong as refusal:
        return await _work_page(request, asking.holder, at, fields, refusal)
    return _back(asking, at, "work.extended")


@router.post(f"{WORK}/extension/remove")
async def take_back(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.take_back_extension))], at: AtWork
) -> Response:
    """Take an extension back. Sending the form twice changes nothing."""
    async with form_of(request):
        with contextlib.suppress(ExtensionNotFound):
            await actions.take_back_extension(asking, at)
    return _back(asking, at, "work.extension_removed")


@router.post(f"{WORK}/comments")
async def comment(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.add_comment))], at: AtWork
) -> Response:
    """Write a comment for the student, on all of the work or on one attempt."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = fields.read(CommentOnWork, names={"text": "comment"})
        await actions.add_comment(asking, at, wanted)
    except FieldsWrong as refusal:
        return await _work_page(request, asking.holder, at, fields, refusal)
    return _back(asking, at, "work.commented")


@router.post(f"{WORK}/comments/{{comment_id}}/delete")
async def delete_comment(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.delete_comment))],
    at: AtWork,
    comment_id: CommentId,
) -> Response:
    """Delete a comment: a teacher any, an assistant their own."""
    async with form_of(request):
        await actions.delete_comment(asking, at, comment_id)
    return _back(asking, at, "work.comment_deleted")


async def _work_page(
    request: Request, viewer: Principal, at: WorkId, fields: Fields | None = None, refusal: AppError | None = None
) -> Response:
    """Show the page, after a refusal with everything that was typed.

    Raises:
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        member = await membership.find(session, course.id, at.member_id)
        every = await work_of(session, parts.assignments, member)
        work = next((each for each in every if each.use.assignment_id == at.assignment_id), None)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    if work is None:
        raise AssignmentNotFound
    context = form_context(request, fields, refusal)
    if isinstance(refusal, AdjustmentReplaced):  # Ids mean nothing to people, so they are left out.
        context["problem"]["detail"] = text("course.replaced", language_of(request))
    zone = ZoneInfo(course.time_zone)
    extension = work.extension
    return staff_page(
        request,
        "course/work.html",
        viewer,
        course,
        member=member,
        each=work,
        title=titles_of(request, [work.use])[at.assignment_id],
        derivations=_derivations(request, [work], zone),
        comment_choices=_attempts(request, work),
        due=local(extension.due if extension else None, zone),
        closes=local(extension.closes if extension else None, zone),
        **context,
    )


def _back(asking: Asking, at: WorkId, said: str) -> Response:
    return see_other(f"/courses/{asking.course_id}{WORK.format(**vars(at))}", said=said)


def _attempts(request: Request, work: Work) -> Sequence[tuple[str, str]]:
    """Return the choices for a comment: all of the work, or one attempt."""
    language = language_of(request)
    attempts = [each.submission for each in work.attempts]
    numbered = ((each.id, text("course.attempt", language, number=each.attempt)) for each in attempts)
    return [("", text("course.all_work", language)), *numbered]


def _derivations(request: Request, work: Sequence[Work], zone: ZoneInfo) -> dict[str, list[str]]:
    """Return the steps of each grade in words, by the ids of assignments."""
    language = language_of(request)
    return {
        each.use.assignment_id: [step_in_words(step, language, zone) for step in each.counted.steps] for each in work
    }
