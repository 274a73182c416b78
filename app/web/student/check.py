"""The page of a check before handing in: the wait, then what it says."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.access.tokens import Principal
from app.errors.submissions import CheckNotFound
from app.http.auth.holders import PageFor
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import AssignmentId, titles_of
from app.http.texts import language_of
from app.http.watching import wait_until_done
from app.queue import checks
from app.services import services
from app.storage.models import Check, Course
from app.teaching.own.courses import own_task
from app.web.student.assignment import PATH
from app.web.student.submission import PATIENCE_SECONDS, REFRESH_SECONDS
from grader import Report
from grader.formats import View
from grader.formats.source import Sources

router = APIRouter(include_in_schema=False)

CheckId = Annotated[str, Depends(PathId("check_id", CheckNotFound))]


@router.get(f"{PATH}/checks/{{check_id}}")
async def check_page(
    request: Request,
    viewer: Annotated[Principal, Depends(PageFor(Right.READ_SUBMISSIONS))],
    assignment_id: AssignmentId,
    check_id: CheckId,
) -> Response:
    """Show what the check says, or a waiting page that reloads."""
    parts = services(request)
    await wait_until_done(parts, check_id, viewer, PATIENCE_SECONDS, checks.existing)
    async with parts.database.read() as session:
        check = await checks.existing(session, check_id, viewer)
        position = await checks.position(session, check)
        task = await own_task(session, parts.assignments, viewer, check.assignment_id)
        course = await session.get_one(Course, viewer.course_id)
    context: dict[str, Any] = {
        "viewer": viewer,
        "course": course,
        "zone": ZoneInfo(course.time_zone),
        "check": check,
        "task_title": titles_of(request, [task.use])[assignment_id],
    }
    if check.report is None:
        context |= {"position": position, "refresh_seconds": REFRESH_SECONDS}
        return page(request, "student/check_waiting.html", **context)
    view = await run_in_threadpool(_view, check, language_of(request))
    # The page says first that it is no grade.
    (notice, *advisories) = view.report["advisories"]
    report = {**view.report, "advisories": advisories}
    context |= {"report": report, "notice": notice["message"], "sources": Sources(view), "pictures": [], "proofs": []}
    return page(request, "student/check.html", **context)


def _view(check: Check, language: str) -> View:
    report = Report.model_validate(check.report)
    artefacts = {report.source.artefact: check.source} if report.source.artefact and check.source else {}
    return View.of(report, language, artefacts)
