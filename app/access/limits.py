"""Rate limits: requests of one token, uploads of one student.

Uploads are rows of the database, so all web processes count them together, across restarts. Requests leave nothing
behind, so each process counts its own. That is enough against a client that asks too much by mistake; a load balancer
can be stricter.
"""

import math
import time
from collections.abc import Callable, Collection
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import TooManyRequests
from app.storage.models import Submission, utc_now

MINUTE = timedelta(minutes=1)
# At this many, entries whose time is over are dropped: they limit nothing any more.
REMEMBERED = 10_000


class RateLimit:
    """A limit of `per_minute` calls a minute for each key; a minute's worth may come at once.

    For each key it stores the time at which its calls so far would end at the steady rate (the "generic cell rate
    algorithm" of ATM networks, ITU-T I.371): a token bucket in one number.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_each = 60 / per_minute
        self._clock = clock
        self._busy_until: dict[str, float] = {}

    def take(self, who: str) -> None:
        """Count one call.

        Raises:
            TooManyRequests: the limit is reached; this call is not counted.
        """
        now, busy_until = self._clock(), self.check(who)
        if len(self._busy_until) >= REMEMBERED:
            self._busy_until = {key: until for key, until in self._busy_until.items() if until > now}
        self._busy_until[who] = busy_until

    def check(self, who: str) -> float:
        """Return the time until which one more call would count.

        Raises:
            TooManyRequests: the limit is reached.
        """
        now = self._clock()
        busy_until = max(self._busy_until.get(who, now), now) + self._seconds_each
        if (over := busy_until - now - 60) > 1e-6:
            raise TooManyRequests(retry_after_seconds=math.ceil(over))
        return busy_until


async def too_many_uploads(
    session: AsyncSession, members: Collection[str], per_minute: int
) -> dict[str, TooManyRequests]:
    """Find the members who have reached `per_minute` uploads in the last minute.

    Call this in the members' turn (`repository.take_turns`).

    Returns:
        The refusal for each of them, by the id of the membership.
    """
    now = utc_now()
    # A row from further ahead was made before a clock was set back; the clocks of two machines differ by less.
    recent = Submission.created_at > now - MINUTE, Submission.created_at < now + MINUTE
    newest_first = func.row_number().over(partition_by=Submission.membership_id, order_by=Submission.created_at.desc())
    numbered = (
        select(Submission.membership_id, Submission.created_at, newest_first.label("number"))
        .where(Submission.membership_id.in_(members), *recent)
        .subquery()
    )
    rows = await session.execute(
        select(numbered.c.membership_id, numbered.c.created_at).where(numbered.c.number == per_minute)
    )
    return {
        member: TooManyRequests(retry_after_seconds=math.ceil((first + MINUTE - now).total_seconds()))
        for member, first in rows
    }
