"""All attempts of the reader at an assignment, and what changed from each to the next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.http.auth.holders import PageFor
from app.http.pages import page
from app.http.staff import AssignmentId
from app.http.texts import language_of
from app.services import services
from app.storage.models import Course
from app.teaching.own.attempts import Place, list_attempts, source_changes
from app.teaching.own.courses import own_task
from app.teaching.own.reasons import reasons_of
from app.web.student.assignment import PATH
from app.web.student.clock import told, zone_of

AT_ONCE = 20

router = APIRouter(include_in_schema=False)


@router.get(f"{PATH}/attempts")
async def attempts_page(
    request: Request,
    viewer: Annotated[Principal, Depends(PageFor(Right.READ))],
    assignment_id: AssignmentId,
    before: Annotated[str, Query()] = "",
) -> Response:
    """List the newest attempts, or those before one of them."""
    parts = services(request)
    async with parts.database.read() as session:
        task = await own_task(session, parts.assignments, viewer, assignment_id)
        course = await session.get_one(Course, viewer.course_id)
        place = Place(course.id, assignment_id, viewer.membership_id)
        last = before if ID.fullmatch(before) else None
        found = await list_attempts(session, task.assignment, viewer, place, limit=AT_ONCE + 1, before=last)
    shown, counted = found[:AT_ONCE], task.basis.counted if task.basis else None
    return page(
        request,
        "student/attempts.html",
        viewer=viewer,
        course=course,
        here="course",
        task=task,
        assignment=task.assignment,
        attempts=shown,
        changed=await source_changes(parts.database, shown),
        reasons=reasons_of(task.basis) if task.basis else {},
        counted=counted,
        steps=told(counted.steps, language_of(request), zone_of(course)) if counted else (),
        zone=zone_of(course),
        next=shown[-1].submission.id if len(found) > AT_ONCE else None,
        before=last,
    )
