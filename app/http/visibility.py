"""The part of a report that its reader may see."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.access.tokens import Principal
from app.services import services
from app.storage.models import StoredReport
from app.submissions import repository
from grader import Report
from grader.formats import View

#: Grounds for a second look by a person. They accuse nobody, so they are not for the student, and cost no points.
FOR_TEACHERS = frozenset({"plagiarism", "prompt_injection", "review_suggested"})


def report_for(stored: StoredReport, viewer: Principal) -> Report:
    """Return the report; without the advisories for teachers, unless `viewer` is one."""
    report = Report.model_validate(stored.body)
    if viewer.sees_everything:
        return report
    shown = [advisory for advisory in report.advisories if advisory.code not in FOR_TEACHERS]
    return report.model_copy(update={"advisories": shown})


async def artefacts_for(request: Request, stored: StoredReport) -> dict[str, bytes]:
    """Return the arrays that the pictures of a report are drawn from, by name."""
    async with services(request).database.read() as session:
        return await repository.artefacts_of(session, stored.id)


async def view_for(request: Request, stored: StoredReport, viewer: Principal, language: str) -> View:
    """Put the report into words for `viewer`."""
    artefacts = await artefacts_for(request, stored)
    return await run_in_threadpool(View.of, report_for(stored, viewer), language, artefacts)
