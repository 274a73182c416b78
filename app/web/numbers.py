"""All numbers of a public case, for a table of one's own and for the map on the report's page."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.status import HTTP_404_NOT_FOUND

from app.errors.submissions import ReportNotReady
from app.http.auth.holders import SessionHolder
from app.http.parameters import SubmissionId
from app.http.visibility import artefacts_for, report_for
from app.services import services
from app.submissions import repository
from grader.report import artefacts
from grader.report.proof.cells import numbers_csv

router = APIRouter(include_in_schema=False)


@router.get("/submissions/{submission_id}/numbers/{case_id}.csv")
async def numbers(request: Request, viewer: SessionHolder, submission_id: SubmissionId, case_id: str) -> Response:
    """Send every number of a public case of the newest report: Keras', the student's, the named mistake's."""
    async with services(request).database.read() as session:
        await repository.existing_submission(session, submission_id, viewer)
        stored = await repository.newest_report(session, submission_id)
    if stored is None:
        raise ReportNotReady
    cases = {case.id: case.arrays for case in report_for(stored, viewer).cases if case.visibility == "public"}
    content = (await artefacts_for(request, stored)).get(cases.get(case_id) or "")
    if content is None:
        raise HTTPException(HTTP_404_NOT_FOUND)
    text = await run_in_threadpool(lambda: numbers_csv(artefacts.unpack(content)))
    return Response(text, media_type="text/csv; charset=utf-8")
