"""Regrades: have submissions graded again, follow the progress, see the changes, apply or drop a preview."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.status import HTTP_202_ACCEPTED

from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.regrades import (
    RegradeBody,
    RegradeItemBody,
    RegradeItemList,
    RegradeList,
    RegradeRequest,
    RegradeResultBody,
)
from app.errors.courses import CourseArchived
from app.errors.requests import NotPermitted
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import Permitted
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.services import services
from app.storage.models import Regrade, StoredReport
from app.submissions.grades import points_of
from app.teaching import previews, regrades
from app.teaching.regrades import RegradeProgress
from grader import Status


async def _regrade_id(regrade_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(regrade_id):
        raise RegradeNotFound
    return regrade_id


RegradeId = Annotated[str, Depends(_regrade_id)]

Regrader = Annotated[Principal, Depends(Permitted(Right.REGRADE))]
Viewer = Annotated[Principal, Depends(Permitted(Right.SEE_STATISTICS))]

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
    request: Request, holder: Regrader, wanted: RegradeRequest, idempotency_key: IdempotencyKey = None
) -> RegradeBody:
    """Grade again those of the selected submissions that have a report.

    All uploads go before them. Each gets a new report, which counts from then on; the earlier ones stay.

    With `preview` the new reports do not count: nobody but the staff sees them, nothing is sent and nothing is held,
    until the preview is applied or dropped. Meanwhile uploads and other regrades go on as ever, and before it.

    With the header `Idempotency-Key` the same request sent again begins nothing, and is answered with the same regrade.
    """
    parts = services(request)
    selection = wanted.selection
    asked = {"selection": selection, "is_preview": wanted.preview} | (
        {"course_id": holder.course} if holder.names_course else {}
    )
    regrade, _ = await make_once(
        parts.database,
        lambda session: made_before(session, Regrade, holder.id, idempotency_key, **asked),
        lambda session: regrades.begin(
            session,
            requested_by=holder.id,
            meant=wanted.meant,
            selection=selection,
            course=holder.course,
            idempotency_key=idempotency_key,
            is_preview=wanted.preview,
        ),
    )
    parts.jobs.wake()
    return _body(await _found(request, regrade.id, holder))


@router.get("", summary="List the regrades")
async def list_regrades(request: Request, viewer: Viewer, limit: Limit = 50, cursor: Cursor = None) -> RegradeList:
    async with services(request).database.read() as session:
        found = await regrades.list_regrades(session, limit=limit + 1, before=cursor, course=viewer.course)
    shown, next_cursor = page_of(found, limit, lambda progress: progress.regrade.id)
    return RegradeList(items=list(map(_body, shown)), next_cursor=next_cursor)


@router.get("/{regrade_id}", summary="Read the progress of a regrade", responses=problem_answers(RegradeNotFound))
async def read_regrade(request: Request, viewer: Viewer, regrade_id: RegradeId) -> RegradeBody:
    return _body(await _found(request, regrade_id, viewer))


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
    await _found(request, regrade_id, viewer)
    parts = services(request)
    async with parts.database.read() as session:
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
                before=_grade(item.old, before),
                after=_grade(item.new, after) if item.new else None,
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
async def apply_preview(request: Request, holder: Regrader, regrade_id: RegradeId) -> RegradeBody:
    """Let all its reports count from now on, as after any regrade: attempts are held and webhooks are sent now.

    A submission that has a newer report keeps that (`superseded`). Applied again, it changes nothing. A preview that is
    not done is refused.
    """
    async with services(request).database.write() as session:
        await previews.apply(session, regrade_id, holder.course)
    return _body(await _found(request, regrade_id, holder))


@router.post(
    "/{regrade_id}/drop",
    summary="Drop a preview",
    responses=problem_answers(CourseArchived, RegradeNotFound, RegradeNotPreview, PreviewApplied),
)
async def drop_preview(request: Request, holder: Regrader, regrade_id: RegradeId) -> RegradeBody:
    """Delete its reports, and grade no more for it, done or not. Dropped again, it changes nothing."""
    database = services(request).database
    async with database.write() as session:
        await previews.drop(session, regrade_id, holder.course)
    await database.empty_log()
    return _body(await _found(request, regrade_id, holder))


async def _found(request: Request, regrade_id: str, viewer: Principal) -> RegradeProgress:
    async with services(request).database.read() as session:
        progress = await regrades.find_regrade(session, regrade_id, viewer.course)
    if progress is None:
        raise RegradeNotFound
    return progress


def _body(progress: RegradeProgress) -> RegradeBody:
    facts = asdict(progress)
    regrade = facts.pop("regrade")
    return RegradeBody(
        id=regrade.id,
        created_at=regrade.created_at,
        preview=regrade.is_preview,
        applied_at=regrade.applied_at,
        dropped_at=regrade.dropped_at,
        selection=regrade.selection,
        link=f"/api/v1/regrades/{regrade.id}",
        **facts,
    )


def _grade(stored: StoredReport, after_rules: float | None) -> RegradeResultBody:
    return RegradeResultBody(
        report=stored.id,
        status=Status(stored.status),
        points=stored.points,
        max_points=stored.max_points,
        points_after_rules=after_rules,
    )
