"""Attempts over time at one assignment, in steps of the course's clock: hours, days or weeks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Membership, Submission
from app.submissions.repository import can_count

#: More bars than these cannot be told apart on a phone.
MOST_STEPS = 42


class Unit(StrEnum):
    """The length of one step."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True)
class Activity:
    """Attempts by time.

    Attributes:
        steps: the beginning of each step by the course's clock, and the attempts in it; all from the first to the last.
        earlier: attempts before the first step.
    """

    unit: Unit
    steps: Sequence[tuple[datetime, int]]
    earlier: int = 0

    @property
    def most(self) -> int:
        """The attempts of the fullest step."""
        return max((count for _, count in self.steps), default=0)


async def moments_of(
    session: AsyncSession, course_id: str, assignment_id: str, group: str | None = None
) -> Sequence[datetime]:
    """List when students of a course, or of one group, handed in at an assignment, from the first attempt that can
    count.
    """
    in_group = [] if group is None else [Membership.group == group]
    rows = await session.scalars(
        select(Submission.created_at)
        .join(Membership, Membership.id == Submission.membership_id)
        .where(Submission.course_id == course_id, Submission.assignment_id == assignment_id, can_count(), *in_group)
        .order_by(Submission.created_at)
    )
    return rows.all()


def activity(moments: Iterable[datetime], time_zone: str) -> Activity:
    """Count attempts by the shortest unit that leaves at most `MOST_STEPS` steps; the newest weeks, if all are more."""
    zone = ZoneInfo(time_zone)
    local = sorted(moment.astimezone(zone) for moment in moments)
    if not local:
        return Activity(Unit.DAY, [])
    for unit in Unit:
        starts = _starts(unit, local[0], local[-1])
        if len(starts) <= MOST_STEPS:
            break
    starts = starts[-MOST_STEPS:]
    counts = Counter(_start(unit, each) for each in local)
    steps = [(start.replace(tzinfo=zone), counts[start]) for start in starts]
    return Activity(unit, steps, len(local) - sum(count for _, count in steps))


def _start(unit: Unit, moment: datetime) -> datetime:
    """Return the beginning of the step, as the clock on the wall shows it."""
    wall = moment.replace(tzinfo=None, fold=0, minute=0, second=0, microsecond=0)
    if unit == Unit.HOUR:
        return wall
    day = wall.replace(hour=0)
    return day if unit == Unit.DAY else day - timedelta(days=day.weekday())


def _starts(unit: Unit, first: datetime, last: datetime) -> list[datetime]:
    step = {Unit.HOUR: timedelta(hours=1), Unit.DAY: timedelta(days=1), Unit.WEEK: timedelta(days=7)}[unit]
    begin, end = _start(unit, first), _start(unit, last)
    return [begin + number * step for number in range((end - begin) // step + 1)]
