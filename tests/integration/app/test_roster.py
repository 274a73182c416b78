"""Imports of rosters: what is planned is done, once, whatever happens beside it."""

import asyncio

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.courses import members
from app.courses.roster import planning
from app.courses.roster.planning import Conflict, Outcome, Plan
from app.courses.roster.reading import read
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Change,
    Course,
    Identity,
    MemberRole,
    Membership,
    Merge,
    Person,
    new_id,
    utc_now,
)
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add_member, add_rows, all_of, row_of, store, write_by

STUDENTS = frozenset({MemberRole.STUDENT})
ROSTER = """id;name;email;group
ivanov;Иван Иванов;ivanov@edu.hse.ru;201
petrova;Анна Петрова;petrova@edu.hse.ru;
"""


async def run(database: Database, text: str, *, dry: bool = False, course: str = DEFAULT_COURSE) -> Plan:
    async with database.write() as session:
        plan = await planning.plan(session, course, read(text.encode()), STUDENTS)
        if not dry:
            await planning.carry_out(session, plan, "teacher")
    return plan


async def member(database: Database, id: str, course: str = DEFAULT_COURSE) -> Membership:
    of = select(Membership).where(Membership.external_id == id, Membership.course_id == course)
    (entry,) = await all_of(database, of.options(joinedload(Membership.person)))
    return entry


def outcomes(plan: Plan) -> list[Outcome]:
    return [step.outcome for step in plan.steps]


@on_both
async def test_import_adds_confirmed_students_and_the_second_time_changes_nothing(database):
    planned = await run(database, ROSTER, dry=True)
    assert outcomes(planned) == [Outcome.NEW, Outcome.NEW]
    assert await all_of(database, select(Membership)) == []
    done = await run(database, ROSTER)
    assert done.digest == planned.digest
    ivanov = await member(database, "ivanov")
    assert (ivanov.role, ivanov.group, ivanov.confirmed_at is not None) == (MemberRole.STUDENT, "201", True)
    assert (ivanov.person.name, ivanov.person.email) == ("Иван Иванов", "ivanov@edu.hse.ru")
    again = await run(database, ROSTER)
    assert outcomes(again) == [Outcome.UNCHANGED, Outcome.UNCHANGED]
    logged = await all_of(database, select(Change).order_by(Change.id))
    assert [(change.made_by, change.before, change.membership_id) for change in logged[:1]] == [
        ("teacher", {}, ivanov.id)
    ]
    assert logged[0].after["email"] == "ivanov@edu.hse.ru"
    assert len(logged) == 2


async def test_changes_say_from_what_to_what_and_empty_cells_change_nothing(database):
    await run(database, ROSTER)
    confirmed_at = (await member(database, "ivanov")).confirmed_at
    plan = await run(database, "id;name;email;group\nivanov;Иван И. Иванов;;202\n")
    assert outcomes(plan) == [Outcome.CHANGED]
    assert plan.steps[0].changes == {"name": ("Иван Иванов", "Иван И. Иванов"), "group": ("201", "202")}
    assert [missing.external_id for missing in plan.missing] == ["petrova"]
    ivanov = await member(database, "ivanov")
    assert (ivanov.person.email, ivanov.group, ivanov.confirmed_at) == ("ivanov@edu.hse.ru", "202", confirmed_at)
    assert (await member(database, "petrova")).removed_at is None


@on_both_thoroughly
async def test_unconfirmed_member_is_confirmed_and_a_removed_one_comes_back(database):
    await write_by(database, members.enrol, [(DEFAULT_COURSE, "ivanov")])
    await add_member(database, "petrova", removed_at=utc_now(), confirmed_at=utc_now())
    plan = await run(database, "id\nivanov\npetrova\n")
    assert outcomes(plan) == [Outcome.CHANGED, Outcome.RESTORED]
    assert plan.steps[0].changes == {"confirmed": (False, True)}
    assert plan.steps[1].changes == {"removed": (True, False)}
    assert (await member(database, "ivanov")).confirmed_at is not None
    assert (await member(database, "petrova")).removed_at is None
    assert outcomes(await run(database, "id\nivanov\npetrova\n")) == [Outcome.UNCHANGED] * 2


async def test_member_who_was_joined_with_another_does_not_come_back(database):
    kept = await add_member(database, "new-1", confirmed_at=utc_now())
    other = await add_member(database, "ivanov", confirmed_at=utc_now(), removed_at=utc_now())
    async with database.write() as session:
        merge = Merge(course_id=DEFAULT_COURSE, moved={}, made_by="teacher")
        merge.kept_member_id, merge.merged_member_id = kept.id, other.id
        session.add(merge)
    plan = await run(database, "id\nivanov\n")
    assert [(step.conflict, step.with_id) for step in plan.steps] == [(Conflict.JOINED, "new-1")]
    assert (await member(database, "ivanov")).removed_at is not None
    await store(database, Merge, Merge.id == merge.id, undone_at=utc_now())
    assert outcomes(await run(database, "id\nivanov\n")) == [Outcome.RESTORED]


