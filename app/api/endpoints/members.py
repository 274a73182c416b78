"""Members of a course: list them, add one, change one, remove, take back and delete one; and join two."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from app.access.rights import Right
from app.actions import members as actions
from app.actions.asking import Asking
from app.actions.fields import Name
from app.api.dependencies import Paged, Reading, Resource, asks, reads
from app.api.schemas.base import EXAMPLE_ID, Body, Count, Page, Whether, shows
from app.api.schemas.work import DeletedBody
from app.courses import membership
from app.courses.membership import Members
from app.http.parameters import MemberId
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
    role: Annotated[MemberRole | SkipJsonSchema[None], Query()] = None,
    group: Annotated[Name | SkipJsonSchema[None], Query()] = None,
    confirmed: Annotated[bool | SkipJsonSchema[None], Query()] = None,
    removed: Annotated[bool | SkipJsonSchema[None], Query()] = None,
    search: Annotated[
        Name | SkipJsonSchema[None], Query(description="a part of the id, the name or the e-mail address")
    ] = None,
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
    rows = await membership.list_members(reading.session, reading.course_id, chosen, **paging.rows)
    return paging.page(rows, MemberBody.model_validate)


members.act(
    "POST",
    "/members",
    actions.add_member,
    MemberBody,
    summary="Add a member to a course",
    name="create_member",
    status_code=201,
)


@members.get("/members/{member_id}", summary="Read a member")
async def read_member(reading: Viewer, member_id: MemberId) -> MemberBody:
    return MemberBody.model_validate(await membership.find(reading.session, reading.course_id, member_id))


members.act("PATCH", "/members/{member_id}", actions.change_member, MemberBody, summary="Change a member")
members.act("POST", "/members/{member_id}/remove", actions.remove_member, MemberBody, summary="Remove a member")
members.act(
    "POST", "/members/{member_id}/restore", actions.restore_member, MemberBody, summary="Take a removed member back"
)
members.act("DELETE", "/members/{member_id}", actions.delete_member, DeletedBody, summary="Delete the data of a member")


@students.delete("", summary="Delete a student")
async def delete_student(
    asking: Annotated[Asking, asks(actions.delete_student)],
    student: Annotated[Name, Query(examples=["ivanov"])],
) -> DeletedBody:
    return DeletedBody.model_validate(await actions.delete_student(asking, student))


members.act(
    "POST",
    "/members/{member_id}/join",
    actions.join_members,
    JoinBody,
    summary="Join two members who are one student",
    status_code=201,
)


@members.get("/joins", summary="List the joins of a course")
async def list_joins(reading: Viewer, paging: Paged) -> Page[JoinBody]:
    """List them, the newest first, undone ones too."""
    rows = await joins.list_joins(reading.session, reading.course_id, **paging.rows)
    return paging.page(rows, JoinBody.model_validate)


members.act("POST", "/joins/{join_id}/undo", actions.undo_join, JoinBody, summary="Take two joined members apart")

router.include_router(members)
router.include_router(students)
