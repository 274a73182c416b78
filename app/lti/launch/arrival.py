"""Turns a verified message into a course, a link and a member here.

The first teacher to open a link connects the platform's course with a course here. Everybody else becomes a member at
their first launch, with the role that the platform gives them; each later launch updates it.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import identities
from app.courses import course, membership, uses
from app.courses.assignments import Assignments, find, used_in
from app.errors import existing
from app.errors.lti import CourseUnconnected, DeploymentUnknown, LaunchOutdated, LaunchWithoutCourse, TeacherNeeded
from app.lti import platforms
from app.lti.addresses import is_of_course
from app.lti.arguments import ASSIGNMENT
from app.lti.grades import lineitems, outbox
from app.lti.launch import binding, deep_linking, people
from app.lti.launch.message import DEEP_LINKING, REVIEW, Message, printable
from app.lti.launch.people import PlatformPerson, made_by_platform
from app.lti.launch.roles import Part
from app.lti.platform_services import SCORE_SCOPE
from app.storage.models import (
    Course,
    CourseAssignment,
    Identity,
    LtiContext,
    LtiLink,
    LtiPlatform,
    LtiSelection,
    MemberRole,
    Membership,
    Person,
)
from app.storage.passback import link_changed, send_again

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """The result of a launch: a person in a course.

    Attributes:
        link: None: the message is about no link.
        use: the assignment that the link opens; None: nobody has chosen one yet.
        reviewed: the student whose work is to be reviewed.
        selection: the platform's question which assignment a new link should open.
    """

    course: Course
    person: Person
    member: Membership
    link: LtiLink | None
    use: CourseAssignment | None
    reviewed: Membership | None = None
    selection: LtiSelection | None = None

    @property
    def is_staff(self) -> bool:
        return self.member.role != MemberRole.STUDENT


async def arrive(
    session: AsyncSession,
    platform: LtiPlatform,
    message: Message,
    assignments: Assignments,
    connect: Callable[[], Awaitable[Course]] | None = None,
) -> Arrival | None:
    """Find or create the course, the member and the link of a message.

    Args:
        message: a verified message of this platform.
        connect: chooses a course here for an unknown course of the platform; called only for such a course.
    Returns:
        None: a teacher has come from an unknown course, and without `connect`; ask the teacher for a course.
    Raises:
        DeploymentUnknown: no admin has added this deployment of the platform.
        LaunchWithoutCourse
        LaunchOutdated: somebody else has connected the course since the question was asked.
        CourseUnconnected, TeacherNeeded: a student or an assistant has come before any teacher.
        MemberRemoved: a teacher here has removed the person from the course.
        CourseArchived: the person is new, and the course is archived.
    """
    made_by = made_by_platform(platform)
    await _check_place(session, platform, message)
    context = await session.scalar(select(LtiContext).where(*_of(platform, message)))
    if context is None:
        if message.part != Part.TEACHER:
            raise TeacherNeeded if message.part == Part.ASSISTANT else CourseUnconnected
        if connect is None:
            return None
        context = binding.connect(session, platform, message, await connect())
    elif connect is not None:
        raise LaunchOutdated(reason="connected")
    await _keep(session, platform, context, message)
    local_course = await course.existing(session, context.course_id)
    who = PlatformPerson.of(message)
    person = await people.find_or_add(session, platform, who)
    member = await people.keep_member(session, context, person, who, made_by)
    if member.person_id != person.id:
        person = await session.get_one(Person, member.person_id)
    link = use = None
    if message.resource_link is not None:
        link = await _link(session, platform, context, message)
        use = await _use(session, local_course, link, message, member, assignments, made_by)
        if member.role == MemberRole.STUDENT:
            await outbox.expect(session, context.id, {message.subject: member.id})
    elif message.message_type == REVIEW and (link := await _link_of_column(session, context, message)) is not None:
        use = await session.get(CourseAssignment, link.course_assignment_id) if link.course_assignment_id else None
    selection = None
    if message.deep_linking is not None and message.message_type == DEEP_LINKING and member.role == MemberRole.TEACHER:
        selection = await deep_linking.ask(session, context, member, message.deep_linking)
    reviewed = await _find_reviewed(session, platform, local_course, message)
    await session.flush()
    return Arrival(local_course, person, member, link, use, reviewed, selection)


async def leave(session: AsyncSession, platform: LtiPlatform, message: Message) -> None:
    """Remove the role of a person who has become a mentor.

    Raises:
        DeploymentUnknown, LaunchWithoutCourse: see `arrive`.
    """
    await _check_place(session, platform, message)
    context = await session.scalar(select(LtiContext).where(*_of(platform, message)))
    identity = await identities.find(session, platforms.issuer_of_people(platform.id), message.subject)
    if context is not None and identity is not None:
        await people.drop(session, context, identity.person_id, made_by_platform(platform))


async def choose(
    session: AsyncSession, link: LtiLink, course_id: str, assignment_id: str, assignments: Assignments, made_by: str
) -> CourseAssignment:
    """Make a link open this assignment, and add the assignment to the course if it is missing.

    Raises:
        AssignmentUnknown, CourseArchived: see `uses.put`.
    """
    use = (await find(session, [(course_id, assignment_id)])).get((course_id, assignment_id))
    if use is None:
        use = (await uses.put(session, course_id, assignment_id, assignments, {}, made_by)).use
        await session.flush()
    if link.course_assignment_id != use.id:
        link.course_assignment_id = use.id
        await session.flush()
        # The column still holds the grades of another assignment.
        await link_changed(session, link.id)
        await outbox.expect_known(session, link)
    return use


async def _check_place(session: AsyncSession, platform: LtiPlatform, message: Message) -> None:
    """Take the turn of the message's course. Raises: DeploymentUnknown, LaunchWithoutCourse"""
    if message.deployment_id not in await platforms.deployments(session, platform.id):
        raise DeploymentUnknown(deployment=message.deployment_id)
    context = existing(message.context, LaunchWithoutCourse)
    await binding.take_turn(session, platform, message.deployment_id, context.id)


