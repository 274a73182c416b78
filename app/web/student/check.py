"""The page of a check before handing in: the wait, then the result."""

from typing import Annotated, Any

from fastapi import Depends, Response
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.http.parameters import AssignmentId, CheckId
from app.http.staff import titles_of
from app.http.visits import PageFor, Pages, Visit
from app.http.watching import wait_until_done
from app.queue import checks
from app.storage.models import Check
from app.teaching.own.courses import own_task
from app.web.student.assignment import PATH
from app.web.student.submission import PATIENCE_SECONDS, REFRESH_SECONDS
from grader import Report
from grader.formats import View
from grader.formats.source import Sources

router = Pages()


@router.get(f"{PATH}/checks/{{check_id}}")
async def check_page(
    visit: Annotated[Visit, Depends(PageFor(Right.READ_SUBMISSIONS))], assignment_id: AssignmentId, check_id: CheckId
) -> Response:
    """Show the result of the check, or a waiting page that reloads."""
    viewer = visit.holder
    await wait_until_done(visit.parts, check_id, viewer, PATIENCE_SECONDS, checks.existing)
    async with visit.database.read() as session:
        check = await checks.existing(session, check_id, viewer)
        position = await checks.position(session, check)
        task = await own_task(session, visit.assignments, viewer, check.assignment_id)
    common: dict[str, Any] = {"check": check, "task_title": titles_of(visit.request, [task.use])[assignment_id]}
    if check.report is None:
        common |= {"position": position, "refresh_seconds": REFRESH_SECONDS}
        return visit.page("student/check_waiting.html", "course", **common)
    view = await run_in_threadpool(_view, check, visit.language)
    # The page says first that it is no grade.
    (notice, *advisories) = view.report["advisories"]
    report = {**view.report, "advisories": advisories}
    common |= {"report": report, "notice": notice["message"], "sources": Sources(view), "pictures": [], "proofs": []}
    return visit.page("student/check.html", "course", **common)


def _view(check: Check, language: str) -> View:
    report = Report.model_validate(check.report)
    artefacts = {report.source.artefact: check.source} if report.source.artefact and check.source else {}
    return View.of(report, language, artefacts)
