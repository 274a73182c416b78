"""Reports of a submission: as documents, as pictures, as a list, and compared."""

from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any

from anyio import from_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, Field
from starlette.concurrency import run_in_threadpool

from app.access.tokens import Principal
from app.api.conditional import caching, revalidated, tag, unchanged
from app.api.dependencies import SubmissionReading
from app.api.endpoints.submissions import report_language
from app.api.openapi import TEXT, file_answer, refusals
from app.api.schemas.base import Items
from app.bodies import EXAMPLE_ID, Body, shows
from app.errors import ReportNotFound, ReportNotReady, existing
from app.http.auth.holders import SubmissionReader
from app.http.parameters import Omittable, Refuses, SubmissionId
from app.http.visibility import artefacts_for, report_for, view_for
from app.services import services
from app.storage.models import StoredReport
from app.submissions import reports, repository
from grader import Status
from grader.formats import FORMATS, View, html, write_report
from grader.report.difference import diff_reports

JSON_REPORT = {
    "description": "`Report` for `format=json`; else the platform's own form",
    "anyOf": [{"$ref": "#/components/schemas/Report"}, {"type": "object"}],
}
DOCUMENT = revalidated(
    {
        "description": "The report as a document.",
        "content": {
            form.media_type: {"schema": JSON_REPORT if form.media_type == "application/json" else TEXT}
            for form in FORMATS.values()
        },
    }
)


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
ReportId = Annotated[int, Path(ge=1, lt=2**31, description="a report's `id` from the list"), Refuses((ReportNotFound,))]
EarlierReportId = Annotated[
    Omittable[Annotated[int, Field(ge=1, lt=2**31)]],
    Query(description="the report to compare with; by default the one before it"),
]

POLICY = {"Content-Security-Policy": f"{html.POLICY}; frame-ancestors 'none'"}

router = APIRouter(prefix="/submissions/{submission_id}", tags=["reports"])


class ReportItem(Body):
    """One report of a submission. It never changes."""

    id: int = Field(examples=[1])
    created_at: datetime
    status: Status
    points: float | None
    max_points: float
    grader_version: str = shows(of="body.receipt.grader_version")
    assignment_digest: str = shows(of="body.receipt.assignment_digest")
    link: str = Field(examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports/1"])


class ChangeBody(Body):
    key: str = shows("its path in the report", "checks.equivalence.points")
    before: Any
    after: Any


class ReportDiffBody(Body):
    """The differences between two reports of one submission, and their possible causes."""

    before: int
    after: int
    same_submission: bool
    causes: list[ChangeBody] = shows("differences in the input of the grade")
    changes: list[ChangeBody] = shows("differences in the result")
    only_questions: bool = shows("the numbers that were asked are the only difference in the input")
    unexplained: bool = shows("the result changed and no cause is known")


class PictureItem(Body):
    name: str
    title: str
    text: str = shows("the picture in words")
    link: str


@router.get(
    "/report",
    summary="Read the report that counts",
    response_class=Response,
    responses=refusals(ReportNotReady) | DOCUMENT,
)
async def read_report(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, format: Form = "json"
) -> Response:
    """Read the document that `lstm-grader grade --format` writes too; `html` is one file that needs nothing else."""
    return await _document(request, viewer, submission_id, format)


@router.get("/reports", summary="List all reports")
async def list_reports(reading: SubmissionReading, submission_id: SubmissionId) -> Items[ReportItem]:
    """List them, the newest first. A regrade adds a report and keeps the earlier ones."""
    await repository.existing_submission(reading.session, submission_id, reading.viewer)
    rows = await reports.list_reports(reading.session, submission_id)
    link = f"/api/v1/submissions/{submission_id}/reports"
    return Items(items=[ReportItem.from_row(row, link=f"{link}/{row.id}") for row in rows])


@router.get("/reports/{report_id}", summary="Read one of them", response_class=Response, responses=DOCUMENT)
async def read_report_by_id(
    request: Request, viewer: SubmissionReader, submission_id: SubmissionId, report_id: ReportId, format: Form = "json"
) -> Response:
    return await _document(request, viewer, submission_id, format, report_id)


@router.get("/reports/{report_id}/changes", summary="Compare a report with an earlier one")
async def compare_reports(
    reading: SubmissionReading, submission_id: SubmissionId, report_id: ReportId, since: EarlierReportId = None
) -> ReportDiffBody:
    """Compare the grades and everything that decides them. Times, output and wording are left out."""
    session, viewer = reading.session, reading.viewer
    await repository.existing_submission(session, submission_id, viewer)
    if since is None:
        ids = [stored.id for stored in await reports.list_reports(session, submission_id)]
        since = max((id for id in ids if id < report_id), default=None)
    before, after = [
        None if id is None else await reports.find_report(session, submission_id, id, viewer)
        for id in (since, report_id)
    ]
    if not before or not after:
        raise ReportNotFound
    diff = diff_reports(report_for(before, viewer), report_for(after, viewer))
    return ReportDiffBody(before=before.id, after=after.id, **diff.as_json())


async def _view(request: Request, viewer: SubmissionReader, submission_id: SubmissionId, report_id: ReportId) -> View:
    stored, language = await _find(request, viewer, submission_id, report_id)
    return await view_for(request, stored, viewer, language)


ShownView = Annotated[View, Depends(_view)]


@router.get("/reports/{report_id}/pictures", summary="List the pictures of a report")
async def list_pictures(view: ShownView, submission_id: SubmissionId, report_id: ReportId) -> Items[PictureItem]:
    """List the pictures of public cases that went wrong. A right answer has none."""
    here = f"/api/v1/submissions/{submission_id}/reports/{report_id}/pictures"
    return Items(
        items=[
            PictureItem(name=name, title=picture.title, text=picture.text, link=f"{here}/{name}.svg")
            for name, picture in html.pictures_of(view).items()
        ]
    )


@router.get(
    "/reports/{report_id}/pictures/{name}.svg",
    summary="One picture",
    response_class=Response,
    responses=revalidated(file_answer("The picture.", "image/svg+xml")),
)
async def read_picture(
    request: Request,
    view: ShownView,
    report_id: ReportId,
    name: Annotated[str, Path(description="a `name` from the list", max_length=100)],
) -> Response:
    picture = existing(html.pictures_of(view).get(name), ReportNotFound)
    etag = tag(report_id, name, view.language, sorted(view.artefacts), version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    svg = await services(request).charts.svg(picture.spec)
    return Response(svg, media_type="image/svg+xml", headers=POLICY | caching(etag))


async def _find(
    request: Request, viewer: Principal, submission_id: str, report_id: int | None
) -> tuple[StoredReport, str]:
    """Return a report, or the one that counts, and the language of its texts."""
    # Drawing takes a while, so it keeps no session.
    async with services(request).database.read() as session:
        submission, stored = await repository.existing_report(session, submission_id, viewer, report_id)
    return stored, report_language(request, submission)


async def _document(
    request: Request, viewer: Principal, submission_id: str, format: str, report_id: int | None = None
) -> Response:
    stored, language = await _find(request, viewer, submission_id, report_id)
    etag = tag(stored.id, format, language, viewer, version("lstm-grader"))
    if answer := unchanged(request, etag):
        return answer
    report, artefacts = report_for(stored, viewer), await artefacts_for(request, stored)
    charts = services(request).charts
    text = await run_in_threadpool(
        write_report, report, format, language, artefacts, draw=lambda spec: from_thread.run(charts.svg, spec)
    )
    return Response(text, media_type=FORMATS[format].media_type, headers=POLICY | caching(etag))