def _of(platform: LtiPlatform, message: Message) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that select the message's `LtiContext`."""
    assert message.context is not None
    return (
        LtiContext.platform_id == platform.id,
        LtiContext.deployment_id == message.deployment_id,
        LtiContext.context_id == message.context.id,
    )


async def _keep(session: AsyncSession, platform: LtiPlatform, context: LtiContext, message: Message) -> None:
    """Store the platform's facts about its course. The course here keeps its own title."""
    assert message.context is not None
    context.title = message.context.title or message.context.label
    if message.names_and_roles is not None:
        context.memberships_url = _list_of(platform, context, message.names_and_roles.context_memberships_url)
    await session.flush()


async def _link(session: AsyncSession, platform: LtiPlatform, context: LtiContext, message: Message) -> LtiLink:
    """Find or add the platform's link, and update the rights that the platform grants."""
    assert message.resource_link is not None
    of = (
        LtiLink.lti_context_id == context.id,
        LtiLink.resource_link_id == message.resource_link.id,
    )
    link = await session.scalar(select(LtiLink).where(*of))
    if link is None:
        link = LtiLink(lti_context_id=context.id, resource_link_id=message.resource_link.id, scopes={})
        session.add(link)
        await session.flush()
    link.title = message.resource_link.title
    endpoint = message.endpoint
    took_grades = SCORE_SCOPE in link.scopes.get("granted", [])
    link.scopes = {"granted": sorted(endpoint.scope)} if endpoint else {}
    link.lineitems_url = _list_of(platform, context, endpoint.lineitems if endpoint else None)
    lineitem = endpoint.lineitem if endpoint else None
    await lineitems.take(session, platform, link, lineitem, course=context.context_id)
    await session.flush()
    if not took_grades and SCORE_SCOPE in link.scopes.get("granted", []):
        # The link may receive grades since this launch; send the earlier ones as well.
        await outbox.expect_known(session, link)
        await send_again(session, link.id)
    return link


def _list_of(platform: LtiPlatform, context: LtiContext, address: str | None) -> str | None:
    """Return the address of a list that a launch names; None: it is missing, or belongs to another course."""
    if address is not None and not is_of_course(platform, address, context.context_id):
        logger.warning("lti_list_refused", extra={"platform": platform.id, "context_id": context.id})
        return None
    return address


async def _link_of_column(session: AsyncSession, context: LtiContext, message: Message) -> LtiLink | None:
    """Find the link for the grade book column that the message names."""
    if message.endpoint is None or message.endpoint.lineitem is None:
        return None
    of = LtiLink.lti_context_id == context.id, LtiLink.lineitem_url == message.endpoint.lineitem
    return await session.scalar(select(LtiLink).where(*of).order_by(LtiLink.id).limit(1))


async def _use(
    session: AsyncSession,
    local_course: Course,
    link: LtiLink,
    message: Message,
    member: Membership,
    assignments: Assignments,
    made_by: str,
) -> CourseAssignment | None:
    """Return the assignment that the link opens. The first launch chooses it where the choice is clear."""
    assignment_id = message.custom.get(ASSIGNMENT) or None
    link.named = printable(assignment_id) if assignment_id and assignment_id not in assignments else None
    if link.course_assignment_id is not None:
        use = await session.get_one(CourseAssignment, link.course_assignment_id)
        # The assignment's file may have been deleted.
        return use if use.assignment_id in assignments else None
    if assignment_id is None and len(assignments) == 1:
        assignment_id = next(iter(assignments))
    if assignment_id is None or assignment_id not in assignments:
        return None
    # Only a teacher may add an assignment to the course. One that the course has is chosen by anybody's launch.
    if member.role != MemberRole.TEACHER and assignment_id not in await used_in(session, local_course.id, assignments):
        return None
    return await choose(session, link, local_course.id, assignment_id, assignments, made_by)


async def _find_reviewed(
    session: AsyncSession, platform: LtiPlatform, local_course: Course, message: Message
) -> Membership | None:
    """Find the member whose work the platform wants reviewed."""
    if message.message_type != REVIEW or message.for_user is None:
        return None
    issuer = platforms.issuer_of_people(platform.id)
    member = await session.scalar(
        select(Membership)
        .join(Identity, Identity.person_id == Membership.person_id)
        .where(
            Membership.course_id == local_course.id,
            Identity.issuer == issuer,
            Identity.subject == message.for_user.user_id,
        )
    )
    return await membership.kept_of(session, member) if member else None
