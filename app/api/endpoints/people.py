"""People across courses: list, export, merge and delete them."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from app.access import persons
from app.access.rights import Right
from app.actions import members as actions
from app.actions.asking import Asking
from app.api.dependencies import Paged, Reading, asks, reads
from app.api.openapi import ARCHIVE, refusals
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Count, Page, address_of, shows
from app.api.schemas.submissions import DeletedBody
from app.courses import people
from app.errors.members import PersonNotFound
from app.errors.requests import NotPermitted
from app.http.archives import BINARY, send_archive, send_own_archive
from app.http.auth.holders import Reader, TokenFor
from app.http.parameters import IdentityId, JoinId, PersonId
from app.privacy import export
from app.services import services
from app.storage.models import MemberRole


class PersonMembershipBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = shows("the id of the course", EXAMPLE_COURSE, of="course_id")
    role: MemberRole
    external_id: str | None = shows("the id in the course's grade book", "ivanov")
    removed_at: datetime | None


class IdentityBody(Body):
    """An account of single sign-on."""

    id: str = Field(examples=[EXAMPLE_ID])
    issuer: str = Field(examples=["https://id.example.edu/realms/main"])
    email: str | None = shows("as the issuer said at the first sign-in; it identifies nobody", "ivanov@example.edu")
    created_at: datetime


class PersonBody(Body):
    id: str = shows(None, EXAMPLE_ID, of="person.id")
    name: str | None = shows(None, "Ivan Ivanov", of="person.name")
    email: str | None = shows(None, "ivanov@example.org", of="person.email")
    created_at: datetime = shows(of="person.created_at")
    memberships: list[PersonMembershipBody]
    identities: list[IdentityBody] = shows("accounts of single sign-on")
    export: Annotated[str, address_of("/api/v1/people/{}/export")] = shows(
        "address of the archive with everything that is kept about the person",
        f"/api/v1/people/{EXAMPLE_ID}/export",
        of="person.id",
    )


class MergeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = shows("the person who has everything now", EXAMPLE_ID, of="kept_person_id")
    merged: str = shows("the person who had it before", EXAMPLE_ID, of="moved.person")
    members: list[str] = shows("the `id` of each member who moved", [EXAMPLE_ID], of="moved.memberships")
    identities: Count = shows("accounts of single sign-on that moved", of="moved.identities")
    made_by: str = shows("the name of a token, or `single sign-on`")
    created_at: datetime
    undone_at: datetime | None


router = APIRouter(tags=["people"])


@router.get("/people", summary="List the people of all courses")
async def list_people(reading: Annotated[Reading, reads(Right.SEE_PEOPLE)], paging: Paged) -> Page[PersonBody]:
    """List them, the newest first, with their parts in courses and accounts of single sign-on. For admins."""
    rows = await people.list_people(reading.session, **paging.rows)
    return paging.page(rows, PersonBody.model_validate, attrgetter("person.id"))


# Before the address of a person, which it looks like.
@router.get("/people/merges", summary="List the merges of persons")
async def list_merges(reading: Annotated[Reading, reads(Right.MERGE_PEOPLE)], paging: Paged) -> Page[MergeBody]:
    """List them, the newest first, undone ones and those that single sign-on has made, too."""
    rows = await persons.list_merges(reading.session, **paging.rows)
    return paging.page(rows, MergeBody.model_validate)


@router.get(
    "/people/{person_id}/export",
    summary="Export everything that is kept about a person",
    response_class=StreamingResponse,
    responses=ARCHIVE,
    dependencies=[Depends(TokenFor(Right.SEE_PEOPLE))],
)
async def export_person(request: Request, person_id: PersonId) -> StreamingResponse:
    """Write an archive of all memberships, with files, reports, grades and the log of changes. For admins.

    It holds no secret and no hash of one.
    """
    parts = services(request)
    scope = await export.scope_of_person(parts.database, person_id)
    content = export.archive(parts.database, scope, lambda stored: stored.body, parts.assignments)
    return send_archive(content, f"person-{person_id}", BINARY)


@router.get(
    "/me/export",
    summary="Export everything that a course keeps about yourself",
    response_class=StreamingResponse,
    responses=refusals(NotPermitted, PersonNotFound) | ARCHIVE,
)
async def export_me(request: Request, holder: Reader) -> StreamingResponse:
    """Write the archive of the member whose own token or link this is, in the member's course."""
    return await send_own_archive(request, holder, BINARY)


@router.delete("/people/{person_id}", summary="Delete a person")
async def delete_person(asking: Annotated[Asking, asks(actions.delete_person)], person_id: PersonId) -> DeletedBody:
    """Delete a person with all memberships, files, reports, tokens and identities. This cannot be undone.

    Earlier backups still hold the data.
    """
    return DeletedBody.model_validate(await actions.delete_person(asking, person_id))


@router.delete(
    "/people/{person_id}/identities/{identity_id}",
    summary="Detach an account of single sign-on",
    status_code=204,
)
async def detach_identity(
    asking: Annotated[Asking, asks(actions.detach_identity)], person_id: PersonId, identity_id: IdentityId
) -> None:
    """Take an account away from a person who is not its owner. Browsers that came by single sign-on have to sign in
    again; nothing else of the person changes. The next sign-in with the account makes a new person in no course.
    """
    await actions.detach_identity(asking, person_id, identity_id)


@router.post("/people/{person_id}/merge", summary="Merge two persons", status_code=201)
async def merge_people(
    asking: Annotated[Asking, asks(actions.merge_people)], person_id: PersonId, wanted: actions.MergePeople
) -> MergeBody:
    """Give the person of the address all members and accounts of single sign-on that the other one has. Nothing else
    changes in a course. The other one's browsers that came by single sign-on have to sign in again.

    Where both are in a course, a teacher joins the two members first. The same request sent again changes nothing.
    """
    return MergeBody.model_validate(await actions.merge_people(asking, person_id, wanted))


@router.post("/people/merges/{merge_id}/undo", summary="Take two merged persons apart")
async def undo_merge(asking: Annotated[Asking, asks(actions.undo_merge)], merge_id: JoinId) -> MergeBody:
    """Give the other person back what moved. Both have to sign in again where they came by single sign-on.

    Refused when a later merge of one of the two has to be undone first, or when something that moved is another
    person's by now.
    """
    return MergeBody.model_validate(await actions.undo_merge(asking, merge_id))
