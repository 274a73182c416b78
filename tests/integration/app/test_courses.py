"""Changes to courses and members that come at the same time, on both databases."""

import asyncio
from typing import Any

from sqlalchemy import select

from app.courses import course, membership, uses
from app.errors import CourseArchived, EmailTaken, ExternalIdTaken
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Change, CourseAssignment, MemberRole, Membership, Submission
from grader import load_assignments
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import add, all_of, write_by

pytestmark = on_both

ASSIGNMENTS = load_assignments()


async def set_rules(database: Database, **rules: Any) -> None:
    await write_by(database, uses.change, DEFAULT_COURSE, "lstm-layer", ASSIGNMENTS, {"rules": rules}, "teacher")


async def new_member(database: Database, external_id: str, **given: Any) -> str:
    async with database.write() as session:
        values: dict[str, Any] = {"role": MemberRole.STUDENT, "name": None, "email": None, "group": None, **given}
        member = await membership.add(
            session, DEFAULT_COURSE, external_id=external_id, **values, manages=set(MemberRole), made_by="teacher"
        )
        return member.id


async def change(database: Database, member_id: str, **given: Any) -> None:
    await write_by(
        database,
        membership.change,
        DEFAULT_COURSE,
        member_id,
        given,
        manages=set(MemberRole),
        may_change_shared=True,
        made_by="teacher",
    )


async def test_rules_set_at_once_are_all_there_in_one_row(database):
    given = [{"limit": 5}, {"cooldown_seconds": 60}, {"counts": "last"}, {"due": "2030-01-01T00:00:00Z"}]
    await asyncio.gather(*(set_rules(database, **each) for each in given))
    (use,) = await all_of(database, select(CourseAssignment))
    assert use.rules == {name: value for each in given for name, value in each.items()}
    assert len(await all_of(database, select(Change))) == len(given)


async def test_changes_of_a_course_at_once_are_all_there(database):
    async def set_to(**given: Any) -> None:
        await write_by(database, course.change, DEFAULT_COURSE, given, "owner")

    changes = set_to(title="x"), set_to(language="en"), set_to(archived=True), set_to(archived=True)
    done = await asyncio.gather(*changes, return_exceptions=True)
    refused = [name for name, outcome in zip(("title", "language"), done, strict=False) if outcome is not None]
    assert all(isinstance(outcome, CourseArchived) for outcome in done if outcome is not None)
    assert done[2:] == [None, None]
    async with database.read() as session:
        default = await course.existing(session, DEFAULT_COURSE)
        # Once it is archived, the rest is refused; what came before it stays.
        assert default.archived_at is not None
        logged = [name for each in await session.scalars(select(Change)) for name in each.after]
    assert sorted([*logged, *refused]) == ["archived", "language", "title"]


async def test_member_who_is_added_twice_at_once_is_one(database):
    done = await asyncio.gather(*(new_member(database, "ivanov") for _ in range(4)), return_exceptions=True)
    added = [each for each in done if isinstance(each, str)]
    assert len(added) == 1
    refused = [each for each in done if isinstance(each, ExternalIdTaken)]
    assert [each.params for each in refused] == [{"member": added[0]}] * 3


async def test_address_given_to_two_members_at_once_is_that_of_one(database):
    ids = [await new_member(database, name) for name in ("a", "b", "c")]
    given = (change(database, id, email="x@example.org") for id in ids)
    done = await asyncio.gather(*given, return_exceptions=True)
    assert [type(each) for each in done].count(EmailTaken) == 2


async def test_upload_beside_a_new_id_is_of_a_member_with_the_id_that_it_names(database):
    await add(database, "ivanov")
    (member,) = await all_of(database, select(Membership.id))
    await asyncio.gather(
        *(add(database, "ivanov") for _ in range(3)),
        change(database, member, external_id="i.ivanov"),
        *(add(database, "i.ivanov") for _ in range(3)),
        return_exceptions=True,
    )
    async with database.read() as session:
        rows = await session.execute(
            select(Submission.student, Membership.external_id).join(
                Membership, Membership.id == Submission.membership_id
            )
        )
        assert {student == external_id for student, external_id in rows} == {True}
