"""A course's connections with platforms, for teachers and admins: the links, and the delivery of grades."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased, contains_eager

from app.errors import existing
from app.errors.lti import LinkNotFound
from app.lti.grades import outbox
from app.lti.grades.expected import is_settled
from app.lti.platform_services import RESULT_SCOPE
from app.storage.models import CourseAssignment, LtiContext, LtiLink, LtiPlatform, LtiScore, Membership
from app.storage.passback import GONE

#: Most failures that a page lists.
SHOWN = 100


@dataclass(frozen=True)
class Numbers:
    """Numbers of a link's scores: each one that was sent has arrived, waits, has failed, or differs there.

    Attributes:
        people: those for whom a grade may be sent.
    """

    people: int = 0
    delivered: int = 0
    waiting: int = 0
    failed: int = 0
    differ: int = 0


@dataclass(frozen=True)
class ConnectedLink:
    """A link of the platform. Attributes: use: None: nobody has chosen its assignment yet."""

    link: LtiLink
    use: CourseAssignment | None
    numbers: Numbers


class Nightly(StrEnum):
    """The lists of a platform that are read each night. The values are suffixes of text ids."""

    BOTH = "both"
    MEMBERS = "members"
    GRADES = "grades"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Connection:
    """The connection of one platform course with this course."""

    context: LtiContext
    platform: LtiPlatform
    links: Sequence[ConnectedLink]

    @property
    def nightly(self) -> Nightly:
        shows_grades = any(RESULT_SCOPE in each.link.scopes.get("granted", []) for each in self.links)
        if self.context.memberships_url is None:
            return Nightly.GRADES if shows_grades else Nightly.NOTHING
        return Nightly.BOTH if shows_grades else Nightly.MEMBERS


@dataclass(frozen=True)
class Wait:
    """Grades that wait for another try, and the reason.

    Attributes:
        status: the status of the platform's answer; None: there was no readable answer.
        words: the platform's explanation, or ours.
        for_token: the platform refused us a token; otherwise it refused the grades.
        count: the number of grades.
    """

    platform: str
    status: int | None
    words: str
    for_token: bool
    count: int

    @property
    def is_ahead(self) -> bool:
        """Whether they only wait for the platform's clock, so that nobody has to act."""
        return self.words == outbox.AHEAD


class State(StrEnum):
    """The state of a grade on its way to the platform's grade book. The values are suffixes of text ids."""

    DELIVERED = "delivered"
    DIFFERS = "differs"
    ON_ITS_WAY = "on_its_way"
    FAILED = "failed"


@dataclass(frozen=True)
class Passback:
    """A member's grade at the platform. Attributes: since: the arrival of the grade that is there."""

    state: State
    since: datetime | None


async def connections_of(session: AsyncSession, course_id: str) -> Sequence[Connection]:
    """List the connections of this course, with their links."""
    contexts = await session.execute(
        select(LtiContext, LtiPlatform)
        .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
        .where(LtiContext.course_id == course_id)
        .order_by(LtiContext.id)
    )
    connections: dict[str, tuple[LtiContext, LtiPlatform, list[ConnectedLink]]] = {
        context.id: (context, platform, []) for context, platform in contexts
    }
    links = await session.execute(
        select(LtiLink, CourseAssignment)
        .outerjoin(CourseAssignment, CourseAssignment.id == LtiLink.course_assignment_id)
        .where(LtiLink.lti_context_id.in_(connections))
        .order_by(LtiLink.id)
    )
    rows = links.all()
    numbers = await _numbers(session, [link.id for link, _ in rows])
    for link, use in rows:
        connections[link.lti_context_id][2].append(ConnectedLink(link, use, numbers.get(link.id, Numbers())))
    return [Connection(*each) for each in connections.values()]


async def _numbers(session: AsyncSession, link_ids: Sequence[str]) -> dict[str, Numbers]:
    counted = await session.execute(
        select(
            LtiScore.lti_link_id,
            func.count(),
            func.count().filter(LtiScore.points.is_not(None), is_settled(), not_(_differs())),
            func.count().filter(LtiScore.next_at.is_not(None)),
            func.count().filter(_needs_somebody()),
            func.count().filter(_differs()),
        )
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .join(Membership, Membership.id == LtiScore.membership_id)
        .where(LtiScore.lti_link_id.in_(link_ids), Membership.removed_at.is_(None))
        .group_by(LtiScore.lti_link_id)
    )
    return {row[0]: Numbers(*row[1:]) for row in counted}


