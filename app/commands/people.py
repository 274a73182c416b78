"""An operator's commands on people and courses: listed, exported, deleted, by the rules of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from app.access import identities, persons
from app.actions.fields import ID
from app.commands.acting import opened, owner_of, refused_in_words
from app.courses import people
from app.errors.commands import NotPossible
from app.errors.members import JoinNotFound, PersonNotFound
from app.errors.ways_in import IdentityNotFound
from app.privacy import deletion, export
from app.privacy.deletion import Deleted
from app.settings import Settings
from app.storage.models import Person
from grader import load_assignments

AT_ONCE = 200


async def list_people(settings: Settings) -> AsyncIterator[str]:
    """Give a line for each person, the newest first."""
    before = None
    async with opened(settings) as database:
        while True:
            async with database.read() as session:
                found = await people.list_people(session, limit=AT_ONCE, before=before)
            for each in found:
                parts = [
                    f"{member.role} {member.external_id or '-'} in {member.course_id}" for member in each.memberships
                ]
                parts += [f"account {identity.id} of {identity.issuer}" for identity in each.identities]
                person = each.person
                yield f"{person.id}  {person.name or '-'}  {person.email or '-'}  {'; '.join(parts) or 'in no course'}"
            if len(found) < AT_ONCE:
                return
            before = found[-1].person.id


async def export_person(settings: Settings, person_id: str, file: Path) -> int:
    """Write the archive of a person; return its size in bytes. Raises: NotPossible: there is no such person."""
    assignments = load_assignments(settings.assignments_dir)
    async with opened(settings) as database:
        try:
            scope = await export.scope_of_person(database, person_id)
        except PersonNotFound as exc:
            raise _unknown(person_id) from exc
        with file.open("wb") as out:
            file.chmod(0o600)
            async for piece in export.archive(database, scope, lambda stored: stored.body, assignments):
                out.write(piece)
            return out.tell()


async def name_of(settings: Settings, person_id: str) -> str:
    """Return a person's name, or else the id. Raises: NotPossible: there is no such person."""
    async with opened(settings) as database, database.read() as session:
        person = await session.get(Person, person_id) if ID.fullmatch(person_id) else None
    if person is None:
        raise _unknown(person_id)
    return person.name or person.id


async def delete_person(settings: Settings, person_id: str) -> Deleted:
    """Delete a person with all memberships. Raises: NotPossible: there is no such person."""
    async with opened(settings) as database:
        try:
            return await deletion.delete_person(database, person_id)
        except PersonNotFound as exc:
            raise _unknown(person_id) from exc


async def delete_member(settings: Settings, member_id: str) -> Deleted:
    """Delete a member of whichever course; one who is not there is deleted already."""
    async with opened(settings) as database:
        return await deletion.delete_member(database, member_id)


async def merge_people(settings: Settings, kept_id: str, other_id: str) -> str:
    """Merge two persons; return the id of the merge, which undoes it. Raises: NotPossible: it was refused."""
    async with opened(settings) as database:
        owner = await owner_of(database)
        with refused_in_words():
            if not (ID.fullmatch(kept_id) and ID.fullmatch(other_id)):
                raise PersonNotFound
            async with database.write() as session:
                return (await persons.merge(session, kept_id, other_id, owner.name)).id


async def undo_merge(settings: Settings, merge_id: str) -> None:
    """Raises: NotPossible: there is no such merge, or it cannot be undone."""
    async with opened(settings) as database:
        owner = await owner_of(database)
        with refused_in_words():
            if not ID.fullmatch(merge_id):
                raise JoinNotFound
            async with database.write() as session:
                await persons.undo(session, merge_id, owner.name)


async def detach_identity(settings: Settings, person_id: str, identity_id: str) -> None:
    """Raises: NotPossible: there is no such person, or no such account of theirs."""
    async with opened(settings) as database:
        owner = await owner_of(database)
        with refused_in_words():
            if not ID.fullmatch(person_id):
                raise PersonNotFound
            if not ID.fullmatch(identity_id):
                raise IdentityNotFound
            async with database.write() as session:
                await identities.detach(session, person_id, identity_id, owner.name)


def _unknown(person_id: str) -> NotPossible:
    return NotPossible(reason=f"there is no person {person_id!a}")
