"""Queries of the pages that manage a course, on both databases: the pages' own tests run on SQLite."""

from datetime import timedelta
from typing import Any

import pytest

from app.access import joining, links, persons
from app.courses import changes, course, members, membership, people
from app.courses.course import Size
from app.courses.membership import Members
from app.errors import PersonNotFound
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Identity, MemberRole, Membership, Person, new_id, utc_now
from app.storage.paging import Paging
from app.teaching.joins import joins
from app.teaching.joins.joins import Moving
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import add, add_member, read_by

pytestmark = on_both


async def enter(database: Database, id: str, name: str | None = None, **values: Any) -> Membership:
    """Add a student whom a teacher has confirmed."""
    return await add_member(database, id, name=name, **{"confirmed_at": utc_now()} | values)


async def test_members_come_by_role_group_and_name_page_by_page(database):
    await enter(database, "c", "Борис", group="2")
    await enter(database, "b", "anna", group="2")
    await enter(database, "a", None, group=None)
    await enter(database, "d", "Zoe", role=MemberRole.TEACHER)
    await enter(database, "e", "Gone", removed_at=utc_now())
    async with database.read() as session:
        first, total = await membership.list_by_name(session, DEFAULT_COURSE, Members(removed=False), limit=3)
        rest, _ = await membership.list_by_name(session, DEFAULT_COURSE, Members(removed=False), limit=3, offset=3)
        assert [each.external_id for each in [*first, *rest]] == ["d", "a", "b", "c"]
        assert total == 4
        assert await membership.groups(session, DEFAULT_COURSE) == ["2"]
        assert (await course.sizes(session, [DEFAULT_COURSE]))[DEFAULT_COURSE] == Size(3, 0, 1)


async def test_entries_that_may_be_one_student_are_found_by_id_address_and_name(database):
    listed = await enter(database, "ivanov", "Пётр Иванов", email="Ivan@example.org")
    for id, values in {
        "new-1": {"claimed_id": "ivanov", "confirmed_at": None},
        "new-2": {"email": "ivan@example.org", "confirmed_at": None},
        "new-3": {"name": "ПЁТР ИВАНОВ", "confirmed_at": None},
        "new-4": {"name": "Another", "confirmed_at": None},
        "new-5": {"claimed_id": "ivanov", "removed_at": utc_now()},
    }.items():
        await enter(database, id, **values)
    member = await read_by(database, membership.find, DEFAULT_COURSE, listed.id)
    candidates = await read_by(database, membership.perhaps_the_same, member)
    assert [each.external_id for each in candidates] == ["new-1", "new-2", "new-3"]


async def test_namesakes_are_offered_only_if_one_may_have_come_twice(database):
    listed = await enter(database, "one", "Ivan Petrov")
    await enter(database, "two", "Ivan Petrov")
    await enter(database, "unsure", "Ivan Petrov", confirmed_at=None)
    await enter(database, "joined", "ivan PETROV", join_link_id=new_id())
    launched = [await enter(database, f"lti-{number}", "Ivan Petrov") for number in (1, 2)]
    async with database.write() as session:
        session.add_all(Identity(person_id=each.person_id, issuer="lti:p", subject=each.id) for each in launched)
        # Single sign-on is a way to sign in, and no way into a course.
        session.add(Identity(person_id=listed.person_id, issuer="https://sso.example.org", subject="1"))
    for member, others in (
        (listed, ["unsure", "joined", "lti-1", "lti-2"]),
        (launched[0], ["one", "two", "unsure", "joined"]),
    ):
        async with database.read() as session:
            candidates = await membership.perhaps_the_same(
                session, await membership.find(session, DEFAULT_COURSE, member.id)
            )
            assert [each.external_id for each in candidates] == others


async def test_preview_of_a_join_counts_what_moves(database, owner):
    await add(database, "other")
    kept = await enter(database, "kept")
    async with database.write() as session:
        other = (await members.find(session, [(DEFAULT_COURSE, "other")]))[DEFAULT_COURSE, "other"]
        await links.make(session, [await membership.find(session, DEFAULT_COURSE, other.id)], owner.id)
        assert await joins.would_move(session, other) == Moving(1, 0, 0, 0, 1)
        merge = await joins.join(session, DEFAULT_COURSE, kept.id, other.id, "owner")
        assert await joins.would_move(session, other) == Moving(0, 0, 0, 0, 0)
        assert await membership.join_of(session, other) is merge
        assert set(await membership.by_ids(session, DEFAULT_COURSE, [kept.id, other.id, new_id()])) == {
            kept.id,
            other.id,
        }
        assert not await membership.by_ids(session, new_id(), [kept.id]), "a member of another course"


async def test_same_form_makes_one_join_link(database, owner):
    later = utc_now() + timedelta(days=1)
    async with database.write() as session:
        (first, secret), again, (other, _) = [
            await joining.make(session, owner, group=None, limit=limit, expires_at=later, form_key="key")
            for limit in (5, 5, 6)
        ]
        assert (first.id, secret) == (again[0].id, again[1])
        assert other.id != first.id


async def test_people_are_found_by_parts_of_name_address_and_id(database):
    one = await enter(database, "st-100", "Анна Петрова", email="anna@example.org")
    await enter(database, "st-200", "Борис", email="b%_@example.org")
    async with database.write() as session:
        other = Person(name="Merged")
        session.add(other)
        await session.flush()
        await persons.merge(session, one.person_id, other.id, "owner")
        for text, expected in (("петр", 1), ("ANNA@", 1), ("t-1", 1), ("%_", 1), (one.person_id, 1), ("nobody", 0)):
            assert len(await people.list_people(session, Paging(5), text=text)) == expected, text
        known = await people.find(session, one.person_id)
        assert [member.external_id for member in known.memberships] == ["st-100"]
        assert set(await people.courses_of(session, [known])) == {DEFAULT_COURSE}
        assert len(await persons.merges_of(session, one.person_id)) == 1
        assert [each.id for each, _ in await course.list_of_person(session, one.person_id)] == [DEFAULT_COURSE]
        with pytest.raises(PersonNotFound):
            await people.find(session, new_id())


async def test_changes_are_chosen_by_subject_member_and_maker(database):
    member = await enter(database, "ivanov", "Ivan")
    async with database.write() as session:
        ivanov = await membership.find(session, DEFAULT_COURSE, member.id)
        changes.log(session, ivanov, "anna", {"group": None}, {"group": "1"})
        changes.log(session, ivanov, "boris", {}, {"joined": member.id})
        changes.log(session, await course.existing(session, DEFAULT_COURSE), "anna", {"title": "a"}, {"title": "b"})
    async with database.read() as session:
        for chosen, expected in (
            ({}, 3),
            ({"subject": "member"}, 2),
            ({"member_id": member.id, "made_by": "anna"}, 1),
            ({"subject": "assignment"}, 0),
        ):
            listed = await changes.list_changes(session, DEFAULT_COURSE, Paging(10), **chosen)
            assert len(listed) == expected, chosen
        assert await changes.makers(session, DEFAULT_COURSE) == ["anna", "boris"]
        listed = await changes.list_changes(session, DEFAULT_COURSE, Paging(10))
        assert set((await changes.subjects_of(session, DEFAULT_COURSE, listed)).members) == {member.id}
