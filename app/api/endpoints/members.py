"""Members of a course: list them, add one, change one, remove, take back and delete one; and join two."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from app.access.rights import Right
from app.actions import members as actions
from app.actions.asking import Asking
from app.actions.fields import Name
from app.api.dependencies import Paged, Reading, asks, reads
from app.api.schemas.base import EXAMPLE_ID, Body, Count, Page, Whether, shows
from app.api.schemas.submissions import DeletedBody
from app.courses import membership
from app.courses.membership import Members
from app.errors.members import MemberNotFound
from app.http.parameters import LISTED, JoinId, id_of
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


MemberId = Annotated[str, Path(description=LISTED), id_of(MemberNotFound)]
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
members = APIRouter(prefix="/courses/{course_id}", tags=["members"])
students = APIRouter(prefix="/students", tags=["students"])


@members.get("/members", summary="List the members of a course")
async def list_members(
    reading: Viewer, paging: Paged, chosen: Annotated[Members, Depends(_members)]
) -> Page[MemberBody]:
    """List them, the newest first, removed ones too. Filters are combined with "and"."""
    rows = await membership.list_members(reading.session, reading.course_id, chosen, **paging.rows)
    return paging.page(rows, MemberBody.model_validate)


@members.post("/members", summary="Add a member to a course", status_code=201)
async def create_member(asking: Annotated[Asking, asks(actions.add_member)], wanted: actions.AddMember) -> MemberBody:
    """Add a confirmed member, as a new person. A teacher adds students and assistants, an admin teachers, too.

    The same request sent again adds nobody: it is answered 409, with the `id` of the member as `member`.
    """
    return MemberBody.model_validate(await actions.add_member(asking, wanted))


@members.get("/members/{member_id}", summary="Read a member")
async def read_member(reading: Viewer, member_id: MemberId) -> MemberBody:
    return MemberBody.model_validate(await membership.find(reading.session, reading.course_id, member_id))


@members.patch("/members/{member_id}", summary="Change a member")
async def change_member(
    asking: Annotated[Asking, asks(actions.change_member)], member_id: MemberId, wanted: actions.ChangeMember
) -> MemberBody:
    """Change what is given. A new role acts on the member's tokens and open sessions at once; attempts of somebody who
    is a student no longer do not count. Only an admin changes a teacher, or makes one."""
    return MemberBody.model_validate(await actions.change_member(asking, member_id, wanted))


@members.post("/members/{member_id}/remove", summary="Remove a member")
async def remove_member(asking: Annotated[Asking, asks(actions.remove_member)], member_id: MemberId) -> MemberBody:
    """Take all rights from the member at once: tokens, links and open sessions. What was handed in stays."""
    return MemberBody.model_validate(await actions.remove_member(asking, member_id))


@members.post("/members/{member_id}/restore", summary="Take a removed member back")
async def restore_member(asking: Annotated[Asking, asks(actions.restore_member)], member_id: MemberId) -> MemberBody:
    """Take a removed member back. Tokens and links that have not ended otherwise are valid again."""
    return MemberBody.model_validate(await actions.restore_member(asking, member_id))


@members.delete("/members/{member_id}", summary="Delete the data of a member")
async def delete_member(asking: Annotated[Asking, asks(actions.delete_member)], member_id: MemberId) -> DeletedBody:
    """Delete everything that the course keeps about the member: files, reports, own tokens. This cannot be undone.

    For admins. Asking again changes nothing. Earlier backups still hold the data.
    """
    return DeletedBody.model_validate(await actions.delete_member(asking, member_id))


@students.delete("", summary="Delete a student")
async def delete_student(
    asking: Annotated[Asking, asks(actions.delete_student)],
    student: Annotated[Name, Query(examples=["ivanov"])],
) -> DeletedBody:
    """Delete everything that the course keeps about the student: files, reports, own tokens. This cannot be undone.

    Asking again changes nothing. Earlier backups still hold the data.
    """
    return DeletedBody.model_validate(await actions.delete_student(asking, student))


@members.post("/members/{member_id}/join", summary="Join two members who are one student", status_code=201)
async def join_members(
    asking: Annotated[Asking, asks(actions.join_members)], member_id: MemberId, wanted: actions.JoinMembers
) -> JoinBody:
    """Keep the member of the address, and give it what the other one has: attempts, numbered by their time together
    with the own ones, extensions, adjustments, comments, tokens with their links. The other member is removed.

    Where both have an extension, the kept one gets the later dates and the larger number; of two adjustments the newer
    one applies. `POST .../joins/{id}/undo` takes them apart again.
    """
    return JoinBody.model_validate(await actions.join_members(asking, member_id, wanted))


@members.get("/joins", summary="List the joins of a course")
async def list_joins(reading: Viewer, paging: Paged) -> Page[JoinBody]:
    """List them, the newest first, undone ones too."""
    rows = await joins.list_joins(reading.session, reading.course_id, **paging.rows)
    return paging.page(rows, JoinBody.model_validate)


@members.post("/joins/{join_id}/undo", summary="Take two joined members apart")
async def undo_join(asking: Annotated[Asking, asks(actions.undo_join)], join_id: JoinId) -> JoinBody:
    """Give each its own again; everything since the join stays with the kept member.

    Refused when the owner of something is no longer clear: a later join of one of the two has to be undone first;
    an extension that both had, or a person, was changed since; the removed member was taken back, or has got an
    extension or an adjustment. Refused, too, while a third member has the e-mail address of one of the two.
    """
    return JoinBody.model_validate(await actions.undo_join(asking, join_id))


router.include_router(members)
router.include_router(students)
