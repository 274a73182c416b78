"""Single sign-on: to the issuer and back."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from app.access import identities, links, tokens
from app.access.tokens import hash_secret
from app.errors.requests import SessionMissing
from app.errors.ways_in import SignOnExpired
from app.http.auth.holders import signed_in
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.auth.sessions import open_session, session_person
from app.http.cookies import forget, keep, read
from app.oidc.flow import LIFETIME_SECONDS, begin, resume
from app.oidc.issuer import Issuer
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.services import services

logger = logging.getLogger(__name__)

COOKIE = "lstm_grader_sign_on"

router = APIRouter(include_in_schema=False)


@router.get(START_PATH)
async def start(request: Request, next: str = "/") -> Response:
    """Send the browser to the issuer. Another site may begin this, too: at worst people are signed in as themselves."""
    flow = begin(next)
    response = RedirectResponse(await _issuer(request).address(flow), HTTP_303_SEE_OTHER)
    # Not `strict`: the issuer sends the browser back.
    keep(request, response, COOKIE, flow.cookie, max_age=LIFETIME_SECONDS)
    return response


@router.get(CALLBACK_PATH)
async def callback(request: Request) -> Response:
    """Sign the person in whom the issuer names, in the browser that asked for it."""
    issuer = _issuer(request)
    flow = resume(read(request, COOKIE))
    if flow is None:
        raise SignOnExpired
    claims = await issuer.claims(flow, dict(request.query_params))
    parts = services(request)
    async with parts.database.write() as session:
        person = await identities.sign_in(session, claims, parts.settings.issuer_domains)
    logger.info("signed_on", extra={"person_id": person.id})
    response = RedirectResponse(flow.next, HTTP_303_SEE_OTHER)
    await open_session(request, response, person)
    forget(request, response, COOKIE)
    return response


@router.post("/enter/together", dependencies=[Depends(signed_in)])
async def together(request: Request) -> Response:
    """Add the member of a personal link to the person who is signed in. Both prove themselves here and now."""
    async with request.form(max_files=0, max_fields=2) as form:
        check_form_secret(request, form.get(FORM_FIELD))
        secret = str(form.get("token", ""))
    person = await session_person(request)
    async with services(request).database.write() as session:
        token = await tokens.find_token(session, hash_secret(secret))
        if token is None or person is None or token.membership_id is None:
            raise SessionMissing
        member = await identities.claim(session, token.membership_id, person)
        if token.is_link:
            await links.use(session, token)
    return RedirectResponse(f"/?course={member.course_id}", HTTP_303_SEE_OTHER)


def _issuer(request: Request) -> Issuer:
    """Raises: HTTPException: the settings name no issuer."""
    issuer = services(request).issuer
    if issuer is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return issuer
