"""Waiting for a submission to get on, whoever grades it.

The queue wakes those who wait in the process that grades. Another process has no way to, so everybody also looks by
himself now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from app import repository
from app.models import JobStatus
from app.services import Services
from app.tokens import Principal

LOOK_SECONDS = 1.0
OVER = (JobStatus.DONE, JobStatus.CANCELLED)


async def wait_until_done(parts: Services, submission_id: str, viewer: Principal, seconds: float) -> None:
    """Return when the submission is done, when `seconds` are over, or when the service stops."""
    until = time.monotonic() + seconds
    while not parts.jobs.stopping:
        with parts.jobs.watch(submission_id) as maybe_done:
            async with parts.database.read() as session:
                submission = await repository.find_submission(session, submission_id, viewer)
            left = until - time.monotonic()
            if submission is None or submission.job_status in OVER or left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(maybe_done.wait(), min(left, LOOK_SECONDS))
