"""Regrades: have submissions graded again, follow the progress, see the changes, apply or drop a preview."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_202_ACCEPTED

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import regrades as actions
from app.actions.asking import Asking
from app.actions.regrades import BeginRegrade
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.regrades import RegradeBody, RegradeItemBody, RegradeItemList, RegradeList, RegradeResultBody
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import Asks, TokenFor
from app.http.parameters import Cursor, IdempotencyKey, Limit, id_in_path
from app.services import services
from app.storage.models import StoredReport
from app.submissions.grades import points_of
from app.teaching import regrades
from app.teaching.regrades import RegradeProgress

RegradeId = Annotated[str, id_in_path("regrade_id", RegradeNotFound, "an `id` from the list")]
Viewer = Annotated[Principal, Depends(TokenFor(Right.SEE_STATISTICS))]

router = APIRouter(
    prefix="/regrades",
    tags=["regrades"],
    responses=problem_answers(NotPermitted),
)


@router.post(
    "",
    summary="Grade submissions again",
    status_code=HTTP_202_ACCEPTED,
    responses=problem_answers(*JSON_BODY, CourseArchived, RequestValidationError, IdempotencyKeyReused),
)
async def create_regrade(
    asking: Annotated[Asking, Depends(Asks(actions.begin_regrade))],
    wanted: BeginRegrade,
    idempotency_key: IdempotencyKey = None,
) -> RegradeBody:
    """Grade again those of the selected submissions that have a report.

    All uploads go before them. Each gets a new report, which counts from then on; the earlier ones stay.

    With `preview` the new reports do not count: nobody but the staff sees them, nothing is sent and nothing is held,
    until the preview is applied or dropped. Meanwhile uploads and other regrades go on as ever, and before it.

    With the header `Idempotency-Key` the same request sent again begins nothing, and is answered with the same regrade.
    """
    return _body(await actions.begin_regrade(asking, wanted, key=idempotency_key))


@router.get("", summary="List the regrades")
async def list_regrades(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> RegradeList:
    async with services(request).database.read() as session:
        found = await regrades.list_regrades(session, limit=limit + 1, before=cursor, course=viewer.course)
    shown, next_cursor = page_of(found, limit, lambda progress: progress.regrade.id)
    return RegradeList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.get("/{regrade_id}", summary="Read the progress of a regrade", responses=problem_answers(RegradeNotFound))
async def read_regrade(request: Request, viewer: Viewer, regrade_id: RegradeId) -> RegradeBody:
    async with services(request).database.read() as session:
        return _body(await regrades.find_regrade(session, regrade_id, viewer.course))


@router.get(
    "/{regrade_id}/submissions",
    summary="List the changes of a regrade",
    responses=problem_answers(RegradeNotFound),
)
async def list_regrade_submissions(
    request: Request,
    viewer: Viewer,
    regrade_id: RegradeId,
    changed: Annotated[bool, Query(description="only submissions whose points or verdict changed")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RegradeItemList:
    parts = services(request)
    async with parts.database.read() as session:
        await regrades.find_regrade(session, regrade_id, viewer.course)
        found = await regrades.list_items(session, regrade_id, only_changed=changed, limit=limit + 1, after=cursor)
        points = [
            await points_of(session, parts.assignments, [(item.submission, report) for item, report in each])
            for each in ([(item, item.old) for item in found], [(item, item.new) for item in found])
        ]
    shown, next_cursor = page_of(found, limit, lambda item: item.submission.id)
    return RegradeItemList(
        items=[
            RegradeItemBody(
                submission=item.submission.id,
                student=item.submission.student,
                assignment=item.submission.assignment_id,
                attempt=item.submission.attempt,
                before=_result(item.old, before),
                after=_result(item.new, after) if item.new else None,
                changes=f"/api/v1/submissions/{item.submission.id}/reports/{item.new.id}/changes?since={item.old.id}"
                if item.new
                else None,
                applied=item.is_applied,
            )
            for item, before, after in zip(shown, *points, strict=False)
        ],
        next_cursor=next_cursor,
    )


@router.post(
    "/{regrade_id}/apply",
    summary="Let the reports of a preview count",
    responses=problem_answers(CourseArchived, RegradeNotFound, RegradeNotPreview, PreviewUnfinished, PreviewDropped),
)
async def apply_preview(
    asking: Annotated[Asking, Depends(Asks(actions.apply_preview))], regrade_id: RegradeId
) -> RegradeBody:
    """Let all its reports count from now on, as after any regrade: attempts are held and webhooks are sent now.

    A submission that has a newer report keeps that (`superseded`). Applied again, it changes nothing. A preview that is
    not done is refused.
    """
    return _body(await actions.apply_preview(asking, regrade_id))


@router.post(
    "/{regrade_id}/drop",
    summary="Drop a preview",
    responses=problem_answers(CourseArchived, RegradeNotFound, RegradeNotPreview, PreviewApplied),
)
async def drop_preview(
    asking: Annotated[Asking, Depends(Asks(actions.drop_preview))], regrade_id: RegradeId
) -> RegradeBody:
    """Delete its reports, and grade no more for it, done or not. Dropped again, it changes nothing."""
    return _body(await actions.drop_preview(asking, regrade_id))


def _body(progress: RegradeProgress) -> RegradeBody:
    regrade = progress.regrade
    return RegradeBody.from_row(
        regrade,
        preview=regrade.is_preview,
        link=f"/api/v1/regrades/{regrade.id}",
        total=progress.total,
        done=progress.done,
        changed=progress.changed,
        superseded=progress.superseded,
    )


def _result(stored: StoredReport, after_rules: float | None) -> RegradeResultBody:
    return RegradeResultBody.from_row(stored, report=stored.id, points_after_rules=after_rules)
