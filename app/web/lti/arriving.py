"""The end of a launch: the browser arrives in the course, or a teacher is asked which of our courses to connect.

The page with that question needs no session and no cookie: a secret in its form stands for the message.

From a page in a frame people go on to the same page in a window, which gets a session from that of the frame: browsers
give a window none of the cookies of a frame on another site's page.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.status import HTTP_303_SEE_OTHER

from app.access.sessions import LAUNCH_LIFETIME
from app.actions import launching
from app.errors import AppError, CourseArchived, CourseNotFound, existing
from app.errors.lti import CodeUnusable, CourseUnconnected, LaunchRefused, TeacherNeeded
from app.http.auth.sessions import client_of, keep_session, session_sha256, visitor
from app.http.forms import read_page_form, read_strangers_form, refusal_context, see_other
from app.http.frames import address_in_frame
from app.http.pages import page
from app.http.texts import LANGUAGE, keep_platform_language, language_of
from app.http.visits import Pages, Visit
from app.lti.launch import binding
from app.lti.launch.arrival import Arrival
from app.lti.launch.login import COURSE_PATH, WINDOW_PATH
from app.lti.launch.message import DEEP_LINKING, Message
from app.lti.reasons import reasons_logged
from app.onward import onward
from app.services import services
from app.storage.models import LtiPlatform

logger = logging.getLogger(__name__)

#: The form's field for a frame without cookies.
IN_PATH = "in_path"

router = Pages()


async def arrive(request: Request, platform: LtiPlatform, message: Message, *, in_path: bool) -> Response:
    """Lead the person of a message to its course, or ask which of our courses to connect.

    Args:
        in_path: the browser keeps no cookies in its frame, and has its session in the path.
    """
    parts = services(request)
    request.scope[LANGUAGE] = message.language
    arrived = await launching.arrive(parts.database, parts.assignments, platform, message)
    if isinstance(arrived, str):
        return await _question(request, arrived, in_path=in_path)
    return await _enter(request, platform, message, arrived, in_path=in_path)


@router.post(COURSE_PATH)
@reasons_logged("lti_refused")
async def choose_course(request: Request) -> Response:
    fields = await read_strangers_form(request, 4)
    services(request).login_limit.take(client_of(request))
    try:
        return await _chosen(request, fields)
    except (CodeUnusable, CourseArchived, CourseNotFound) as refusal:
        return await _question(request, fields["secret"], refusal, in_path=IN_PATH in fields)


async def _chosen(request: Request, fields: Mapping[str, str]) -> Response:
    parts, secret = services(request), fields.get("secret", "")
    async with parts.database.read() as session:
        *_, message = await binding.find(session, secret)
    request.scope[LANGUAGE] = message.language
    platform, message, arrived = await launching.choose_course(
        parts.database,
        parts.assignments,
        secret,
        choice=fields.get("course", ""),
        code=fields.get("code", ""),
        language=language_of(request),
    )
    return await _enter(request, platform, message, arrived, in_path=IN_PATH in fields)


async def _question(request: Request, secret: str, refusal: AppError | None = None, *, in_path: bool) -> Response:
    problem: dict[str, Any] = refusal_context(request, refusal) if refusal else {"problem": None}
    async with services(request).database.read() as session:
        _, platform, message = await binding.find(session, secret)
        own = await binding.own_courses(session, platform, message)
    return page(
        request,
        "lti/course.html",
        platform=platform,
        context=message.context,
        own=own,
        new=binding.NEW,
        hidden={"secret": secret} | ({IN_PATH: "on"} if in_path else {}),
        action=COURSE_PATH,
        **problem,
    )


async def _enter(
    request: Request, platform: LtiPlatform, message: Message, arrived: Arrival, *, in_path: bool
) -> Response:
    logger.info(
        "lti_launched",
        extra={
            "platform": platform.id,
            "course": arrived.course.id,
            "member_id": arrived.member.id,
            "message_type": message.message_type,
        },
    )
    address = _destination(arrived, message)
    if in_path:
        token = await visitor(request).enter_from_launch(arrived.person, arrived.course.id, in_frame=True)
        return RedirectResponse(address_in_frame(token, message.language, address), HTTP_303_SEE_OTHER)
    response = RedirectResponse(address, HTTP_303_SEE_OTHER)
    keep_platform_language(request, response, message.language, int(LAUNCH_LIFETIME.total_seconds()))
    secret = await visitor(request).enter_from_launch(arrived.person, arrived.course.id)
    keep_session(request, response, secret, launched=True)
    return response


def _destination(arrived: Arrival, message: Message) -> str:
    """Return the page that the launch leads to. By then the rights that the launch takes away are gone.

    Raises:
        TeacherNeeded, LaunchRefused: an assistant, or a student, wants to add a link.
        CourseUnconnected: a student comes by a link that leads nowhere yet.
    """
    course = f"/courses/{arrived.course.id}"
    assignment = arrived.use.assignment_id if arrived.use else None
    if arrived.selection is not None:
        return f"{course}/lms/select/{arrived.selection.id}"
    if message.message_type == DEEP_LINKING:
        raise TeacherNeeded if arrived.is_staff else LaunchRefused(reason="deep_linking_by_student")
    if arrived.reviewed is not None and arrived.is_staff:
        return f"{course}/members/{arrived.reviewed.id}" + (f"/assignments/{assignment}" if assignment else "")
    if arrived.is_staff:
        return course if assignment or arrived.link is None else f"{course}/lms#link-{arrived.link.id}"
    if arrived.link is None:
        return f"/?course={arrived.course.id}"
    return f"{course}/assignments/{existing(assignment, CourseUnconnected)}"


# --- from a frame to a window -----------------------------------------------------------------------------------------


@router.page(WINDOW_PATH, method="POST")
async def lend(visit: Visit) -> Response:
    """Show a button that opens the page that was in the frame in a window."""
    form = await read_page_form(visit.request)
    secret = await visitor(visit.request).lend(session_sha256(visit.request))
    return visit.page("lti/window.html", secret=secret, next=onward(str(form.get("next", ""))))


@router.post(f"{WINDOW_PATH}/open")
async def open_window(request: Request) -> Response:
    """Sign in a window as the person of the frame that opened it.

    Only a page of ours has posted this, so nobody is signed in as somebody else without knowing.
    """
    fields = await read_strangers_form(request, 3)
    response = see_other(onward(fields.get("next", "")))
    keep_platform_language(request, response, fields.get("lang"), int(LAUNCH_LIFETIME.total_seconds()))
    secret = await visitor(request).take_lent(fields.get("secret", ""))
    keep_session(request, response, secret, launched=True)
    return response