async def test_staff_are_never_touched(database):
    await add_member(
        database, "boss", role=MemberRole.TEACHER, confirmed_at=utc_now(), name="Boss", email="boss@hse.ru"
    )
    await add_member(database, "helper", role=MemberRole.ASSISTANT, confirmed_at=utc_now())
    text = "id;name;email;role\nboss;Me;x@hse.ru;\nhelper;Me;;assistant\nnew;Me;;teacher\nother;;BOSS@hse.ru;\n"
    plan = await run(database, text)
    assert [(step.outcome, step.conflict, step.with_id) for step in plan.steps] == [
        (Outcome.CONFLICT, Conflict.OTHER_ROLE, "boss"),
        (Outcome.UNCHANGED, None, None),
        (Outcome.CONFLICT, Conflict.ROLE_RESERVED, None),
        (Outcome.CONFLICT, Conflict.EMAIL_TAKEN, "boss"),
    ]
    assert plan.missing == ()
    boss = await member(database, "boss")
    assert (boss.role, boss.person.name, boss.person.email) == (MemberRole.TEACHER, "Boss", "boss@hse.ru")
    assert len(await all_of(database, select(Membership))) == 2


@on_both_thoroughly
async def test_addresses_move_within_a_file_and_a_taken_one_blocks_what_follows(database):
    await run(database, "id;email\na;a@e.ru\nb;b@e.ru\nc;c@e.ru\n")
    swapped = await run(database, "id;email\na;b@e.ru\nb;a@e.ru\n", dry=True)
    assert outcomes(swapped) == [Outcome.CHANGED, Outcome.CHANGED]
    # `b` wants the address of `c`, who is not in the file; so `a` cannot have that of `b`.
    blocked = await run(database, "id;email\na;b@e.ru\nb;c@e.ru\n")
    assert [(step.conflict, step.with_id) for step in blocked.steps] == [
        (Conflict.EMAIL_TAKEN, "b"),
        (Conflict.EMAIL_TAKEN, "c"),
    ]
    assert (await member(database, "a")).person.email == "a@e.ru"


async def test_address_that_an_unconfirmed_person_typed_blocks_nobody(database):
    squatter = await add_member(database, "new-1", email="Ivanov@edu.hse.ru")
    claimant = await add_member(database, "new-2", claimed_id="petrova")
    plan = await run(database, ROSTER)
    assert outcomes(plan) == [Outcome.NEW, Outcome.NEW]
    assert [step.perhaps for step in plan.steps] == [(squatter.id,), (claimant.id,)]
    assert [missing.external_id for missing in plan.missing] == ["new-1", "new-2"]
    assert (await member(database, "ivanov")).person_id != squatter.person_id


async def test_unconfirmed_member_whose_address_another_one_got_is_not_confirmed_with_it(database):
    await add_member(database, "c", email="c@e.ru")
    await run(database, "id;email\nb;c@e.ru\n")
    plan = await run(database, "id\nc\n")
    assert [(step.conflict, step.with_id) for step in plan.steps] == [(Conflict.EMAIL_TAKEN, "b")]
    assert (await member(database, "c")).confirmed_at is None


@on_both_thoroughly
async def test_person_of_another_course_keeps_name_and_address(database):
    other = new_id()
    await add_rows(database, Course(id=other, title="Other", language="en", time_zone="UTC"))
    await run(database, "id;name;email\nivanov;Иван;ivanov@hse.ru\n", course=other)
    there = await member(database, "ivanov", other)
    await add_rows(
        database, Membership(course_id=DEFAULT_COURSE, person_id=there.person_id, role="student", external_id="ivanov")
    )
    plan = await run(database, "id;name;email;group\nivanov;Х;evil@x.ru;201\n")
    assert plan.steps[0].kept == ("name", "email")
    assert plan.steps[0].changes == {"group": (None, "201"), "confirmed": (False, True)}
    person = await row_of(database, Person, there.person_id)
    assert (person.name, person.email) == ("Иван", "ivanov@hse.ru")
    assert (await member(database, "ivanov", other)).group is None


@on_both
async def test_address_and_name_are_the_same_as_an_issuer_writes_them(database):
    anna = await add_member(database, "anna", confirmed_at=utc_now(), name="Zo\u0065\u0308", email="Anna@HSE.ru")
    await add_rows(database, Identity(person_id=anna.person_id, issuer="https://sso", subject="7", email="Anna@HSE.ru"))
    same, other = [await run(database, f"id;name;email\nanna;Zoë;{email}@hse.ru\n") for email in ("anna", "other")]
    assert [(step.outcome, step.kept) for step in (*same.steps, *other.steps)] == [
        (Outcome.UNCHANGED, ()),
        (Outcome.UNCHANGED, ("email",)),
    ]


@on_both
async def test_two_imports_at_once_add_everybody_once(database):
    text = "id\n" + "\n".join(f"s{number}" for number in range(300))
    plans = await asyncio.gather(run(database, text), run(database, text), run(database, text))
    counted = sorted(plan.counts()[Outcome.NEW] for plan in plans)
    assert counted == [0, 0, 300]


@on_both
async def test_import_and_uploads_of_the_same_students_do_not_meet(database):
    ids = [f"s{number}" for number in range(50)]

    async def enrol(id: str) -> None:
        await write_by(database, members.enrol, [(DEFAULT_COURSE, id)])

    await asyncio.gather(*map(enrol, ids[:25]), run(database, "\n".join(["id", *ids])), *map(enrol, ids[25:]))
    added = await all_of(database, select(Membership.external_id))
    assert sorted(filter(None, added)) == sorted(ids)
