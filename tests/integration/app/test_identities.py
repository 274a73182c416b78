"""Entries of rosters go to the identity whose address they have: once, and only where the issuer's word counts."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import identities
from app.access.identities import claim, sign_in
from app.courses import members
from app.errors import MemberClaimed, PersonInCourse
from app.oidc.issuer import Claims
from app.storage.database import Database
from app.storage.models import Change, Course, Identity, MemberRole, Membership, Merge, Person, new_id, utc_now
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import all_of, count, read_by, row_of, waits, write_by
from tests.waiting import until

ISSUER = "https://id.example.edu/realms/main"
DOMAINS = frozenset({"example.edu"})
IVAN = Claims(ISSUER, "248289761001", "ivanov@example.edu", True, "Ivan Ivanov")


async def add_course(session: AsyncSession, *, archived: bool = False) -> str:
    course = Course(title="Networks", language="en", time_zone="UTC", archived_at=utc_now() if archived else None)
    session.add(course)
    await session.flush()
    return course.id


async def add_entry(
    session: AsyncSession,
    course_id: str,
    email: str | None = "ivanov@example.edu",
    *,
    person: Person | None = None,
    **values: Any,
) -> Membership:
    """Add a student whom a teacher has confirmed."""
    member = Membership(
        id=new_id(),
        course_id=course_id,
        person=person or Person(name="Roster", email=email),
        external_id=new_id(),
        **{"role": MemberRole.STUDENT, "confirmed_at": utc_now()} | values,
    )
    session.add(member)
    await session.flush()
    return member


async def entry(database: Database, **values: Any) -> Membership:
    """Add an entry in a course of its own."""
    async with database.write() as session:
        course_id = await add_course(session, archived=values.pop("archived", False))
        return await add_entry(session, course_id, **values)


async def signed_in(database: Database, claims: Claims = IVAN) -> str:
    return (await write_by(database, sign_in, claims, DOMAINS)).id


async def owner_of(database: Database, member: Membership) -> str:
    return (await row_of(database, Membership, member.id)).person_id


@on_both
async def test_identity_takes_the_entry_with_its_address_and_stays_the_same_person(database):
    member = await entry(database, email="Ivanov@Example.EDU")
    person = await signed_in(database)
    assert await owner_of(database, member) == person == member.person_id
    assert await signed_in(database) == person
    assert await count(database, Identity) == 1
    logged = await all_of(database, select(Change))
    assert [(line.made_by, line.subject_id) for line in logged] == [(identities.MADE_BY, member.id)]
    assert (await row_of(database, Person, person)).name == "Roster"


@pytest.mark.parametrize(
    "claims",
    [
        replace(IVAN, email_verified=False),
        replace(IVAN, email=None),
        replace(IVAN, email="ivanov@mail.example.edu"),
    ],
    ids=["unverified", "none", "of a domain that the issuer does not give out"],
)
async def test_address_that_does_not_count_finds_nothing(database, claims):
    member = await entry(database, email=claims.email or IVAN.email)
    person = await signed_in(database, claims)
    assert await owner_of(database, member) != person
    assert await signed_in(database, claims) == person


@pytest.mark.parametrize(
    "values",
    [
        {"role": MemberRole.ASSISTANT},
        {"confirmed_at": None},
        {"removed_at": utc_now()},
        {"signed_on_at": utc_now()},
        {"archived": True},
        {"join_link_id": new_id()},
        {"email": None},
    ],
    ids=["assistant", "unconfirmed", "removed", "taken", "archived", "by_link", "no_address"],
)
async def test_entry_that_is_not_a_free_student_is_left_alone(database, values):
    member = await entry(database, **values)
    assert await signed_in(database) != await owner_of(database, member)


@on_both
async def test_letters_that_a_database_folds_to_others_are_others(database):
    member = await entry(database, email="\u212airill@example.edu")  # The sign for kelvin.
    assert await signed_in(database, replace(IVAN, email="kirill@example.edu")) != await owner_of(database, member)


@on_both_thoroughly
async def test_two_entries_of_a_course_with_one_address_are_left_to_a_teacher(database):
    member = await entry(database)
    other = await write_by(database, add_entry, member.course_id, "IVANOV@example.edu", role=MemberRole.ASSISTANT)
    person = await signed_in(database)
    assert person not in (await owner_of(database, member), await owner_of(database, other))


@on_both_thoroughly
@pytest.mark.parametrize(
    "values",
    [{"removed_at": utc_now()}, {"confirmed_at": None}, {"join_link_id": new_id()}],
    ids=["removed", "unconfirmed", "by_link"],
)
async def test_other_entry_does_not_hide_the_one_of_the_roster(database, values):
    member = await entry(database)
    await write_by(database, add_entry, member.course_id, **values)
    assert await signed_in(database) == await owner_of(database, member)


@on_both_thoroughly
async def test_student_who_teaches_elsewhere_is_left_to_a_teacher(database):
    member = await entry(database)
    async with database.write() as session:
        person = await session.get_one(Person, member.person_id)
        await add_entry(session, await add_course(session), person=person, role=MemberRole.TEACHER)
    assert await signed_in(database) != member.person_id


async def test_entry_is_taken_once_even_when_its_identity_is_gone(database):
    member = await entry(database)
    await signed_in(database)
    async with database.write() as session:
        await session.delete(await identities.find(session, IVAN.issuer, IVAN.subject))
    assert await signed_in(database) != await owner_of(database, member)


@on_both
async def test_entries_of_several_courses_become_one_person(database):
    members = [await entry(database) for _ in range(3)]
    person = await signed_in(database)
    assert {await owner_of(database, member) for member in members} == {person}
    merges = await all_of(database, select(Merge))
    assert {merge.kept_person_id for merge in merges} == {person}
    assert {merge.merged_person_id for merge in merges} == {member.person_id for member in members} - {person}
    assert sorted(id for merge in merges for id in merge.moved["memberships"]) == sorted(
        member.id for member in members if member.person_id != person
    )


@on_both_thoroughly
async def test_address_that_the_issuer_changes_later_finds_nothing(database):
    mine, theirs = await entry(database), await entry(database, email="petrov@example.edu")
    person = await signed_in(database)
    later = await entry(database)
    assert await signed_in(database, replace(IVAN, email="petrov@example.edu", name="Petrov")) == person
    owners = [await owner_of(database, member) for member in (mine, theirs, later)]
    assert owners == [person, theirs.person_id, later.person_id]
    identity = await read_by(database, identities.find, IVAN.issuer, IVAN.subject)
    assert identity.email == "ivanov@example.edu"
    assert (await row_of(database, Person, person)).email == "ivanov@example.edu"
    assert await signed_in(database) == person
    assert await owner_of(database, later) == person


@on_both_thoroughly
async def test_person_who_is_in_the_course_already_is_left_to_a_teacher(database):
    person = await signed_in(database)
    member = await entry(database)
    async with database.write() as session:
        mine = await session.get_one(Person, person)
        await add_entry(session, member.course_id, person=mine, confirmed_at=None)
    assert await signed_in(database) == person
    assert await owner_of(database, member) == member.person_id


@on_both
async def test_sign_ins_at_once_make_one_person(database):
    member = await entry(database)
    people = await asyncio.gather(*(signed_in(database) for _ in range(8)))
    assert set(people) == {member.person_id}
    strangers = await asyncio.gather(
        *(signed_in(database, replace(IVAN, subject="stranger", email=None)) for _ in range(8))
    )
    assert len(set(strangers)) == 1
    assert (await count(database, Identity), await count(database, Person)) == (2, 2)


@on_both
async def test_one_of_several_identities_at_once_takes_the_entry(database):
    member = await entry(database)
    people = await asyncio.gather(*(signed_in(database, replace(IVAN, subject=f"s{number}")) for number in range(6)))
    assert Counter(people)[member.person_id] == 1
    assert len(set(people)) == 6
    # A subject means nothing without its issuer.
    assert await signed_in(database, replace(IVAN, subject="s0", issuer="https://other.example.edu")) not in people


async def claimed(database: Database, member: Membership, person_id: str) -> Membership:
    async with database.write() as session:
        return await claim(session, member.id, await session.get_one(Person, person_id))


@on_both_thoroughly
async def test_member_is_given_to_a_person_who_is_signed_in_as_both_and_nothing_else_of_its_person(database):
    member = await entry(database, email="another@example.edu", role=MemberRole.ASSISTANT)
    async with database.write() as session:
        owner = await session.get_one(Person, member.person_id)
        elsewhere = await add_entry(session, await add_course(session), person=owner)
    person = await signed_in(database)
    assert (await claimed(database, member, person)).person_id == person
    assert (await claimed(database, member, person)).person_id == person
    assert (await owner_of(database, member), await owner_of(database, elsewhere)) == (person, member.person_id)
    async with database.read() as session:
        merge = (await session.scalars(select(Merge))).one()
        # The rest of the other person is nobody else's to delete or to see.
        assert (merge.kept_person_id, merge.merged_person_id) == (person, None)
        assert merge.moved == {"person": member.person_id, "memberships": [member.id], "identities": []}


@on_both_thoroughly
async def test_person_or_address_that_a_course_has_does_not_come_a_second_time_by_a_sign_in_or_a_claim(database):
    mine = await entry(database)
    person = await signed_in(database)
    other = await write_by(database, add_entry, mine.course_id, "another@example.edu")
    with pytest.raises(PersonInCourse):
        await claimed(database, other, person)
    async with database.write() as session:
        (await session.get_one(Person, person)).email = "changed@example.edu"  # By an admin.
        course_id = await add_course(session)
        member = await add_entry(session, course_id)
        await add_entry(session, course_id, "changed@example.edu")
        linked = await add_entry(session, course_id, "another@example.edu")
    assert await signed_in(database) == person
    with pytest.raises(PersonInCourse):
        await claimed(database, linked, person)
    for each in (member, linked):
        assert await owner_of(database, each) == each.person_id


@on_both
async def test_claim_waits_for_a_member_who_is_getting_the_address(database):
    member = await entry(database, email="another@example.edu")
    person = await signed_in(database)
    async with database.write() as session:
        await members.take_course(session, member.course_id)
        await add_entry(session, member.course_id)
        claiming = asyncio.create_task(claimed(database, member, person))
        await until(lambda: claiming.done() or waits(database))
    with pytest.raises(PersonInCourse):
        await claiming


@on_both
async def test_member_whom_several_claim_at_once_goes_to_one_of_them(database):
    member = await entry(database, email="another@example.edu")
    people = [await signed_in(database, replace(IVAN, subject=f"s{number}")) for number in range(4)]
    outcomes = await asyncio.gather(*(claimed(database, member, person) for person in people), return_exceptions=True)
    assert Counter(map(type, outcomes)) == {Membership: 1, MemberClaimed: 3}
    assert await owner_of(database, member) in people
