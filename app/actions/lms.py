"""The connection of a course with a course of a learning platform: its people, its links, their grades."""

from collections.abc import Collection
from dataclasses import dataclass

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ID, ActionRequest
from app.courses import uses
from app.courses.uses import UsedAssignment
from app.errors import existing
from app.errors.lti import LinkNotFound
from app.lti import memberships
from app.lti.grades import connection
from app.lti.launch import arrival, binding, deep_linking
from app.lti.memberships import ChangeCounts
from app.lti.platform_services import PlatformServices
from app.lti.reasons import reasons_logged
from app.storage.models import LtiContext, LtiPlatform, LtiSelection, MemberRole, utc_now
from app.storage.passback import send_again


@action(Right.MANAGE_MEMBERS, archived_too=True)
async def read_members(actor: Actor, context_id: str, services: PlatformServices) -> ChangeCounts:
    """Update the members from the platform's list.

    Raises:
        LinkNotFound: the platform has no such course, or gives no list.
        PlatformRefused, AnswerUnusable, TargetRefused: the platform did not send it.
    """
    async with actor.database.read() as session:
        context, platform = await connection.find_context(session, actor.course_id, context_id)
    address = existing(context.memberships_url if platform.confirmed_at else None, LinkNotFound)
    asked_at = utc_now()
    async with reasons_logged("lti_members_refused", context_id=context.id, platform=platform.id):
        listed = await memberships.read(services, platform, address)
    asker = actor.holder.membership_id
    return await memberships.apply(actor.database, platform, context, listed, asked_at, asked_by=asker)


@change(Right.MANAGE_MEMBERS)
async def make_code(actor: Writer) -> binding.NewCode:
    """Make a code that connects one more course of a platform with this course."""
    return await binding.make_code(actor.session, actor.course_id, actor.name)


@action(Right.MANAGE_MEMBERS, archived_too=True)
async def disconnect(actor: Actor, context_id: str) -> None:
    """Undo the connection with a course of a platform. Raises: LinkNotFound"""
    manages = roles_that_go(actor.holder)
    await binding.disconnect(actor.database, actor.course_id, context_id, manages=manages, made_by=actor.name)


def roles_that_go(holder: Principal) -> Collection[MemberRole]:
    """Return the roles whose members are removed when the holder disconnects, in an archived course, too."""
    return [role for role in MemberRole if role != MemberRole.TEACHER or holder.has(Right.MANAGE_TEACHERS)]


class ChooseAssignment(ActionRequest):
    assignment: str = ""


class SendGrades(ActionRequest):
    score: str | None = None


@change(Right.MANAGE_ASSIGNMENTS)
async def choose_assignment(actor: Writer, link_id: str, wanted: ChooseAssignment) -> None:
    """Let a link lead to an assignment. Raises: LinkNotFound, AssignmentUnknown"""
    link = await connection.find_link(actor.session, actor.course_id, link_id)
    await arrival.choose(actor.session, link, actor.course_id, wanted.assignment, actor.assignments, actor.name)


@change(Right.MANAGE_ASSIGNMENTS)
async def send_grades_again(actor: Writer, link_id: str, wanted: SendGrades) -> None:
    """Send all grades of a link that could not be delivered again, or this one. Raises: LinkNotFound"""
    if wanted.score is not None and not ID.fullmatch(wanted.score):
        raise LinkNotFound
    link = await connection.find_link(actor.session, actor.course_id, link_id)
    await send_again(actor.session, link.id, wanted.score)


@dataclass(frozen=True)
class LinkSelection:
    """A teacher's choice for a new link of the platform."""

    selection: LtiSelection
    context: LtiContext
    platform: LtiPlatform
    used: UsedAssignment


@change(Right.MANAGE_ASSIGNMENTS)
async def select_assignment(actor: Writer, selection_id: str, assignment_id: str) -> LinkSelection:
    """Have the course use the assignment of a platform's new link. Raises: SelectionNotFound, AssignmentUnknown"""
    question = await deep_linking.find(actor.session, selection_id, actor.holder.membership_id)
    known = await uses.list_used(actor.session, actor.course_id, actor.assignments)
    used = next((each for each in known if each.use.assignment_id == assignment_id), None)
    if used is None or used.effective is None:
        used = await uses.put(actor.session, actor.course_id, assignment_id, actor.assignments, {}, actor.name)
    return LinkSelection(*question, used)
