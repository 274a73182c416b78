"""Launches: the browser comes from a platform, goes back for a message, and arrives in the course.

The cookie that binds a launch to its browser, and the session in a frame, are those of a frame on another site's page:
`SameSite=None`, `Secure` and `Partitioned`. A browser that keeps none there puts its secret into the platform's storage
and has its session in the path (`app.http.frames`). From any frame a button opens the same page in a window.

Source: 1EdTech LTI OIDC Login with LTI Client Side postMessages 0.1; LTI postMessage Storage 0.1.
"""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.status import HTTP_302_FOUND

from app.access.tokens import hash_secret
from app.actions import launching
from app.errors.lti import LaunchElsewhere, LaunchRefused, LoginRefused
from app.http.auth.proof import check_origin
from app.http.auth.sessions import client_of
from app.http.cookies import is_framed, keep, read
from app.http.forms import texts_in
from app.http.pages import page
from app.lti import keys, platforms
from app.lti.launch import login, message
from app.lti.launch.login import KEYS_PATH, LAUNCH_PATH, LOGIN_PATH, TARGET_PATH, LoginRequest
from app.lti.launch.message import Message
from app.lti.reasons import reasons_logged
from app.services import service_url, services
from app.storage.models import LtiLogin, LtiPlatform
from app.web.lti.arriving import arrive

#: In a frame, that it keeps cookies; with a part of a state's hash behind it, the secret of this launch.
COOKIE = "lstm_grader_lti"
#: The parameter of a login that comes here for the second time in the same frame.
CHECKED = "checked"
#: The field of a launch with the browser's secret from the platform's storage.
STORED = "stored"
#: The time for which platforms may cache our keys.
KEYS_KEPT = {"Cache-Control": "public, max-age=3600"}
#: The most fields of a platform's form; it may add some of its own.
MOST_FIELDS = 40

router = APIRouter(include_in_schema=False)


@router.get(TARGET_PATH)
async def opened_without_platform(request: Request) -> Response:
    """Explain that a platform opens this address."""
    return page(request, "lti/open.html")


@router.get(KEYS_PATH)
async def published_keys(request: Request) -> Response:
    keys_document = await keys.public_key_set(services(request).database)
    return JSONResponse(keys_document, headers=KEYS_KEPT)


@router.api_route(LOGIN_PATH, methods=["GET", "POST"])
@reasons_logged("lti_refused")
async def begin_launch(request: Request) -> Response:
    """Begin a launch, and send the browser back to the platform.

    In a frame it first comes here once more, which shows whether it keeps cookies there. Where it keeps none, the
    platform's storage takes their place, if it has one; else the page opens a window. The platform's hint is still
    unused then: Moodle takes it once.
    """
    fields = request.query_params.multi_items() if request.method == "GET" else await texts_in(request, MOST_FIELDS)
    services(request).login_limit.take(client_of(request))
    login_request = LoginRequest.of(fields)
    service = service_url(request)
    if not login.is_ours(login_request.target_link_uri, service):
        raise LoginRefused(reason="target_link_uri is not of this service")
    keeps_cookies = read(request, COOKIE) != ""
    browser = secrets.token_urlsafe(32)
    in_storage = is_framed(request) and not keeps_cookies and login_request.storage_target is not None
    database = services(request).database
    async with database.read() as session:
        platform = await platforms.find_for_login(session, login_request.issuer, login_request.client_id)
    if is_framed(request) and not keeps_cookies:
        if (CHECKED, "") not in fields:
            response = RedirectResponse(f"{LOGIN_PATH}?{login_request.query()}&{CHECKED}=", HTTP_302_FOUND)
            _keep(request, response, COOKIE, "kept")
            return response
        if login_request.storage_target is None:
            raise LaunchElsewhere(again=f"{LOGIN_PATH}?{login_request.again()}")
    login_request = login_request if in_storage else replace(login_request, storage_target=None)
    redirect_uri = f"{service}{LAUNCH_PATH}"
    start = await launching.begin(database, platform, login_request, browser=browser, redirect_uri=redirect_uri)
    if in_storage:
        return _storage_page(request, login_request, platform, start.state, next=start.address, value=browser)
    response = RedirectResponse(start.address, HTTP_302_FOUND)
    _keep(request, response, _cookie_of(start.state), browser)
    return response


