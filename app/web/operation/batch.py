"""Batches of a course: a teacher hands in a platform's archive with the files of all students."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import hand_in as actions
from app.actions.asking import Asking
from app.actions.fields import ID
from app.answers import answer_named
from app.courses.uses import UsedAssignment, list_used
from app.errors import AppError
from app.errors.batches import ArchiveRefused, BatchNotFound
from app.errors.courses import AssignmentNotFound
from app.errors.uploads import FieldsMissing, FileTooLarge, UploadRefused
from app.http.auth.holders import FormAsks, PageFor
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.forms import fields_of, form_of, refusal_context, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.problems import problem
from app.http.staff import titles_of
from app.http.texts import language_of
from app.http.uploads import form_with_file
from app.queue.batches import lines, taking_in
from app.queue.batches.lines import BatchLine
from app.queue.batches.reading import too_large
from app.services import services
from app.storage.models import Batch, BatchFileState, Course

LISTED, PER_PAGE = 20, 100
REFRESH_SECONDS = 3
#: The beginning of a field's name for a file without an owner; the file's id follows.
OWNER_FIELD = "owner-"
UNMATCHED = (BatchFileState.UNMATCHED,)
UNDONE = (BatchFileState.REFUSED, BatchFileState.UNREADABLE)
DONE = (BatchFileState.WAITING, BatchFileState.HANDED_IN, BatchFileState.DUPLICATE)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]
BatchId = Annotated[str, Depends(PathId("batch_id", BatchNotFound))]

router = APIRouter(prefix="/courses/{course_id}/batch", include_in_schema=False)


@router.get("")
async def batches_page(request: Request, viewer: Viewer) -> Response:
    return await _list(request, viewer)


@router.post("")
async def upload(request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.hand_in_batch))]) -> Response:
    """Store the files of an archive, and hand in those whose owner is found."""
    parts, most = services(request), services(request).settings.batch_bytes
    fields: dict[str, str] = {}
    try:
        async with form_with_file(request, asking, most) as (form, asking):
            await check_form_secret(request, form.get(FORM_FIELD))
            fields, file = fields_of(form), form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise FieldsMissing(missing=["file"])
            assignment_id = fields.get("assignment", "")
            batch = await actions.hand_in_batch(
                asking, parts.inbox, assignment_id, file.file, filename=file.filename, packed_bytes=most
            )
    except FileTooLarge:
        return await _list(request, asking.holder, too_large(most), fields)
    except (ArchiveRefused, UploadRefused, AssignmentNotFound) as exc:
        return await _list(request, asking.holder, exc, fields)
    return see_other(f"/courses/{asking.course_id}/batch/{batch.id}")


@router.get("/{batch_id}")
async def batch_page(request: Request, viewer: Viewer, batch_id: BatchId) -> Response:
    return await _show(request, viewer, batch_id)


@router.post("/{batch_id}/owners")
async def give_owners(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.give_files))], batch_id: BatchId
) -> Response:
    """Give files without an owner to the students that a teacher chose, and hand them in."""
    async with form_of(request) as form:
        fields = {name: value for name, value in fields_of(form).items() if name.startswith(OWNER_FIELD) and value}
    owners = {id: value for name, value in fields.items() if ID.fullmatch(id := name.removeprefix(OWNER_FIELD))}
    if unknown := await actions.give_files(asking, services(request).inbox, batch_id, owners):
        return await _show(request, asking.holder, batch_id, unknown)
    return see_other(f"/courses/{asking.course_id}/batch/{batch_id}", said="batch.handed_in")


@router.post("/{batch_id}/go-on")
async def go_on(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.hand_in_waiting))], batch_id: BatchId
) -> Response:
    """Hand in what still waits, after a restart."""
    async with form_of(request):
        await actions.hand_in_waiting(asking, services(request).inbox, batch_id)
    return see_other(f"/courses/{asking.course_id}/batch/{batch_id}", said="batch.handed_in")


@router.post("/{batch_id}/leave-out")
async def leave_out(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.leave_out_files))], batch_id: BatchId
) -> Response:
    """Leave out the files without an owner."""
    async with form_of(request):
        await actions.leave_out_files(asking, batch_id)
    return see_other(f"/courses/{asking.course_id}/batch/{batch_id}", said="batch.left_out")


async def _list(
    request: Request,
    viewer: Principal,
    refusal: AppError | None = None,
    fields: dict[str, str] | None = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        found = await lines.list_batches(session, course.id, limit=LISTED + 1, before=_cursor(request, "before"))
        used = await list_used(session, course.id, parts.assignments)
    return page(
        request,
        "operation/batches.html",
        viewer=viewer,
        course=course,
        here="batch",
        batches=found[:LISTED],
        next=found[LISTED - 1].batch.id if len(found) > LISTED else None,
        assignments=[each for each in used if each.effective],
        titles=titles_of(request, [each.use for each in used]),
        fields=fields or {},
        limit_bytes=parts.settings.batch_bytes,
        zone=ZoneInfo(course.time_zone),
        **(refusal_context(request, refusal) if refusal else {"problem": None}),
    )


async def _show(
    request: Request,
    viewer: Principal,
    batch_id: str,
    unknown: dict[str, str] | None = None,
) -> Response:
    """Show a batch. The query has the cursor of each of its lists.

    Raises: BatchNotFound
    """
    parts = services(request)
    async with parts.database.read() as session:
        course = await session.get_one(Course, viewer.course_id)
        batch = await taking_in.find_batch(session, course.id, batch_id)
        (progress,) = await lines.progress_of(session, [batch])
        unmatched, next_unmatched = await _files(request, session, batch, UNMATCHED, "unmatched")
        undone, next_undone = await _files(request, session, batch, UNDONE, "undone")
        done, next_done = await _files(request, session, batch, DONE, "after")
        students = await taking_in.candidates(session, course.id) if unmatched else []
        used = await _find_use(session, course.id, batch.assignment_id, request)
    waits = progress.states.get(BatchFileState.WAITING, 0)
    return page(
        request,
        "operation/batch.html",
        status_code=422 if unknown else 200,
        viewer=viewer,
        course=course,
        here="batch",
        wide=True,
        batch=batch,
        progress=progress,
        used=used,
        unmatched=unmatched,
        next_unmatched=next_unmatched,
        unmatched_after=_cursor(request, "unmatched"),
        unknown=unknown or {},
        owner_field=OWNER_FIELD,
        students=sorted(students, key=lambda each: (each.name or each.external_id).casefold()),
        undone=[(line, _why(request, line)) for line in undone],
        next_undone=next_undone,
        done=done,
        next_done=next_done,
        waits=waits,
        is_broken=batch.read_at is None,
        refresh_seconds=REFRESH_SECONDS if progress.graded < progress.handed_in and not unknown else None,
        zone=ZoneInfo(course.time_zone),
    )


async def _files(
    request: Request, session: AsyncSession, batch: Batch, states: Collection[BatchFileState], parameter: str
) -> tuple[Sequence[BatchLine], str | None]:
    """Return a page of the files in these states, and the cursor of the next one."""
    after = _cursor(request, parameter)
    found = await lines.list_files(session, batch.id, states, limit=PER_PAGE + 1, after=after)
    return found[:PER_PAGE], found[PER_PAGE - 1].file.id if len(found) > PER_PAGE else None


def _cursor(request: Request, parameter: str) -> str | None:
    cursor = request.query_params.get(parameter, "")
    return cursor if ID.fullmatch(cursor) else None


async def _find_use(
    session: AsyncSession, course_id: str, assignment_id: str, request: Request
) -> UsedAssignment | None:
    used = await list_used(session, course_id, services(request).assignments)
    return next((each for each in used if each.use.assignment_id == assignment_id), None)


def _why(request: Request, line: BatchLine) -> dict[str, Any]:
    """Return why a file was not handed in: the code of an unreadable one, or the refusal in words."""
    reason = line.file.reason
    if "code" in reason:
        return {"code": reason["code"]}
    return problem(answer_named(str(reason.get("error"))), language_of(request), reason.get("params", {}))
