"""The JSON endpoints."""

from __future__ import annotations

import asyncio
import contextlib
from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app import repository, uploads
from app.api.openapi import UPLOAD_BODY, problem_answers
from app.api.schemas import AssignmentBody, AssignmentList, Health, SubmissionBody, SubmissionLinks
from app.auth import TokenHolder, token_holder
from app.errors import (
    AssignmentUnknown,
    FieldsMissing,
    FieldsUnknown,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormUnreadable,
    NotAuthenticated,
    ReportNotReady,
    StudentInvalid,
    SubmissionNotFound,
)
from app.models import JobStatus, StoredReport, Submission
from app.repository import Principal
from app.services import Services, services
from app.texts import language_of, title_of
from grader import Report
from grader.formats import FORMATS, html, write_report
from grader.messages import render

MAX_WAIT_SECONDS = 120


def language_parameter(
    lang: Annotated[
        Literal["en", "ru"] | None,
        Query(description="language of the texts in the answer; without it `Accept-Language` counts"),
    ] = None,
) -> None:
    """Checked and documented here; `language_of` reads it, for refusals too."""


UPLOAD_ANSWERS = problem_answers(
    RequestValidationError,
    AssignmentUnknown,
    FieldsMissing,
    FieldsUnknown,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormUnreadable,
    StudentInvalid,
)

router = APIRouter()
api = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(token_holder), Depends(language_parameter)],
    responses=problem_answers(NotAuthenticated, RequestValidationError, SQLAlchemyError),
)


@router.get("/healthz", tags=["operations"], summary="Whether the service answers")
async def healthz() -> Health:
    """Asks neither the database nor the box, needs no token, and answers as soon as the service runs."""
    return Health(status="ok", version=version("lstm-grader"))


@api.post(
    "/submissions",
    tags=["submissions"],
    summary="Submit a file",
    status_code=status.HTTP_202_ACCEPTED,
    responses=UPLOAD_ANSWERS
    | {
        200: {"model": SubmissionBody, "description": "Graded while you waited."},
        202: {
            "description": "Stored and queued: it will be graded, whatever happens. `Location` says where to look.",
            "headers": {"Location": {"description": "the submission's own address", "schema": {"type": "string"}}},
        },
    },
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def create_submission(
    request: Request,
    response: Response,
    submitter: TokenHolder,
    wait: Annotated[
        int, Query(ge=0, le=MAX_WAIT_SECONDS, description="answer only when graded, or after this many seconds")
    ] = 0,
) -> SubmissionBody:
    """Store one attempt of a student and queue it for grading.

    What only reading the file shows (an unknown encoding, a broken notebook, no class in it) is no error here: it gives
    a report with status `invalid_submission`.
    """
    parts = services(request)
    limit_bytes = parts.settings.upload_bytes
    async with uploads.read_form(request, limit_bytes) as form:
        upload = await uploads.check_upload(form, parts.assignments, limit_bytes)
    submission = await uploads.accept(parts, upload, submitter)
    if wait:
        await wait_until_done(parts, submission.id, submitter, wait)
    body = await _body(request, submission.id, submitter)
    response.headers["Location"] = body.links.self
    response.status_code = status.HTTP_200_OK if body.job_status == JobStatus.DONE else status.HTTP_202_ACCEPTED
    return body


@api.get(
    "/submissions/{submission_id}",
    tags=["submissions"],
    summary="Read a submission and its report",
    responses=problem_answers(SubmissionNotFound),
)
async def read_submission(
    request: Request,
    viewer: TokenHolder,
    submission_id: Annotated[str, Path(description="as it was given when the file was submitted")],
) -> SubmissionBody:
    """A submitter reads what was submitted with its token; an admin or a teacher reads everything."""
    return await _body(request, submission_id, viewer)


@api.get(
    "/submissions/{submission_id}/report",
    tags=["submissions"],
    summary="Read the report in another form",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound, ReportNotReady)
    | {
        200: {
            "description": "The newest report as a document.",
            "content": {form.media_type: {"schema": {"type": "string"}} for form in FORMATS.values()},
        }
    },
)
async def read_report(
    request: Request,
    viewer: TokenHolder,
    submission_id: Annotated[str, Path(description="as it was given when the file was submitted")],
    format: Annotated[
        Literal[tuple(FORMATS)],  # type: ignore[valid-type]
        Query(description="what it is for: people (`text`, `html`), programs (`json`), or the platform of that name"),
    ] = "json",
) -> Response:
    """The same document as `lstm-grader grade --format` writes; `html` is one file that needs nothing else."""
    submission, stored = await _found(request, submission_id, viewer)
    if stored is None:
        raise ReportNotReady
    report = Report.model_validate(stored.body)
    language = _report_language(request, submission)
    artefacts = services(request).artefacts
    text = await run_in_threadpool(lambda: write_report(report, format, language, artefacts.of(report)))
    headers = {"Content-Security-Policy": f"{html.POLICY}; frame-ancestors 'none'"}
    return Response(text, media_type=FORMATS[format].media_type, headers=headers)


@api.get("/assignments", tags=["assignments"], summary="List the assignments")
async def list_assignments(request: Request) -> AssignmentList:
    parts = services(request)
    language = language_of(request)
    return AssignmentList(
        items=[
            AssignmentBody(
                id=assignment.id,
                title=title_of(assignment, language),
                max_points=assignment.max_points,
                digest=assignment.digest,
                upload_bytes=min(assignment.upload.upload_bytes, parts.settings.upload_bytes),
            )
            for assignment in parts.assignments.values()
        ]
    )


async def wait_until_done(parts: Services, submission_id: str, viewer: Principal, seconds: float) -> None:
    """Return when the submission is done, when `seconds` are over, or when the service stops."""
    with parts.jobs.watch(submission_id) as maybe_done:
        async with parts.database.read() as session:
            submission = await repository.find_submission(session, submission_id, viewer)
        if submission is None or submission.job_status in (JobStatus.DONE, JobStatus.CANCELLED):
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(maybe_done.wait(), seconds)


async def _found(request: Request, submission_id: str, viewer: Principal) -> tuple[Submission, StoredReport | None]:
    """The submission and its newest report, if there is one.

    Raises:
        SubmissionNotFound: there is none that `viewer` may see.
    """
    async with services(request).database.read() as session:
        submission = await repository.find_submission(session, submission_id, viewer)
        if submission is None:
            raise SubmissionNotFound
        return submission, await repository.newest_report(session, submission.id)


def _report_language(request: Request, submission: Submission) -> str:
    assignment = services(request).assignments.get(submission.assignment_id)
    return language_of(request, assignment.language if assignment else "en")


async def _body(request: Request, submission_id: str, viewer: Principal) -> SubmissionBody:
    submission, stored = await _found(request, submission_id, viewer)
    async with services(request).database.read() as session:
        position = await repository.queue_position(session, submission)
    report = None
    if stored is not None:
        report = render(Report.model_validate(stored.body), _report_language(request, submission))
    return SubmissionBody(
        id=submission.id,
        job_status=submission.job_status,
        position=position,
        links=SubmissionLinks(
            self=f"/api/v1/submissions/{submission.id}",
            report=f"/api/v1/submissions/{submission.id}/report",
            page=f"/submissions/{submission.id}",
        ),
        report=report,
    )