def _cookie_of(state: str) -> str:
    """Return the name of a launch's cookie: several launches may begin at once in one browser."""
    return f"{COOKIE}_{hash_secret(state)[:12]}"


def _keep(request: Request, response: Response, name: str, value: str, lifetime: timedelta = login.LIFETIME) -> None:
    keep(request, response, name, value, max_age=int(lifetime.total_seconds()), from_others=True)


def _storage_page(
    request: Request, login_request: LoginRequest, platform: LtiPlatform, state: str, **context: Any
) -> Response:
    """Talk to the platform's storage.

    Args:
        context: `next` and `value`: the value is put there, and the browser goes on to the address; `fields`: a form
            that gets the value from there, and is posted.
    """
    return page(
        request,
        "lti/storage.html",
        target=login_request.storage_target,
        origin=platforms.site_of(platform.login_url),
        key=f"lstm_grader_{state}",
        again=f"{LOGIN_PATH}?{login_request.again()}",
        **context,
    )


@router.post(LAUNCH_PATH)
@reasons_logged("lti_refused")
async def launch(request: Request) -> Response:
    """Check the platform's message, and lead the person to the assignment or the course."""
    texts = await texts_in(request, MOST_FIELDS)
    fields = dict(texts)
    if len(fields) != len(texts):  # Two readers could use different values.
        raise LaunchRefused(reason="field_twice")
    if error := fields.get("error"):
        raise LaunchRefused(reason=f"platform_{_word(error)}")
    pending, platform = await _pending(request, fields.get("state", ""))
    login_request = login.request_of(pending)
    is_stored = login_request.storage_target is not None
    if STORED in fields:
        # Only our own page has the value from there.
        check_origin(request)
    elif is_stored:
        kept = {name: fields.get(name, "") for name in ("state", "id_token")}
        return _storage_page(request, login_request, platform, kept["state"], fields=kept)
    await launching.take(services(request).database, fields.get("state", ""))
    cookie = _cookie_of(fields["state"])
    if not login.matches(pending.browser_sha256, fields.get(STORED, "") if is_stored else read(request, cookie)):
        raise LaunchElsewhere(again=f"{LOGIN_PATH}?{login_request.again()}")
    message = await _message(request, pending, platform, fields.get("id_token", ""))
    response = await arrive(request, platform, message, in_path=is_stored)
    if not is_stored:
        _keep(request, response, cookie, "", timedelta(0))
    return response


async def _pending(request: Request, state: str) -> tuple[LtiLogin, LtiPlatform]:
    """Find the launch with this state, and its platform. Nothing is stored yet, because anybody can send a state.

    Raises:
        LaunchOutdated: there is none, or it was taken before.
        PlatformNotFound: the platform was removed meanwhile.
        LaunchRefused: an admin has not confirmed the platform, or not any more.
    """
    async with services(request).database.read() as session:
        pending = await login.find(session, state)
        platform = await platforms.find(session, pending.platform_id)
    if platform.confirmed_at is None:
        raise LaunchRefused(reason="platform_unconfirmed")
    return pending, platform


async def _message(request: Request, pending: LtiLogin, platform: LtiPlatform, token: str) -> Message:
    key = await services(request).platform_keys.find(platform.keys_url, message.key_id(token))
    return message.read(
        token,
        key,
        issuer=platform.issuer,
        client_id=platform.client_id,
        fits_nonce=lambda nonce: login.matches(pending.nonce_sha256, nonce),
        is_ours=lambda address: login.is_ours(address, service_url(request)),
    )


def _word(text: str) -> str:
    """Return a code of the platform's, fit for the log."""
    return "".join(char for char in text[:40] if char.isascii() and (char.isalnum() or char in "_-"))
