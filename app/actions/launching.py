"""Launches and registrations by platforms. A message, a secret or an invitation takes the place of a session."""

from app.courses.assignments import Assignments
from app.errors.lti import DeploymentUnknown, LaunchRefused, MentorLaunch
from app.lti import platforms
from app.lti.launch import arrival, binding, login
from app.lti.launch.arrival import Arrival
from app.lti.launch.login import LaunchStart, LoginRequest
from app.lti.launch.message import Message
from app.lti.launch.roles import Part
from app.lti.registration import invitations, registering
from app.lti.registration.registering import Offer
from app.lti.registration.tool import Tool
from app.outgoing.client import Outgoing
from app.storage.database import Database
from app.storage.models import LtiPlatform


async def begin(
    database: Database, platform: LtiPlatform, asked: LoginRequest, *, browser: str, redirect_uri: str
) -> LaunchStart:
    """Begin a launch. Args: see `login.begin`"""
    async with database.write() as session:
        return await login.begin(session, platform, asked, browser=browser, redirect_uri=redirect_uri)


async def take(database: Database, state: str) -> None:
    """Continue the launch with this state, once. Raises: LaunchOutdated"""
    async with database.write() as session:
        await login.take(session, state)


async def arrive(
    database: Database, assignments: Assignments, platform: LtiPlatform, message: Message
) -> Arrival | str:
    """Bring the person of a message into its course.

    Args:
        message: one of this platform, checked.
    Returns:
        A secret for the question which course here the platform's is, if a teacher has to say.
    Raises:
        MentorLaunch
        DeploymentUnknown, CourseUnconnected and others: see `arrival.arrive`.
    """
    if message.part == Part.MENTOR:
        async with database.write() as session:
            await arrival.leave(session, platform, message)
        raise MentorLaunch
    try:
        async with database.write() as session:
            return await arrival.arrive(session, platform, message, assignments) or await binding.ask(
                session, platform, message
            )
    except DeploymentUnknown:
        async with database.write() as session:
            await platforms.refuse_deployment(session, platform.id, message.deployment_id)
        raise


async def choose_course(
    database: Database, assignments: Assignments, secret: str, *, choice: str, code: str, language: str
) -> tuple[LtiPlatform, Message, Arrival]:
    """Connect the platform's course with the one that its teacher chose, and continue the launch.

    Args:
        secret: of the question.
        choice, code, language: see `binding.choose_course`.
    Raises:
        CodeUnusable, CourseArchived, CourseNotFound: the choice cannot be used; the question stays open.
        LaunchRefused: the platform was suspended meanwhile.
    """
    async with database.write() as session:
        question, platform, message = await binding.find(session, secret)
        if platform.confirmed_at is None:
            raise LaunchRefused(reason="platform_unconfirmed")
        result = await arrival.arrive(
            session,
            platform,
            message,
            assignments,
            lambda: binding.choose_course(session, platform, message, choice, code, language),
        )
        assert result is not None
        await session.delete(question)
    return platform, message, result


async def register_by_invitation(
    database: Database, outgoing: Outgoing, secret: str, offer: Offer, tool: Tool
) -> tuple[LtiPlatform, bool]:
    """Register this service at a platform, and the platform here, where it waits for an admin.

    After a failure the invitation can be used again.

    Returns:
        The platform, and whether it takes grades.
    """
    async with database.write() as session:
        made_by = (await invitations.take(session, secret)).made_by
    try:
        outcome = await registering.register(outgoing, offer, tool)
        async with database.write() as session:
            platform = await platforms.add(session, outcome.registration, made_by=made_by, confirmed=False)
    except BaseException:
        async with database.write() as session:
            await invitations.give_back(session, secret)
        raise
    return platform, outcome.takes_grades
