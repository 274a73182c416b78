"""Waits in tests for a state, and never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

#: Long enough for a machine that does ten other things. A test that passes never waits so long.
SECONDS = 60.0


async def until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `holds` returns, or what it returns to whoever awaits it, when that is true.

    Raises:
        TimeoutError: it is still false after so many seconds.
    """
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)


def wait_until(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The same where no event loop runs."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come about in {seconds:g} s: {holds}")
        time.sleep(0.02)
    return found
