"""Launches: the browser comes from a platform, goes back for a message, and arrives in the course.

The cookie that binds a launch to its browser, and the session in a frame, are those of a frame on another site's page:
`SameSite=None`, `Secure` and `Partitioned`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.status import HTTP_302_FOUND, HTTP_303_SEE_OTHER

from app.errors import CourseUnconnected, DeploymentUnknown, LaunchElsewhere, LaunchRefused, LoginRefused, MentorLaunch
from app.http.auth import open_session
from app.http.clients import client_of
from app.http.cookies import keep
from app.http.pages import page
from app.http.texts import language_of
from app.lti import keys, platforms
from app.lti.launch import arrival, login, message
from app.lti.launch.arrival import Arrival
from app.lti.launch.login import KEYS_PATH, LAUNCH_PATH, LOGIN_PATH, SECRET, TARGET_PATH, Asked
from app.lti.launch.message import DEEP_LINKING, Message
from app.lti.launch.roles import Part
from app.services import service_url, services
from app.storage.models import LtiLogin, LtiPlatform
from app.web.lti.reasons import reasons_logged

logger = logging.getLogger(__name__)

COOKIE = "lstm_grader_lti"
#: Platforms keep our keys about as long as they are told to.
KEYS_KEPT = {"Cache-Control": "public, max-age=3600"}
#: A platform may send a few fields of its own.
MOST_FIELDS = 40

router = APIRouter(include_in_schema=False)


@router.get(LOGIN_PATH)
async def login_by_get(request: Request) -> Response:
    with reasons_logged("lti_refused"):
        return await _login(request, request.query_params.multi_items())


@router.post(LOGIN_PATH)
async def login_by_post(request: Request) -> Response:
    with reasons_logged("lti_refused"):
        return await _login(request, await _posted(request))


@router.post(LAUNCH_PATH)
async def launch(request: Request) -> Response:
    """Believe the platform's message, or say why not; and lead the person to the assignment or the course."""
    with reasons_logged("lti_refused"):
        return await _launch(request)


@router.get(TARGET_PATH)
async def opened_without_platform(request: Request) -> Response:
    """Say that this address is opened by a platform."""
    return page(request, "lti/open.html")


@router.get(KEYS_PATH)
async def published_keys(request: Request) -> Response:
    found = await keys.published(services(request).database)
    return JSONResponse(found, headers=KEYS_KEPT)


async def _login(request: Request, came: Sequence[tuple[str, str]]) -> Response:
    """Begin a launch, and send the browser back to the platform."""
    services(request).login_limit.take(client_of(request))
    asked = Asked.of(came)
    service = service_url(request)
    if not login.is_ours(asked.target_link_uri, service):
        raise LoginRefused(reason="target_link_uri is not of this service")
    known = request.cookies.get(COOKIE, "")
    browser = known if SECRET.fullmatch(known) else secrets.token_urlsafe(32)
    async with services(request).database.write() as session:
        platform = await platforms.of_login(session, asked.issuer, asked.client_id)
        redirect_uri = f"{service}{LAUNCH_PATH}"
        begun = await login.begin(session, platform, asked, browser=browser, redirect_uri=redirect_uri)
    response = RedirectResponse(begun.address, HTTP_302_FOUND)
    lifetime = int(login.LIFETIME.total_seconds())
    keep(request, response, COOKIE, browser, max_age=lifetime, from_others=True)
    return response


async def _launch(request: Request) -> Response:
    fields = _single(await _posted(request))
    if error := fields.get("error"):
        raise LaunchRefused(reason=f"platform_{_word(error)}")
    begun, platform = await _begun(request, fields.get("state", ""))
    if not login.fits(begun.browser_sha256, request.cookies.get(COOKIE, "")):
        raise LaunchElsewhere(again=f"{LOGIN_PATH}?{begun.asked}")
    came = await _message(request, begun, platform, fields.get("id_token", ""))
    parts = services(request)
    if came.part == Part.MENTOR:
        async with parts.database.write() as session:
            await arrival.leave(session, platform, came)
        raise MentorLaunch
    try:
        async with parts.database.write() as session:
            arrived = await arrival.arrive(session, platform, came, parts.assignments, language_of(request))
    except DeploymentUnknown:
        async with parts.database.write() as session:
            await platforms.refuse_deployment(session, platform.id, came.deployment_id)
        raise
    logger.info(
        "lti_launched",
        extra={
            "platform": platform.id,
            "course": arrived.course.id,
            "member_id": arrived.member.id,
            "message_type": came.message_type,
        },
    )
    response = RedirectResponse(_destination(arrived, came), HTTP_303_SEE_OTHER)
    await open_session(request, response, arrived.person, course_id=arrived.course.id)
    return response


async def _posted(request: Request) -> list[tuple[str, str]]:
    async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _single(came: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Raises: LaunchRefused: a field came twice, so that two readers could take different ones."""
    found = dict(came)
    if len(found) != len(came):
        raise LaunchRefused(reason="field_twice")
    return found


async def _begun(request: Request, state: str) -> tuple[LtiLogin, LtiPlatform]:
    """Take the launch that the browser has begun away, and return it with its platform.

    Raises:
        LaunchOutdated: see `login.take`.
        PlatformNotFound: the platform was removed meanwhile.
        LaunchRefused: an admin has not confirmed the platform, or not any more.
    """
    async with services(request).database.write() as session:
        begun = await login.take(session, state)
    async with services(request).database.read() as session:
        platform = await platforms.find(session, begun.platform_id)
    if platform.confirmed_at is None:
        raise LaunchRefused(reason="platform_unconfirmed")
    return begun, platform


async def _message(request: Request, begun: LtiLogin, platform: LtiPlatform, token: str) -> Message:
    key = await services(request).platform_keys.find(platform.keys_url, message.key_id(token))
    service = service_url(request)
    return message.read(
        token,
        key,
        issuer=platform.issuer,
        client_id=platform.client_id,
        fits_nonce=lambda nonce: login.fits(begun.nonce_sha256, nonce),
        is_ours=lambda address: login.is_ours(address, service),
    )


def _destination(arrived: Arrival, came: Message) -> str:
    """Return the page that the launch leads to. It is refused only now, when the rights that it takes are gone.

    Raises:
        LaunchRefused: somebody who is no teacher wants to add a link.
        CourseUnconnected: a student comes by a link that leads nowhere yet.
    """
    course = f"/courses/{arrived.course.id}"
    assignment = arrived.use.assignment_id if arrived.use else None
    if arrived.selection is not None:
        return f"{course}/lms/select/{arrived.selection.id}"
    if came.message_type == DEEP_LINKING:
        raise LaunchRefused(reason="deep_linking_by_student")
    if arrived.reviewed is not None and arrived.is_staff:
        return f"{course}/members/{arrived.reviewed.id}" + (f"/assignments/{assignment}" if assignment else "")
    if arrived.is_staff:
        return course if assignment or arrived.link is None else f"{course}/lms"
    if arrived.link is None:
        return f"/?course={arrived.course.id}"
    if assignment is None:
        raise CourseUnconnected
    return f"{course}/assignments/{assignment}"


def _word(came: str) -> str:
    """Return a code of the platform's, fit for the log."""
    return "".join(char for char in came[:40] if char.isascii() and (char.isalnum() or char in "_-"))
