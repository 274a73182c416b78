"""The page of a link or a token, and the end of the session."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.status import HTTP_303_SEE_OTHER

from app.access import tokens
from app.access.tokens import hash_secret
from app.errors import SessionMissing
from app.http.auth import (
    FORM_FIELD,
    check_form_secret,
    check_origin,
    close_session,
    is_secure,
    open_session,
    session_person,
    signed_in,
)
from app.http.pages import page
from app.services import services
from app.storage.models import Token
from app.web.getting_in import joining

router = APIRouter(include_in_schema=False)


@router.get("/enter")
async def enter_page(request: Request, token: str = "") -> Response:
    """Ask for a token, or for a confirmation to sign in with the one in the link.

    The link alone changes nothing: another site can open it in anybody's browser, and that person would then hand in
    under the name of the link's owner.
    """
    if not token:
        settings = services(request).settings
        issuer = urlsplit(settings.oidc_issuer).hostname if settings.oidc_issuer else None
        return page(request, "enter.html", issuer=issuer, has_mail=settings.mail_server is not None)
    found = await _holder(request, token)
    person = await session_person(request) if found.membership_id else None
    known_as = person and (person.name or person.email or person.id)
    # A link has the member's name; the id of somebody who joined by themselves says nothing.
    holder = found.name if found.is_link else found.student or found.name
    return page(request, "confirm.html", token=token, holder=holder, person=known_as)


@router.post("/enter")
async def enter(request: Request) -> Response:
    """Open a session with the token in the form, and redirect to an address without it."""
    check_origin(request)
    async with request.form(max_files=0, max_fields=1) as form:
        found = await _holder(request, str(form.get("token", "")).strip())
    response = RedirectResponse("/", HTTP_303_SEE_OTHER)
    await open_session(request, response, found)
    return response


async def _holder(request: Request, token: str) -> Token:
    """Raises: SessionMissing: nobody has this token now."""
    async with services(request).database.read() as session:
        found = await tokens.find_token(session, hash_secret(token))
    if found is None:
        raise SessionMissing
    return found


@router.post("/leave", dependencies=[Depends(signed_in)])
async def leave(request: Request) -> Response:
    async with request.form(max_files=0, max_fields=10) as form:
        check_form_secret(request, form.get(FORM_FIELD))
    response = RedirectResponse("/", HTTP_303_SEE_OTHER)
    await close_session(request, response)
    # On a computer that people share, the next one is another student.
    response.delete_cookie(joining.KEY_COOKIE, httponly=True, samesite="lax", secure=is_secure(request))
    return response
