"""How much one token and one student may ask for in a time.

What a student has uploaded stands in the database, and is counted there, by all web processes together and over their
restarts. Requests leave nothing behind, so each process counts them for itself: a limit on one that asks too much by
mistake, where a load balancer may have a stricter one of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import TooManyRequests
from app.models import Submission, utc_now

MINUTE = timedelta(minutes=1)
# Forgotten are then those whose time is over; they are as good as new.
REMEMBERED = 10_000


class RateLimit:
    """So many at once, and so many a minute from there on.

    For each one who asks it is known until when what was asked would take at the steady rate (the "generic cell rate
    algorithm" of ATM networks, ITU-T I.371): a token bucket in one number.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds_each = 60 / per_minute
        self._clock = clock
        self._busy_until: dict[str, float] = {}

    def take(self, who: str) -> None:
        """Count one.

        Raises:
            TooManyRequests: it is one too many; it is not counted.
        """
        now = self._clock()
        busy_until = max(self._busy_until.get(who, now), now) + self._seconds_each
        # A minute's worth may come at once.
        if (over := busy_until - now - 60) > 1e-6:
            raise TooManyRequests(retry_after_seconds=math.ceil(over))
        if len(self._busy_until) >= REMEMBERED:
            self._busy_until = {key: until for key, until in self._busy_until.items() if until > now}
        self._busy_until[who] = busy_until


async def check_uploads(session: AsyncSession, student: str, per_minute: int) -> None:
    """Whether the student may upload one more; to be asked when it is the student's turn (`repository.take_turn`).

    Raises:
        TooManyRequests: there were `per_minute` in the last minute.
    """
    now = utc_now()
    # What lies further ahead was made before a clock was set back; the clocks of two machines differ by less.
    recent = Submission.created_at > now - MINUTE, Submission.created_at < now + MINUTE
    newest_first = select(Submission.created_at).where(Submission.student == student, *recent)
    found = newest_first.order_by(Submission.created_at.desc()).offset(per_minute - 1).limit(1)
    if (first := await session.scalar(found)) is not None:
        raise TooManyRequests(retry_after_seconds=math.ceil((first + MINUTE - now).total_seconds()))
