"""Waits for a state, in tests; no other module of theirs polls."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

#: Long enough for a machine that does ten other things, and is slow. A test that passes never waits so long.
SECONDS = 400.0


class Clock:
    """A clock that a test moves. Attributes: now: in seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until `holds` returns something true, and return that; an awaitable is awaited first.

    It asks less and less often, for many ask the service, and on a busy machine that is what keeps it busy.

    Raises:
        TimeoutError: it is still false after so many seconds.
    """
    pause = 0.01
    async with asyncio.timeout(seconds):
        while True:
            value = holds()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            await asyncio.sleep(pause)
            pause = min(1.2 * pause, 0.05)


def wait_until(holds: Callable[[], Any], seconds: float = SECONDS, *, pause: float = 0.02) -> Any:
    """Wait like `until` where no event loop runs. Args: pause: seconds between two looks."""
    until = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come about in {seconds:g} s: {holds}")
        time.sleep(pause)
    return value
