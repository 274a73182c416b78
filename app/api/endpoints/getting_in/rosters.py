"""Imports a roster, or says what an import would do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from app.access import imports, links
from app.access.imports import Imported, LinksFor
from app.access.rights import Right
from app.access.tokens import Principal, sign_in_link
from app.api.openapi import problem_answers
from app.api.schemas.rosters import MissingMember, RosterBody, RosterChange, RosterProblem, RosterRow
from app.courses.roster.planning import Step
from app.courses.roster.reading import MOST_BYTES, MOST_ROWS, Roster, read
from app.errors.courses import CourseArchived
from app.errors.outgoing import MailNotSet
from app.errors.requests import NotPermitted
from app.errors.rosters import RosterChanged, RosterRefused, RosterTooLong
from app.errors.uploads import FieldsMissing, FieldsUnknown, FileTooLarge, FormUnreadable, UploadTooSlow
from app.http.auth.holders import PermittedIn
from app.http.bodies import UPLOAD_SECONDS, read_form
from app.http.texts import language_of
from app.http.watching import renewed_if_slow
from app.services import service_url, services
from app.storage.models import Course
from app.texts import text

EXAMPLE = "id;name;email;group\nivanov;Иван Иванов;ivanov@example.org;БПМИ201\n"
ROSTER_FILE: dict[str, Any] = {
    "required": True,
    "content": {
        # The file itself is taken, too; generators of clients do not know how to send it.
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "minLength": 1,
                        "description": "the CSV file",
                        "examples": [EXAMPLE],
                    }
                },
            },
            "encoding": {"file": {"contentType": "text/csv"}},
        },
    },
}


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


router = APIRouter(prefix="/courses/{course_id}/roster", tags=["members"])


@router.post(
    "",
    summary="Import a roster",
    responses=problem_answers(
        NotPermitted,
        CourseArchived,
        RequestValidationError,
        FieldsMissing,
        FieldsUnknown,
        FormUnreadable,
        UploadTooSlow,
        MailNotSet,
        RosterChanged,
        *RosterRefused.__subclasses__(),
    )
    | {
        200: {
            "model": RosterBody,
            "description": "What was done, or with `dry_run` would be done, row by row.",
            "content": {"text/csv": {"schema": {"type": "string"}, "example": "id,name,email,group,link\n"}},
        }
    },
    response_model=RosterBody,
    openapi_extra={"requestBody": ROSTER_FILE},
)
async def import_roster(
    request: Request,
    importer: Annotated[Principal, Depends(PermittedIn(Right.MANAGE_MEMBERS))],
    dry_run: Annotated[bool, Query(description="only say what would be done")] = False,
    plan: Annotated[
        Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | SkipJsonSchema[None],
        Query(description="the `plan` of a dry run; if something else would be done by now, nothing is"),
    ] = None,
    id_column: Annotated[
        Annotated[str, Field(min_length=1, max_length=200)] | SkipJsonSchema[None],
        Query(description="the heading of the column with the ids; by default the best one that has values"),
    ] = None,
    links: Annotated[LinksFor, Query(description="who gets a personal link")] = LinksFor.NONE,
    mail: Annotated[bool, Query(description="send these links by mail, too")] = False,
    format: Annotated[
        Format | SkipJsonSchema[None],
        Query(description="`csv`: only the links, for a mail merge; by default as `Accept` says"),
    ] = None,
) -> RosterBody | Response:
    """Import a CSV file: UTF-8 or CP1251, separated by semicolons, commas or tabs, with headings such as
    `id;name;email;group`; or an export of Moodle or Canvas as it is.

    A student is found by the id in the grade book. New students are confirmed members, unconfirmed ones become so, and
    removed ones come back. Nobody is taken out, and no teacher or assistant is changed. A row that cannot be carried
    out stops no other. The same file again changes nothing.
    """
    parts = services(request)
    if mail and parts.mailer is None:
        raise MailNotSet
    began = time.monotonic()
    content = await _content(request)
    importer = await renewed_if_slow(parts, importer, began)
    importer.check(Right.MANAGE_MEMBERS)
    roster = await run_in_threadpool(read, content, id_column)
    async with parts.database.write() as session:
        imported = await imports.import_roster(
            session, importer, roster, dry_run=dry_run, links_for=links, expected=plan
        )
        course = await session.get_one(Course, importer.course_id)
    mailed = _mailed(request, imported, course) if mail else {}
    if format == Format.CSV or (format is None and _wants_csv(request)):
        return Response(
            imports.links_csv(imported.links.values(), service_url(request)),
            media_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="links.csv"'},
        )
    return _body(request, roster, imported, dry_run=dry_run, mailed=mailed)


async def _content(request: Request) -> bytes:
    """Return the file in the body, which is a form or the file itself."""
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            async with read_form(request, MOST_BYTES) as form:
                if unknown := sorted(set(form) - {"file"}):
                    raise FieldsUnknown(unknown=[name[:100] for name in unknown[:10]], known=["file"])
                if not isinstance(file := form.get("file"), UploadFile):
                    raise FieldsMissing(missing=["file"])
                return await file.read()
        content = bytearray()
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MOST_BYTES:
                    raise FileTooLarge(limit_bytes=MOST_BYTES)
        return bytes(content)
    except FileTooLarge as exc:
        raise RosterTooLong(limit=MOST_ROWS, limit_bytes=MOST_BYTES) from exc
    except TimeoutError as exc:
        raise UploadTooSlow(limit_seconds=UPLOAD_SECONDS) from exc


def _mailed(request: Request, imported: Imported, course: Course) -> dict[int, bool]:
    mailer = services(request).mailer
    assert mailer is not None
    url = service_url(request)
    return {line: links.mail(mailer, link, course, url) for line, link in imported.links.items()}


def _wants_csv(request: Request) -> bool:
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return "text/csv" in accepted and "application/json" not in accepted


def _body(
    request: Request, roster: Roster, imported: Imported, *, dry_run: bool, mailed: Mapping[int, bool]
) -> RosterBody:
    language, url = language_of(request), service_url(request)
    plan = imported.plan
    return RosterBody(
        course=plan.course_id,
        dry_run=dry_run,
        plan=plan.digest,
        id_column=roster.id_column,
        ignored_columns=list(roster.ignored),
        left_out=roster.left_out,
        counts=plan.counts(),
        rows=[
            _row(step, language).model_copy(
                update={
                    "link": sign_in_link(url, link.secret) if (link := imported.links.get(step.row.line)) else None,
                    "mailed": mailed.get(step.row.line),
                }
            )
            for step in plan.steps
        ],
        missing=[
            MissingMember(
                member=member.id,
                id=member.external_id,
                name=member.person.name,
                confirmed=member.confirmed_at is not None,
            )
            for member in plan.missing
        ],
    )


def _row(step: Step, language: str) -> RosterRow:
    row = step.row
    return RosterRow(
        line=row.line,
        id=row.id,
        name=row.name,
        email=row.email,
        group=row.group,
        role=row.role,
        outcome=step.outcome,
        member=step.member.id if step.member else None,
        changes=[RosterChange(field=name, before=old, after=new) for name, (old, new) in step.changes.items()],
        problems=[
            RosterProblem(
                code=problem.fault,
                column=problem.column,
                message=text(f"roster.fault.{problem.fault}", language, **problem.params),
            )
            for problem in row.problems
        ],
        conflict=step.conflict,
        message=step.conflict and text(f"roster.conflict.{step.conflict}", language, with_id=step.with_id or "?"),
        kept=list(step.kept),
        perhaps=list(step.perhaps),
    )
