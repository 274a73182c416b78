"""The list of a course's members at its platform (NRPS 2.0), applied here: additions, changed roles, departures."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import course
from app.errors import AnswerUnusable, CourseArchived, MemberRemoved
from app.lti.grades import outbox
from app.lti.launch import binding, people
from app.lti.launch.message import Id, Text, full_name
from app.lti.launch.people import PlatformPerson, made_by_platform
from app.lti.launch.roles import Part, part_of
from app.lti.pages import entries, pages
from app.lti.platform_services import LIST_BYTES, MEMBERSHIP_SCOPE, PlatformServices
from app.lti.registration.kinds import is_moodle
from app.mail.addresses import address_of
from app.storage.database import Database
from app.storage.models import LtiContext, LtiMember, LtiPlatform, MemberRole, Membership, Person

CONTAINER = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
#: The limit for all pages of a list, because a teacher waits for it.
READ_SECONDS = 120.0
#: Students whose scores are prepared in one transaction.
AT_ONCE = 100


def _status(status: object) -> object:
    """Treat a missing or unknown status as active."""
    return status if status in ("Inactive", "Deleted") else "Active"


class _Member(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    user_id: Id
    roles: list[str] = []
    status: Annotated[Literal["Active", "Inactive", "Deleted"], BeforeValidator(_status)] = "Active"
    name: Text = None
    given_name: Text = None
    family_name: Text = None
    email: Text = None
    lis_person_sourcedid: Text = None

    def person(self) -> PlatformPerson:
        name = full_name(self.name, self.given_name, self.family_name)
        email = address_of(self.email)
        is_suspended = self.status == "Inactive"
        return PlatformPerson(self.user_id, part_of(self.roles), name, email, self.lis_person_sourcedid, is_suspended)


@dataclass(frozen=True)
class ChangeCounts:
    """The effect of a list: numbers of members."""

    added: int
    changed: int
    removed: int


async def read(services: PlatformServices, platform: LtiPlatform, url: str) -> Sequence[PlatformPerson]:
    """Read the whole list.

    Raises:
        PlatformRefused: the platform does not show it.
        AnswerUnusable: it cannot be read to its end; a partial list would look as if people had left.
        TargetRefused: see `Outgoing.send`.
    """
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(services, platform, url)
    except TimeoutError as exc:
        raise AnswerUnusable(reason=f"the list of members did not come within {READ_SECONDS:g} seconds") from exc


async def _read(services: PlatformServices, platform: LtiPlatform, url: str) -> Sequence[PlatformPerson]:
    people: list[PlatformPerson] = []
    count = 0
    read = pages(services, platform, url, scope=MEMBERSHIP_SCOPE, accept=CONTAINER, most_bytes=LIST_BYTES)
    async for document in read:
        listed = document.get("members") if isinstance(document, dict) else None
        members = entries(listed, _Member, before=count, name="members")
        count += len(members)
        people += [member.person() for member in members if member.status != "Deleted"]
    if not any(who.part == Part.TEACHER for who in people):
        # Every connected course has a teacher, so the list is incomplete.
        raise AnswerUnusable(reason="the list names no teacher")
    return people


async def apply(
    database: Database,
    platform: LtiPlatform,
    context: LtiContext,
    listed: Sequence[PlatformPerson],
    asked_at: datetime,
    *,
    asked_by: str | None = None,
) -> ChangeCounts:
    """Add new members, update everybody's role, and remove members whom the context has added and no longer lists.

    Suspended people are not added; members among them stay unchanged, because the platform still accepts their grades.
    A list of Moodle demotes staff to students only if their latest launch said so, too. People whom a teacher here has
    removed stay out. Members who came another way stay unchanged. In an archived course, rights only shrink. Each
    person has a transaction (`people`); the work stops if the connection is undone meanwhile.

    Args:
        asked_at: a time before the list was read; members whose launch was later are not taken for departed.
        asked_by: the id of a member who stays in any case, because platforms do not list their administrators.
    """
    made_by = made_by_platform(platform)
    there = {who.subject: who for who in listed if who.part != Part.MENTOR}
    total = Counter[str]()
    async with database.read() as session:
        known = await people.members_by_subject(session, context)
        up_to_date = await _up_to_date(session, context, known, there)
    students = {subject: member.id for subject, member in up_to_date.items() if member.role == MemberRole.STUDENT}
    for subject, who in sorted(there.items()):
        if subject in up_to_date or who.is_suspended:
            continue
        async with database.write() as session:
            if not await _is_connected(session, platform, context):
                break
            if subject in known or await course.is_open(session, context.course_id):
                total += await _bring(session, platform, context, who, made_by, known.get(subject), students)
    users = sorted(students)
    for start in range(0, len(users), AT_ONCE):
        async with database.write() as session:
            if await _is_connected(session, platform, context):
                portion = {user: students[user] for user in users[start : start + AT_ONCE]}
                await outbox.expect(session, context.id, portion)
    async with database.read() as session:
        gone = await _left_out(session, context, there, asked_at)
    for member in gone:
        if member.id != asked_by:
            async with database.write() as session:
                total["removed"] += await people.drop(session, context, member.person_id, made_by)
    return ChangeCounts(total["added"], total["changed"], total["removed"])


async def _is_connected(session: AsyncSession, platform: LtiPlatform, context: LtiContext) -> bool:
    """Take the turn of the platform's course; return whether it is still connected."""
    await binding.take_turn(session, platform, context.deployment_id, context.context_id)
    return await session.get(LtiContext, context.id) is not None


