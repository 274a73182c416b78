"""Regrades of a course: begin them, follow their progress, and apply or drop previews."""

from typing import Annotated

from fastapi import Query, Response

from app.access.rights import Right
from app.actions import regrades as actions
from app.courses.uses import list_used
from app.http.fields import KEY_FIELD
from app.http.visits import Pages, Visit, one_page
from app.teaching import regrades
from app.teaching.outdated import outdated_of
from app.teaching.regrade_changes import ChangeCounts, count_changes, counted_changes, list_changes
from app.teaching.regrades import RegradeProgress
from grader import Status

LISTED, PER_PAGE = 20, 50
#: The page reloads after so many seconds while a regrade runs.
REFRESH_SECONDS = 3
#: The page of a regrade.
ONE = "/{regrade_id}"

router = Pages("/courses/{course_id}/regrades")


@router.page("", Right.SEE_STATISTICS)
async def regrades_page(visit: Visit) -> Response:
    paging = visit.paging(LISTED, "before")
    rows = await regrades.list_regrades(visit.session, paging, course=visit.course_id)
    used = await list_used(visit.session, visit.course_id, visit.assignments)
    outdated = await outdated_of(visit.session, visit.assignments, visit.course_id)
    return visit.page(
        "operation/regrades.html",
        "regrades",
        stored=dict(visit.request.query_params),
        assignments=visit.offered(used),
        statuses=[status.value for status in Status],
        outdated=outdated,
        titles=visit.titles_of([each.use for each in used]),
        **one_page("regrades", paging, [(each, _state(each)) for each in rows], lambda row: row[0].regrade.id),
    )


@router.form("", actions.begin_regrade, again=regrades_page)
async def begin(visit: Visit) -> Response:
    """Begin a regrade or a preview of one, and show its page. A form that is sent twice begins one."""
    fields = visit.fields
    # Some pages offer a preview by a button alone.
    key = f"page:{fields.form_key()}" if fields.has(KEY_FIELD) else None
    preview = fields.typed.get("mode") != "now"
    if any(map(fields.has, ("assignment", "status", "student"))):
        wanted = actions.BeginRegrade(filter=fields.read(actions.SubmissionFilter, filled_only=True), preview=preview)
    else:
        wanted = actions.BeginRegrade(all=True, preview=preview)
    progress = await actions.begin_regrade(visit, wanted, key=key, share_preview=True)
    return visit.lead_to(f"/regrades/{progress.regrade.id}")


@router.page(ONE, Right.SEE_STATISTICS)
async def regrade_page(
    visit: Visit,
    regrade_id: str,
    show: str = "changed",
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    only_changed, offset = show != "all", (number - 1) * PER_PAGE
    regrade = await regrades.find_regrade(visit.session, regrade_id, visit.course_id)
    state = _state(regrade)
    counts = await count_changes(visit.session, regrade_id) if regrade.regrade.dropped_at is None else ChangeCounts()
    items = await list_changes(visit.session, regrade_id, only_changed=only_changed, limit=PER_PAGE + 1, offset=offset)
    is_open = regrade.regrade.is_preview and state in ("running", "ready")
    counted = await counted_changes(visit.session, visit.assignments, items, regrade_id) if is_open else {}
    used = await list_used(visit.session, visit.course_id, visit.assignments)
    return visit.page(
        "operation/regrade.html",
        "regrades",
        progress=regrade,
        regrade=regrade.regrade,
        state=state,
        refresh_seconds=REFRESH_SECONDS if state == "running" else None,
        counts=counts,
        items=items[:PER_PAGE],
        is_open=is_open,
        counted=counted,
        titles=visit.titles_of([each.use for each in used]),
        only_changed=only_changed,
        number=number,
        has_more=len(items) > PER_PAGE,
    )


router.act(f"{ONE}/apply", actions.apply_preview, ONE, "regrade.applied", again=regrade_page)
router.act(f"{ONE}/drop", actions.drop_preview, ONE, "regrade.dropped", again=regrade_page)


def _state(progress: RegradeProgress) -> str:
    """Return the state of a regrade: ``running``, ``ready`` (a preview that waits for a decision), ``applied``, ..."""
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
