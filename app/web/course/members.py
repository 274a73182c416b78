"""The page of one student, and the page of the student's work at one assignment with all that can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from app.access.tokens import Principal
from app.access.ways_in import ways_in_of
from app.courses import course as courses
from app.courses import membership
from app.errors import AppError
from app.errors.courses import AssignmentNotFound
from app.errors.members import MemberNotStudent
from app.errors.teaching import AdjustmentReplaced
from app.http.fields import Fields, form_context, local
from app.http.staff import AssignmentId, Grader, MemberId, staff_page, titles_of
from app.http.texts import language_of
from app.services import services
from app.storage.models import MemberRole
from app.submissions.derivation import step_in_words
from app.teaching.overview.work import Work, work_of
from app.texts import text

router = APIRouter()


@router.get("/courses/{course_id}/members/{member_id}")
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


@router.get("/courses/{course_id}/members/{member_id}/assignments/{assignment_id}")
async def work_page(request: Request, viewer: Grader, member_id: MemberId, assignment_id: AssignmentId) -> Response:
    """Show a student's work at one assignment, with the forms for an adjustment, an extension, a comment."""
    return await show_work(request, viewer, member_id, assignment_id)


async def show_work(
    request: Request,
    viewer: Principal,
    member_id: str,
    assignment_id: str,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    """Show the page, after a refusal with everything that was typed.

    Raises:
        MemberNotFound, MemberNotStudent
        AssignmentNotFound: the course does not use it.
    """
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        member = await membership.find(session, course.id, member_id)
        work = [each for each in await work_of(session, parts.assignments, member) if _is(each, assignment_id)]
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    if not work:
        raise AssignmentNotFound
    context = form_context(request, fields, refusal)
    if isinstance(refusal, AdjustmentReplaced):  # Ids tell a program what happened, and not a person.
        context["problem"]["detail"] = text("course.replaced", language_of(request))
    zone = ZoneInfo(course.time_zone)
    extension = work[0].extension
    return staff_page(
        request,
        "course/work.html",
        viewer,
        course,
        member=member,
        each=work[0],
        title=titles_of(request, [work[0].use])[assignment_id],
        derivations=_derivations(request, work, zone),
        comment_choices=_attempts(request, work[0]),
        due=local(extension.due if extension else None, zone),
        closes=local(extension.closes if extension else None, zone),
        **context,
    )


def _attempts(request: Request, work: Work) -> Sequence[tuple[str, str]]:
    """Return what a comment may be about: all of the work, or one attempt."""
    language = language_of(request)
    attempts = [each.submission for each in work.attempts]
    numbered = ((each.id, text("course.attempt", language, number=each.attempt)) for each in attempts)
    return [("", text("course.all_work", language)), *numbered]


def _is(work: Work, assignment_id: str) -> bool:
    return work.use.assignment_id == assignment_id


def _derivations(request: Request, work: Sequence[Work], zone: ZoneInfo) -> dict[str, list[str]]:
    """Return the steps of each grade in words, by the ids of assignments."""
    language = language_of(request)
    return {
        each.use.assignment_id: [step_in_words(step, language, zone) for step in each.counted.steps] for each in work
    }
