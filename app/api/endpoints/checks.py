"""Checks before handing in: make one, and read what it says."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.access.tokens import Principal
from app.actions import hand_in as actions
from app.actions.actor import Actor
from app.api.dependencies import acts
from app.api.endpoints.submissions import ASSIGNMENT, FILE
from app.api.openapi import upload_form
from app.bodies import EXAMPLE_ID, Body, shows
from app.http.auth.holders import SubmissionReader
from app.http.bodies import form_with_file, hand_in_of
from app.http.parameters import CheckId, IdempotencyKey, Wait
from app.http.texts import language_of
from app.http.watching import current_rights, wait_until_done
from app.queue import checks
from app.services import services
from app.storage.models import JobStatus
from grader import Report
from grader.report.messages import render

router = APIRouter(prefix="/checks", tags=["submissions"])


class CheckLinks(Body):
    self: str = shows("this check", f"/api/v1/checks/{EXAMPLE_ID}")


class CheckBody(Body):
    """A check, and what it says as soon as it has run. It is deleted after a day."""

    id: str = Field(examples=[EXAMPLE_ID])
    job_status: JobStatus
    position: int | None = shows("place in the queue; null when it does not wait", 1)
    report: dict[str, Any] | None = shows(
        "in the form of a submission's report, on the public case alone: `points` and `score` are null, "
        "`max_points` 0, and the first of its `advisories` is `check_only`; null until `job_status` is `done`"
    )
    links: CheckLinks


@router.post(
    "",
    summary="Check a file before handing it in",
    status_code=202,
    responses={200: {"model": CheckBody, "description": "Checked while you waited."}},
    openapi_extra=upload_form(*FILE, assignment=ASSIGNMENT),
)
async def create_check(
    request: Request,
    response: Response,
    actor: Annotated[Actor, acts(actions.check_beforehand)],
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> CheckBody:
    """Check the file with the student's own token. It is no attempt and gives no points; nobody else sees it.

    Only the exercise's own case is run, which is public, if the course allows checks at this assignment, and so many in
    an hour. A check runs when no attempt waits. With the header `Idempotency-Key` the same request sent again is
    answered with the same check.
    """
    parts = services(request)
    async with form_with_file(request, actor, parts.settings.upload_bytes) as (form, actor):
        wanted = await hand_in_of(form)
    check = await actions.check_beforehand(actor, parts.inbox, wanted, key=idempotency_key)
    if wait:
        await wait_until_done(parts, check.id, actor.holder, wait, checks.existing)
    body = await _body(request, check.id, actor.holder)
    response.headers["Location"] = body.links.self
    response.status_code = 200 if body.job_status == JobStatus.DONE else 202
    return body


@router.get("/{check_id}", summary="Read a check")
async def read_check(request: Request, viewer: SubmissionReader, check_id: CheckId, wait: Wait = 0) -> CheckBody:
    """Read it. Only the student's own tokens do."""
    if wait:
        await wait_until_done(services(request), check_id, viewer, wait, checks.existing)
        viewer = await current_rights(services(request), viewer)
    return await _body(request, check_id, viewer)


async def _body(request: Request, check_id: str, viewer: Principal) -> CheckBody:
    parts = services(request)
    async with parts.database.read() as session:
        check = await checks.existing(session, check_id, viewer)
        position = await checks.position(session, check)
    assignment = parts.assignments.get(check.assignment_id)
    language = language_of(request, assignment.language if assignment else "en")
    return CheckBody.from_row(
        check,
        position=position,
        report=None if check.report is None else render(Report.model_validate(check.report), language),
        links=CheckLinks(self=f"/api/v1/checks/{check.id}"),
    )
