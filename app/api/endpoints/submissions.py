"""Submissions: hand one in, read it, list them, take one back."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response, status
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.access.tokens import Principal
from app.actions import hand_in as actions
from app.actions import work
from app.actions.asking import Asking
from app.actions.work import DecideAttempt
from app.api.conditional import ETAG_HEADER, NOT_MODIFIED, caching, tag, unchanged
from app.api.openapi import JSON_BODY, UPLOAD_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.grades import CountedBody
from app.api.schemas.submissions import (
    GradeBody,
    HoldBody,
    SubmissionBody,
    SubmissionItem,
    SubmissionLinks,
    SubmissionList,
)
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted
from app.errors.submissions import NotCancellable, NotHeld, SubmissionNotFound
from app.errors.uploads import AttemptRefused, OtherStudent, Overloaded, UploadRefused
from app.http.auth.holders import Asks, Reader
from app.http.parameters import Cursor, IdempotencyKey, Limit, SelectionQuery, SubmissionId, Wait
from app.http.texts import language_of
from app.http.uploads import form_with_file, hand_in_of
from app.http.visibility import report_for
from app.http.watching import current_rights, wait_until_done
from app.services import services
from app.storage.models import JobStatus, Submission
from app.submissions import listing, repository
from app.submissions.standing import Standing, standing_of
from grader import Status
from grader.report.messages import render

UPLOAD_ANSWERS = problem_answers(
    RequestValidationError,
    CourseArchived,
    OtherStudent,
    Overloaded,
    *UploadRefused.__subclasses__(),
    *AttemptRefused.__subclasses__(),
)

router = APIRouter(prefix="/submissions", tags=["submissions"])


@router.post(
    "",
    summary="Submit a file",
    status_code=status.HTTP_202_ACCEPTED,
    responses=UPLOAD_ANSWERS
    | {
        200: {"model": SubmissionBody, "description": "Graded while you waited."},
        202: {
            "description": "Stored and queued; a restart of the service does not lose it. `Location` is its address.",
            "headers": {"Location": {"description": "the submission's own address", "schema": {"type": "string"}}},
        },
    },
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def create_submission(
    request: Request,
    response: Response,
    asking: Annotated[Asking, Depends(Asks(actions.hand_in))],
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> SubmissionBody:
    """Store one attempt of a student and queue it for grading.

    Faults that only reading the file shows (an unknown encoding, a broken notebook, no class in it) are no error here:
    they give a report with status `invalid_submission`.

    With the header `Idempotency-Key` (your own name for this upload, such as a random UUID) you can send it again after
    a broken connection: nothing is handed in twice, and you get the same submission. The same key with another upload
    is refused.
    """
    parts = services(request)
    async with form_with_file(request, asking, parts.settings.upload_bytes) as (form, asking):
        wanted = await hand_in_of(form)
    submission, position = await actions.hand_in(asking, parts.inbox, wanted, key=idempotency_key)
    body = _body_of(Standing(submission, None, position, None), report_language(request, submission), asking.holder)
    if wait or position is None:
        # A stored upload is never answered with an error, even if the database fails by now.
        with contextlib.suppress(SQLAlchemyError) if position else contextlib.nullcontext():
            await wait_until_done(parts, submission.id, asking.holder, wait)
            body = await _body(request, submission.id, asking.holder)
    response.headers["Location"] = body.links.self
    response.status_code = status.HTTP_200_OK if body.job_status == JobStatus.DONE else status.HTTP_202_ACCEPTED
    return body


@router.get("", summary="List submissions")
async def list_submissions(
    request: Request, viewer: Reader, selection: SelectionQuery, limit: Limit = 50, cursor: Cursor = None
) -> SubmissionList:
    """List them, the newest first. Filters are combined with "and". A submitter finds its own."""
    async with services(request).database.read() as session:
        rows = await listing.list_submissions(session, viewer, selection, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(rows, limit, lambda row: row[0].id)
    return SubmissionList(
        items=[
            SubmissionItem(
                **facts(submission),
                status=Status(report.status) if report else None,
                points=report.points if report else None,
                max_points=report.max_points if report else None,
            )
            for submission, report in shown
        ],
        next_cursor=next_cursor,
    )


@router.get(
    "/{submission_id}",
    summary="Read a submission and its report",
    responses=problem_answers(SubmissionNotFound) | {200: {"headers": ETAG_HEADER}} | NOT_MODIFIED,
    response_model=SubmissionBody,
)
async def read_submission(
    request: Request, response: Response, viewer: Reader, submission_id: SubmissionId, wait: Wait = 0
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
    etag = tag(facts(submission), position, report_id, grades, language, viewer, version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    response.headers.update(caching(etag))
    return _body_of(standing, language, viewer, await services(request).backlog.seconds_left(submission))


@router.post(
    "/{submission_id}/cancel",
    summary="Take a submission out of the queue",
    responses=problem_answers(CourseArchived, SubmissionNotFound, NotCancellable),
)
async def cancel_submission(
    request: Request,
    asking: Annotated[Asking, Depends(Asks(actions.cancel_submission))],
    submission_id: SubmissionId,
) -> SubmissionBody:
    """Cancel a submission that still waits for its first report. Asking twice changes nothing. The attempt counts as
    used."""
    await actions.cancel_submission(asking, submission_id)
    return await _body(request, submission_id, asking.holder)


@router.post(
    "/{submission_id}/decision",
    summary="Decide on an attempt that is held",
    responses=problem_answers(NotPermitted, CourseArchived, SubmissionNotFound, NotHeld, *JSON_BODY),
)
async def decide_submission(
    request: Request,
    asking: Annotated[Asking, Depends(Asks(work.decide_attempt))],
    submission_id: SubmissionId,
    wanted: DecideAttempt,
) -> SubmissionBody:
    """Decide whether it counts: accepted, it counts like any other; rejected, it never does.

    The first decision sends the webhook deliveries that were kept back. A later decision replaces an earlier one.
    """
    await work.decide_attempt(asking, submission_id, wanted)
    return await _body(request, submission_id, asking.holder)


@router.get(
    "/{submission_id}/file",
    summary="Get the file back",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound)
    | {
        200: {
            "description": "The uploaded bytes, unchanged.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            "headers": ETAG_HEADER,
        }
    }
    | NOT_MODIFIED,
)
async def read_submission_file(request: Request, viewer: Reader, submission_id: SubmissionId) -> Response:
    """Download the file. A browser never shows it, whatever it contains."""
    async with services(request).database.read() as session:
        submission = await repository.submission_content(session, submission_id, viewer)
    if submission is None:
        raise SubmissionNotFound
    etag = f'"{submission.sha256}"'
    if answer := unchanged(request, etag):
        return answer
    headers = {
        # The student chose the name, so it is quoted (RFC 8187).
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(submission.filename, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(submission.content, media_type="application/octet-stream", headers=headers | caching(etag))


def report_language(request: Request, submission: Submission) -> str:
    assignment = services(request).assignments.get(submission.assignment_id)
    return language_of(request, assignment.language if assignment else "en")


def facts(submission: Submission) -> dict[str, Any]:
    """Return the values of `SubmissionFacts`."""
    return {
        "id": submission.id,
        "course": submission.course_id,
        "student": submission.student,
        "assignment": submission.assignment_id,
        "attempt": submission.attempt,
        "filename": submission.filename,
        "sha256": submission.sha256,
        "created_at": submission.created_at,
        "job_status": submission.job_status,
        "held": submission.held_at is not None and submission.hold_decision is None,
        "hold": _hold(submission),
        "links": SubmissionLinks.of(submission.id),
    }


def _hold(submission: Submission) -> HoldBody | None:
    if submission.held_at is None:
        return None
    return HoldBody(
        held_at=submission.held_at,
        decision=submission.hold_decision,
        decided_by=submission.hold_decided_by,
        decided_at=submission.hold_decided_at,
        reason=submission.hold_reason,
    )


async def _standing(request: Request, submission_id: str, viewer: Principal) -> Standing:
    parts = services(request)
    async with parts.database.read() as session:
        return await standing_of(session, parts.assignments, submission_id, viewer)


async def _body(request: Request, submission_id: str, viewer: Principal) -> SubmissionBody:
    standing = await _standing(request, submission_id, viewer)
    seconds = await services(request).backlog.seconds_left(standing.submission)
    return _body_of(standing, report_language(request, standing.submission), viewer, seconds)


def _body_of(standing: Standing, language: str, viewer: Principal, seconds_left: float | None = None) -> SubmissionBody:
    return SubmissionBody(
        **facts(standing.submission),
        position=standing.position,
        seconds_left=None if seconds_left is None else round(seconds_left),
        grade=GradeBody(**asdict(standing.grade)) if standing.grade else None,
        counted=CountedBody.of(standing.counted, language, viewer) if standing.counted else None,
        report=render(report_for(standing.stored, viewer), language) if standing.stored else None,
    )
