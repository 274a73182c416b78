"""Imports a roster, or says what an import would do."""

import time
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.datastructures import UploadFile

from app.access.links import NewLink, links_csv
from app.access.tokens import sign_in_link
from app.actions import ways_in as actions
from app.actions.actor import Actor
from app.api.dependencies import acts
from app.api.openapi import refusals, upload_form
from app.bodies import EXAMPLE_ID, Body, Whether, shows
from app.courses.roster.planning import Conflict, Outcome, Step
from app.courses.roster.reading import MOST_BYTES, MOST_ROWS, Fault
from app.errors import FieldsMissing, FieldsUnknown, FileTooLarge, FormUnreadable, RosterTooLong, UploadTooSlow
from app.http.archives import as_file
from app.http.bodies import check_fields, read_file, read_form
from app.http.parameters import Omittable
from app.http.texts import language_of
from app.http.watching import current_rights_if_slow
from app.services import services
from app.storage.models import MemberRole
from app.texts import text

EXAMPLE = "id;name;email;group\nivanov;Иван Иванов;ivanov@example.org;БПМИ201\n"
# The file itself is taken, too; generators of clients do not know how to send it.
ROSTER_FORM = upload_form({"description": "the CSV file", "examples": [EXAMPLE]}, {"contentType": "text/csv"})


class RosterProblem(Body):
    code: Fault = shows("what is wrong with the row")
    column: str | None = shows("the heading of its column; null: the row as a whole", "Почта")
    message: str = shows("what came, and what was expected", "ivanov@ is no e-mail address")


class RosterChange(Body):
    field: str = Field(examples=["group"])
    before: str | bool | None = shows("what is stored", "БПМИ201")
    after: str | bool | None = shows("what will be, or is by now", "БПМИ202")


class RosterRow(Body):
    line: int = Field(description="of the file, from 1", ge=1, examples=[2])
    id: str = shows("in the grade book; empty if the row has none that can be used", "ivanov")
    name: str | None = Field(examples=["Иван Иванов"])
    email: str | None = Field(examples=["ivanov@example.org"])
    group: str | None = Field(examples=["БПМИ202"])
    role: MemberRole
    outcome: Outcome = shows("`new`, `changed` and `restored` are carried out; `conflict` and `invalid` are not")
    member: str | None = shows("the `id` of the member, if there is one already", EXAMPLE_ID)
    changes: list[RosterChange] = shows("what differs from the stored values")
    problems: list[RosterProblem] = shows("why the row is `invalid`")
    conflict: Conflict | None = shows("why the row is a `conflict`")
    message: str | None = shows("the conflict in words", None)
    kept: list[str] = shows("fields that differ and stay as they are, because the person is in other courses, too")
    perhaps: list[str] = shows(
        "unconfirmed members who gave the same e-mail address or id; perhaps they are the same person"
    )
    link: str | None = Field(None, description="a new personal link. Only this answer holds it")
    mailed: bool | None = Field(None, description="whether the link goes out by mail; null: this was not asked for")


class MissingMember(Body):
    member: str = shows("the `id` of the member", EXAMPLE_ID, of="id")
    id: str | None = shows("in the grade book", "sidorov", of="external_id")
    name: str | None = shows(None, "Сидор Сидоров", of="person.name")
    confirmed: Whether = shows(of="confirmed_at")


class RosterBody(Body):
    course: str = Field(examples=[EXAMPLE_ID])
    dry_run: bool = shows("whether nothing was stored")
    plan: str = shows("names what is done; sent with the import, it refuses anything else", "0" * 64)
    id_column: str = shows("the heading of the column that gave the ids", "ID number")
    ignored_columns: list[str] = shows("headings of columns that mean nothing here", ["№"])
    left_out: int = shows("rows that are no people: Canvas' points possible and test student, deleted users", 0)
    counts: dict[Outcome, int] = shows("rows by outcome")
    rows: list[RosterRow]
    missing: list[MissingMember] = shows("students of the course who are not in the file; they stay")


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"


router = APIRouter(prefix="/courses/{course_id}/roster", tags=["members"])


