"""The page of a course's connection with a learning platform."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import lms as actions
from app.actions.asking import Asking
from app.courses import course as courses
from app.courses import uses
from app.errors import AppError
from app.errors.lti import LinkNotFound, PlatformRefused
from app.errors.outgoing import AnswerUnusable, TargetRefused
from app.http.auth.holders import FormAsks
from app.http.forms import fields_of, form_of, refusal_context, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import ReadPageFor, every_title
from app.lti import memberships
from app.lti.grades import connection
from app.lti.launch import binding
from app.services import services
from app.storage.models import LtiContext

Viewer = Annotated[Principal, Depends(ReadPageFor(Right.SEE_GRADES))]

router = APIRouter(prefix="/courses/{course_id}/lms", include_in_schema=False)


ContextId = Annotated[str, Depends(PathId("context_id", LinkNotFound))]
LinkId = Annotated[str, Depends(PathId("link_id", LinkNotFound))]


@router.get("")
async def connection_page(request: Request, viewer: Viewer) -> Response:
    return await _page(request, viewer)


async def _page(
    request: Request,
    viewer: Principal,
    refusal: AppError | None = None,
    read: memberships.ChangeCounts | None = None,
    code: binding.NewCode | None = None,
) -> Response:
    parts = services(request)
    problem = refusal_context(request, refusal) if refusal else {"problem": None}
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await connection.connections_of(session, course.id)
        waits = await connection.waits_of(session, LtiContext.course_id == course.id)
        failures = await connection.failures_of(session, course.id)
        differences = await connection.differences_of(session, course.id)
        going = {
            each.context.id: await binding.count_leaving(session, each.context, actions.roles_that_go(viewer))
            for each in found
        }
        used = await uses.list_used(session, course.id, parts.assignments)
    return page(
        request,
        "lti/connection.html",
        viewer=viewer,
        course=course,
        here="lms",
        connections=found,
        failures=failures,
        waits=waits,
        differences=differences,
        zone=ZoneInfo(course.time_zone),
        assignments=parts.assignments,
        titles=every_title(request, [each.use for each in used]),
        may_choose=viewer.may(Right.MANAGE_ASSIGNMENTS),
        may_read=viewer.has(Right.MANAGE_MEMBERS),
        teachers_stay=not viewer.has(Right.MANAGE_TEACHERS),
        may_connect=viewer.may(Right.MANAGE_MEMBERS),
        going=going,
        read=read,
        code=code,
        **problem,
    )


@router.post("/contexts/{context_id}/members")
async def read_members(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.read_members))], context_id: ContextId
) -> Response:
    """Update the members from the platform's list, and show the changes."""
    async with form_of(request):
        try:
            changed = await actions.read_members(asking, context_id, services(request).platform_services)
        except (PlatformRefused, AnswerUnusable, TargetRefused) as refusal:
            return await _page(request, asking.holder, refusal)
    return await _page(request, asking.holder, read=changed)


@router.post("/code")
async def make_code(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.make_code))]) -> Response:
    """Make a code that connects one more course of a platform with this course, and show it once."""
    async with form_of(request):
        code = await actions.make_code(asking)
    return await _page(request, asking.holder, code=code)


@router.post("/contexts/{context_id}/disconnect")
async def disconnect(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.disconnect))], context_id: ContextId
) -> Response:
    """Undo the connection with a course of a platform."""
    async with form_of(request) as form:
        if "sure" not in fields_of(form):
            return see_other(f"/courses/{asking.course_id}/lms")
    await actions.disconnect(asking, context_id)
    return see_other(f"/courses/{asking.course_id}/lms", said="lms.disconnected")


@router.post("/links/{link_id}")
async def choose(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.choose_assignment))], link_id: LinkId
) -> Response:
    """Let a link lead to the chosen assignment."""
    async with form_of(request) as form:
        assignment_id = str(fields_of(form).get("assignment", ""))
    await actions.choose_assignment(asking, link_id, assignment_id)
    return see_other(f"/courses/{asking.course_id}/lms", said="lms.chosen")


@router.post("/links/{link_id}/send")
async def send(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.send_grades_again))], link_id: LinkId
) -> Response:
    """Send all grades of a link that could not be delivered again, or the one that the form names."""
    async with form_of(request) as form:
        score_id = fields_of(form).get("score") or None
    await actions.send_grades_again(asking, link_id, score_id)
    return see_other(f"/courses/{asking.course_id}/lms", said="lms.sent_again")
