"""The page of a join link: somebody gives a name, is a new student of the course, and gets a link to come back with.

The form's key is in a cookie and, masked, in the form, so another site cannot send the form, and a form that is sent
twice makes one student. A browser that is signed in as a member of the course is told so.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.status import HTTP_303_SEE_OTHER

from app.access import joining, sessions
from app.access.joining import Newcomer
from app.access.tokens import Principal, hash_secret, sign_in_link
from app.actions.answers import answer_for
from app.errors import AppError
from app.errors.requests import EmailInvalid, FormExpired
from app.errors.uploads import StudentInvalid
from app.http.auth.proof import check_origin
from app.http.auth.sessions import open_session, session_sha256, signed_in_as
from app.http.cookies import keep, read
from app.http.masking import mask, unmask
from app.http.pages import page
from app.http.problems import problem
from app.http.texts import language_of
from app.mail.addresses import comparable, is_address
from app.oidc.registration import START_PATH
from app.services import service_url, services
from app.storage.models import Course, Person
from app.submissions.uploads import check_student

KEY_FIELD = "form_key"
KEY_COOKIE = "lstm_grader_join"

router = APIRouter(include_in_schema=False)


@router.get("/join/{secret}")
async def join_page(request: Request, secret: str) -> Response:
    """Ask for a name. The address alone changes nothing."""
    return await _form(request, secret)


@router.post("/join/{secret}")
async def join(request: Request, secret: str) -> Response:
    """Add a new, unconfirmed student, or the person who is signed in, and sign the browser in."""
    check_origin(request)
    services(request).join_limit.take(hash_secret(secret))
    async with request.form(max_files=0, max_fields=10) as form:
        fields = form
    form_key = _checked_key(request, fields)
    course, member, person = await _who(request, secret)
    try:
        claimed_id = _claimed(fields)
        if person is not None:
            async with services(request).database.write() as session:
                await joining.join_as(session, secret, person, claimed_id)
            return RedirectResponse(f"/?course={course.id}", HTTP_303_SEE_OTHER)
        newcomer = Newcomer(check_student(fields.get("name")), _address(fields), claimed_id)
    except (StudentInvalid, EmailInvalid) as refusal:
        return await _form(request, secret, refusal, fields)
    if member is None:
        async with services(request).database.write() as session:
            made, _ = await joining.join(session, secret, form_key, newcomer)
    else:
        # The second click of two arrives in the session that the first one opened.
        async with services(request).database.read() as session:
            found = await joining.find_made(session, secret, form_key, newcomer)
        if found is None:
            return await _form(request, secret)
        made = found
    link = sign_in_link(service_url(request), made.secret)
    response = page(request, "joined.html", link=link, course=course, newcomer=newcomer)
    await open_session(request, response, made.token)
    return response


async def _who(request: Request, secret: str) -> tuple[Course, Principal | None, Person | None]:
    """Find the course, the member of it as whom the browser is signed in, and the person of a single sign-on.

    Raises:
        JoinLinkNotFound, JoinLinkRevoked, JoinLinkExpired, JoinLinkFull, CourseArchived
    """
    cookie = session_sha256(request)
    async with services(request).database.read() as session:
        course = await joining.course_of(session, secret)
        holder = await sessions.find_holder(session, cookie, course.id)
        is_member = holder is not None and holder.membership_id is not None and holder.course_id == course.id
        person = await sessions.find_person(session, cookie)
    return course, holder if is_member else None, person


async def _form(
    request: Request, secret: str, refusal: AppError | None = None, fields: FormData | None = None
) -> Response:
    course, member, person = await _who(request, secret)
    if member is None:
        async with services(request).database.read() as session:
            await joining.find(session, secret)
    issuer = services(request).settings.oidc_issuer
    answer = answer_for(refusal) if refusal else None
    remembered = read(request, KEY_COOKIE)
    address = request.scope["path"]
    form_key = remembered if len(remembered) == len(_new_key()) else _new_key()
    response = page(
        request,
        "join.html",
        status_code=answer.status if answer else 200,
        problem=problem(answer, language_of(request), refusal.params) if answer and refusal else None,
        course=course,
        member=member,
        person=person,
        known_as=await signed_in_as(request),
        issuer=urlsplit(issuer).hostname if issuer else None,
        sign_on=f"{START_PATH}?{urlencode({'next': address})}",
        action=address,
        form_key=mask(form_key),
        fields={name: value for name, value in (fields or {}).items() if isinstance(value, str)},
    )
    _set_key(request, response, form_key)
    return response


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def _set_key(request: Request, response: Response, key: str) -> None:
    keep(request, response, KEY_COOKIE, key)


def _checked_key(request: Request, fields: FormData) -> str:
    """Raises: FormExpired: the form is not from a page that this browser was shown."""
    came = fields.get(KEY_FIELD)
    key = unmask(came) if isinstance(came, str) else ""
    expected = read(request, KEY_COOKIE)
    if not key or not hmac.compare_digest(key.encode(), expected.encode()):
        raise FormExpired
    return key


def _address(fields: FormData) -> str | None:
    """Raises: EmailInvalid"""
    came: Any = fields.get("email")
    address = comparable(came) if isinstance(came, str) else ""
    if address and not is_address(address):
        raise EmailInvalid(came=address[:100])
    return address or None


def _claimed(fields: FormData) -> str | None:
    """Raises: StudentInvalid: nobody can have this id."""
    came = fields.get("claimed_id")
    return check_student(came) if isinstance(came, str) and came.strip() else None
