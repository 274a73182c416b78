"""Launches, sections and scores of a platform: used once, claimed once, and in an order that a platform accepts."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app.access import identities
from app.courses import course, members
from app.errors import AppError
from app.errors.lti import LaunchOutdated
from app.lti import memberships, platforms
from app.lti.grades import outbox
from app.lti.grades.expected import ExpectedGrade
from app.lti.launch import arrival, binding, login
from app.lti.launch.arrival import Arrival
from app.lti.launch.login import LoginRequest
from app.lti.launch.message import Message
from app.lti.launch.people import PlatformPerson
from app.lti.launch.roles import Part
from app.storage import passback
from app.storage.database import Database
from app.storage.models import Change, Course, Identity, LtiContext, LtiPlatform, LtiScore, Membership, Person, utc_now
from app.teaching.joins import joins
from grader import load_assignments
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql
from tests.integration.app.rows import all_of, row_of, waits, write_by
from tests.platforms import LTI, REGISTRATION, claims_of, login_parameters
from tests.waiting import until

ASSIGNMENTS = load_assignments()
LEASE = timedelta(seconds=60)
TEACHER = {"role": "Instructor", "sub": "teacher-1"}


@pytest.fixture
async def platform(database: Database) -> LtiPlatform:
    return await write_by(database, platforms.add, REGISTRATION, made_by="test", confirmed=True)


async def arrive(database: Database, platform: LtiPlatform, **claims: str) -> Arrival:
    message = Message.model_validate(claims_of("nonce", **claims))
    async with database.write() as session:
        new = partial(binding.choose_course, session, platform, message, binding.NEW, "", "en")
        arrived = await arrival.arrive(session, platform, message, ASSIGNMENTS)
        return arrived or await arrival.arrive(session, platform, message, ASSIGNMENTS, new)


@on_both
async def test_launch_that_comes_many_times_at_once_is_taken_once(database, platform):
    asked = LoginRequest.of(list(login_parameters().items()))
    begun = await write_by(database, login.begin, platform, asked, browser="b", redirect_uri="https://x/launch")

    async def take() -> bool:
        try:
            await write_by(database, login.take, begun.state)
        except LaunchOutdated:
            return False
        return True

    assert Counter(await asyncio.gather(*(take() for _ in range(8)))) == {True: 1, False: 7}


@on_both
async def test_people_who_come_many_times_at_once_are_one_each(database, platform):
    arrivals = await asyncio.gather(*(arrive(database, platform, role="Instructor", sub=f"t{n}") for n in range(4)))
    assert len({each.course.id for each in arrivals}) == 1
    subjects = ["student-1", "student-2", "student-3"] * 4
    await asyncio.gather(*(arrive(database, platform, sub=sub) for sub in subjects))
    assert len(await all_of(database, select(Identity))) == 7
    assert len(await all_of(database, select(Membership))) == 7
    assert len(await all_of(database, select(LtiScore))) == 3


@on_both_thoroughly
@pytest.mark.parametrize("kept_one", ["launched", "signed on"])
async def test_student_who_is_joined_still_comes_by_launches_and_by_single_sign_on(database, platform, kept_one):
    course = (await arrive(database, platform, **TEACHER)).course
    launched = (await arrive(database, platform)).member.id
    async with database.write() as session:
        signed_on = members.add(session, course.id, external_id="ivanov", name="Иван")
        signed_on.confirmed_at = utc_now()
        await session.flush()
        session.add(Identity(person_id=signed_on.person_id, issuer="https://sso", subject="7"))
    kept, other = (launched, signed_on.id) if kept_one == "launched" else (signed_on.id, launched)
    merge = await write_by(database, joins.join, course.id, kept, other, "test")
    again = await arrive(database, platform)
    assert (again.member.id, again.person.id) == (kept, again.member.person_id)
    async with database.read() as session:
        identity = await identities.find(session, "https://sso", "7")
        assert (await session.get_one(Membership, kept)).person_id == identity.person_id
        assert await session.scalar(select(LtiScore.membership_id)) == kept
    await write_by(database, joins.undo, course.id, merge.id, "test")
    assert (await arrive(database, platform)).member.id == launched


@on_both_thoroughly
async def test_both_users_of_a_platform_have_the_grade_of_the_student_who_they_are(database, platform):
    course = (await arrive(database, platform, **TEACHER)).course

    async def come() -> dict[str, str]:
        for user in ("one", "two"):
            await arrive(database, platform, sub=user)
        scores = await all_of(database, select(LtiScore))
        return {score.user_id: score.membership_id for score in scores}

    before = await come()
    merge = await write_by(database, joins.join, course.id, before["one"], before["two"], "test")
    assert await come() == dict.fromkeys(before, before["one"])
    async with database.write() as session:
        assert [due.score.user_id for due in await outbox.claim_due(session, LEASE, {}, 4)] == ["one", "two"]
        await joins.undo(session, course.id, merge.id, "test")
    assert await come() == before


@on_both
async def test_score_is_claimed_by_one_process(database, platform):
    await arrive(database, platform, **TEACHER)
    for number in range(6):
        await arrive(database, platform, sub=f"student-{number}")

    # The platform has no room for another request.
    assert await write_by(database, outbox.claim_due, LEASE, {platform.id: 0}, 4) == []

    async def claim() -> list[str]:
        return [due.score.id for due in await write_by(database, outbox.claim_due, LEASE, {}, 2)]

    taken = [id for ids in await asyncio.gather(*(claim() for _ in range(6))) for id in ids]
    assert len(taken) == len(set(taken))
    assert 2 <= len(taken) <= 6


@on_both_thoroughly
async def test_stamps_only_grow_and_are_never_ahead(database, platform):
    await arrive(database, platform, **TEACHER)
    await arrive(database, platform)
    (due,) = await write_by(database, outbox.claim_due, LEASE, {}, 4)
    stamps = []
    for now in (1_800_000_000.9, 1_800_000_000.99, 1_799_999_999.0, 1_800_000_001.0, 1_800_000_001.5):
        stamps.append(await write_by(database, outbox.stamp, due.score.id, now))
    first, later = datetime.fromtimestamp(1_800_000_000, UTC), datetime.fromtimestamp(1_800_000_001, UTC)
    second = timedelta(seconds=1)
    assert stamps == [first, second, 2 * second, later, second]


@on_both
async def test_change_between_claim_and_delivery_makes_it_due_again(database, platform):
    await arrive(database, platform, **TEACHER)
    student = await arrive(database, platform)
    (due,) = await write_by(database, outbox.claim_due, LEASE, {}, 4)
    async with database.write() as session:
        await passback.grades_changed(session, student.use.id, [student.member.id])
        assert not await outbox.is_something_due(session)  # A second try beside the first could arrive first.
    await write_by(database, outbox.store_delivery, due, ExpectedGrade(10.0, 100.0))
    (again,) = await write_by(database, outbox.claim_due, LEASE, {}, 4)
    assert again.version == due.version + 1
    async with database.write() as session:
        await outbox.store_delivery(session, again, ExpectedGrade(20.0, 100.0))
        assert not await outbox.is_something_due(session)


@on_postgresql
async def test_scores_are_marked_in_one_order(database, platform):
    """Two transactions that mark the same scores never wait for one another: the one locks none beyond the first."""
    teacher = await arrive(database, platform, **TEACHER)
    student = await arrive(database, platform)
    assert teacher.use is not None
    ids = {"3": "a", "2": "b", "1": "c"}
    async with database.write() as session:
        for id, user in ids.items():  # The opposite order, in the table and in its index.
            session.add(LtiScore(id=id, lti_link_id=student.link.id, membership_id=student.member.id, user_id=user))
            await session.flush()

    async def mark() -> None:
        await write_by(database, passback.grades_changed, teacher.use.id)

    async with database.write() as first:
        await first.execute(select(LtiScore.id).where(LtiScore.id == "1").with_for_update())
        marking = asyncio.create_task(mark())
        await until(lambda: waits(database))
        async with database.write() as other:
            free = select(LtiScore.id).where(LtiScore.id.in_(ids)).order_by(LtiScore.id)
            assert (await other.scalars(free.with_for_update(skip_locked=True))).all() == ["2", "3"]
    await marking


@on_both_thoroughly
async def test_platform_takes_its_logins_and_identities_along(database, platform):
    asked = LoginRequest.of(list(login_parameters().items()))
    issuer = platforms.issuer_of_people(platform.id)
    async with database.write() as session:
        await login.begin(session, platform, asked, browser="b", redirect_uri="https://x/launch")
        person = Person(name="Иван")
        session.add(person)
        await session.flush()
        session.add(Identity(person_id=person.id, issuer=issuer, subject="7"))
    await write_by(database, platforms.remove, platform.id)
    async with database.read() as session:
        with pytest.raises(AppError):
            await platforms.find(session, platform.id)
        assert await identities.find(session, issuer, "7") is None


SECTIONS = ("section-1", "section-2")


@pytest.fixture
async def two_sections(database: Database, platform: LtiPlatform) -> LtiPlatform:
    """A platform whose two sections are one course."""
    for section in SECTIONS:
        await launch(database, platform, section, "teacher", "Instructor")
    return platform


async def launch(
    database: Database, platform: LtiPlatform, section: str, subject: str, role: str = "Learner"
) -> Arrival:
    claims = claims_of("nonce", sub=subject, role=role, **{f"{LTI}context": {"id": section, "title": section}})
    message = Message.model_validate(claims)

    async with database.write() as session:

        async def connect() -> Course:
            known = await session.scalar(select(LtiContext.course_id).limit(1))
            if known is not None:
                return await course.existing(session, known)
            return await binding.choose_course(session, platform, message, binding.NEW, "", "en")

        arrived = await arrival.arrive(session, platform, message, ASSIGNMENTS)
        return arrived or await arrival.arrive(session, platform, message, ASSIGNMENTS, connect)


async def read_list(database: Database, platform: LtiPlatform, section: str, listed: dict[str, Part]) -> None:
    (context,) = await all_of(database, select(LtiContext).where(LtiContext.context_id == section))
    people = [PlatformPerson(subject, part, None, None, None) for subject, part in listed.items()]
    await memberships.apply(database, platform, context, people, utc_now())


async def joined(database: Database, platform: LtiPlatform) -> str:
    """Make one member of two persons of the platform, `s1` and `s2`; return its id."""
    arrivals = [await launch(database, platform, SECTIONS[0], subject) for subject in ("s1", "s2")]
    kept, other = (each.member.id for each in arrivals)
    await write_by(database, joins.join, arrivals[0].course.id, kept, other, "test")
    return kept


@on_both
async def test_lists_of_two_sections_are_read_at_once(database, two_sections):
    """Each has people of its own, before and behind those whom both have: neither waits for the other for ever."""
    staff = {f"m-{number}": Part.TEACHER for number in range(4)} | {"teacher": Part.TEACHER}
    new = [{f"{letter}-{number}": Part.STUDENT for number in range(4)} for letter in "az"]
    for _ in range(2):  # New ones first, and then others who have left.
        lists = [
            read_list(database, two_sections, section, staff | of) for section, of in zip(SECTIONS, new, strict=True)
        ]
        launches = [launch(database, two_sections, section, "m-3", "Instructor") for section in SECTIONS]
        await asyncio.gather(*lists, *launches)
        async with database.read() as session:
            there = select(func.count()).select_from(Membership).where(Membership.removed_at.is_(None))
            assert await session.scalar(there) == len(staff) + len(new[0]) + len(new[1])
        new = [{"a-0": Part.STUDENT, "b-0": Part.STUDENT}, {"z-0": Part.STUDENT, "y-0": Part.STUDENT}]


@on_both
async def test_part_that_two_persons_get_at_once_who_are_one_member_is_logged_once(database, two_sections):
    kept = await joined(database, two_sections)
    both = zip(SECTIONS, ("s1", "s2"), strict=True)
    async with database.write() as first:
        await first.execute(select(Membership.id).where(Membership.id == kept).with_for_update())
        launches = [asyncio.create_task(launch(database, two_sections, *each, "Instructor")) for each in both]
        await until(lambda: waits(database, 2))
    assert {each.member.id for each in await asyncio.gather(*launches)} == {kept}
    changes = await all_of(database, select(Change).where(Change.subject_id == kept).order_by(Change.id))
    assert changes[0].after["confirmed"]
    assert [change.after["role"] for change in changes if change.before.get("role")] == ["teacher"]


@on_both_thoroughly
async def test_member_whom_a_list_has_twice_has_one_part_each_night(database, two_sections):
    kept = await joined(database, two_sections)
    roles = []
    for _ in range(3):
        parts = {"teacher": Part.TEACHER, "s1": Part.STUDENT, "s2": Part.ASSISTANT}
        await read_list(database, two_sections, SECTIONS[0], parts)
        roles.append((await row_of(database, Membership, kept)).role)
    assert roles == ["assistant"] * 3
