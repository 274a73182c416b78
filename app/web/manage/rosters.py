"""Imports a roster in two steps: show what would happen, row by row; then do exactly that.

Between the two the browser keeps the file, packed in a field of the form, and the digest of the plan that it was shown.
The import refuses any other plan (`RosterChanged`).
"""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import replace

from fastapi import Response
from starlette.datastructures import FormData

from app.access.rights import Right
from app.actions import ways_in as actions
from app.courses.roster.columns import HEADINGS
from app.courses.roster.planning import Outcome
from app.courses.roster.reading import MOST_BYTES, MOST_ROWS
from app.errors import AppError, FieldsMissing, FileTooLarge, FormExpired, RosterChanged, RosterRefused, RosterTooLong
from app.http.bodies import file_in
from app.http.visits import Pages, Visit

PACKED_FIELD = "packed"
#: Rows of each kind that the page shows; the counts are of all.
MOST_LISTED = 100
#: The outcomes in the order of the page: those that need a look come first.
ORDER = (Outcome.INVALID, Outcome.CONFLICT, Outcome.NEW, Outcome.RESTORED, Outcome.CHANGED, Outcome.UNCHANGED)

router = Pages("/courses/{course_id}/roster")


@router.page("", Right.MANAGE_MEMBERS, archived_too=True)
async def roster_page(visit: Visit) -> Response:
    return _page(visit)


@router.form("", actions.import_roster, with_file=True)
async def roster(visit: Visit) -> Response:
    """Show what an import of a file or a pasted table would do; or do it, if the form names the plan that was shown."""
    typed = visit.fields.typed
    try:
        async with visit.file_form(2 * MOST_BYTES, text_bytes=2 * MOST_BYTES) as (form, visit):
            plan, content = typed.get("plan"), await _content(form, typed)
        imported = await actions.import_roster(visit, content, dry_run=not plan, expected=plan)
    except FileTooLarge:
        return _page(visit, RosterTooLong(limit=MOST_ROWS, limit_bytes=MOST_BYTES))
    except RosterChanged as refusal:
        imported = await actions.import_roster(visit, content, dry_run=True)
        if not any(step.is_carried_out for step in imported.plan.steps):  # The form was sent twice.
            return _to_links(visit, imported)
        return _plan_page(visit, imported, content, refusal)
    except (RosterRefused, FieldsMissing) as refusal:
        return _page(visit, refusal, typed.get("table", ""))
    return _to_links(visit, imported) if plan else _plan_page(visit, imported, content)


def _to_links(visit: Visit, imported: actions.ImportResult) -> Response:
    left_out = any(step.outcome in (Outcome.CONFLICT, Outcome.INVALID) for step in imported.plan.steps)
    return visit.lead_to("/links", "roster.imported_in_part" if left_out else "roster.imported")


async def _content(form: FormData, typed: Mapping[str, str]) -> bytes:
    """Return the bytes of the file, the pasted table, or the packed file that an earlier page has shown.

    Raises:
        FieldsMissing: there is none of them.
        FormExpired: what is packed is not ours.
    """
    if packed := typed.get(PACKED_FIELD):
        try:
            return zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), MOST_BYTES + 1)
        except (ValueError, zlib.error) as exc:
            raise FormExpired from exc
    if (file := await file_in(form)) and file.content:
        return file.content
    if table := typed.get("table", "").strip():
        return table.encode("utf-8", "replace")
    raise FieldsMissing(missing=["file"])


def _page(visit: Visit, refusal: AppError | None = None, pasted: str = "") -> Response:
    return replace(visit, refusal=refusal).page(
        "manage/roster.html", "roster", headings=HEADINGS, pasted=pasted[:MOST_BYTES], most_rows=MOST_ROWS
    )


def _plan_page(
    visit: Visit, imported: actions.ImportResult, content: bytes, refusal: AppError | None = None
) -> Response:
    steps = imported.plan.steps
    return replace(visit, refusal=refusal).page(
        "manage/roster_plan.html",
        "roster",
        roster=imported.roster,
        plan=imported.plan,
        steps={outcome: [step for step in steps if step.outcome == outcome] for outcome in ORDER},
        shown=MOST_LISTED,
        changes_something=any(step.is_carried_out for step in steps),
        packed=base64.b64encode(zlib.compress(content, 9)).decode(),
    )
