"""Regrades of a course: begin them, follow their progress, and apply or drop previews."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import regrades as actions
from app.actions.asking import Asking
from app.actions.regrades import BeginRegrade, SubmissionFilter
from app.courses.uses import list_used
from app.errors import AppError
from app.errors.courses import CourseArchived
from app.errors.requests import FieldsWrong
from app.errors.teaching import PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotFound, RegradeNotPreview
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import FormAsks, PageFor
from app.http.fields import KEY_FIELD, Fields, form_context
from app.http.forms import fields_of, form_of, refusal_context, see_other
from app.http.parameters import PathId
from app.http.staff import cursor_of, staff_page, titles_of
from app.services import services
from app.storage.models import Course
from app.teaching import regrades
from app.teaching.outdated import outdated_of
from app.teaching.regrade_changes import ChangeCounts, count_changes, counted_changes, list_changes
from app.teaching.regrades import RegradeProgress
from grader import Status

LISTED, PER_PAGE = 20, 50
#: The page reloads after so many seconds while a regrade runs.
REFRESH_SECONDS = 3
CONFLICTS = (CourseArchived, PreviewApplied, PreviewDropped, PreviewUnfinished, RegradeNotPreview)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_STATISTICS))]
RegradeId = Annotated[str, Depends(PathId("regrade_id", RegradeNotFound))]

router = APIRouter(prefix="/courses/{course_id}/regrades", include_in_schema=False)


@router.get("")
async def regrades_page(request: Request, viewer: Viewer, before: str = "") -> Response:
    return await _list(request, viewer, Fields(dict(request.query_params)), before=cursor_of(before))


@router.post("")
async def begin(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.begin_regrade))]) -> Response:
    """Begin a regrade or a preview of one, and show its page. A form that is sent twice begins one."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    # Some pages offer a preview by a button alone.
    key = f"page:{fields.form_key()}" if fields.has(KEY_FIELD) else None
    preview = fields.typed.get("mode") != "now"
    try:
        if any(map(fields.has, ("assignment", "status", "student"))):
            wanted = BeginRegrade(filter=fields.read(SubmissionFilter, filled_only=True), preview=preview)
        else:
            wanted = BeginRegrade(all=True, preview=preview)
        progress = await actions.begin_regrade(asking, wanted, key=key, share_preview=True)
    except (FieldsWrong, IdempotencyKeyReused) as refusal:
        return await _list(request, asking.holder, fields, refusal)
    return see_other(f"/courses/{asking.course_id}/regrades/{progress.regrade.id}")


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
async def apply(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.apply_preview))], regrade_id: RegradeId
) -> Response:
    """Let the reports of a preview count."""
    try:
        async with form_of(request):
            await actions.apply_preview(asking, regrade_id)
    except CONFLICTS as refusal:
        return await _show(request, asking.holder, regrade_id, refusal)
    return see_other(f"/courses/{asking.course_id}/regrades/{regrade_id}", said="regrade.applied")


@router.post("/{regrade_id}/drop")
async def drop(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.drop_preview))], regrade_id: RegradeId
) -> Response:
    """Delete the reports of a preview."""
    try:
        async with form_of(request):
            await actions.drop_preview(asking, regrade_id)
    except CONFLICTS as refusal:
        return await _show(request, asking.holder, regrade_id, refusal)
    return see_other(f"/courses/{asking.course_id}/regrades/{regrade_id}", said="regrade.dropped")


async def _list(
    request: Request,
    viewer: Principal,
    fields: Fields,
    refusal: AppError | None = None,
    before: str | None = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        found = await regrades.list_regrades(session, limit=LISTED + 1, before=before, course=course.id)
        used = await list_used(session, course.id, parts.assignments)
        outdated = await outdated_of(session, parts.assignments, course.id)
    return staff_page(
        request,
        "operation/regrades.html",
        viewer,
        course,
        here="regrades",
        wide=True,
        regrades=[(each, _state(each)) for each in found[:LISTED]],
        next=found[LISTED - 1].regrade.id if len(found) > LISTED else None,
        assignments=used,
        statuses=[status.value for status in Status],
        outdated=outdated,
        titles=titles_of(request, [each.use for each in used]),
        **form_context(request, fields, refusal),
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
        course = await session.get_one(Course, viewer.course_id)
        state = _state(found)
        counts = await count_changes(session, regrade_id) if found.regrade.dropped_at is None else ChangeCounts()
        items = await list_changes(session, regrade_id, only_changed=only_changed, limit=PER_PAGE + 1, offset=offset)
        is_open = found.regrade.is_preview and state in ("running", "ready")
        counted = await counted_changes(session, parts.assignments, items, regrade_id) if is_open else {}
        used = await list_used(session, course.id, parts.assignments)
    return staff_page(
        request,
        "operation/regrade.html",
        viewer,
        course,
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
        **(refusal_context(request, refusal) if refusal else {"problem": None}),
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
