"""Sections of a platform that are one course here, read and launched at once."""

import asyncio

import pytest
from sqlalchemy import func, select, text

from app.courses import course
from app.lti import memberships, platforms
from app.lti.launch import arrival, binding
from app.lti.launch.arrival import Arrival
from app.lti.launch.message import Message
from app.lti.launch.people import PlatformPerson
from app.lti.launch.roles import Part
from app.storage.database import Database
from app.storage.models import Change, Course, LtiContext, LtiPlatform, Membership, utc_now
from app.teaching.joins import joins
from grader import load_assignments
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.platforms import LTI, REGISTRATION, claims_of
from tests.waiting import until

ASSIGNMENTS = load_assignments()
SECTIONS = ("section-1", "section-2")


@pytest.fixture
async def platform(database: Database) -> LtiPlatform:
    """A platform whose two sections are one course."""
    async with database.write() as session:
        platform = await platforms.add(session, REGISTRATION, made_by="test", confirmed=True)
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
    async with database.read() as session:
        context = await session.scalar(select(LtiContext).where(LtiContext.context_id == section))
    people = [PlatformPerson(subject, part, None, None, None) for subject, part in listed.items()]
    await memberships.apply(database, platform, context, people, utc_now())


async def joined(database: Database, platform: LtiPlatform) -> str:
    """Make one member of two persons of the platform, `s1` and `s2`; return its id."""
    arrivals = [await launch(database, platform, SECTIONS[0], subject) for subject in ("s1", "s2")]
    kept, other = (each.member.id for each in arrivals)
    async with database.write() as session:
        await joins.join(session, arrivals[0].course.id, kept, other, "test")
    return kept


@on_both
async def test_lists_of_two_sections_are_read_at_once(database: Database, platform: LtiPlatform) -> None:
    """Each has people of its own, before and behind those whom both have: neither waits for the other for ever."""
    staff = {f"m-{number}": Part.TEACHER for number in range(4)} | {"teacher": Part.TEACHER}
    new = [{f"{letter}-{number}": Part.STUDENT for number in range(4)} for letter in "az"]
    for _ in range(2):  # New ones first, and then others who have left.
        lists = [read_list(database, platform, section, staff | of) for section, of in zip(SECTIONS, new, strict=True)]
        launches = [launch(database, platform, section, "m-3", "Instructor") for section in SECTIONS]
        await asyncio.gather(*lists, *launches)
        async with database.read() as session:
            there = select(func.count()).select_from(Membership).where(Membership.removed_at.is_(None))
            assert await session.scalar(there) == len(staff) + len(new[0]) + len(new[1])
        new = [{"a-0": Part.STUDENT, "b-0": Part.STUDENT}, {"z-0": Part.STUDENT, "y-0": Part.STUDENT}]


@on_both
async def test_part_that_two_persons_get_at_once_who_are_one_member_is_logged_once(
    database: Database, platform: LtiPlatform
) -> None:
    kept = await joined(database, platform)
    both = zip(SECTIONS, ("s1", "s2"), strict=True)
    async with database.write() as first:
        if not database.is_sqlite:  # There one transaction writes at a time.
            await first.execute(select(Membership.id).where(Membership.id == kept).with_for_update())
            launches = [asyncio.create_task(launch(database, platform, *each, "Instructor")) for each in both]

            async def both_wait() -> bool:
                async with database.read() as session:
                    waiting = await session.scalar(text("select count(*) from pg_locks where not granted"))
                    return waiting is not None and waiting >= 2

            await until(both_wait)
    if database.is_sqlite:
        launches = [asyncio.create_task(launch(database, platform, *each, "Instructor")) for each in both]
    assert {each.member.id for each in await asyncio.gather(*launches)} == {kept}
    async with database.read() as session:
        changes = (await session.scalars(select(Change).where(Change.subject_id == kept))).all()
    assert [change.after["role"] for change in changes if change.before.get("role")] == ["teacher"]


@on_both_thoroughly
async def test_member_whom_a_list_has_twice_has_one_part_each_night(database: Database, platform: LtiPlatform) -> None:
    kept = await joined(database, platform)
    roles = []
    for _ in range(3):
        parts = {"teacher": Part.TEACHER, "s1": Part.STUDENT, "s2": Part.ASSISTANT}
        await read_list(database, platform, SECTIONS[0], parts)
        async with database.read() as session:
            roles.append((await session.get_one(Membership, kept)).role)
    assert roles == ["assistant"] * 3
