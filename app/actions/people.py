"""People across courses, for admins: merge and delete them, and take accounts of single sign-on away."""

from pydantic import Field

from app.access import identities, persons
from app.access.rights import Right
from app.actions.asking import Asking, action
from app.actions.fields import ActionRequest, Id
from app.courses import people
from app.errors.courses import DeletionUnconfirmed
from app.privacy import deletion
from app.privacy.deletion import DeletedRows
from app.storage.models import Merge


class MergePeople(ActionRequest):
    person: Id = Field(description="the `person` of a member who is the same human being; nothing is left of it")


@action(Right.MERGE_PEOPLE)
async def merge_people(asking: Asking, person_id: str, wanted: MergePeople) -> Merge:
    """Give a person all members and accounts of another one. Merging them again changes nothing.

    Raises: SameMember, PersonNotFound, PersonsShareCourse, EmailTaken
    """
    async with asking.write() as session:
        return await persons.merge(session, person_id, wanted.person, asking.name)


@action(Right.MERGE_PEOPLE)
async def undo_merge(asking: Asking, merge_id: str) -> Merge:
    """Give the other person back what moved.

    Raises: JoinNotFound, JoinUndone, JoinFollowed, JoinOutdated, EmailTaken
    """
    async with asking.write() as session:
        return await persons.undo(session, merge_id, asking.name)


@action(Right.MERGE_PEOPLE)
async def detach_identity(asking: Asking, person_id: str, identity_id: str) -> None:
    """Take an account of single sign-on away from a person who is not its owner.

    Raises: PersonNotFound, IdentityNotFound
    """
    async with asking.write() as session:
        await identities.detach(session, person_id, identity_id, asking.name)


@action(Right.DELETE_PEOPLE)
async def delete_person(asking: Asking, person_id: str, *, confirmation: str | None = None) -> DeletedRows:
    """Delete a person with all memberships, files, reports, tokens and identities.

    Args:
        confirmation: the displayed name of the person, as typed; another one raises DeletionUnconfirmed. None: the
            caller has asked in another way.
    Raises: PersonNotFound
    """
    if confirmation is not None:
        async with asking.database.read() as session:
            known = await people.find(session, person_id)
        if confirmation != known.display_name:
            raise DeletionUnconfirmed(came=confirmation[:200])
    return await deletion.delete_person(asking.database, person_id)
