"""Regrades of a course: begun, looked at while they run, applied or dropped."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses.uses import list_used
from app.errors import AppError
from app.errors.courses import CourseArchived
from app.errors.requests import FieldsWrong
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import PageFor
from app.http.forms import fields_of, form_of, refused, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import titles_of
from app.services import services
from app.storage.models import Course, Regrade, new_id
from app.submissions.listing import Selection
from app.teaching import previews, regrades
from app.teaching.outdated import outdated_of
from app.teaching.regrade_changes import ChangeCounts, count_changes, counted_changes, list_changes
from app.teaching.regrades import RegradeProgress
from grader import Status

LISTED, PER_PAGE = 20, 50
#: The page shows the progress again after so many seconds.
REFRESH_SECONDS = 3
CONFLICTS = (CourseArchived, PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotPreview)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_STATISTICS))]
Regrader = Annotated[Principal, Depends(PageFor(Right.REGRADE))]
RegradeId = Annotated[str, Depends(PathId("regrade_id", RegradeNotFound))]

router = APIRouter(prefix="/courses/{course_id}/regrades", include_in_schema=False)


@router.get("")
async def regrades_page(request: Request, viewer: Viewer, before: str = "") -> Response:
    return await _list(request, viewer, dict(request.query_params), before=before if ID.fullmatch(before) else None)


@router.post("")
async def begin(request: Request, holder: Regrader) -> Response:
    """Begin a regrade or a preview of one, and show its page."""
    parts = services(request)
    async with form_of(request) as form:
        fields = fields_of(form)
    asked = {name: fields[name] for name in ("assignment", "status", "student") if fields.get(name)}
    wrong = [name for name, value in asked.items() if not value.isprintable()]
    if wrong or asked.get("status", Status.PASSED) not in set(Status):
        raise FieldsWrong(fields=wrong or ["status"])
    is_preview = fields.get("mode") != "now"
    selection: dict[str, Any] = {"filter": asked} if asked else {"all": True}
    key = fields["form_key"] if ID.fullmatch(fields.get("form_key", "")) else new_id()
    values = {"selection": selection, "is_preview": is_preview, "course_id": holder.course_id}

    async def begun_before(session: AsyncSession) -> Regrade | None:
        if made := await made_before(session, Regrade, holder.id, f"page:{key}", **values):
            return made
        return await regrades.running_preview(session, holder.course_id, selection) if is_preview else None

    try:
        regrade, _ = await make_once(
            parts.database,
            begun_before,
            lambda session: regrades.begin(
                session,
                requested_by=holder.id,
                meant=Selection(asked.get("student"), asked.get("assignment"), status=asked.get("status")),
                selection=selection,
                course=holder.course_id,
                idempotency_key=f"page:{key}",
                is_preview=is_preview,
            ),
        )
    except IdempotencyKeyReused as exc:
        return await _list(request, holder, fields, exc)
    parts.jobs.wake()
    return see_other(f"/courses/{holder.course_id}/regrades/{regrade.id}")


@router.get("/{regrade_id}")
async def regrade_page(
    request: Request,
    viewer: Viewer,
    regrade_id: RegradeId,
    show: str = "changed",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    return await _show(request, viewer, regrade_id, only_changed=show != "all", number=number)


@router.post("/{regrade_id}/apply")
async def apply(request: Request, holder: Regrader, regrade_id: RegradeId) -> Response:
    """Let the reports of a preview count."""
    async with form_of(request):
        pass
    try:
        async with services(request).database.write() as session:
            await previews.apply(session, regrade_id, holder.course_id)
    except CONFLICTS as exc:
        return await _show(request, holder, regrade_id, exc)
    return see_other(f"/courses/{holder.course_id}/regrades/{regrade_id}", said="regrade.applied")


@router.post("/{regrade_id}/drop")
async def drop(request: Request, holder: Regrader, regrade_id: RegradeId) -> Response:
    """Delete the reports of a preview."""
    async with form_of(request):
        pass
    database = services(request).database
    try:
        async with database.write() as session:
            await previews.drop(session, regrade_id, holder.course_id)
    except CONFLICTS as exc:
        return await _show(request, holder, regrade_id, exc)
    await database.empty_log()
    return see_other(f"/courses/{holder.course_id}/regrades/{regrade_id}", said="regrade.dropped")


async def _list(
    request: Request,
    viewer: Principal,
    fields: dict[str, str],
    refusal: AppError | None = None,
    before: str | None = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        found = await regrades.list_regrades(session, limit=LISTED + 1, before=before, course=course.id)
        used = await list_used(session, course.id, parts.assignments)
        outdated = await outdated_of(session, parts.assignments, course.id)
    return page(
        request,
        "operation/regrades.html",
        viewer=viewer,
        course=course,
        here="regrades",
        wide=True,
        regrades=[(each, _state(each)) for each in found[:LISTED]],
        next=found[LISTED - 1].regrade.id if len(found) > LISTED else None,
        assignments=used,
        statuses=[status.value for status in Status],
        outdated=outdated,
        titles=titles_of(request, [each.use for each in used]),
        fields=fields,
        form_key=new_id(),
        zone=ZoneInfo(course.time_zone),
        **(refused(request, refusal) if refusal else {"problem": None}),
    )


async def _show(
    request: Request,
    viewer: Principal,
    regrade_id: str,
    refusal: AppError | None = None,
    *,
    only_changed: bool = True,
    number: int = 1,
) -> Response:
    """Raises: RegradeNotFound: the course has none with this id."""
    parts = services(request)
    offset = (number - 1) * PER_PAGE
    async with parts.database.read() as session:
        found = await regrades.find_regrade(session, regrade_id, viewer.course_id)
        if found is None:
            raise RegradeNotFound
        course = await session.get_one(Course, viewer.course_id)
        state = _state(found)
        counts = await count_changes(session, regrade_id) if found.regrade.dropped_at is None else ChangeCounts()
        items = await list_changes(session, regrade_id, only_changed=only_changed, limit=PER_PAGE + 1, offset=offset)
        is_open = found.regrade.is_preview and state in ("running", "ready")
        counted = await counted_changes(session, parts.assignments, items, regrade_id) if is_open else {}
        used = await list_used(session, course.id, parts.assignments)
    return page(
        request,
        "operation/regrade.html",
        viewer=viewer,
        course=course,
        here="regrades",
        wide=True,
        progress=found,
        regrade=found.regrade,
        state=state,
        refresh_seconds=REFRESH_SECONDS if state == "running" else None,
        counts=counts,
        items=items[:PER_PAGE],
        is_open=is_open,
        counted=counted,
        titles=titles_of(request, [each.use for each in used]),
        only_changed=only_changed,
        number=number,
        has_more=len(items) > PER_PAGE,
        zone=ZoneInfo(course.time_zone),
        **(refused(request, refusal) if refusal else {"problem": None}),
    )


def _state(progress: RegradeProgress) -> str:
    """Return where a regrade is: ``running``, ``ready`` (a preview that waits for a decision), ``applied``, ..."""
    regrade = progress.regrade
    if regrade.dropped_at is not None:
        return "dropped"
    if regrade.applied_at is not None:
        return "applied"
    if progress.total == 0:
        return "empty"
    if progress.done < progress.total:
        return "running"
    return "ready" if regrade.is_preview else "done"
