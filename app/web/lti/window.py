"""From a page in a frame to the same page in a window: the window gets a session from that of the frame.

Browsers give a window none of the cookies of a frame on another site's page.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.access.sessions import LAUNCH_LIFETIME
from app.http.auth.holders import SessionHolder
from app.http.auth.proof import check_origin
from app.http.auth.sessions import keep_session, session_sha256, visitor
from app.http.forms import form_of, see_other
from app.http.pages import page
from app.http.texts import keep_platform_language
from app.lti.launch.login import WINDOW_PATH
from app.onward import onward

router = APIRouter(include_in_schema=False)


@router.post(WINDOW_PATH)
async def lend(request: Request, viewer: SessionHolder) -> Response:
    """Show a button that opens the page that was in the frame in a window."""
    async with form_of(request) as form:
        next = onward(str(form.get("next", "")))
    secret = await visitor(request).lend(session_sha256(request))
    return page(request, "lti/window.html", viewer=viewer, secret=secret, next=next)


@router.post(f"{WINDOW_PATH}/open")
async def open_window(request: Request) -> Response:
    """Sign in a window as the person of the frame that opened it.

    Only a page of ours has posted this, so nobody is signed in as somebody else without knowing.
    """
    check_origin(request)
    async with request.form(max_files=0, max_fields=3) as form:
        response = see_other(onward(str(form.get("next", ""))))
        keep_platform_language(request, response, str(form.get("lang", "")), int(LAUNCH_LIFETIME.total_seconds()))
        secret = await visitor(request).take_lent(str(form.get("secret", "")))
        keep_session(request, response, secret, launched=True)
    return response
