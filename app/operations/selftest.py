"""Proves that this process can grade: from time to time it grades a known answer, which must get all its points."""

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from app.background import Background
from app.queue import Engine
from app.storage.models import utc_now
from grader import Assignment, Report, Status
from grader.known_answer import correct_submission
from reference import new_seed

logger = logging.getLogger(__name__)

#: After a failure, and before the first proof.
RETRY_SECONDS = 15.0


class SelfTest(Background):
    """The latest proof. A student's answer with all points is a proof as well, so a busy process needs no tests.

    As an async context manager it tests whenever there is no recent proof.

    Args:
        grade: blocks for seconds; called in `threads`.
        every_seconds: the age at which a proof has to be renewed.
        clock: seconds that never go back.
    """

    NAME = "self-test"

    def __init__(
        self,
        grade: Engine,
        assignment: Assignment,
        threads: ThreadPoolExecutor,
        *,
        every_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._grade = grade
        self._assignment = assignment
        self._threads = threads
        self._every_seconds = every_seconds
        self._clock = clock
        self._proved_at: float | None = None
        #: The time of the latest proof; None: there is none.
        self.proof: datetime | None = None
        #: The reason why the last test failed; None: it did not.
        self.failure: str | None = None
        #: Whether any grade has finished since the start; the first one takes longer.
        self.has_ended = False

    @property
    def passed(self) -> bool:
        """Whether there is a proof, and the next one is not overdue."""
        # A test waits for a slot, and takes some seconds.
        return self._age() < 2 * self._every_seconds + RETRY_SECONDS

    def _age(self) -> float:
        return float("inf") if self._proved_at is None else self._clock() - self._proved_at

    def note_report(self, report: Report) -> None:
        """Take note of a report. Call this with every report of this process."""
        self.has_ended = True
        if report.status == Status.PASSED:
            self._proved_at = self._clock()
            self.proof, self.failure = utc_now(), None

    async def run(self) -> None:
        """Grade the known answer now."""
        loop = asyncio.get_running_loop()
        try:
            grade = functools.partial(self._grade, correct_submission(), self._assignment, seed=new_seed())
            report = await loop.run_in_executor(self._threads, grade)
        except Exception as exc:  # As with submissions, a fault of ours is logged, and stops nothing.
            logger.exception("self_test_failed")
            self._proved_at = None
            self.failure = type(exc).__name__
            return
        if report.status != Status.PASSED:
            logger.error("self_test_failed", extra={"status": report.status.value, "points": report.points})
            self._proved_at = None
            self.failure = report.status.value
        self.note_report(report)

    async def _work(self) -> None:
        while True:
            if self._age() >= self._every_seconds:
                await self.run()
            wait = self._every_seconds - self._age()
            await asyncio.sleep(max(wait, 1.0) if self._proved_at is not None else RETRY_SECONDS)
