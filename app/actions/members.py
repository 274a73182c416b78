"""Members of a course: add, change, remove, delete and join them; and the people that they are, across courses."""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import Field

from app.access import identities, persons
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ActionRequest, Email, Group, Id, Name
from app.courses import membership, people
from app.errors import DeletionUnconfirmed, EmailTaken, MemberNotFound
from app.privacy import deletion
from app.privacy.deletion import DeletedRows
from app.storage.models import MemberRole, Membership, Merge
from app.teaching.joins import joins


class AddMember(ActionRequest):
    examples = ({"external_id": "ivanov", "name": "Иван Иванов", "email": "ivanov@example.org"},)

    external_id: Name = Field(description="the id in the grade book; uploads name a student by it", examples=["ivanov"])
    role: MemberRole = MemberRole.STUDENT
    name: Name | None = None
    email: Email | None = None
    group: Group | None = None


class ChangeMember(ActionRequest):
    """The fields to change; the others stay."""

    examples = ({"group": "БПМИ202"}, {"confirmed": True})

    # The document shows no defaults: a missing field differs from null.
    external_id: Name = Field(default_factory=str, description="changes what was handed in under the earlier one, too")
    role: MemberRole = Field(default_factory=lambda: MemberRole.STUDENT)
    name: Name | None = Field(default_factory=lambda: None)
    email: Email | None = Field(default_factory=lambda: None)
    group: Group | None = Field(default_factory=lambda: None)
    confirmed: Literal[True] = Field(default_factory=lambda: True, description="a teacher confirms the student")


class JoinMembers(ActionRequest):
    member: Id = Field(description="the `id` of the other member of the course, who is removed")


def manageable_roles(holder: Principal) -> Collection[MemberRole]:
    """Return the roles that the holder may give and take now."""
    if not holder.may(Right.MANAGE_MEMBERS):
        return ()
    return [role for role in MemberRole if role != MemberRole.TEACHER or holder.may(Right.MANAGE_TEACHERS)]


@change(Right.MANAGE_MEMBERS)
async def add_member(actor: Writer, wanted: AddMember) -> Membership:
    """Add a confirmed member, as a new person. A teacher adds students and assistants, an admin teachers, too.

    The same request sent again adds nobody: it is answered 409, with the `id` of the member as `member`.

    Raises:
        NotPermitted: the role is not the holder's to give.
        ExternalIdTaken, EmailTaken
    """
    return await membership.add(
        actor.session, actor.course_id, **dict(wanted), manages=manageable_roles(actor.holder), made_by=actor.name
    )


@change(Right.MANAGE_MEMBERS)
async def change_member(actor: Writer, member_id: str, wanted: ChangeMember) -> Membership:
    """Change what is given. A new role acts on the member's tokens and open sessions at once; attempts of somebody who
    is a student no longer do not count. Only an admin changes a teacher, or makes one.

    Raises:
        NotPermitted, MemberNotFound, ExternalIdTaken, EmailTaken, PersonShared
    """
    return await _change(actor, member_id, wanted.model_dump(exclude_unset=True))


@action(Right.MANAGE_MEMBERS)
async def confirm_members(actor: Actor, member_ids: Collection[str]) -> int:
    """Confirm these students.

    Returns:
        The number of confirmed students. Those who left, or whose address another member has, are not confirmed.
    """
    confirmed = 0
    for member_id in member_ids:
        with contextlib.suppress(EmailTaken, MemberNotFound):
            await change_member(actor, member_id, ChangeMember(confirmed=True))
            confirmed += 1
    return confirmed


@change(Right.MANAGE_MEMBERS)
async def remove_member(actor: Writer, member_id: str) -> Membership:
    """Take all rights from the member at once: tokens, links and open sessions. What was handed in stays.

    Raises:
        NotPermitted: only an admin removes a teacher.
        MemberNotFound
    """
    return await _change(actor, member_id, {"removed": True})


@change(Right.MANAGE_MEMBERS)
async def restore_member(actor: Writer, member_id: str) -> Membership:
    """Take a removed member back. Tokens and links that have not ended otherwise are valid again.

    Raises:
        NotPermitted: only an admin takes a teacher back.
        MemberNotFound, EmailTaken, MemberJoined
    """
    return await _change(actor, member_id, {"removed": False})


@action(Right.DELETE_STUDENTS)
async def delete_member(actor: Actor, member_id: str) -> DeletedRows:
    """Delete everything that the course keeps about the member: files, reports, own tokens. This cannot be undone.

    For admins. Asking again changes nothing. Earlier backups still hold the data.
    """
    return await deletion.delete_member(actor.database, member_id, actor.course_id)


