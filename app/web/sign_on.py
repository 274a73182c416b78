"""Single sign-on: to the issuer and back."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from app.access import identities
from app.errors import SignOnExpired
from app.http.auth import is_secure, open_session
from app.oidc.flow import LIFETIME_SECONDS, begin, resume
from app.oidc.issuer import Issuer
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.services import services

COOKIE = "lstm_grader_sign_on"

router = APIRouter(include_in_schema=False)


@router.get(START_PATH)
async def start(request: Request, next: str = "/") -> Response:
    """Send the browser to the issuer. Another site may begin this, too: at worst people are signed in as themselves."""
    flow = begin(next)
    response = RedirectResponse(await _issuer(request).address(flow), HTTP_303_SEE_OTHER)
    # Not `strict`: the issuer sends the browser back.
    response.set_cookie(
        COOKIE, flow.cookie, max_age=LIFETIME_SECONDS, httponly=True, samesite="lax", secure=is_secure(request)
    )
    return response


@router.get(CALLBACK_PATH)
async def callback(request: Request) -> Response:
    """Sign the person in whom the issuer names, in the browser that asked for it."""
    issuer = _issuer(request)
    flow = resume(request.cookies.get(COOKIE, ""))
    if flow is None:
        raise SignOnExpired
    claims = await issuer.claims(flow, dict(request.query_params))
    parts = services(request)
    async with parts.database.write() as session:
        person = await identities.sign_in(session, claims, parts.settings.issuer_domains)
    response = RedirectResponse(flow.next, HTTP_303_SEE_OTHER)
    await open_session(request, response, person)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_secure(request))
    return response


def _issuer(request: Request) -> Issuer:
    """Raises: HTTPException: the settings name no issuer."""
    issuer = services(request).issuer
    if issuer is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return issuer