async def waits_of(session: AsyncSession, of: ColumnElement[bool]) -> Sequence[Wait]:
    """List the reasons why grades wait, the newest first. Args: of: a condition on contexts.

    Each platform and status appears once, with the newest words, because Moodle includes the person in some.
    """
    reason = LtiPlatform.name, LtiScore.last_status, LtiScore.token_refused, LtiScore.last_error
    rows = await session.execute(
        select(*reason, func.count())
        .select_from(LtiScore)
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
        .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
        .join(Membership, Membership.id == LtiScore.membership_id)
        # A suspended platform gets nothing.
        .where(of, LtiPlatform.confirmed_at.is_not(None), Membership.removed_at.is_(None))
        .where(LtiScore.next_at.is_not(None), LtiScore.last_error.is_not(None))
        .group_by(*reason)
        .order_by(func.max(LtiScore.waits_since).desc())
    )
    waits: dict[tuple[str, int | None, bool], Wait] = {}
    for name, status, for_token, words, count in rows:
        known = waits.get((name, status, for_token), Wait(name, status, words or "", for_token, 0))
        waits[name, status, for_token] = replace(known, count=known.count + count)
    return list(waits.values())


async def failures_of(session: AsyncSession, course_id: str) -> Sequence[tuple[LtiScore, LtiLink, Membership]]:
    """List the scores of a course that were given up, the newest first, with the members' persons."""
    return await _scores(session, course_id, LtiScore.failed_at, _needs_somebody())


async def differences_of(session: AsyncSession, course_id: str) -> Sequence[tuple[LtiScore, LtiLink, Membership]]:
    """List the scores of a course that differ at the platform, the newest first, with the members' persons."""
    return await _scores(session, course_id, LtiScore.differs_since, _differs())


def _differs() -> ColumnElement[bool]:
    return and_(LtiScore.differs_since.is_not(None), is_settled())


def _needs_somebody() -> ColumnElement[bool]:
    """Return the condition on a score and its link that it was given up and needs a person's help.

    A column that was deleted at the platform needs none if another link of the assignment has a grade of the member.
    """
    other, link = aliased(LtiScore), aliased(LtiLink)
    has_arrived_beside = (
        exists()
        .where(other.membership_id == LtiScore.membership_id, other.points.is_not(None), other.failed_at.is_(None))
        .where(link.id == other.lti_link_id, link.course_assignment_id == LtiLink.course_assignment_id)
    )
    is_gone = and_(func.coalesce(LtiScore.last_status, 0).in_(GONE), LtiScore.token_refused.is_(False))
    return and_(LtiScore.failed_at.is_not(None), or_(not_(is_gone), not_(has_arrived_beside)))


async def _scores(
    session: AsyncSession, course_id: str, since: InstrumentedAttribute[datetime | None], condition: ColumnElement[bool]
) -> Sequence[tuple[LtiScore, LtiLink, Membership]]:
    rows = await session.execute(
        select(LtiScore, LtiLink, Membership)
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
        .join(Membership, Membership.id == LtiScore.membership_id)
        .join(Membership.person)
        # Nothing is sent for a removed member.
        .where(LtiContext.course_id == course_id, condition, Membership.removed_at.is_(None))
        .options(contains_eager(Membership.person))
        .order_by(since.desc(), LtiScore.id)
        .limit(SHOWN)
    )
    return [(score, link, member) for score, link, member in rows]


async def find_context(session: AsyncSession, course_id: str, context_id: str) -> tuple[LtiContext, LtiPlatform]:
    """Raises: LinkNotFound: the course has no connection with this id."""
    rows = await session.execute(
        select(LtiContext, LtiPlatform)
        .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
        .where(LtiContext.id == context_id, LtiContext.course_id == course_id)
    )
    context, platform = existing(rows.one_or_none(), LinkNotFound)
    return context, platform


async def find_link(session: AsyncSession, course_id: str, link_id: str) -> LtiLink:
    """Raises: LinkNotFound: the course has no link with this id."""
    link = await session.scalar(
        select(LtiLink)
        .join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
        .where(LtiLink.id == link_id, LtiContext.course_id == course_id)
    )
    return existing(link, LinkNotFound)


async def passback_of(session: AsyncSession, membership_id: str, course_assignment_id: str) -> Passback | None:
    """Return the state of a member's grade at the platform; None: no platform gets it, or there is no grade."""
    scores = await session.scalars(
        select(LtiScore)
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .where(LtiScore.membership_id == membership_id, LtiLink.course_assignment_id == course_assignment_id)
        .order_by(LtiScore.id)
    )
    relevant = scores.all()
    if any(score.points is not None and score.failed_at is None for score in relevant):
        # Without links that were deleted there, as for teachers.
        relevant = [score for score in relevant if score.last_status not in GONE or score.token_refused]
    states = [passback for score in relevant if (passback := _state(score)) is not None]
    # The column that needs help comes first.
    order = (State.FAILED, State.ON_ITS_WAY, State.DIFFERS, State.DELIVERED)
    return min(states, key=lambda each: order.index(each.state), default=None)


def _state(score: LtiScore) -> Passback | None:
    if score.failed_at is not None:
        return Passback(State.FAILED, score.delivered_at)
    if score.next_at is not None:
        return Passback(State.ON_ITS_WAY, score.delivered_at)
    if score.points is None:
        return None
    return Passback(State.DIFFERS if score.differs_since else State.DELIVERED, score.delivered_at)
