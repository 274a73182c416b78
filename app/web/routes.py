"""The pages: sign in by link, upload, wait, read the report. They work without scripts, and load only our own files."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.status import HTTP_303_SEE_OTHER, HTTP_404_NOT_FOUND

from app.access import tokens
from app.access.rights import Action
from app.access.tokens import Principal, hash_secret
from app.courses.assignments import used_in
from app.errors import ReportNotReady, SessionMissing, UploadRefused
from app.http.answers import answer_for
from app.http.auth import (
    FORM_FIELD,
    SessionHolder,
    check_form_secret,
    check_origin,
    close_session,
    is_secure,
    open_session,
    session_person,
    signed_in,
)
from app.http.masking import mask, unmask
from app.http.pages import page
from app.http.parameters import ID, LastEventId, SubmissionId
from app.http.problems import problem
from app.http.texts import language_of
from app.http.visibility import as_student, steps_for, view_for
from app.http.watching import event_stream, renewed_if_slow, wait_until_done
from app.services import operations, services
from app.storage.models import Token, new_id
from app.submissions import repository, uploads
from app.submissions.derivation import in_words
from app.submissions.events import STAGES
from app.submissions.grades import may_try_again, points_of
from app.submissions.listing import Selection, list_submissions
from app.submissions.standing import standing_of
from app.web import joining
from app.web.course.staff import staff_context
from grader.formats import html
from grader.formats.source import Sources
from grader.submission import CODE_SUFFIXES

RECENT = 20
# A warm grade takes a second or two. Waiting that long saves the reader a waiting page.
PATIENCE_SECONDS = 3.0
REFRESH_SECONDS = 2
REFRESH_SECONDS_MAX = 15

# It names an upload, so that the same one sent twice is one attempt. The cookie keeps it until the upload is confirmed,
# so a page that is loaded again after a broken connection is still the same form.
KEY_FIELD = "idempotency_key"
KEY_COOKIE = "lstm_grader_form"

KEPT_FOR_A_DAY = {"Cache-Control": "max-age=86400"}
PICTURE = "/submissions/{}/pictures/{}.svg?lang={}"

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


@router.get("/")
async def upload_page(request: Request, viewer: SessionHolder) -> Response:
    return await _upload_page(request, viewer)


@router.post("/")
async def upload(request: Request, submitter: SessionHolder) -> Response:
    submitter.check(Action.SUBMIT, archived_too=True)
    parts = services(request)
    limit_bytes = parts.settings.upload_bytes
    fields: dict[str, str] = {}
    began = time.monotonic()
    try:
        async with uploads.read_form(request, limit_bytes) as form:
            submitter = await renewed_if_slow(parts, submitter, began)
            check_form_secret(request, form.get(FORM_FIELD))
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            checked = await parts.inbox.check(
                form, limit_bytes, submitter, fields=(*uploads.FIELDS, FORM_FIELD, KEY_FIELD)
            )
        form_key = unmask(fields.get(KEY_FIELD, ""))
        submission, _ = await parts.inbox.accept(checked, submitter, checked.key(form_key) if form_key else None)
    except UploadRefused as refusal:
        return await _upload_page(request, submitter, refusal, fields)
    response = RedirectResponse(f"/submissions/{submission.id}", HTTP_303_SEE_OTHER)
    response.delete_cookie(KEY_COOKIE, httponly=True, samesite="lax", secure=is_secure(request))
    return response


@router.get("/submissions/{submission_id}")
async def submission_page(request: Request, viewer: SessionHolder, submission_id: SubmissionId) -> Response:
    """Show the report, or a waiting page that follows the events and, without scripts, reloads."""
    parts = services(request)
    await wait_until_done(parts, submission_id, viewer, PATIENCE_SECONDS)
    async with parts.database.read() as session:
        standing = await standing_of(session, parts.assignments, submission_id, viewer)
        again = await may_try_again(session, parts.assignments, standing.submission)
        looks_as_student = viewer.sees_everything and request.query_params.get("as") == "student"
        for_staff = viewer.sees_everything and not looks_as_student
        staff = await staff_context(session, viewer, standing.submission) if for_staff else {}
    submission, position = standing.submission, standing.position
    assignment = parts.assignments.get(submission.assignment_id)
    context: dict[str, Any] = {"submission": submission, "assignment": assignment, "may_try_again": again}
    if standing.stored is None:
        refresh_seconds = min(REFRESH_SECONDS + (position or 0) // 5, REFRESH_SECONDS_MAX)
        self_test = operations(request).self_test
        is_first = self_test is not None and not self_test.has_ended
        context |= {"position": position, "refresh_seconds": refresh_seconds, "stages": STAGES, "is_first": is_first}
        return page(request, "waiting.html", **context)
    reader = as_student(viewer, submission) if looks_as_student else viewer
    view = await view_for(request, standing.stored, reader, language_of(request))
    pictures = [
        html.drawn_by_script(picture, PICTURE.format(submission.id, name, view.language))
        for name, picture in html.pictures_of(view).items()
    ]
    context |= {"report": view.report, "pictures": pictures, "sources": Sources(view)}
    context |= {"grade": standing.grade, "counted": standing.counted}
    counted = standing.counted and in_words(steps_for(standing.counted, reader), view.language)
    context |= {"derivation": counted, "looks_as_student": looks_as_student, "for_staff": for_staff, **staff}
    return page(request, "report.html", **context)


@router.get("/submissions/{submission_id}/events")
async def submission_events(
    request: Request, viewer: SessionHolder, submission_id: SubmissionId, last_event_id: LastEventId = None
) -> Response:
    """Stream the events for the waiting page's script; the API's own stream takes no sessions."""
    return await event_stream(services(request), submission_id, viewer, last_event_id or 0)


@router.get("/submissions/{submission_id}/pictures/{name}.svg")
async def picture(request: Request, viewer: SessionHolder, submission_id: SubmissionId, name: str) -> Response:
    """Draw one picture of the newest report, for readers without scripts."""
    async with services(request).database.read() as session:
        await repository.existing_submission(session, submission_id, viewer)
        stored = await repository.newest_report(session, submission_id)
    if stored is None:
        raise ReportNotReady
    view = await view_for(request, stored, viewer, language_of(request))
    drawn = html.pictures_of(view).get(name)
    if drawn is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    svg = await services(request).charts.svg(drawn.spec)
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": html.POLICY})


@router.get("/static/vega.js")
async def vega(request: Request) -> Response:
    """Send the library of `pictures.js`, a megabyte that only pages with pictures load."""
    packed = await services(request).charts.javascript()
    headers = KEPT_FOR_A_DAY | {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})
    return Response(await run_in_threadpool(gzip.decompress, packed), media_type="text/javascript", headers=headers)


async def _upload_page(
    request: Request,
    viewer: Principal,
    refusal: UploadRefused | None = None,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        recent = await list_submissions(session, viewer, Selection(), limit=RECENT)
        points = await points_of(session, parts.assignments, recent)
        used = await used_in(session, viewer.course_id, parts.assignments)
    answer = answer_for(refusal) if refusal else None
    remembered = request.cookies.get(KEY_COOKIE, "")
    form_key = remembered if ID.fullmatch(remembered) else new_id()
    response = page(
        request,
        "upload.html",
        form_key=mask(form_key),
        status_code=answer.status if answer else 200,
        problem=problem(answer, language_of(request), refusal.params) if answer and refusal else None,
        # The course that the page shows: by the time the form is sent, another one may be the newest.
        course_id=viewer.course_id if viewer.id == viewer.membership_id else None,
        student=fields.get("student", "") if viewer.hands_in_for_others else viewer.external_id or viewer.name,
        is_student=not viewer.hands_in_for_others,
        chosen=fields.get("assignment", uploads.DEFAULT_ASSIGNMENT),
        assignments=[assignment for id, assignment in parts.assignments.items() if id in used],
        accepted=",".join(CODE_SUFFIXES),
        upload_bytes=parts.settings.upload_bytes,
        recent=[(*row, each) for row, each in zip(recent, points, strict=True)],
    )
    response.set_cookie(KEY_COOKIE, form_key, httponly=True, samesite="lax", secure=is_secure(request))
    return response