@router.post(
    "",
    summary="Import a roster",
    responses=refusals(FieldsMissing, FieldsUnknown, FormUnreadable, UploadTooSlow)
    | {
        200: {
            "model": RosterBody,
            "description": "What was done, or with `dry_run` would be done, row by row.",
            "content": {"text/csv": {"schema": {"type": "string"}, "example": "id,name,email,group,link\n"}},
        }
    },
    response_model=RosterBody,
    openapi_extra=ROSTER_FORM,
)
async def import_roster(
    request: Request,
    actor: Annotated[Actor, acts(actions.import_roster)],
    dry_run: Annotated[bool, Query(description="only say what would be done")] = False,
    plan: Annotated[
        Omittable[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]],
        Query(description="the `plan` of a dry run; if something else would be done by now, nothing is"),
    ] = None,
    id_column: Annotated[
        Omittable[Annotated[str, Field(min_length=1, max_length=200)]],
        Query(description="the heading of the column with the ids; by default the best one that has values"),
    ] = None,
    links: Annotated[actions.LinksFor, Query(description="who gets a personal link")] = actions.LinksFor.NONE,
    mail: Annotated[bool, Query(description="send these links by mail, too")] = False,
    format: Annotated[
        Omittable[Format],
        Query(description="`csv`: only the links, for a mail merge; by default as `Accept` says"),
    ] = None,
) -> RosterBody | Response:
    """Import a CSV file: UTF-8 or CP1251, separated by semicolons, commas or tabs, with headings such as
    `id;name;email;group`; or an export of Moodle or Canvas as it is.

    A student is found by the id in the grade book. New students are confirmed members, unconfirmed ones become so, and
    removed ones come back. Nobody is taken out, and no teacher or assistant is changed. A row that cannot be carried
    out stops no other. The same file again changes nothing.
    """
    began = time.monotonic()
    content = await _content(request)
    # Rights may have ended while the file was on its way.
    actor = replace(actor, holder=await current_rights_if_slow(services(request), actor.holder, began))
    imported = await actions.import_roster(
        actor, content, id_column=id_column, dry_run=dry_run, expected=plan, links_for=links, by_mail=mail
    )
    if format == Format.CSV or (format is None and _wants_csv(request)):
        table = links_csv(imported.links.values(), actor.url)
        return Response(table, media_type="text/csv", headers=as_file("links.csv"))
    language = language_of(request)
    return RosterBody(
        course=actor.course_id,
        dry_run=dry_run,
        plan=imported.plan.digest,
        id_column=imported.roster.id_column,
        ignored_columns=list(imported.roster.ignored),
        left_out=imported.roster.left_out,
        counts=imported.plan.counts(),
        rows=[_row(step, imported.links.get(step.row.line), actor.url, language) for step in imported.plan.steps],
        missing=list(map(MissingMember.model_validate, imported.plan.missing)),
    )


async def _content(request: Request) -> bytes:
    """Return the file in the body, which is a form or the file itself."""
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            async with read_form(request, MOST_BYTES) as form:
                check_fields(form, ["file"])
                if not isinstance(file := form.get("file"), UploadFile):
                    raise FieldsMissing(missing=["file"])
                return await file.read()
        return await read_file(request, MOST_BYTES)
    except FileTooLarge as exc:
        raise RosterTooLong(limit=MOST_ROWS, limit_bytes=MOST_BYTES) from exc


def _wants_csv(request: Request) -> bool:
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return "text/csv" in accepted and "application/json" not in accepted


def _row(step: Step, link: NewLink | None, url: str, language: str) -> RosterRow:
    return RosterRow.from_row(
        step.row,
        outcome=step.outcome,
        member=step.member.id if step.member else None,
        changes=[RosterChange(field=name, before=old, after=new) for name, (old, new) in step.changes.items()],
        problems=[
            RosterProblem(
                code=problem.fault,
                column=problem.column,
                message=text(f"roster.fault.{problem.fault}", language, **problem.params),
            )
            for problem in step.row.problems
        ],
        conflict=step.conflict,
        message=step.conflict and text(f"roster.conflict.{step.conflict}", language, with_id=step.with_id or "?"),
        kept=list(step.kept),
        perhaps=list(step.perhaps),
        link=sign_in_link(url, link.secret) if link else None,
        mailed=link.mailed if link else None,
    )
