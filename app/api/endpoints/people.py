"""People across courses: list, export, merge and delete them."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from app.access import persons
from app.access.rights import Right
from app.actions import members as actions
from app.api.dependencies import Paged, Reading, Resource, reads
from app.api.openapi import ARCHIVE, refusals
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Count, Page, address_of, shows
from app.api.schemas.work import DeletedBody
from app.courses import people
from app.errors.members import PersonNotFound
from app.errors.requests import NotPermitted
from app.http.archives import BINARY, send_archive_of_person, send_own_archive
from app.http.auth.holders import Reader, TokenFor
from app.http.parameters import PersonId
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


router = Resource(tags=["people"])


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
    return await send_archive_of_person(services(request), person_id, BINARY)


@router.get(
    "/me/export",
    summary="Export everything that a course keeps about yourself",
    response_class=StreamingResponse,
    responses=refusals(NotPermitted, PersonNotFound) | ARCHIVE,
)
async def export_me(request: Request, holder: Reader) -> StreamingResponse:
    """Write the archive of the member whose own token or link this is, in the member's course."""
    return await send_own_archive(request, holder, BINARY)


router.act("DELETE", "/people/{person_id}", actions.delete_person, DeletedBody, summary="Delete a person")
router.act(
    "DELETE",
    "/people/{person_id}/identities/{identity_id}",
    actions.detach_identity,
    summary="Detach an account of single sign-on",
)
router.act(
    "POST",
    "/people/{person_id}/merge",
    actions.merge_people,
    MergeBody,
    summary="Merge two persons",
    status_code=201,
)
router.act(
    "POST", "/people/merges/{merge_id}/undo", actions.undo_merge, MergeBody, summary="Take two merged persons apart"
)
