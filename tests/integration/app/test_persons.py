"""Persons who are one: an admin merges them, and takes them apart again, whatever happens at the same time."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.access import persons, sessions
from app.courses import members
from app.errors import (
    EmailTaken,
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    PersonNotFound,
    PersonsShareCourse,
    SameMember,
)
from app.storage.database import Database
from app.storage.models import Change, Identity, Membership, Merge, Person, Session, new_id
from app.storage.paging import Paging
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import all_of, read_by, store, waits, write_by
from tests.integration.app.test_identities import IVAN, add_course, add_entry, entry, owner_of, signed_in
from tests.waiting import until


async def merge(database: Database, kept: str, other: str) -> Merge:
    return await write_by(database, persons.merge, kept, other, "owner")


async def undo(database: Database, merge: Merge) -> Merge:
    return await write_by(database, persons.undo, merge.id, "owner")


async def add_session(database: Database, person_id: str) -> None:
    async with database.write() as session:
        person = await session.get_one(Person, person_id)
        await sessions.add(session, sha256="0" * 64, of=person, lifetime=timedelta(days=1))


async def owners(database: Database) -> Mapping[str, str]:
    """The person of each member and of each identity, by its id."""
    async with database.read() as session:
        rows: list[Any] = [*await session.scalars(select(Membership)), *await session.scalars(select(Identity))]
    return {row.id: row.person_id for row in rows}


@on_both
async def test_person_gets_members_and_accounts_of_the_other_and_gives_them_back(database):
    mine, theirs = await entry(database), await entry(database, email="other@example.edu")
    kept = await signed_in(database)
    other = await signed_in(database, replace(IVAN, subject="other", email="other@example.edu"))
    before = await owners(database)
    await add_session(database, other)
    done = await merge(database, kept, other)
    assert set((await owners(database)).values()) == {kept}
    assert done.moved["memberships"] == [theirs.id]
    assert await signed_in(database, replace(IVAN, subject="other")) == kept
    assert (await merge(database, kept, other)).id == done.id
    assert await all_of(database, select(Session)) == []
    logged = await all_of(database, select(Change).where(Change.membership_id == theirs.id).order_by(Change.id))
    assert logged[-1].made_by == "owner"
    assert (logged[-1].before, logged[-1].after) == ({"person_id": other}, {"person_id": kept})
    await add_session(database, kept)
    assert (await undo(database, done)).undone_at is not None
    assert await all_of(database, select(Session)) == []
    assert await owners(database) == before
    assert await owner_of(database, mine) == kept
    with pytest.raises(JoinUndone):
        await undo(database, done)
    assert (await merge(database, kept, other)).id != done.id


@on_both_thoroughly
async def test_members_of_one_course_are_joined_first_and_nobody_is_merged_with_nobody(database):
    mine = await entry(database)
    with pytest.raises(SameMember):
        await merge(database, mine.person_id, mine.person_id)
    with pytest.raises(PersonNotFound):
        await merge(database, mine.person_id, new_id())
    with pytest.raises(JoinNotFound):
        await undo(database, Merge(id=new_id()))
    async with database.write() as session:
        theirs = await add_entry(session, mine.course_id, "other@example.edu")
        elsewhere = await add_entry(
            session, await add_course(session), person=await session.get_one(Person, theirs.person_id)
        )
    with pytest.raises(PersonsShareCourse) as caught:
        await merge(database, mine.person_id, theirs.person_id)
    assert caught.value.params == {"courses": [mine.course_id]}
    await store(database, Membership, Membership.id == theirs.id, removed_at=mine.created_at)
    done = await merge(database, mine.person_id, theirs.person_id)
    assert await owner_of(database, elsewhere) == mine.person_id
    # The removed one stays behind, and the other person with it.
    assert await owner_of(database, theirs) == theirs.person_id
    assert done.merged_person_id is None
    await undo(database, done)
    assert await owner_of(database, elsewhere) == theirs.person_id


@on_both_thoroughly
async def test_later_merge_is_undone_first(database):
    first, second, third = [(await entry(database)).person_id for _ in range(3)]
    before = await owners(database)
    inner = await merge(database, second, third)
    outer = await merge(database, first, second)
    with pytest.raises(JoinFollowed) as caught:
        await undo(database, inner)
    assert caught.value.params == {"join": outer.id}
    await undo(database, outer)
    await undo(database, inner)
    assert await owners(database) == before


@on_both_thoroughly
async def test_merge_that_single_sign_on_made_can_be_undone_and_is_not_made_again(database):
    members = [await entry(database) for _ in range(2)]
    person = await signed_in(database)
    newest = (await read_by(database, persons.list_merges, Paging(10)))[0]
    await undo(database, newest)
    assert await signed_in(database) == person
    assert {await owner_of(database, member) for member in members} == {member.person_id for member in members}


@on_both_thoroughly
async def test_undo_is_refused_when_the_earlier_person_is_in_the_course_again(database):
    mine, theirs = await entry(database), await entry(database)
    done = await merge(database, mine.person_id, theirs.person_id)
    async with database.write() as session:
        person = await session.get_one(Person, theirs.person_id)
        await add_entry(session, theirs.course_id, person=person)
    with pytest.raises(JoinOutdated):
        await undo(database, done)


@on_both_thoroughly
async def test_address_of_a_third_member_keeps_members_from_getting_it(database):
    mine, theirs = await entry(database), await entry(database, email="other@example.edu")
    await write_by(database, add_entry, theirs.course_id, "Ivanov@example.edu", confirmed_at=None)
    done = await merge(database, mine.person_id, theirs.person_id)
    await write_by(database, add_entry, theirs.course_id, "other@example.edu")
    with pytest.raises(EmailTaken):
        await undo(database, done)
    assert await owner_of(database, theirs) == mine.person_id

    elsewhere = await entry(database, email="another@example.edu")
    third = await write_by(database, add_entry, elsewhere.course_id)
    with pytest.raises(EmailTaken) as caught:
        await merge(database, mine.person_id, elsewhere.person_id)
    assert caught.value.params == {"member": third.id}
    assert await owner_of(database, elsewhere) == elsewhere.person_id


@on_both
async def test_merge_waits_for_a_member_who_is_getting_the_address(database):
    mine, theirs = await entry(database), await entry(database, email="other@example.edu")
    async with database.write() as session:
        await members.take_course(session, theirs.course_id)
        await add_entry(session, theirs.course_id)
        merging = asyncio.create_task(merge(database, mine.person_id, theirs.person_id))
        await until(lambda: merging.done() or waits(database))
    with pytest.raises(EmailTaken):
        await merging


@on_both
async def test_merges_at_once_lose_nothing(database):
    """Every member is one of the persons', whoever wins, and undoing from the last to the first gives all back."""
    people = [(await entry(database)).person_id for _ in range(4)]
    before = await owners(database)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 0)]
    await asyncio.gather(*(merge(database, people[kept], people[other]) for kept, other in pairs))
    assert set((await owners(database)).values()) <= set(people)
    merges = await read_by(database, persons.list_merges, Paging(20))
    for each in merges:
        await undo(database, each)
    assert await owners(database) == before
