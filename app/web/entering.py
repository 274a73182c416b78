"""The ways in and out: a link or a token, a new link by mail, a join link, single sign-on, the end of the session."""

import hmac
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from app.access import joining, sessions, tokens
from app.access.tokens import Principal, hash_secret, sign_in_link
from app.actions import getting_in
from app.errors import FieldsWrong, FormExpired, SignOnExpired, existing
from app.http.auth.holders import signed_in
from app.http.auth.proof import check_origin, mask
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
from app.http.fields import Fields, form_context, new_key
from app.http.forms import read_page_form, read_strangers_form, see_other
from app.http.pages import page
from app.http.ways_in import ways_in
from app.oidc.flow import LIFETIME_SECONDS, begin, resume
from app.oidc.issuer import Issuer
from app.oidc.registration import CALLBACK_PATH, START_PATH
from app.onward import HOME, onward
from app.services import service_url, services
from app.storage.models import Course, Person

SIGN_ON_COOKIE = "lstm_grader_sign_on"
KEY_COOKIE = "lstm_grader_join"

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
    for cookie in (SESSION_COOKIE, KEY_COOKIE):
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


# --- join links -------------------------------------------------------------------------------------------------------
#
# Somebody gives a name, becomes a new student, and gets a link to come back with. The form's key is in a cookie and,
# masked, in the form, so another site cannot send the form, and a form that is sent twice makes one student. If the
# browser is already signed in as a member of the course, the page says so.


@router.get("/join/{secret}")
async def join_page(request: Request, secret: str) -> Response:
    """Ask for a name. The address alone changes nothing."""
    return await _join_page(request, secret)


@router.post("/join/{secret}")
async def join(request: Request, secret: str) -> Response:
    """Add a new, unconfirmed student, or the person who is signed in, and sign the browser in."""
    fields = Fields(await read_strangers_form(request, 10))
    services(request).join_limit.take(hash_secret(secret))
    key = fields.form_key()
    if not hmac.compare_digest(key.encode(), read(request, KEY_COOKIE).encode()):
        raise FormExpired  # The form is not from a page that this browser was shown.
    course, member, person = await _course_and_visitor(request, secret)
    try:
        if person is not None:
            await getting_in.join_as(visitor(request), secret, person, fields.read(getting_in.JoinAsPerson))
            return see_other(f"/?course={course.id}")
        wanted = fields.read(getting_in.JoinByName)
    except FieldsWrong as refusal:
        return await _join_page(request, secret, fields, refusal)
    # The second of two clicks arrives in the session that the first one opened.
    joined = await getting_in.join(visitor(request), secret, key, wanted, is_member=member is not None)
    if joined is None:
        return await _join_page(request, secret)
    link, session_secret = joined
    address = sign_in_link(service_url(request), link.secret)
    response = page(request, "joined.html", link=address, course=course, newcomer=wanted)
    keep_session(request, response, session_secret)
    return response


async def _course_and_visitor(request: Request, secret: str) -> tuple[Course, Principal | None, Person | None]:
    """Find the course, its member that is signed in here, and the person signed in by single sign-on.

    Raises: JoinLinkNotFound
    """
    cookie = session_sha256(request)
    async with services(request).database.read() as session:
        course = await joining.course_of(session, secret)
        holder = await sessions.find_holder(session, cookie, course.id)
        is_member = holder is not None and holder.membership_id is not None and holder.course_id == course.id
        person = await sessions.find_person(session, cookie)
    return course, holder if is_member else None, person


async def _join_page(
    request: Request, secret: str, fields: Fields | None = None, refusal: FieldsWrong | None = None
) -> Response:
    course, member, person = await _course_and_visitor(request, secret)
    if member is None:
        async with services(request).database.read() as session:
            await joining.find(session, secret)
    issuer = services(request).settings.oidc_issuer
    remembered, address = read(request, KEY_COOKIE), request.scope["path"]
    key = remembered if len(remembered) == len(new_key()) else new_key()
    context = {**form_context(request, fields, refusal), "form_key": mask(key)}
    response = page(
        request,
        "join.html",
        course=course,
        member=member,
        person=person,
        known_as=await signed_in_as(request),
        issuer=urlsplit(issuer).hostname if issuer else None,
        sign_on=f"{START_PATH}?{urlencode({'next': address})}",
        action=address,
        **context,
    )
    keep(request, response, KEY_COOKIE, key)
    return response


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
