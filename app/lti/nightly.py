"""The nightly check of each connected course: members and grades at the platform are compared with those here.

Each course has a fixed time between two and five in the morning, in its own time zone. Of several processes, one claims
the course for a limited time, so that another can take over if it dies.
"""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Background
from app.courses.assignments import Assignments
from app.errors import AnswerUnusable, AppError, TargetRefused
from app.errors.lti import PlatformRefused, TokenRefused
from app.lti import memberships
from app.lti.grades import comparison, expected
from app.lti.platform_services import PlatformServices, may_pass
from app.storage.database import Database
from app.storage.due import database_now, is_due
from app.storage.models import Course, LtiContext, LtiLink, LtiPlatform, utc_now
from app.storage.outage import is_ours

logger = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
FIRST_HOUR, HOURS = 2, 3
#: The limit for all lists of one course together.
CHECK_SECONDS = 600.0
#: Longer than a check.
LEASE = timedelta(seconds=CHECK_SECONDS + 600)
#: The wait after a failure that may be temporary. Repeats stop at `LAST_HOUR`.
AGAIN = timedelta(hours=1)
LAST_HOUR = 8


class _Claim(NamedTuple):
    context: LtiContext
    platform: LtiPlatform
    course: Course


class Nightly(Background):
    """Checks each connected course once a night, while the async context is entered.

    At its start it sends the grades that new assignment files have changed: files are read when the service starts.
    """

    NAME = "lti-nightly"

    def __init__(self, database: Database, assignments: Assignments, services: PlatformServices) -> None:
        self._database = database
        self._assignments = assignments
        self._services = services

    async def _work(self) -> None:
        has_begun = False
        while True:
            with self._database.outage.watch(self.NAME):
                if not has_begun:
                    await _collect_refusals(expected.send_changed(self._database, self._assignments), [])
                    has_begun = True
                while await self.check_next():
                    pass
            await asyncio.sleep(LOOK_SECONDS)

    async def check_next(self) -> bool:
        """Check the course that has been due the longest. Return whether there was one."""
        async with self._database.write() as session:
            claim = await _claim(session)
        if claim is None:
            return False
        refusals: list[Exception] = []
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._check(claim, refusals)
        except TimeoutError:
            refusals.append(AnswerUnusable(reason="the platform did not answer in time"))
        async with self._database.write() as session:
            await _store(session, claim, refusals)
        facts = {"context_id": claim.context.id, "platform": claim.platform.id, "failures": len(refusals)}
        level = logging.WARNING if refusals else logging.INFO
        logger.log(level, "lti_course_compared", extra={**facts, "reason": _summary(refusals)})
        return True

    async def _check(self, claim: _Claim, refusals: list[Exception]) -> None:
        """Run every check of the course, and collect the failures: one unreadable list must not prevent the others."""
        context, platform, _ = claim
        if context.memberships_url is not None:
            await _collect_refusals(self._read_members(claim, context.memberships_url), refusals)
        await _collect_refusals(expected.send_changed(self._database, self._assignments, context.id), refusals)
        async with self._database.read() as session:
            links = await session.scalars(select(LtiLink).where(LtiLink.lti_context_id == context.id))
            columns = links.all()
        for link in columns:
            await _collect_refusals(comparison.compare(self._database, self._services, platform, link), refusals)

    async def _read_members(self, claim: _Claim, url: str) -> None:
        asked_at = utc_now()
        listed = await memberships.read(self._services, claim.platform, url)
        await memberships.apply(self._database, claim.platform, claim.context, listed, asked_at)


async def _collect_refusals(step: Awaitable[object], refusals: list[Exception]) -> None:
    """Await a step, and collect its failure. A fault of ours is logged: it must not end the job for all courses."""
    try:
        await step
    except AppError as exc:
        refusals.append(exc)
    except Exception as exc:
        if isinstance(exc, SQLAlchemyError) and not is_ours(exc):
            raise  # The database is down, and every other step would fail as well.
        logger.exception("lti_nightly_failed")
        refusals.append(exc)


async def _claim(session: AsyncSession) -> _Claim | None:
    """Claim the next due course; no other process gets it before the lease ends. New courses are given their time."""
    now = await database_now(session)
    rows = await session.execute(
        select(LtiContext, LtiPlatform, Course)
        .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
        .join(Course, Course.id == LtiContext.course_id)
        .where(
            LtiPlatform.confirmed_at.is_not(None),
            Course.archived_at.is_(None),
            or_(LtiContext.next_at.is_(None), is_due(LtiContext, now)),
        )
        .order_by(LtiContext.next_at, LtiContext.id)
        .with_for_update(of=LtiContext, skip_locked=True)  # Left out on SQLite.
        .limit(100)
    )
    for context, platform, course in rows:
        if context.next_at is not None:
            context.waits_since, context.next_at = now, now + LEASE
            return _Claim(context, platform, course)
        context.waits_since, context.next_at = now, next_night(now, course.time_zone, context.id)
    return None


async def _store(session: AsyncSession, claim: _Claim, refusals: list[Exception]) -> None:
    now = await database_now(session)
    context = await session.get(LtiContext, claim.context.id, with_for_update=True, populate_existing=True)
    if context is None:
        return  # Its course was deleted meanwhile.
    may_pass_soon = bool(refusals) and all(map(_may_pass, refusals))
    context.waits_since, context.next_at = now, next_look(now, claim.course.time_zone, context.id, soon=may_pass_soon)
    context.check_error = _summary(refusals)
    if not refusals:
        context.checked_at = now


def next_look(now: datetime, time_zone: str, id: str, *, soon: bool) -> datetime:
    """Return the time of the next check of a course. Args: soon: in an hour, unless the morning is over then."""
    night = next_night(now, time_zone, id)
    is_night = FIRST_HOUR <= (now + AGAIN).astimezone(ZoneInfo(time_zone)).hour < LAST_HOUR
    return min(now + AGAIN, night) if soon and is_night else night


def next_night(now: datetime, time_zone: str, id: str) -> datetime:
    """Return the next nightly time of the course with this id; the ids spread a platform's courses over the night."""
    zone = ZoneInfo(time_zone)
    local = now.astimezone(zone)
    minutes = zlib.crc32(id.encode()) % (HOURS * 60)
    then = local.replace(hour=FIRST_HOUR + minutes // 60, minute=minutes % 60, second=0, microsecond=0)
    if then <= local:
        then += timedelta(days=1)
    return then.astimezone(UTC)


def _may_pass(refusal: Exception) -> bool:
    if isinstance(refusal, PlatformRefused) and not isinstance(refusal, TokenRefused):
        return may_pass(int(refusal.params["status"]))
    return isinstance(refusal, AnswerUnusable | TokenRefused)


def _summary(refusals: Iterable[Exception]) -> str | None:
    """Return the failures in words, each once; None: there were none."""
    return "; ".join(dict.fromkeys(map(_words, refusals)))[:500] or None


def _words(refusal: Exception) -> str:
    """Describe a failure: in the platform's words, in ours about its answer, or by the name of our own exception."""
    if isinstance(refusal, PlatformRefused):
        words = f"{refusal.params['status']} {refusal.params['words']}".strip()
        return f"no token: {words}" if isinstance(refusal, TokenRefused) else words
    if isinstance(refusal, AnswerUnusable):
        return str(refusal.params["reason"])
    if isinstance(refusal, TargetRefused):
        return f"the address is refused: {refusal.params['reason']}"
    return type(refusal).__name__
