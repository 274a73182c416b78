"""The page of a join link: somebody gives a name, becomes a new student, and gets a link to come back with.

The form's key is in a cookie and, masked, in the form, so another site cannot send the form, and a form that is sent
twice makes one student. If the browser is already signed in as a member of the course, the page says so.
"""

import hmac
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response

from app.access import joining, sessions
from app.access.tokens import Principal, hash_secret, sign_in_link
from app.actions import getting_in
from app.errors.requests import FieldsWrong, FormExpired
from app.http.auth.proof import mask
from app.http.auth.sessions import keep_session, session_sha256, signed_in_as, visitor
from app.http.cookies import keep, read
from app.http.fields import Fields, form_context, new_key
from app.http.forms import read_strangers_form, see_other
from app.http.pages import page
from app.oidc.registration import START_PATH
from app.services import service_url, services
from app.storage.models import Course, Person

KEY_COOKIE = "lstm_grader_join"

router = APIRouter(include_in_schema=False)


@router.get("/join/{secret}")
async def join_page(request: Request, secret: str) -> Response:
    """Ask for a name. The address alone changes nothing."""
    return await _page(request, secret)


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
        return await _page(request, secret, fields, refusal)
    # The second of two clicks arrives in the session that the first one opened.
    joined = await getting_in.join(visitor(request), secret, key, wanted, is_member=member is not None)
    if joined is None:
        return await _page(request, secret)
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


async def _page(
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
