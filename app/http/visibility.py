"""The parts of a report, and of a grade's derivation, that a reader may see."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.access.tokens import Principal
from app.services import services
from app.storage.models import Role, StoredReport, Submission
from app.submissions import reports
from app.submissions.advisories import for_student
from app.submissions.derivation import Counted, Step, without_words
from grader import Report
from grader.formats import View


def report_for(stored: StoredReport, viewer: Principal) -> Report:
    """Return the report; without the advisories for teachers, unless `viewer` is one."""
    report = Report.model_validate(stored.body)
    return report if viewer.sees_everything else for_student(report)


def as_student(viewer: Principal, submission: Submission) -> Principal:
    """Return the student of a submission, through whose eyes one of the staff looks at it."""
    return replace(viewer, role=Role.SUBMITTER, membership_id=submission.membership_id)


def steps_for(counted: Counted, viewer: Principal) -> Sequence[Step]:
    """Return the steps of a grade. A script that hands in for students does not get a teacher's words to them."""
    if viewer.sees_everything or viewer.membership_id is not None:
        return counted.steps
    return without_words(counted.steps)


async def artefacts_for(request: Request, stored: StoredReport) -> dict[str, bytes]:
    """Return the arrays that the pictures of a report are drawn from, by name."""
    async with services(request).database.read() as session:
        return await reports.artefacts_of(session, stored.id)


async def view_for(request: Request, stored: StoredReport, viewer: Principal, language: str) -> View:
    artefacts = await artefacts_for(request, stored)
    return await run_in_threadpool(View.of, report_for(stored, viewer), language, artefacts)
