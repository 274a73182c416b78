"""Reports of a submission: as documents, as pictures, as a list, and compared."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any

from anyio import from_thread
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool

from app.access.tokens import Principal
from app.api.conditional import ETAG_HEADER, NOT_MODIFIED, caching, tag, unchanged
from app.api.endpoints.submissions import report_language
from app.api.openapi import Answers, problem_answers
from app.api.schemas.base import EXAMPLE_ID, Body
from app.errors.submissions import ReportNotFound, ReportNotReady, SubmissionNotFound
from app.http.auth.holders import SubmissionReader
from app.http.parameters import SubmissionId
from app.http.visibility import artefacts_for, report_for, view_for
from app.services import services
from app.storage.models import StoredReport, Submission
from app.submissions import repository
from grader import Report, Status
from grader.formats import FORMATS, html, write_report
from grader.report.difference import diff_reports

JSON_REPORT = {
    "description": "`Report` for `format=json`; else the platform's own form",
    "anyOf": [{"$ref": "#/components/schemas/Report"}, {"type": "object"}],
}
DOCUMENT: Answers = {
    200: {
        "description": "The report as a document.",
        "content": {
            form.media_type: {"schema": JSON_REPORT if form.media_type == "application/json" else {"type": "string"}}
            for form in FORMATS.values()
        },
        "headers": ETAG_HEADER,
    }
}


def _check_format(format: str) -> str:
    if format not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}")
    return format


Form = Annotated[
    str,
    AfterValidator(_check_format),
    Query(
        description="for people (`text`, `html`), for programs (`json`), or for the platform of that name",
        json_schema_extra={"enum": list(FORMATS)},
    ),
]
# The range of the database's integers.
ReportId = Annotated[int, Path(ge=1, lt=2**31, description="a report's `id` from the list")]
EarlierReportId = Annotated[
    Annotated[int, Field(ge=1, lt=2**31)] | SkipJsonSchema[None],
    Query(description="the report to compare with; by default the one before it"),
]

router = APIRouter(prefix="/submissions/{submission_id}", tags=["reports"])


class ReportItem(Body):
    """One report of a submission. It never changes."""

    id: int = Field(examples=[1])
    created_at: datetime
    status: Status
    points: float | None
    max_points: float
    grader_version: str
    assignment_digest: str
    link: str = Field(examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports/1"])


class ReportList(Body):
    items: list[ReportItem] = Field(description="the newest first")


class ChangeBody(Body):
    key: str = Field(description="its path in the report", examples=["checks.equivalence.points"])
    before: Any
    after: Any


class ReportDiffBody(Body):
    """The differences between two reports of one submission, and their possible causes."""

    before: int
    after: int
    same_submission: bool
    causes: list[ChangeBody] = Field(description="differences in the input of the grade")
    changes: list[ChangeBody] = Field(description="differences in the result")
    only_questions: bool = Field(description="the numbers that were asked are the only difference in the input")
    unexplained: bool = Field(description="the result changed and no cause is known")


class PictureItem(Body):
    name: str
    title: str
    text: str = Field(description="the picture in words")
    link: str


class PictureList(Body):
    items: list[PictureItem]


@router.get(
    "/report",
    summary="Read the report that counts",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound, ReportNotReady) | DOCUMENT | NOT_MODIFIED,
)
async def read_report(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, format: Form = "json"
) -> Response:
    """Read the document that `lstm-grader grade --format` writes too; `html` is one file that needs nothing else."""
    submission, stored = await _one(request, submission_id, None, viewer)
    return await _document(request, submission, stored, format, viewer)


@router.get("/reports", summary="List all reports", responses=problem_answers(SubmissionNotFound))
async def list_reports(request: Request, viewer: SubmissionReader, submission_id: SubmissionId) -> ReportList:
    """List them, the newest first. A regrade adds a report and keeps the earlier ones."""
    async with services(request).database.read() as session:
        await repository.existing_submission(session, submission_id, viewer)
        reports = await repository.list_reports(session, submission_id)
    return ReportList(
        items=[
            ReportItem(
                id=stored.id,
                created_at=stored.created_at,
                status=report.status,
                points=stored.points,
                max_points=stored.max_points,
                grader_version=report.receipt.grader_version,
                assignment_digest=report.receipt.assignment_digest,
                link=f"/api/v1/submissions/{submission_id}/reports/{stored.id}",
            )
            for stored in reports
            for report in [Report.model_validate(stored.body)]
        ]
    )


@router.get(
    "/reports/{report_id}",
    summary="Read one of them",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound, ReportNotFound) | DOCUMENT | NOT_MODIFIED,
)
async def read_report_by_id(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, report_id: ReportId, format: Form = "json"
) -> Response:
    submission, stored = await _one(request, submission_id, report_id, viewer)
    return await _document(request, submission, stored, format, viewer)


@router.get(
    "/reports/{report_id}/changes",
    summary="Compare a report with an earlier one",
    responses=problem_answers(SubmissionNotFound, ReportNotFound),
)
async def compare_reports(
    request: Request,
    viewer: SubmissionReader,
    submission_id: SubmissionId,
    report_id: ReportId,
    since: EarlierReportId = None,
) -> ReportDiffBody:
    """Compare the grades and everything that decides them. Times, output and wording are left out."""
    async with services(request).database.read() as session:
        await repository.existing_submission(session, submission_id, viewer)
        if since is None:
            ids = [stored.id for stored in await repository.list_reports(session, submission_id)]
            since = max((id for id in ids if id < report_id), default=None)
        found_reports = [
            None if id is None else await repository.find_report(session, submission_id, id, viewer)
            for id in (since, report_id)
        ]
    before, after = found_reports
    if not before or not after:
        raise ReportNotFound
    diff = diff_reports(report_for(before, viewer), report_for(after, viewer))
    return ReportDiffBody(before=before.id, after=after.id, **diff.as_json())


@router.get(
    "/reports/{report_id}/pictures",
    summary="List the pictures of a report",
    responses=problem_answers(SubmissionNotFound, ReportNotFound),
)
async def list_pictures(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, report_id: ReportId
) -> PictureList:
    """List the pictures of public cases that went wrong. A right answer has none."""
    submission, stored = await _one(request, submission_id, report_id, viewer)
    view = await view_for(request, stored, viewer, report_language(request, submission))
    here = f"/api/v1/submissions/{submission_id}/reports/{report_id}/pictures"
    return PictureList(
        items=[
            PictureItem(name=name, title=picture.title, text=picture.text, link=f"{here}/{name}.svg")
            for name, picture in html.pictures_of(view).items()
        ]
    )


@router.get(
    "/reports/{report_id}/pictures/{name}.svg",
    summary="One picture",
    response_class=Response,
    responses=problem_answers(SubmissionNotFound, ReportNotFound)
    | {
        200: {
            "description": "The picture.",
            "content": {"image/svg+xml": {"schema": {"type": "string"}}},
            "headers": ETAG_HEADER,
        }
    }
    | NOT_MODIFIED,
)
async def read_picture(
    request: Request,
    viewer: SubmissionReader,
    submission_id: SubmissionId,
    report_id: ReportId,
    name: Annotated[str, Path(description="a `name` from the list", max_length=100)],
) -> Response:
    submission, stored = await _one(request, submission_id, report_id, viewer)
    view = await view_for(request, stored, viewer, report_language(request, submission))
    picture = html.pictures_of(view).get(name)
    if picture is None:
        raise ReportNotFound
    etag = tag(stored.id, name, view.language, sorted(view.artefacts), version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    svg = await services(request).charts.svg(picture.spec)
    return Response(svg, media_type="image/svg+xml", headers=_policy(html.POLICY) | caching(etag))


async def _one(
    request: Request, submission_id: str, report_id: int | None, viewer: Principal
) -> tuple[Submission, StoredReport]:
    async with services(request).database.read() as session:
        return await repository.existing_report(session, submission_id, viewer, report_id)


async def _document(
    request: Request, submission: Submission, stored: StoredReport, format: str, viewer: Principal
) -> Response:
    language = report_language(request, submission)
    etag = tag(stored.id, format, language, viewer, version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    report, artefacts = report_for(stored, viewer), await artefacts_for(request, stored)
    charts = services(request).charts
    text = await run_in_threadpool(
        write_report, report, format, language, artefacts, draw=lambda spec: from_thread.run(charts.svg, spec)
    )
    return Response(text, media_type=FORMATS[format].media_type, headers=_policy(html.POLICY) | caching(etag))


def _policy(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
