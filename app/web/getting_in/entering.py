"""The page of a link or a token, and the end of the session."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.status import HTTP_303_SEE_OTHER

from app.access import tokens
from app.access.tokens import hash_secret
from app.errors.ways_in import LinkUnusable
from app.http.auth.proof import FORM_FIELD, check_form_secret, check_origin
from app.http.auth.sessions import close_session, has_session, open_session, session_person, signed_in_as
from app.http.cookies import forget
from app.http.pages import page
from app.http.ways_in import ways_in
from app.onward import HOME, onward
from app.services import services
from app.storage.models import Token
from app.web.getting_in import joining

router = APIRouter(include_in_schema=False)


@router.get("/enter")
async def enter_page(request: Request, token: str = "", next: str = HOME) -> Response:
    """Ask for a token, or for a confirmation to sign in with the one in the link.

    The link alone changes nothing: another site can open it in anybody's browser, and that person would then hand in
    under the name of the link's owner.
    """
    if not token:
        return page(request, "enter.html", **ways_in(request, onward(next)))
    found = await _holder(request, token)
    person = await session_person(request) if found.membership_id else None
    holder = tokens.holder_in_words(found)
    known_as = await signed_in_as(request)
    return page(
        request, "confirm.html", token=token, next=onward(next), holder=holder, known_as=known_as, person=person
    )


@router.post("/enter")
async def enter(request: Request) -> Response:
    """Open a session with the token in the form, and redirect to the page that was asked for first."""
    check_origin(request)
    async with request.form(max_files=0, max_fields=2) as form:
        found = await _holder(request, str(form.get("token", "")))
        response = RedirectResponse(onward(str(form.get("next", HOME))), HTTP_303_SEE_OTHER)
    await open_session(request, response, found)
    return response


async def _holder(request: Request, came: str) -> Token:
    """Args: came: a token, or a whole link.

    Raises: LinkUnusable: nobody has this token now.
    """
    _, is_link, query = came.partition("/enter?")
    token = parse_qs(query).get("token", [""])[0] if is_link else came
    async with services(request).database.read() as session:
        found = await tokens.find_token(session, hash_secret(token.strip()))
    if found is None:
        raise LinkUnusable
    return found


@router.post("/leave")
async def leave(request: Request) -> Response:
    """End the session. It may be over already."""
    check_origin(request)
    if has_session(request):
        async with request.form(max_files=0, max_fields=10) as form:
            check_form_secret(request, form.get(FORM_FIELD))
    response = RedirectResponse("/", HTTP_303_SEE_OTHER)
    await close_session(request, response)
    # On a computer that people share, the next one is another student.
    forget(request, response, joining.KEY_COOKIE)
    return response
