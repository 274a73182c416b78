"""How much one token and one student may ask for in a time.

Counted in this process: with several web replicas each counts by itself, so that together they allow as many times the
limit as there are replicas. That is enough to keep one student from starving the others; the queue itself is fair.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from app.errors import TooManyRequests
from app.settings import Settings

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


@dataclass(frozen=True)
class Limits:
    """Attributes: requests: of one token to the API; uploads: of one student, wherever they come from."""

    requests: RateLimit
    uploads: RateLimit

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(RateLimit(settings.token_requests_per_minute), RateLimit(settings.student_uploads_per_minute))
