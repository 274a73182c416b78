"""Compares a platform's grade book with the grades that were sent there (AGS 2.0, results).

This happens each night, and for a single grade of Moodle's right after it was sent. A grade that differs at night is
sent again once. If it still differs, it is only listed for the teachers: somebody has changed
it there by hand, or the platform rejects it, and the two sides would overwrite each other for ever. A new grade here is
sent as usual.

If a teacher there has changed the maximum of the column, all its grades are sent once more: not every platform rescales
its grades, and some that do still report them in the old scale.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import PlatformRefused, TokenRefused
from app.lti.addresses import with_query
from app.lti.grades import lineitems
from app.lti.grades.expected import is_settled
from app.lti.grades.scores import below
from app.lti.pages import entries, pages
from app.lti.platform_services import LIST_BYTES, RESULT_SCOPE, PlatformServices
from app.storage.database import Database
from app.storage.due import database_now
from app.storage.models import LtiLink, LtiPlatform, LtiScore, Membership
from app.storage.passback import GONE, scores_changed

logger = logging.getLogger(__name__)

RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
#: Tolerance in points of the platform's scale, because grade books have two decimals.
LEAST = 0.01
#: The limit for one grade, within that of sending it.
SHOWN_SECONDS = 15.0


def _number(value: object) -> object:
    """Treat anything but a number as None. Raises: ValueError: the number is not finite."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError as exc:
        raise ValueError("the number is too large") from exc
    if not math.isfinite(number):
        raise ValueError("the number is not finite")
    return number


class Result(BaseModel):
    """A result in the platform's answer. Attributes: result_score: None: the person has no grade."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, alias_generator=to_camel)

    user_id: str
    result_score: Annotated[float | None, BeforeValidator(_number)] = None
    result_maximum: Annotated[float | None, BeforeValidator(_number)] = None


@dataclass(frozen=True)
class PlatformGrade:
    """A grade in the platform's grade book. Attributes: points: None: there is no grade."""

    points: float | None
    max_points: float


async def read_results(services: PlatformServices, platform: LtiPlatform, lineitem: str) -> Mapping[str, PlatformGrade]:
    """Read the grades in a column, by the platform's ids of people.

    Raises:
        PlatformRefused: the platform does not show them.
        AnswerUnusable: the list cannot be read to its end; in a partial list, grades would seem to be missing.
        TargetRefused: the line item's address may receive nothing.
    """
    return await _read_results(services, platform, below(lineitem, "results"))


async def _read_results(services: PlatformServices, platform: LtiPlatform, url: str) -> Mapping[str, PlatformGrade]:
    grades: dict[str, PlatformGrade] = {}
    count = 0
    async for page in pages(services, platform, url, scope=RESULT_SCOPE, accept=RESULTS, most_bytes=LIST_BYTES):
        results = entries(page, Result, before=count, name="results")
        count += len(results)
        grades |= {each.user_id: PlatformGrade(each.result_score, each.result_maximum or 1.0) for each in results}
    return grades


async def shown_to(
    services: PlatformServices, platform: LtiPlatform, link: LtiLink, lineitem: str, user_id: str
) -> PlatformGrade | None:
    """Ask for the grade that a column shows one person; None: the platform does not say."""
    if RESULT_SCOPE not in link.scopes.get("granted", []):
        return None
    try:
        url = with_query(below(lineitem, "results"), {"user_id": user_id})
        async with asyncio.timeout(SHOWN_SECONDS):
            grades = await _read_results(services, platform, url)
    except (PlatformRefused, AnswerUnusable, TargetRefused, TimeoutError) as exc:
        # The score has arrived; the night asks again.
        logger.info("lti_result_unknown", extra={"platform": platform.id, "reason": type(exc).__name__})
        return None
    return grades.get(user_id) or PlatformGrade(None, 1.0)


async def mark_shown(session: AsyncSession, score_id: str, there: PlatformGrade) -> None:
    """Record whether the column shows another grade than the delivered one. It is not sent again for that."""
    score = await session.get_one(LtiScore, score_id)
    score.differs_since = score.there_points = score.there_max = None
    if _differs(score, there):
        score.differs_since = score.mended_at = score.delivered_at
        score.there_points, score.there_max = there.points, there.max_points


async def compare(database: Database, services: PlatformServices, platform: LtiPlatform, link: LtiLink) -> None:
    """Compare the grades of a link, mark those that differ, and send them again once. If the column is gone, send all.

    Raises:
        PlatformRefused, AnswerUnusable, TargetRefused: see `read_results`.
    """
    if link.lineitem_url is None or RESULT_SCOPE not in link.scopes.get("granted", []):
        return
    async with database.read() as session:
        asked_at = await database_now(session)
    try:
        there = await read_results(services, platform, link.lineitem_url)
        most = await lineitems.maximum(services, platform, link)
    except TokenRefused:
        raise  # The column was never asked for.
    except PlatformRefused as exc:
        is_missing = exc.params["status"] in GONE
        if is_missing and await lineitems.replace_if_gone(database, services, platform, link, link.lineitem_url):
            return  # All grades are sent to its successor.
        raise
    async with database.write() as session:
        stored = await session.get(LtiLink, link.id, with_for_update=True, populate_existing=True)
        if stored is None or stored.lineitem_url != link.lineitem_url:
            return  # The connection was undone, or the column replaced.
        has_other_scale = most is not None and stored.lineitem_max not in (None, most)
        stored.lineitem_max = most or stored.lineitem_max
        rows = await session.scalars(
            select(LtiScore)
            .join(Membership, Membership.id == LtiScore.membership_id)
            .where(LtiScore.lti_link_id == link.id, LtiScore.delivered_at < asked_at, is_settled())
            .where(Membership.removed_at.is_(None))
            .order_by(LtiScore.id)
            .with_for_update(of=LtiScore)
        )
        scores = rows.all()
        if has_other_scale:
            again = [score.id for score in scores if score.points is not None and score.differs_since is None]
        else:
            again = _mark(scores, there, await database_now(session))
        await session.flush()
        await scores_changed(session, again)


def _mark(scores: Sequence[LtiScore], there: Mapping[str, PlatformGrade], now: datetime) -> list[str]:
    """Mark the scores that differ, and return the ids of those that were not yet sent again for it."""
    again = []
    for score in scores:
        grade = there.get(score.user_id) or PlatformGrade(None, score.max_points or 1.0)
        if not _differs(score, grade):
            score.differs_since = score.there_points = score.there_max = None
            continue
        if score.differs_since is None:
            score.differs_since = now
        if score.mended_at is None:
            score.mended_at = now
            again.append(score.id)
        score.there_points, score.there_max = grade.points, grade.max_points
    return again


def _differs(score: LtiScore, there: PlatformGrade) -> bool:
    if score.points is None or there.points is None:
        return (score.points is None) != (there.points is None)
    return abs(score.points / (score.max_points or 1.0) * there.max_points - there.points) > LEAST