@action(Right.DELETE_STUDENTS)
async def delete_student(actor: Actor, student: str) -> DeletedRows:
    """Delete everything that the course keeps about the student: files, reports, own tokens. This cannot be undone.

    Asking again changes nothing. Earlier backups still hold the data.

    Args:
        student: the id in the grade book.
    """
    return await deletion.delete_student(actor.database, student, actor.course_id)


@change(Right.MANAGE_MEMBERS)
async def join_members(actor: Writer, member_id: str, wanted: JoinMembers) -> Merge:
    """Keep the member of the address, and give it what the other one has: attempts, numbered by their time together
    with the own ones, extensions, adjustments, comments, tokens with their links. The other member is removed.

    Where both have an extension, the kept one gets the later dates and the larger number; of two adjustments the newer
    one applies. `POST .../joins/{id}/undo` takes them apart again.

    Raises: SameMember, MemberNotFound, MemberNotStudent, MemberRemoved, AttemptsRunning
    """
    return await joins.join(actor.session, actor.course_id, member_id, wanted.member, actor.name)


@change(Right.MANAGE_MEMBERS)
async def undo_join(actor: Writer, join_id: str) -> Merge:
    """Give each of two joined members its own again; everything since the join stays with the kept one.

    Refused when the owner of something is no longer clear: a later join of one of the two has to be undone first;
    an extension that both had, or a person, was changed since; the removed member was taken back, or has got an
    extension or an adjustment. Refused, too, while a third member has the e-mail address of one of the two.

    Raises: JoinNotFound, JoinUndone, JoinFollowed, JoinOutdated, EmailTaken
    """
    return await joins.undo(actor.session, actor.course_id, join_id, actor.name)


async def _change(actor: Writer, member_id: str, given: Mapping[str, Any]) -> Membership:
    return await membership.change(
        actor.session,
        actor.course_id,
        member_id,
        given,
        manages=manageable_roles(actor.holder),
        may_change_shared=actor.holder.may(Right.MANAGE_TEACHERS),
        made_by=actor.name,
    )


# --- people across courses, for admins --------------------------------------------------------------------------------


class MergePeople(ActionRequest):
    person: Id = Field(description="the `person` of a member who is the same human being; nothing is left of it")


@change(Right.MERGE_PEOPLE)
async def merge_people(actor: Writer, person_id: str, wanted: MergePeople) -> Merge:
    """Give a person all members and accounts of single sign-on that another one has. Nothing else changes in a course.
    The other one's browsers that came by single sign-on have to sign in again.

    Where both are in a course, a teacher joins the two members first. The same request sent again changes nothing.

    Raises: SameMember, PersonNotFound, PersonsShareCourse, EmailTaken
    """
    return await persons.merge(actor.session, person_id, wanted.person, actor.name)


@change(Right.MERGE_PEOPLE)
async def undo_merge(actor: Writer, merge_id: str) -> Merge:
    """Give the other person back what moved. Both have to sign in again where they came by single sign-on.

    Refused when a later merge of one of the two has to be undone first, or when something that moved is another
    person's by now.

    Raises: JoinNotFound, JoinUndone, JoinFollowed, JoinOutdated, EmailTaken
    """
    return await persons.undo(actor.session, merge_id, actor.name)


@change(Right.MERGE_PEOPLE)
async def detach_identity(actor: Writer, person_id: str, identity_id: str) -> None:
    """Take an account away from a person who is not its owner. Browsers that came by single sign-on have to sign in
    again; nothing else of the person changes. The next sign-in with the account makes a new person in no course.

    Raises: PersonNotFound, IdentityNotFound
    """
    await identities.detach(actor.session, person_id, identity_id, actor.name)


@action(Right.DELETE_PEOPLE)
async def delete_person(actor: Actor, person_id: str, *, confirmation: str | None = None) -> DeletedRows:
    """Delete a person with all memberships, files, reports, tokens and identities. This cannot be undone.

    Earlier backups still hold the data.

    Args:
        confirmation: the displayed name of the person, as typed; another one raises DeletionUnconfirmed. None: the
            caller has asked in another way.
    Raises: PersonNotFound
    """
    if confirmation is not None:
        async with actor.database.read() as session:
            known = await people.find(session, person_id)
        if confirmation != known.display_name:
            raise DeletionUnconfirmed(came=confirmation[:200])
    return await deletion.delete_person(actor.database, person_id)
