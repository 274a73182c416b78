"""Queries on scores: those that are due, and the outcomes of tries to send them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager
from sqlalchemy.orm import join as orm_join

from app.lti.grades.expected import ExpectedGrade, is_other
from app.lti.launch import people
from app.lti.platform_services import SCORE_SCOPE
from app.storage.due import database_now, is_due
from app.storage.memberships import is_student
from app.storage.models import (
    CourseAssignment,
    LtiContext,
    LtiLink,
    LtiMember,
    LtiPlatform,
    LtiScore,
    Membership,
)
from app.storage.turns import take_turns
from app.storage.updates import update_rows

#: Scores read at once.
AT_ONCE = 200
#: The reason of a score that waits because its last stamp came from a clock that was ahead.
AHEAD = "the platform's clock was ahead when the grade was sent last"


@dataclass(frozen=True)
class DueScore:
    """A score to send now. Attributes: version: the version of the grade when it was claimed."""

    score: LtiScore
    version: int
    link: LtiLink
    platform: LtiPlatform
    use: CourseAssignment
    member: Membership


async def expect(session: AsyncSession, context_id: str, students: Mapping[str, str]) -> None:
    """Add missing scores of these students in each column of a platform's course, before they have grades.

    Students may hand in after opening any of the links, so a score must not depend on the link of its column.

    Args:
        students: ids of members, by the platform's ids of the persons.
    """
    await take_turns(session, [f"lti-scores:{context_id}"])
    of_context = LtiLink.lti_context_id == context_id, LtiLink.course_assignment_id.is_not(None)
    links = [
        link.id
        for link in await session.scalars(select(LtiLink).where(*of_context).order_by(LtiLink.id))
        if SCORE_SCOPE in link.scopes.get("granted", [])
    ]
    there: dict[tuple[str, str], LtiScore] = {}
    users = sorted(students)
    for start in range(0, len(users) if links else 0, AT_ONCE):
        of = LtiScore.lti_link_id.in_(links), LtiScore.user_id.in_(users[start : start + AT_ONCE])
        rows = await session.scalars(select(LtiScore).where(*of))
        there |= {(score.lti_link_id, score.user_id): score for score in rows}
    now = await database_now(session)
    for link_id, user_id in product(links, users):
        score = there.get((link_id, user_id))
        if score is not None and score.membership_id == students[user_id]:
            continue
        if score is None:
            score = LtiScore(lti_link_id=link_id, user_id=user_id)
            session.add(score)
        # The student may have a grade from before the connection, or from the member that was joined.
        score.membership_id, score.waits_since, score.next_at = students[user_id], now, now
        score.version = (score.version or 0) + 1
    await session.flush()


async def expect_known(session: AsyncSession, link: LtiLink) -> None:
    """Add missing scores in the column of a link that now opens an assignment, for the students already here."""
    context = await session.get_one(LtiContext, link.lti_context_id)
    students = await session.scalars(
        select(Membership.id)
        .join(LtiMember, LtiMember.membership_id == Membership.id)
        .where(LtiMember.lti_context_id == context.id, is_student())
    )
    member_ids = set(students)
    known = await people.members_by_subject(session, context)
    await expect(session, context.id, {subject: each.id for subject, each in known.items() if each.id in member_ids})


async def is_something_due(session: AsyncSession) -> bool:
    due = select(LtiScore.id).select_from(_JOINED).where(_can_be_sent(await database_now(session))).limit(1)
    return await session.scalar(due) is not None


#: The tables needed to decide whether a score can be sent.
_JOINED = (
    orm_join(LtiScore, LtiLink, LtiLink.id == LtiScore.lti_link_id)
    .join(LtiContext, LtiContext.id == LtiLink.lti_context_id)
    .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
    .join(CourseAssignment, CourseAssignment.id == LtiLink.course_assignment_id)
    .join(Membership, Membership.id == LtiScore.membership_id)
)


def _can_be_sent(now: datetime) -> ColumnElement[bool]:
    """Return the condition on `_JOINED` that a score is due, its platform confirmed, and its member in the course."""
    return and_(is_due(LtiScore, now), LtiPlatform.confirmed_at.is_not(None), Membership.removed_at.is_(None))


async def claim_due(session: AsyncSession, lease: timedelta, rooms: Mapping[str, int], most: int) -> Sequence[DueScore]:
    """Claim due scores; no other process gets them before the lease ends.

    Args:
        rooms: how many more scores each busy platform may get at the same time, by its id.
        most: the same for every other platform.
    """
    now = await database_now(session)
    rows = await session.execute(
        select(LtiScore, LtiLink, LtiPlatform, CourseAssignment, Membership)
        .select_from(_JOINED)
        .join(Membership.person)
        .where(_can_be_sent(now))
        # A busy platform must not block the others.
        .where(LtiPlatform.id.not_in([id for id, room in rooms.items() if room <= 0]))
        .options(contains_eager(Membership.person))
        .order_by(LtiScore.next_at, LtiScore.id)
        .limit(AT_ONCE)
        .with_for_update(of=LtiScore, skip_locked=True)  # Left out on SQLite.
    )
    free = dict(rooms)
    claims: list[DueScore] = []
    for score, link, platform, use, member in rows:
        if free.setdefault(platform.id, most) <= 0:
            continue
        free[platform.id] -= 1
        score.attempts += 1
        score.waits_since, score.next_at = now, now + lease
        claims.append(DueScore(score, score.version, link, platform, use, member))
    return claims


async def stamp(session: AsyncSession, score_id: str, now: float) -> datetime | timedelta:
    """Return the stamp for a try: whole seconds, later than the last one, and not ahead of this time.

    Returns:
        Or the wait until a stamp is possible, if the last one is of this second or a later one.
    """
    whole = datetime.fromtimestamp(int(now), tz=(await database_now(session)).tzinfo)
    score = await session.get_one(LtiScore, score_id, with_for_update=True, populate_existing=True)
    if score.stamp is not None and score.stamp >= whole:
        return score.stamp - whole + timedelta(seconds=1)
    score.stamp = whole
    if score.points is None:
        score.max_points = None  # From now on the platform may have a grade, even if it has cleared one before.
    return whole


async def store_delivery(
    session: AsyncSession,
    due: DueScore,
    grade: ExpectedGrade | None,
    *,
    submitted_at: datetime | None = None,
    comment_sha256: str | None = None,
) -> None:
    """Record that this version of the grade has arrived, or that there was none to send. A newer one is due at once.

    Args:
        submitted_at, comment_sha256: the attempt's time and the comment's hash that were sent with it.
    """
    now = await database_now(session)
    score = await session.get_one(LtiScore, due.score.id, with_for_update=True, populate_existing=True)
    score.sent_version = due.version
    score.attempts = 0
    if grade is not None:
        if is_other(score, grade):
            # Recorded differences concern the previous grade.
            score.differs_since = score.there_points = score.there_max = score.mended_at = None
        score.points, score.max_points, score.delivered_at = grade.points, grade.max_points, now
    score.last_error = score.last_status = score.failed_at = None
    score.token_refused = False
    is_newest = score.version == due.version
    if grade is not None and is_newest:  # Otherwise the column may have been replaced.
        score.submitted_at, score.comment_sha256 = submitted_at or score.submitted_at, comment_sha256
    score.waits_since, score.next_at = now, None if is_newest else now


async def store_failure(
    session: AsyncSession,
    due: DueScore,
    *,
    again_in: timedelta | None,
    status: int | None,
    words: str,
    token_refused: bool = False,
) -> None:
    """Record why a try failed.

    Args:
        again_in: the wait before the next try; None: give up, unless the grade has changed meanwhile.
    """
    now = await database_now(session)
    score = await session.get_one(LtiScore, due.score.id, with_for_update=True, populate_existing=True)
    if score.sent_version >= due.version:
        return  # This process's lease ended, and another one has delivered it.
    score.last_status, score.last_error, score.token_refused = status, words[:500], token_refused
    if again_in is not None:
        score.waits_since, score.next_at = now, now + again_in
    elif score.version > due.version:
        score.waits_since, score.next_at, score.attempts = now, now, 0
    else:
        score.waits_since, score.next_at, score.failed_at = now, None, now


async def put_off(session: AsyncSession, due: DueScore, wait: timedelta, words: str | None = None) -> None:
    """Postpone the score while its claim holds; this does not count as a try.

    Args:
        words: the reason; None: keep the reason of the last try.
    """
    now = await database_now(session)
    reason = {"last_error": words, "last_status": None, "token_refused": False} if words else {}
    later = {"waits_since": now, "next_at": now + wait, "attempts": LtiScore.attempts - 1}
    # After the lease another process may have claimed it, and even have delivered it.
    claimed = LtiScore.id == due.score.id, LtiScore.next_at == due.score.next_at
    await update_rows(session, LtiScore, *claimed, **later, **reason)
