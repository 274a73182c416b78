"""Batches of a course: the archive that a platform makes of everybody's files, handed in by a teacher."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.answers import answer_named
from app.actions.fields import ID
from app.courses.uses import UsedAssignment, list_used
from app.errors import AppError
from app.errors.batches import ArchiveRefused, BatchNotFound
from app.errors.courses import AssignmentNotFound
from app.errors.uploads import FieldsMissing, FileTooLarge, UploadRefused
from app.http.auth.holders import PageFor
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.forms import fields_of, form_of, refused, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.problems import problem
from app.http.staff import titles_of
from app.http.texts import language_of
from app.queue.batches import lines, taking_in
from app.queue.batches.lines import BatchLine
from app.queue.batches.reading import too_large
from app.services import services
from app.storage.cascade import delete_rows
from app.storage.models import Batch, BatchFileState, Course
from app.submissions.uploads import read_form

LISTED, PER_PAGE = 20, 100
REFRESH_SECONDS = 3
#: Unpacking keeps a few files in memory: one archive at a time, so that many cost no more.
ONE_AT_A_TIME = asyncio.Semaphore(1)
#: A field of the form for a file without an owner begins so, and goes on with the file's id.
OWNER_FIELD = "owner-"
UNMATCHED = (BatchFileState.UNMATCHED,)
UNDONE = (BatchFileState.REFUSED, BatchFileState.UNREADABLE)
DONE = (BatchFileState.WAITING, BatchFileState.HANDED_IN, BatchFileState.DUPLICATE)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]
Teacher = Annotated[Principal, Depends(PageFor(Right.HAND_IN_BATCHES))]
BatchId = Annotated[str, Depends(PathId("batch_id", BatchNotFound))]

router = APIRouter(prefix="/courses/{course_id}/batch", include_in_schema=False)


@router.get("")
async def batches_page(request: Request, viewer: Viewer) -> Response:
    return await _list(request, viewer)


@router.post("")
async def upload(request: Request, holder: Teacher) -> Response:
    """Store the files of an archive, and hand in those whose owner is found."""
    parts = services(request)
    settings = parts.settings
    fields: dict[str, str] = {}
    try:
        async with read_form(request, settings.batch_bytes) as form:
            check_form_secret(request, form.get(FORM_FIELD))
            fields = fields_of(form)
            file = form.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                raise FieldsMissing(missing=["file"])
            async with ONE_AT_A_TIME:
                batch = await _store(request, holder, fields.get("assignment", ""), file)
    except FileTooLarge:
        return await _list(request, holder, too_large(settings.batch_bytes), fields)
    except (ArchiveRefused, UploadRefused, AssignmentNotFound) as exc:
        return await _list(request, holder, exc, fields)
    await taking_in.hand_in(parts.database, parts.inbox, parts.assignments, holder, batch.id)
    return see_other(f"/courses/{holder.course_id}/batch/{batch.id}")


@router.get("/{batch_id}")
async def batch_page(request: Request, viewer: Viewer, batch_id: BatchId) -> Response:
    return await _show(request, viewer, batch_id)


@router.post("/{batch_id}/owners")
async def give_owners(request: Request, holder: Teacher, batch_id: BatchId) -> Response:
    """Give files without an owner to the students that a teacher chose, and hand them in."""
    parts = services(request)
    async with form_of(request) as form:
        fields = fields_of(form)
    chosen = {name.removeprefix(OWNER_FIELD): value for name, value in fields.items() if name.startswith(OWNER_FIELD)}
    async with parts.database.write() as session:
        owners = {id: value for id, value in chosen.items() if value}
        unknown = await taking_in.give_to(session, holder.course_id, batch_id, owners)
    await taking_in.hand_in(parts.database, parts.inbox, parts.assignments, holder, batch_id)
    if unknown:
        return await _show(request, holder, batch_id, unknown)
    return see_other(f"/courses/{holder.course_id}/batch/{batch_id}", said="batch.handed_in")


@router.post("/{batch_id}/go-on")
async def go_on(request: Request, holder: Teacher, batch_id: BatchId) -> Response:
    """Hand in what still waits, after a restart."""
    parts = services(request)
    async with form_of(request):
        pass
    await taking_in.hand_in(parts.database, parts.inbox, parts.assignments, holder, batch_id)
    return see_other(f"/courses/{holder.course_id}/batch/{batch_id}", said="batch.handed_in")


@router.post("/{batch_id}/leave-out")
async def leave_out(request: Request, holder: Teacher, batch_id: BatchId) -> Response:
    """Leave out the files without an owner."""
    async with form_of(request):
        pass
    database = services(request).database
    async with database.write() as session:
        await taking_in.leave_out(session, holder.course_id, batch_id)
    await database.empty_log()
    return see_other(f"/courses/{holder.course_id}/batch/{batch_id}", said="batch.left_out")


async def _store(request: Request, holder: Principal, assignment_id: str, file: UploadFile) -> Batch:
    """Raises: AssignmentNotFound, ArchiveRefused: nothing is left of the batch then."""
    parts = services(request)
    assignment = parts.assignments.get(assignment_id)
    if assignment is None:
        raise AssignmentNotFound
    limit_bytes = min(parts.settings.upload_bytes, assignment.upload.upload_bytes)
    async with parts.database.write() as session:
        batch = await taking_in.begin(session, holder, assignment_id, file.filename or "", parts.assignments)
    try:
        await taking_in.store_files(parts.database, batch, file.file, limit_bytes, parts.settings.batch_bytes)
    except ArchiveRefused:
        async with parts.database.write() as session:
            await delete_rows(session, Batch, Batch.id == batch.id)
        raise
    return batch


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
        **(refused(request, refusal) if refusal else {"problem": None}),
    )


async def _show(
    request: Request,
    viewer: Principal,
    batch_id: str,
    unknown: dict[str, str] | None = None,
) -> Response:
    """Show a batch; the query says after which file each of its lists begins.

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
        used = await _used(session, course.id, batch.assignment_id, request)
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
    came = request.query_params.get(parameter, "")
    return came if ID.fullmatch(came) else None


async def _used(session: AsyncSession, course_id: str, assignment_id: str, request: Request) -> UsedAssignment | None:
    used = await list_used(session, course_id, services(request).assignments)
    return next((each for each in used if each.use.assignment_id == assignment_id), None)


def _why(request: Request, line: BatchLine) -> dict[str, Any]:
    """Return why a file was not handed in: the code of an unreadable one, or the refusal in words."""
    reason = line.file.reason
    if "code" in reason:
        return {"code": reason["code"]}
    return problem(answer_named(str(reason.get("error"))), language_of(request), reason.get("params", {}))
