"""People across courses, for the operator: found, merged, given out as an archive, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import StreamingResponse

from app.access import identities, persons
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses import people
from app.courses.people import Known
from app.errors import AppError
from app.errors.courses import DeletionUnconfirmed
from app.errors.members import (
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    PersonNotFound,
    PersonsShareCourse,
    SameMember,
)
from app.errors.ways_in import IdentityNotFound
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import ROWS, PersonId, cursor_of
from app.privacy import deletion, export
from app.services import services

#: How many people a search for a merge offers.
OFFERED = 20
MERGE_REFUSALS = (SameMember, PersonNotFound, PersonsShareCourse, JoinFollowed, JoinOutdated)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_PEOPLE))]
Merger = Annotated[Principal, Depends(PageFor(Right.MERGE_PEOPLE))]
Eraser = Annotated[Principal, Depends(PageFor(Right.DELETE_PEOPLE))]

router = APIRouter(prefix="/people")


@router.get("")
async def list_people(request: Request, viewer: Viewer, search: str = "", page_from: str | None = None) -> Response:
    text = _printable(search)
    async with services(request).database.read() as session:
        found = await people.list_people(session, limit=ROWS + 1, before=cursor_of(page_from), text=text)
        courses = await people.courses_of(session, found)
    return page(
        request,
        "manage/people.html",
        viewer=viewer,
        people=found[:ROWS],
        courses=courses,
        search=text,
        next=found[ROWS - 1].person.id if len(found) > ROWS else None,
    )


@router.get("/{person_id}")
async def person_page(request: Request, viewer: Viewer, person_id: PersonId) -> Response:
    return await _page(request, viewer, person_id)


@router.get("/{person_id}/export")
async def export_person(request: Request, viewer: Viewer, person_id: PersonId) -> StreamingResponse:  # noqa: ARG001
    """Send the archive of everything that is kept about the person."""
    parts = services(request)
    scope = await export.scope_of_person(parts.database, person_id)
    content = export.archive(parts.database, scope, lambda stored: stored.body, parts.assignments)
    headers = {"Content-Disposition": f'attachment; filename="person-{person_id}.zip"'}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


@router.post("/{person_id}/merge")
async def merge(request: Request, holder: Merger, person_id: PersonId) -> Response:
    """Give this person everything that the other one has."""
    async with form_of(request) as form:
        other = fields_of(form).get("other", "")
    try:
        if not ID.fullmatch(other):
            raise PersonNotFound
        async with services(request).database.write() as session:
            await persons.merge(session, person_id, other, holder.name)
    except MERGE_REFUSALS as refusal:
        return await _page(request, holder, person_id, refusal)
    return see_other(f"/people/{person_id}", said="person.merged")


@router.post("/{person_id}/merges/{merge_id}/undo")
async def undo_merge(
    request: Request, holder: Merger, person_id: PersonId, merge_id: Annotated[str, Path()]
) -> Response:
    try:
        async with form_of(request), services(request).database.write() as session:
            if not ID.fullmatch(merge_id):
                raise JoinNotFound
            await persons.undo(session, merge_id, holder.name)
    except JoinUndone:
        pass  # The form was sent twice.
    except MERGE_REFUSALS as refusal:
        return await _page(request, holder, person_id, refusal)
    return see_other(f"/people/{person_id}", said="person.unmerged")


@router.post("/{person_id}/identities/{identity_id}/detach")
async def detach(
    request: Request, holder: Merger, person_id: PersonId, identity_id: Annotated[str, Path()]
) -> Response:
    async with form_of(request), services(request).database.write() as session:
        if not ID.fullmatch(identity_id):
            raise IdentityNotFound
        await identities.detach(session, person_id, identity_id, holder.name)
    return see_other(f"/people/{person_id}", said="person.detached")


@router.post("/{person_id}/delete")
async def delete(request: Request, holder: Eraser, person_id: PersonId) -> Response:
    """Delete the person with everything, if the form repeats how the page names the person."""
    database = services(request).database
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    async with database.read() as session:
        known = await people.find(session, person_id)
    came = fields.came.get("confirmation", "")
    if came != name_of(known):
        return await _page(request, holder, person_id, DeletionUnconfirmed(came=came[:200]), fields)
    await deletion.delete_person(database, person_id)
    return see_other("/people", said="person.deleted")


def name_of(known: Known) -> str:
    """Return what the page calls a person, and what is typed to confirm a deletion."""
    ids = [member.external_id for member in known.memberships if member.external_id]
    said = known.person.name or known.person.email or next(iter(ids), known.person.id)
    return said.strip()


def _printable(search: str) -> str:
    text = search.strip()[:200]
    return text if text.isprintable() else ""


async def _page(
    request: Request,
    viewer: Principal,
    person_id: str,
    refusal: AppError | None = None,
    fields: Fields | None = None,
) -> Response:
    search = _printable(request.query_params.get("search", "") if request.method == "GET" else "")
    async with services(request).database.read() as session:
        known = await people.find(session, person_id)
        offered = await people.list_people(session, limit=OFFERED + 1, text=search) if search else []
        others = [each for each in offered if each.person.id != person_id][:OFFERED]
        merges = await persons.merges_of(session, person_id)
        courses = await people.courses_of(session, [known, *others])
    return page(
        request,
        "manage/person.html",
        viewer=viewer,
        known=known,
        called=name_of(known),
        courses=courses,
        merges=merges,
        others=[(each, name_of(each)) for each in others],
        search=search,
        **form_context(request, fields, refusal),
    )
