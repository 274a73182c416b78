"""People across courses, for the operator: find, merge, export and delete them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.access import persons
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import people as actions
from app.actions.asking import Asking
from app.actions.people import MergePeople
from app.courses import people
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
from app.errors.requests import FieldsWrong
from app.errors.ways_in import IdentityNotFound
from app.http.archives import send_archive
from app.http.auth.holders import FormAsks, PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.parameters import PathId
from app.http.staff import ROWS, PersonId, cursor_of
from app.privacy import export
from app.services import services

#: The most people that a search for a merge offers.
OFFERED = 20
MERGE_REFUSALS = (FieldsWrong, SameMember, PersonNotFound, PersonsShareCourse)

Viewer = Annotated[Principal, Depends(PageFor(Right.SEE_PEOPLE))]
MergeId = Annotated[str, Depends(PathId("merge_id", JoinNotFound))]
IdentityId = Annotated[str, Depends(PathId("identity_id", IdentityNotFound))]

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
    return send_archive(content, f"person-{person_id}")


@router.post("/{person_id}/merge")
async def merge(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.merge_people))], person_id: PersonId
) -> Response:
    """Give this person everything that the other one has."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.merge_people(asking, person_id, fields.read(MergePeople, names={"person": "other"}))
    except MERGE_REFUSALS as refusal:
        return await _page(request, asking.holder, person_id, refusal)
    return see_other(f"/people/{person_id}", said="person.merged")


@router.post("/{person_id}/merges/{merge_id}/undo")
async def undo_merge(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.undo_merge))],
    person_id: PersonId,
    merge_id: MergeId,
) -> Response:
    try:
        async with form_of(request):
            await actions.undo_merge(asking, merge_id)
    except JoinUndone:
        pass  # The form was sent twice.
    except (JoinFollowed, JoinOutdated) as refusal:
        return await _page(request, asking.holder, person_id, refusal)
    return see_other(f"/people/{person_id}", said="person.unmerged")


@router.post("/{person_id}/identities/{identity_id}/detach")
async def detach(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.detach_identity))],
    person_id: PersonId,
    identity_id: IdentityId,
) -> Response:
    async with form_of(request):
        await actions.detach_identity(asking, person_id, identity_id)
    return see_other(f"/people/{person_id}", said="person.detached")


@router.post("/{person_id}/delete")
async def delete(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(actions.delete_person))], person_id: PersonId
) -> Response:
    """Delete the person with everything, if the form repeats the person's name as the page shows it."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        await actions.delete_person(asking, person_id, confirmation=fields.typed.get("confirmation", ""))
    except DeletionUnconfirmed as refusal:
        return await _page(request, asking.holder, person_id, refusal, fields)
    return see_other("/people", said="person.deleted")


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
        called=known.display_name,
        courses=courses,
        merges=merges,
        others=others,
        search=search,
        **form_context(request, fields, refusal),
    )