async def _up_to_date(
    session: AsyncSession, context: LtiContext, known: Mapping[str, Membership], there: Mapping[str, PlatformPerson]
) -> dict[str, Membership]:
    """Find the members who already agree with the list, by the platform's ids for them."""
    rows = await session.execute(
        select(LtiMember.membership_id, LtiMember.role, LtiMember.listed_as, Person.name)
        .join(Membership, Membership.id == LtiMember.membership_id)
        .join(Person, Person.id == Membership.person_id)
        .where(LtiMember.lti_context_id == context.id, Membership.removed_at.is_(None))
    )
    parts = {id: (role, listed_as, name is not None) for id, role, listed_as, name in rows}
    listed = {subject: known[subject] for subject in known.keys() & there.keys()}
    others = set()  # Two people of the list may have been joined into one member.
    for subject, member in listed.items():
        *roles, is_named = parts.get(member.id, (None, None, False))
        if set(roles) != {there[subject].part.role} or (there[subject].name is not None and not is_named):
            others.add(member.id)
    return {subject: member for subject, member in listed.items() if member.id not in others}


async def _bring(
    session: AsyncSession,
    platform: LtiPlatform,
    context: LtiContext,
    who: PlatformPerson,
    made_by: str,
    before: Membership | None,
    students: dict[str, str],
) -> Counter[str]:
    """Add or update a listed person as a member; students are added to `students`."""
    was = (before.role, before.removed_at is None) if before else None
    person = await people.find_or_add(session, platform, who)
    try:
        # Moodle calls a non-editing teacher an instructor in launches, and a learner in lists.
        member = await people.keep_member(
            session, context, person, who, made_by, is_listed=True, keeps_staff=is_moodle(platform)
        )
    except (MemberRemoved, CourseArchived):
        return Counter()
    if member.role == MemberRole.STUDENT:
        students[who.subject] = member.id
    if was is None:
        return Counter(added=1)
    return Counter(changed=int(was != (member.role, member.removed_at is None)))


async def _left_out(
    session: AsyncSession, context: LtiContext, there: Collection[str], asked_at: datetime
) -> Sequence[Membership]:
    """List the members whom this context has added and no longer lists."""
    brought = await session.scalars(
        select(Membership)
        .join(LtiMember, LtiMember.membership_id == Membership.id)
        .where(LtiMember.lti_context_id == context.id, LtiMember.seen_at < asked_at, Membership.removed_at.is_(None))
        .order_by(Membership.id)
    )
    # A member without an id at the platform no longer belongs to it.
    known = await people.members_by_subject(session, context)
    gone = {member.id for member in known.values()} - {known[subject].id for subject in known.keys() & there}
    return [member for member in brought if member.id in gone]
