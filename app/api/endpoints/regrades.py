"""Regrades: have submissions graded again, follow the progress, see the changes, apply or drop a preview."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any

from fastapi import Query

from app.access.rights import Right
from app.actions import regrades as actions
from app.api.dependencies import Paged, Reading, Resource, page_of, reads
from app.api.schemas.base import Page
from app.bodies import EXAMPLE_ID, Body, address_of, shows
from app.http.parameters import RegradeId
from app.submissions.grades import points_of
from app.teaching import regrades
from app.teaching.regrades import RegradeChange
from grader import Status


class RegradeBody(Body):
    id: str = shows(None, EXAMPLE_ID, of="regrade.id")
    created_at: datetime = shows(of="regrade.created_at")
    selection: dict[str, Any] = shows("the choice in the request", of="regrade.selection")
    total: int = shows("submissions that are graded again")
    done: int
    changed: int = shows("finished ones whose points or verdict changed")
    preview: bool = shows("its reports count only when it is applied", of="regrade.is_preview")
    applied_at: datetime | None = shows("null: it is no preview, or not applied", of="regrade.applied_at")
    dropped_at: datetime | None = shows("null: it is no preview, or not dropped", of="regrade.dropped_at")
    superseded: int = shows("of an applied preview: submissions that had a newer report by then, and keep that")
    link: Annotated[str, address_of("/api/v1/regrades/{}")] = shows(of="regrade.id")


class RegradeResultBody(Body):
    report: int = shows(of="id")
    status: Status
    points: float | None
    max_points: float
    points_after_rules: float | None = shows("the points less the penalty for lateness, by the course's rules of today")


class RegradeItemBody(Body):
    submission: str = shows(None, EXAMPLE_ID, of="id")
    student: str
    assignment: str = shows(of="assignment_id")
    attempt: int
    before: RegradeResultBody
    after: RegradeResultBody | None = shows("null until it is graded again")
    changes: str | None = shows("address that compares the two reports")
    applied: bool | None = shows(
        "of an applied preview: whether its report counts like any other; false when a newer one did already. Else null"
    )


Viewer = Annotated[Reading, reads(Right.SEE_STATISTICS)]

router = Resource(prefix="/regrades", tags=["regrades"])


router.act(
    "POST",
    "",
    actions.begin_regrade,
    RegradeBody,
    summary="Grade submissions again",
    name="create_regrade",
    status_code=202,
)


@router.get("", summary="List the regrades")
async def list_regrades(reading: Viewer, paging: Paged) -> Page[RegradeBody]:
    """List them, the newest first."""
    rows = await regrades.list_regrades(reading.session, paging, course=reading.viewer.course)
    return page_of(paging, rows, RegradeBody.model_validate, attrgetter("regrade.id"))


@router.get("/{regrade_id}", summary="Read the progress of a regrade")
async def read_regrade(reading: Viewer, regrade_id: RegradeId) -> RegradeBody:
    progress = await regrades.find_regrade(reading.session, regrade_id, reading.viewer.course)
    return RegradeBody.model_validate(progress)


@router.get("/{regrade_id}/submissions", summary="List the changes of a regrade")
async def list_regrade_submissions(
    reading: Viewer,
    regrade_id: RegradeId,
    paging: Paged,
    changed: Annotated[bool, Query(description="only submissions whose points or verdict changed")] = False,
) -> Page[RegradeItemBody]:
    session = reading.session
    await regrades.find_regrade(session, regrade_id, reading.viewer.course)
    items = await regrades.list_items(session, regrade_id, paging, only_changed=changed)
    before = await points_of(session, reading.assignments, [(each.submission, each.old) for each in items])
    after = await points_of(session, reading.assignments, [(each.submission, each.new) for each in items])
    rows = list(zip(items, before, after, strict=True))
    return page_of(paging, rows, lambda row: _item(*row), lambda row: row[0].submission.id)


router.act(
    "POST", "/{regrade_id}/apply", actions.apply_preview, RegradeBody, summary="Let the reports of a preview count"
)
router.act("POST", "/{regrade_id}/drop", actions.drop_preview, RegradeBody, summary="Drop a preview")


def _item(change: RegradeChange, before: float | None, after: float | None) -> RegradeItemBody:
    submission, old, new = change.submission, change.old, change.new
    return RegradeItemBody.from_row(
        submission,
        before=RegradeResultBody.from_row(old, points_after_rules=before),
        after=RegradeResultBody.from_row(new, points_after_rules=after) if new else None,
        changes=f"/api/v1/submissions/{submission.id}/reports/{new.id}/changes?since={old.id}" if new else None,
        applied=change.is_applied,
    )
