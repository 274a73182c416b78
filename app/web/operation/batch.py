"""Batches of a course: a teacher hands in a platform's archive with the files of all students."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Response

from app.access.rights import Right
from app.actions import hand_in as actions
from app.actions.fields import ID
from app.answers import answer_named
from app.courses.uses import list_used
from app.errors import ArchiveRefused, AssignmentNotFound, FileTooLarge, UploadRefused
from app.http.bodies import chosen_file
from app.http.problems import problem
from app.http.visits import Pages, Visit, one_page
from app.queue.batches import lines, taking_in
from app.queue.batches.lines import BatchLine
from app.queue.batches.reading import too_large
from app.storage.models import Batch, BatchFileState

LISTED, PER_PAGE = 20, 100
REFRESH_SECONDS = 3
#: The beginning of a field's name for a file without an owner; the file's id follows.
OWNER_FIELD = "owner-"
UNMATCHED = (BatchFileState.UNMATCHED,)
UNDONE = (BatchFileState.REFUSED, BatchFileState.UNREADABLE)
DONE = (BatchFileState.WAITING, BatchFileState.HANDED_IN, BatchFileState.DUPLICATE)

router = Pages("/courses/{course_id}/batch")


@router.page("", Right.SEE_GRADES)
async def batches_page(visit: Visit) -> Response:
    paging = visit.paging(LISTED, "before")
    batches = await lines.list_batches(visit.session, visit.course_id, paging)
    used = await list_used(visit.session, visit.course_id, visit.assignments)
    return visit.page(
        "operation/batches.html",
        "batch",
        assignments=visit.offered(used),
        titles=visit.titles_of([each.use for each in used]),
        limit_bytes=visit.parts.settings.batch_bytes,
        **one_page("batches", paging, batches, lambda row: row.batch.id),
    )


@router.form("", actions.hand_in_batch, with_file=True)
async def upload(visit: Visit) -> Response:
    inbox, most = visit.parts.inbox, visit.parts.settings.batch_bytes
    try:
        async with visit.file_form(most) as (form, visit):
            file, assignment_id = chosen_file(form), visit.fields.typed.get("assignment", "")
            batch = await actions.hand_in_batch(
                visit, inbox, assignment_id, file.file, filename=file.filename or "", packed_bytes=most
            )
    except (ArchiveRefused, UploadRefused, AssignmentNotFound) as exc:
        refusal = too_large(most) if isinstance(exc, FileTooLarge) else exc
        return await batches_page(replace(visit, refusal=refusal))
    return visit.lead_to(f"/batch/{batch.id}")


@router.page("/{batch_id}", Right.SEE_GRADES)
async def batch_page(visit: Visit, batch_id: str) -> Response:
    """Show a batch. The query has the cursor of each of its lists.

    Raises: BatchNotFound
    """
    batch = await taking_in.find_batch(visit.session, visit.course_id, batch_id)
    (progress,) = await lines.progress_of(visit.session, [batch])
    unmatched, next_unmatched = await _files(visit, batch, UNMATCHED, "unmatched")
    undone, next_undone = await _files(visit, batch, UNDONE, "undone")
    done, next_done = await _files(visit, batch, DONE, "after")
    students = await taking_in.candidates(visit.session, visit.course_id) if unmatched else []
    used = await list_used(visit.session, visit.course_id, visit.assignments)
    return visit.page(
        "operation/batch.html",
        "batch",
        batch=batch,
        progress=progress,
        used=next((each for each in used if each.use.assignment_id == batch.assignment_id), None),
        unmatched=unmatched,
        next_unmatched=next_unmatched,
        unmatched_after=visit.paging(parameter="unmatched").cursor,
        unknown={},
        owner_field=OWNER_FIELD,
        students=sorted(students, key=lambda each: (each.name or each.external_id).casefold()),
        undone=[(line, _why(visit, line)) for line in undone],
        next_undone=next_undone,
        done=done,
        next_done=next_done,
        waits=progress.states.get(BatchFileState.WAITING, 0),
        is_broken=batch.read_at is None,
        refresh_seconds=REFRESH_SECONDS if progress.graded < progress.handed_in else None,
    )


@router.form("/{batch_id}/owners", actions.give_files)
async def give_owners(visit: Visit, batch_id: str) -> Response:
    fields = {name: value for name, value in visit.fields.typed.items() if name.startswith(OWNER_FIELD) and value}
    owners = {id: value for name, value in fields.items() if ID.fullmatch(id := name.removeprefix(OWNER_FIELD))}
    if unknown := await actions.give_files(visit, visit.parts.inbox, batch_id, owners):
        return await batch_page(visit.showing(unknown=unknown, refresh_seconds=None, status_code=422), batch_id)
    return visit.lead_to(f"/batch/{batch_id}", "batch.handed_in")


@router.form("/{batch_id}/go-on", actions.hand_in_waiting)
async def go_on(visit: Visit, batch_id: str) -> Response:
    await actions.hand_in_waiting(visit, visit.parts.inbox, batch_id)
    return visit.lead_to(f"/batch/{batch_id}", "batch.handed_in")


router.act("/{batch_id}/leave-out", actions.leave_out_files, "/{batch_id}", "batch.left_out")


async def _files(
    visit: Visit, batch: Batch, states: Collection[BatchFileState], parameter: str
) -> tuple[Sequence[BatchLine], str | None]:
    """Return a page of the files in these states, and the cursor of the next one."""
    paging = visit.paging(PER_PAGE, parameter)
    files = await lines.list_files(visit.session, batch.id, states, paging)
    return paging.cut(files, lambda line: line.file.id)


def _why(visit: Visit, line: BatchLine) -> dict[str, Any]:
    """Return why a file was not handed in: the code of an unreadable one, or the refusal in words."""
    reason = line.file.reason
    if "code" in reason:
        return {"code": reason["code"]}
    return problem(answer_named(str(reason.get("error"))), visit.language, reason.get("params", {}))
