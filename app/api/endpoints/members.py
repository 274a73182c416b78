"""Members of a course: list, add, change, remove, delete and join them; and people across courses."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from app.access import persons
from app.access.rights import Right
from app.actions import members as actions
from app.actions.actor import Actor
from app.actions.fields import Name
from app.api.dependencies import Paged, Reading, Resource, acts, page_of, reads
from app.api.openapi import ARCHIVE, refusals
from app.api.schemas.base import EXAMPLE_COURSE, Page
from app.bodies import EXAMPLE_ID, Body, Count, Whether, address_of, shows
from app.courses import membership, people
from app.courses.membership import Members
from app.errors import NotPermitted, PersonNotFound
from app.http.archives import BINARY, send_archive_of_person, send_own_archive
from app.http.auth.holders import Reader, TokenFor
from app.http.parameters import MemberId, Omittable, PersonId
from app.privacy.deletion import DeletedRows
from app.services import services
from app.storage.models import MemberRole
from app.teaching.joins import joins


class MemberBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = shows(None, EXAMPLE_ID, of="course_id")
    person: str = shows("the same in every course of this person", EXAMPLE_ID, of="person_id")
    role: MemberRole
    external_id: str | None = Field(examples=["ivanov"])
    name: str | None = shows(of="person.name")
    email: str | None = shows(of="person.email")
    group: str | None
    claimed_id: str | None = shows("the id that somebody typed who joined through a join link; it proves nothing")
    created_at: datetime
    confirmed_at: datetime | None = shows("null: an upload, a token or a join link made this student")
    removed_at: datetime | None = shows("since when the member has no rights; null: the member has")


class JoinBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    kept: str = shows("the `id` of the member who has everything now", EXAMPLE_ID, of="kept_member_id")
    joined: str = shows("the `id` of the member who was removed", EXAMPLE_ID, of="merged_member_id")
    submissions: Count = shows("that moved", of="moved.submissions.moved")
    tokens: Count = shows("that moved, with their links", of="moved.tokens")
    signs_on: Whether = shows(
        "whether the kept member now gets in by the single sign-on of the other one", of="moved.persons"
    )
    made_by: str = shows("the name of a person or of a token")
    created_at: datetime
    undone_at: datetime | None


Viewer = Annotated[Reading, reads(Right.SEE_MEMBERS)]


async def _members(
    role: Annotated[Omittable[MemberRole], Query()] = None,
    group: Annotated[Omittable[Name], Query()] = None,
    confirmed: Annotated[Omittable[bool], Query()] = None,
    removed: Annotated[Omittable[bool], Query()] = None,
    search: Annotated[Omittable[Name], Query(description="a part of the id, the name or the e-mail address")] = None,
) -> Members:
    return Members(role, group, confirmed, removed, search)


router = APIRouter()
members = Resource(prefix="/courses/{course_id}", tags=["members"])
students = APIRouter(prefix="/students", tags=["students"])


@members.get("/members", summary="List the members of a course")
async def list_members(
    reading: Viewer, paging: Paged, chosen: Annotated[Members, Depends(_members)]
) -> Page[MemberBody]:
    """List them, the newest first, removed ones too. Filters are combined with "and"."""
    rows = await membership.list_members(reading.session, reading.course_id, chosen, paging)
    return page_of(paging, rows, MemberBody.model_validate)


members.make("/members", actions.add_member, MemberBody, summary="Add a member to a course", name="create_member")


@members.get("/members/{member_id}", summary="Read a member")
async def read_member(reading: Viewer, member_id: MemberId) -> MemberBody:
    return MemberBody.model_validate(await membership.find(reading.session, reading.course_id, member_id))


members.act("PATCH", "/members/{member_id}", actions.change_member, MemberBody, summary="Change a member")
members.act("POST", "/members/{member_id}/remove", actions.remove_member, MemberBody, summary="Remove a member")
members.act(
    "POST", "/members/{member_id}/restore", actions.restore_member, MemberBody, summary="Take a removed member back"
)
members.act("DELETE", "/members/{member_id}", actions.delete_member, DeletedRows, summary="Delete the data of a member")


@students.delete("", summary="Delete a student")
async def delete_student(
    actor: Annotated[Actor, acts(actions.delete_student)],
    student: Annotated[Name, Query(examples=["ivanov"])],
) -> DeletedRows:
    return await actions.delete_student(actor, student)


members.make(
    "/members/{member_id}/join", actions.join_members, JoinBody, summary="Join two members who are one student"
)


@members.get("/joins", summary="List the joins of a course")
async def list_joins(reading: Viewer, paging: Paged) -> Page[JoinBody]:
    """List them, the newest first, undone ones too."""
    rows = await joins.list_joins(reading.session, reading.course_id, paging)
    return page_of(paging, rows, JoinBody.model_validate)


members.act("POST", "/joins/{join_id}/undo", actions.undo_join, JoinBody, summary="Take two joined members apart")


# --- people across courses, for admins --------------------------------------------------------------------------------


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


people_routes = Resource(tags=["people"])


@people_routes.get("/people", summary="List the people of all courses")
async def list_people(reading: Annotated[Reading, reads(Right.SEE_PEOPLE)], paging: Paged) -> Page[PersonBody]:
    """List them, the newest first, with their parts in courses and accounts of single sign-on. For admins."""
    rows = await people.list_people(reading.session, paging)
    return page_of(paging, rows, PersonBody.model_validate, attrgetter("person.id"))


# Before the address of a person, which it looks like.
@people_routes.get("/people/merges", summary="List the merges of persons")
async def list_merges(reading: Annotated[Reading, reads(Right.MERGE_PEOPLE)], paging: Paged) -> Page[MergeBody]:
    """List them, the newest first, undone ones and those that single sign-on has made, too."""
    rows = await persons.list_merges(reading.session, paging)
    return page_of(paging, rows, MergeBody.model_validate)


@people_routes.get(
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


@people_routes.get(
    "/me/export",
    summary="Export everything that a course keeps about yourself",
    response_class=StreamingResponse,
    responses=refusals(NotPermitted, PersonNotFound) | ARCHIVE,
)
async def export_me(request: Request, holder: Reader) -> StreamingResponse:
    """Write the archive of the member whose own token or link this is, in the member's course."""
    return await send_own_archive(request, holder, BINARY)


people_routes.act("DELETE", "/people/{person_id}", actions.delete_person, DeletedRows, summary="Delete a person")
people_routes.act(
    "DELETE",
    "/people/{person_id}/identities/{identity_id}",
    actions.detach_identity,
    summary="Detach an account of single sign-on",
)
people_routes.make("/people/{person_id}/merge", actions.merge_people, MergeBody, summary="Merge two persons")
people_routes.act(
    "POST", "/people/merges/{merge_id}/undo", actions.undo_merge, MergeBody, summary="Take two merged persons apart"
)

for each in (members, students, people_routes):
    router.include_router(each)
