"""The ways in and out: a link or a token, a new link by mail, single sign-on, the end of the session."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from app.access import sessions, tokens
from app.actions import getting_in
from app.errors import existing
from app.errors.requests import FieldsWrong
from app.errors.ways_in import SignOnExpired
from app.http.auth.holders import signed_in
from app.http.auth.proof import check_origin
from app.http.auth.sessions import (
    SESSION_COOKIE,
    client_of,
    has_session,
    keep_session,
    session_person,
    session_sha256,
    signed_in_as,
    visitor,
)
from app.http.cookies import forget, keep, read
from app.http.fields import Fields, form_context
from app.http.forms import read_page_form, read_strangers_form, see_other
from app.http.pages import page
from app.http.ways_in import ways_in
from app.oidc.flow import LIFETIME_SECONDS, begin, resume
from app.oidc.issuer import Issuer
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.onward import HOME, onward
from app.services import services
from app.web import joining

SIGN_ON_COOKIE = "lstm_grader_sign_on"

router = APIRouter(include_in_schema=False)


@router.get("/enter")
async def enter_page(request: Request, token: str = "", next: str = HOME) -> Response:
    """Ask for a token, or for a confirmation to sign in with the one in the link.

    The link alone changes nothing: another site can open it in anybody's browser, and that person would then hand in
    under the name of the link's owner.
    """
    if not token:
        return page(request, "enter.html", **ways_in(request, onward(next)))
    async with services(request).database.read() as session:
        used = await tokens.existing_token(session, _secret(token))
    person = await session_person(request) if used.membership_id else None
    holder = tokens.holder_in_words(used)
    known_as = await signed_in_as(request)
    return page(
        request, "confirm.html", sign_in_token=token, next=onward(next), holder=holder, known_as=known_as, person=person
    )


@router.post("/enter")
async def enter(request: Request) -> Response:
    """Open a session with the token in the form, and redirect to the page that was asked for first."""
    typed = await read_strangers_form(request, 2)
    token, response = _secret(typed.get("token", "")), see_other(onward(typed.get("next", HOME)))
    secret = await getting_in.enter(visitor(request), token)
    keep_session(request, response, secret, is_stored=secret != token)
    return response


def _secret(typed: str) -> str:
    """Return the token from a field in which somebody may have pasted a whole link."""
    _, is_link, query = typed.partition("/enter?")
    return (parse_qs(query).get("token", [""])[0] if is_link else typed).strip()


@router.post("/enter/together", dependencies=[Depends(signed_in)])
async def together(request: Request) -> Response:
    """Add the member of a personal link to the signed-in person. The link and the session prove both at once."""
    form = await read_page_form(request)
    member = await getting_in.claim(visitor(request), await session_person(request), str(form.get("token", "")))
    return see_other(f"/?course={member.course_id}")


@router.post("/leave")
async def leave(request: Request) -> Response:
    """End the session. It may be over already."""
    check_origin(request)
    if has_session(request):
        await read_page_form(request)
    await getting_in.leave(visitor(request), session_sha256(request))
    return _forget_session(request, see_other(HOME))


def _forget_session(request: Request, response: Response) -> Response:
    # On a shared computer the next student must not be signed in as this one.
    for cookie in (SESSION_COOKIE, joining.KEY_COOKIE):
        forget(request, response, cookie)
    return response


@router.get("/leave/everywhere", dependencies=[Depends(signed_in)])
async def leave_everywhere_page(request: Request) -> Response:
    async with services(request).database.read() as session:
        everywhere = await sessions.signed_in_everywhere(session, session_sha256(request))
    return page(request, "leave_everywhere.html", everywhere=everywhere)


@router.post("/leave/everywhere", dependencies=[Depends(signed_in)])
async def leave_everywhere(request: Request) -> Response:
    """End all sessions and notebooks of the person, and say what has ended."""
    await read_page_form(request)
    ended = await getting_in.leave_everywhere(visitor(request), session_sha256(request))
    return _forget_session(request, page(request, "left_everywhere.html", ended=ended, is_over=True))


# --- a new link by mail -----------------------------------------------------------------------------------------------


@router.get("/link")
async def link_page(request: Request, next: str = HOME) -> Response:
    return _link_page(request, onward(next))


@router.post("/link")
async def ask_for_link(request: Request) -> Response:
    """Answer at once and in the same way, whether or not the address is known."""
    parts, fields = services(request), Fields(await read_strangers_form(request, 2))
    next = onward(fields.typed.get("next", HOME))
    if parts.lost_links is None:
        return _link_page(request, next)
    try:
        wanted = fields.read(getting_in.AskForLink)
    except FieldsWrong as refusal:
        return _link_page(request, next, fields, refusal)
    parts.client_limit.take(client_of(request))
    parts.address_limit.take(wanted.email)
    parts.lost_links.ask(wanted.email, next)
    return _link_page(request, next, asked=True)


def _link_page(
    request: Request,
    next: str,
    fields: Fields | None = None,
    refusal: FieldsWrong | None = None,
    *,
    asked: bool = False,
) -> Response:
    return page(request, "link.html", asked=asked, **ways_in(request, next), **form_context(request, fields, refusal))


# --- single sign-on ---------------------------------------------------------------------------------------------------


@router.get(START_PATH)
async def start(request: Request, next: str = "/") -> Response:
    """Send the browser to the issuer. Another site may begin this, too: at worst people are signed in as themselves."""
    flow = begin(next)
    response = RedirectResponse(await _issuer(request).address(flow), HTTP_303_SEE_OTHER)
    # Not `strict`: the issuer sends the browser back.
    keep(request, response, SIGN_ON_COOKIE, flow.cookie, max_age=LIFETIME_SECONDS)
    return response


@router.get(CALLBACK_PATH)
async def callback(request: Request) -> Response:
    """Sign in the person behind the issuer's claims, in the browser that started it."""
    issuer = _issuer(request)
    flow = existing(resume(read(request, SIGN_ON_COOKIE)), SignOnExpired)
    claims = await issuer.claims(flow, dict(request.query_params))
    secret = await getting_in.sign_on(visitor(request), claims, services(request).settings.issuer_domains)
    response = see_other(flow.next)
    keep_session(request, response, secret)
    forget(request, response, SIGN_ON_COOKIE)
    return response


def _issuer(request: Request) -> Issuer:
    """Raises: HTTPException: the settings name no issuer."""
    issuer = services(request).issuer
    if issuer is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    return issuer
