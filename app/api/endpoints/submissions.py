"""Submissions: hand one in, read it, watch it, list them, take one back."""

import contextlib
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import SQLAlchemyError

from app.access.tokens import Principal
from app.actions import hand_in as actions
from app.actions import work
from app.actions.actor import Actor
from app.actions.fields import NO_NAME
from app.api.conditional import caching, revalidated, tag, unchanged
from app.api.dependencies import Paged, SubmissionReading, acts, page_of
from app.api.openapi import BYTES, file_answer, upload_form
from app.api.schemas.base import Page
from app.api.schemas.work import CountedBody, SubmissionBody, SubmissionFacts, SubmissionItem
from app.errors import SubmissionNotFound, existing
from app.http.auth.holders import SubmissionReader
from app.http.bodies import form_with_file, hand_in_of
from app.http.parameters import IdempotencyKey, LastEventId, SelectionQuery, SubmissionId, Wait
from app.http.texts import language_of
from app.http.visibility import report_for
from app.http.watching import current_rights, event_stream, wait_until_done
from app.services import services
from app.storage.models import JobStatus, StoredReport, Submission
from app.submissions import listing, repository
from app.submissions.events import STAGES
from app.submissions.standing import Standing, standing_of
from app.submissions.uploads import DEFAULT_ASSIGNMENT, STUDENT_CHARACTERS
from grader.report.messages import render
from grader.submission import CODE_SUFFIXES

FILE: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "contentMediaType": "application/octet-stream",
        "description": f"the notebook or module; its name ends in {', '.join(CODE_SUFFIXES)}",
    },
    {
        "contentType": "application/octet-stream",
        "headers": {
            "Content-Disposition": {
                "description": "names the file",
                "required": True,
                "schema": {"type": "string"},
                "example": 'form-data; name="file"; filename="LSTM.ipynb"',
            }
        },
    },
)
ASSIGNMENT = {"type": "string", "default": DEFAULT_ASSIGNMENT}
UPLOAD_FORM = upload_form(
    *FILE,
    student={
        "type": "string",
        "description": "name or id of the student, as the course knows it",
        "minLength": 1,
        "maxLength": STUDENT_CHARACTERS,
        "not": NO_NAME,
        "examples": ["ivanov"],
    },
    assignment=ASSIGNMENT,
)
EXAMPLE_STREAM = """retry: 2000

event: queued
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:00+00:00"}
id: 41

event: position
data: {"position":3,"seconds":41}

event: reading
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:02+00:00"}
id: 42

event: done
data: {"submission":"01ksvh1y8gk3v0q4m2z7c9x5ab","at":"2026-09-01T12:00:03+00:00","report":7,"status":"passed"}
id: 45

"""

# `schema` is the whole stream. It has no type: generated clients would parse an object's stream as JSON, and give the
# text of this one. `itemSchema` is one event (OpenAPI 3.2; earlier readers ignore it).
STREAM: dict[str, Any] = {
    "schema": {"description": "the events as they come"},
    "itemSchema": {
        "type": "object",
        "properties": {
            "event": {"type": "string"},
            "data": {"type": "string", "contentMediaType": "application/json"},
            "id": {"type": "string", "description": "a value for `Last-Event-ID`"},
            "retry": {"type": "integer"},
        },
    },
    "example": EXAMPLE_STREAM,
}

Again = Annotated[
    bool, Query(description="false: refuse the bytes of the student's newest attempt instead of counting another one")
]

router = APIRouter(prefix="/submissions", tags=["submissions"])


@router.post(
    "",
    summary="Submit a file",
    status_code=202,
    responses={
        200: {"model": SubmissionBody, "description": "Graded while you waited."},
        202: {
            "description": "Stored and queued; a restart of the service does not lose it. `Location` is its address.",
            "headers": {"Location": {"description": "the submission's own address", "schema": {"type": "string"}}},
        },
    },
    openapi_extra=UPLOAD_FORM,
)
async def create_submission(
    request: Request,
    response: Response,
    actor: Annotated[Actor, acts(actions.hand_in)],
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
    again: Again = True,
) -> SubmissionBody:
    """Store one attempt of a student and queue it for grading.

    Faults that only reading the file shows (an unknown encoding, a broken notebook, no class in it) are no error here:
    they give a report with status `invalid_submission`.

    With the header `Idempotency-Key` (your own name for this upload, such as a random UUID) you can send it again after
    a broken connection: nothing is handed in twice, and you get the same submission. The same key with another upload
    is refused.
    """
    parts = services(request)
    async with form_with_file(request, actor, parts.settings.upload_bytes) as (form, actor):
        wanted = await hand_in_of(form)
    submission, position = await actions.hand_in(actor, parts.inbox, wanted, key=idempotency_key, asks_again=not again)
    body = _body_of(Standing(submission, None, position, None), report_language(request, submission), actor.holder)
    if wait or position is None:
        # A stored upload is never answered with an error, even if the database fails by now.
        with contextlib.suppress(SQLAlchemyError) if position else contextlib.nullcontext():
            await wait_until_done(parts, submission.id, actor.holder, wait)
            body = await _body(request, submission.id, actor.holder)
    response.headers["Location"] = body.links.self
    response.status_code = 200 if body.job_status == JobStatus.DONE else 202
    return body


