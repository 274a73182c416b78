"""The page of a course's connection with a learning platform."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses import course as courses
from app.courses import uses
from app.errors import AppError
from app.errors.lti import LinkNotFound, PlatformRefused
from app.errors.outgoing import AnswerUnusable, TargetRefused
from app.http.auth.holders import PageFor
from app.http.forms import fields_of, form_of, refused, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import Shown, every_title
from app.lti import memberships
from app.lti.grades import connection
from app.lti.launch import arrival, binding
from app.services import services
from app.storage.models import LtiContext, MemberRole, utc_now
from app.storage.passback import send_again
from app.web.lti.reasons import reasons_logged

Viewer = Annotated[Principal, Depends(Shown(Right.SEE_GRADES))]
Chooser = Annotated[Principal, Depends(PageFor(Right.MANAGE_ASSIGNMENTS))]

router = APIRouter(prefix="/courses/{course_id}/lms", include_in_schema=False)


Manager = Annotated[Principal, Depends(PageFor(Right.MANAGE_MEMBERS))]
#: In an archived course, too: they take rights.
Reader = Annotated[Principal, Depends(Shown(Right.MANAGE_MEMBERS))]
ContextId = Annotated[str, Depends(PathId("context_id", LinkNotFound))]
LinkId = Annotated[str, Depends(PathId("link_id", LinkNotFound))]


@router.get("")
async def connection_page(request: Request, viewer: Viewer) -> Response:
    return await _page(request, viewer)


async def _page(
    request: Request,
    viewer: Principal,
    refusal: AppError | None = None,
    read: memberships.Changed | None = None,
    code: binding.NewCode | None = None,
) -> Response:
    parts = services(request)
    said = refused(request, refusal) if refusal else {"problem": None}
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        found = await connection.connections_of(session, course.id)
        waits = await connection.waits_of(session, LtiContext.course_id == course.id)
        failures = await connection.failures_of(session, course.id)
        differences = await connection.differences_of(session, course.id)
        going = {each.context.id: await binding.would_go(session, each.context, _managed(viewer)) for each in found}
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
        **said,
    )


@router.post("/contexts/{context_id}/members")
async def read_members(request: Request, holder: Reader, context_id: ContextId) -> Response:
    """Bring the members up to date with the platform's list, and say what has changed."""
    parts = services(request)
    async with form_of(request), parts.database.read() as session:
        context, platform = await connection.find_context(session, holder.course_id, context_id)
    if context.memberships_url is None or platform.confirmed_at is None:
        raise LinkNotFound
    asked_at = utc_now()
    try:
        with reasons_logged("lti_members_refused", context_id=context.id, platform=platform.id):
            listed = await memberships.read(parts.platform_services, platform, context.memberships_url)
    except (PlatformRefused, AnswerUnusable, TargetRefused) as refusal:
        return await _page(request, holder, refusal)
    changed = await memberships.apply(
        parts.database, platform, context, listed, asked_at, asked_by=holder.membership_id
    )
    return await _page(request, holder, read=changed)


@router.post("/code")
async def make_code(request: Request, holder: Manager) -> Response:
    """Make a code with which one more course of a platform becomes this course, and show it once."""
    async with form_of(request), services(request).database.write() as session:
        code = await binding.make_code(session, holder.course_id, holder.name)
    return await _page(request, holder, code=code)


@router.post("/contexts/{context_id}/disconnect")
async def disconnect(request: Request, holder: Reader, context_id: ContextId) -> Response:
    """Undo the connection with a course of a platform."""
    async with form_of(request) as form:
        if "sure" not in fields_of(form):
            return see_other(f"/courses/{holder.course_id}/lms")
    await binding.disconnect(
        services(request).database, holder.course_id, context_id, manages=_managed(holder), made_by=holder.name
    )
    return see_other(f"/courses/{holder.course_id}/lms", said="lms.disconnected")


def _managed(holder: Principal) -> Collection[MemberRole]:
    """Return the roles whose members go when the holder undoes a connection, in an archived course, too."""
    return [role for role in MemberRole if role != MemberRole.TEACHER or holder.has(Right.MANAGE_TEACHERS)]


@router.post("/links/{link_id}")
async def choose(request: Request, holder: Chooser, link_id: LinkId) -> Response:
    """Let a link lead to the chosen assignment."""
    parts = services(request)
    async with form_of(request) as form:
        assignment_id = str(fields_of(form).get("assignment", ""))
    async with parts.database.write() as session:
        link = await connection.find_link(session, holder.course_id, link_id)
        await arrival.choose(session, link, holder.course_id, assignment_id, parts.assignments, holder.name)
    return see_other(f"/courses/{holder.course_id}/lms", said="lms.chosen")


@router.post("/links/{link_id}/send")
async def send(request: Request, holder: Chooser, link_id: LinkId) -> Response:
    """Send all grades of a link that could not be delivered again, or the one that the form names."""
    async with form_of(request) as form:
        score_id = fields_of(form).get("score") or None
    if score_id is not None and not ID.fullmatch(score_id):
        raise LinkNotFound
    async with services(request).database.write() as session:
        link = await connection.find_link(session, holder.course_id, link_id)
        await send_again(session, link.id, score_id)
    return see_other(f"/courses/{holder.course_id}/lms", said="lms.sent_again")
