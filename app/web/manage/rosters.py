"""Imports a roster in two steps: show what would happen, row by row; then do exactly that.

Between the two the browser keeps the file, packed in a field of the form, and the digest of the plan that it was shown.
The import refuses any other plan (`RosterChanged`).
"""

from __future__ import annotations

import base64
import zlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import FormData

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import ways_in as actions
from app.actions.asking import Asking
from app.actions.ways_in import ImportResult
from app.courses import course as courses
from app.courses.roster.columns import HEADINGS
from app.courses.roster.planning import Outcome
from app.courses.roster.reading import MOST_BYTES, MOST_ROWS
from app.errors import AppError
from app.errors.requests import FormExpired
from app.errors.rosters import RosterChanged, RosterRefused, RosterTooLong
from app.errors.uploads import FieldsMissing, FileTooLarge
from app.http.auth.holders import FormAsks
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.forms import lines_of, see_other
from app.http.refusals import page_refusal_context
from app.http.staff import ReadPageFor, staff_page
from app.http.uploads import file_in, form_with_file
from app.services import services

PACKED_FIELD = "packed"
#: Rows of each kind that the page shows; the counts are of all.
MOST_LISTED = 100
#: The outcomes in the order of the page: those that need a look come first.
ORDER = (Outcome.INVALID, Outcome.CONFLICT, Outcome.NEW, Outcome.RESTORED, Outcome.CHANGED, Outcome.UNCHANGED)

router = APIRouter(prefix="/courses/{course_id}/roster")


@router.get("")
async def roster_page(
    request: Request, viewer: Annotated[Principal, Depends(ReadPageFor(Right.MANAGE_MEMBERS))]
) -> Response:
    return await _page(request, viewer)


@router.post("")
async def roster(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.import_roster))]) -> Response:
    """Show what an import of a file or a pasted table would do; or do it, if the form names the plan that was shown."""
    pasted = ""
    try:
        async with form_with_file(request, asking, 2 * MOST_BYTES, text_bytes=2 * MOST_BYTES) as (form, asking):
            await check_form_secret(request, form.get(FORM_FIELD))
            plan, pasted = _text(form, "plan"), _text(form, "table")
            content = await _content(form)
        imported = await actions.import_roster(asking, content, dry_run=not plan, expected=plan or None)
    except FileTooLarge:
        return await _page(request, asking.holder, RosterTooLong(limit=MOST_ROWS, limit_bytes=MOST_BYTES))
    except RosterChanged as refusal:
        imported = await actions.import_roster(asking, content, dry_run=True)
        if not any(step.is_carried_out for step in imported.plan.steps):  # The form was sent twice.
            return _to_links(asking, imported)
        return await _plan_page(request, asking.holder, imported, content, refusal)
    except (RosterRefused, FieldsMissing) as refusal:
        return await _page(request, asking.holder, refusal, pasted)
    return _to_links(asking, imported) if plan else await _plan_page(request, asking.holder, imported, content)


def _to_links(asking: Asking, imported: ImportResult) -> Response:
    left_out = any(step.outcome in (Outcome.CONFLICT, Outcome.INVALID) for step in imported.plan.steps)
    said = "roster.imported_in_part" if left_out else "roster.imported"
    return see_other(f"/courses/{asking.course_id}/links", said=said)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return lines_of(value) if isinstance(value, str) else ""


async def _content(form: FormData) -> bytes:
    """Return the bytes of the file, the pasted table, or the packed file that an earlier page has shown.

    Raises:
        FieldsMissing: there is none of them.
        FormExpired: what is packed is not ours.
        RosterTooLong
    """
    if packed := _text(form, PACKED_FIELD):
        return _unpack(packed)
    if (file := await file_in(form)) and file.content:
        return file.content
    if table := _text(form, "table").strip():
        return table.encode("utf-8", "replace")
    raise FieldsMissing(missing=["file"])


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _unpack(packed: str) -> bytes:
    unpack = zlib.decompressobj()
    try:
        content = unpack.decompress(base64.b64decode(packed, validate=True), MOST_BYTES + 1)
    except (ValueError, zlib.error) as exc:
        raise FormExpired from exc
    return content


async def _page(request: Request, viewer: Principal, refusal: AppError | None = None, pasted: str = "") -> Response:
    return await _page_with_course(
        request,
        "manage/roster.html",
        viewer,
        refusal,
        headings=HEADINGS,
        pasted=pasted[:MOST_BYTES],
        most_rows=MOST_ROWS,
    )


async def _plan_page(
    request: Request, importer: Principal, imported: ImportResult, content: bytes, refusal: AppError | None = None
) -> Response:
    steps = imported.plan.steps
    return await _page_with_course(
        request,
        "manage/roster_plan.html",
        importer,
        refusal,
        roster=imported.roster,
        plan=imported.plan,
        steps={outcome: [step for step in steps if step.outcome == outcome] for outcome in ORDER},
        shown=MOST_LISTED,
        changes_something=any(step.is_carried_out for step in steps),
        packed=_pack(content),
    )


async def _page_with_course(
    request: Request, template: str, viewer: Principal, refusal: AppError | None, **context: Any
) -> Response:
    async with services(request).database.read() as session:
        course = await courses.existing(session, viewer.course_id)
    context |= page_refusal_context(request, refusal) if refusal else {"problem": None}
    return staff_page(request, template, viewer, course, "roster", **context)