@router.get("", summary="List submissions")
async def list_submissions(
    reading: SubmissionReading, selection: SelectionQuery, paging: Paged
) -> Page[SubmissionItem]:
    """List them, the newest first. Filters are combined with "and". A submitter finds its own."""
    rows = await listing.list_submissions(reading.session, reading.viewer, selection, paging)
    return page_of(paging, rows, lambda row: _item(*row), lambda row: row[0].id)


@router.get(
    "/{submission_id}",
    summary="Read a submission and its report",
    responses=revalidated(),
    response_model=SubmissionBody,
)
async def read_submission(
    request: Request, response: Response, viewer: SubmissionReader, submission_id: SubmissionId, wait: Wait = 0
) -> SubmissionBody | Response:
    """Read it. A submitter reads the submissions of its own token; an admin or a teacher reads all."""
    if wait:
        await wait_until_done(services(request), submission_id, viewer, wait)
        viewer = await current_rights(services(request), viewer)
    standing = await _standing(request, submission_id, viewer)
    submission, position = standing.submission, standing.position
    report_id = standing.stored and standing.stored.id
    language = report_language(request, submission)
    grades = standing.grade, standing.counted
    etag = tag(SubmissionFacts.of(submission), position, report_id, grades, language, viewer, version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    response.headers.update(caching(etag))
    return _body_of(standing, language, viewer, await services(request).backlog.seconds_left(submission))


@router.post("/{submission_id}/cancel", summary="Take a submission out of the queue")
async def cancel_submission(
    request: Request, actor: Annotated[Actor, acts(actions.cancel_submission)], submission_id: SubmissionId
) -> SubmissionBody:
    await actions.cancel_submission(actor, submission_id)
    return await _body(request, submission_id, actor.holder)


@router.post("/{submission_id}/decision", summary="Decide on an attempt that is held")
async def decide_submission(
    request: Request,
    actor: Annotated[Actor, acts(work.decide_attempt)],
    submission_id: SubmissionId,
    wanted: work.DecideAttempt,
) -> SubmissionBody:
    await work.decide_attempt(actor, submission_id, wanted)
    return await _body(request, submission_id, actor.holder)


@router.get(
    "/{submission_id}/file",
    summary="Get the file back",
    response_class=Response,
    responses=revalidated(file_answer("The uploaded bytes, unchanged.", "application/octet-stream", BYTES)),
)
async def read_submission_file(request: Request, viewer: SubmissionReader, submission_id: SubmissionId) -> Response:
    """Download the file. A browser never shows it, whatever it contains."""
    async with services(request).database.read() as session:
        submission = existing(await repository.submission_content(session, submission_id, viewer), SubmissionNotFound)
    etag = f'"{submission.sha256}"'
    if answer := unchanged(request, etag):
        return answer
    headers = {
        # The student chose the name, so it is quoted (RFC 8187).
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(submission.filename, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    }
    return Response(submission.content, media_type="application/octet-stream", headers=headers | caching(etag))


@router.get(
    "/{submission_id}/events",
    summary="Watch a submission",
    response_class=Response,
    responses={
        200: {
            "description": "Events: `queued`, `position` with the estimated `seconds` until the report (less than 0: "
            f"overdue; null: unknown), then the stages {', '.join(f'`{each}`' for each in STAGES)} that are needed, "
            "then `done` or `cancelled`. The stream ends after either of these, and when the service stops. A regrade "
            "begins with `queued` again.",
            "content": {"text/event-stream": STREAM},
        },
        204: {"description": "`Last-Event-ID` is the last event, and no more will come. A browser then stops asking."},
    },
)
async def watch_submission(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, last_event_id: LastEventId = None
) -> Response:
    return await event_stream(services(request), submission_id, viewer, last_event_id or 0)


def report_language(request: Request, submission: Submission) -> str:
    assignment = services(request).assignments.get(submission.assignment_id)
    return language_of(request, assignment.language if assignment else "en")


async def _standing(request: Request, submission_id: str, viewer: Principal) -> Standing:
    parts = services(request)
    async with parts.database.read() as session:
        return await standing_of(session, parts.assignments, submission_id, viewer)


async def _body(request: Request, submission_id: str, viewer: Principal) -> SubmissionBody:
    standing = await _standing(request, submission_id, viewer)
    seconds = await services(request).backlog.seconds_left(standing.submission)
    return _body_of(standing, report_language(request, standing.submission), viewer, seconds)


def _body_of(standing: Standing, language: str, viewer: Principal, seconds_left: float | None = None) -> SubmissionBody:
    return SubmissionBody.of(
        standing.submission,
        position=standing.position,
        seconds_left=None if seconds_left is None else round(seconds_left),
        grade=standing.grade,
        counted=standing.counted and CountedBody.of(standing.counted, language, viewer),
        report=standing.stored and render(report_for(standing.stored, viewer), language),
    )


def _item(submission: Submission, report: StoredReport | None) -> SubmissionItem:
    return SubmissionItem.of(
        submission,
        status=report and report.status,
        points=report and report.points,
        max_points=report and report.max_points,
    )
