"""Grades a claimed submission and stores the report, for both queues."""

import asyncio
import contextlib
import contextvars
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.log_config import submission_id_var
from app.queue import claims
from app.queue.claims import Claim
from app.queue.order import Overtaken
from app.queue.stages import StageRecorder, task_name
from app.storage.database import Database
from grader import Assignment, Report, RunStarved, Status, internal_error
from grader import Submission as GraderSubmission
from grader.report.artefacts import Sink

logger = logging.getLogger(__name__)

#: Tries to grade one submission that may fail by a fault of ours, before it needs a person.
MAX_TRIES = 3
#: Claims of one submission that may end with their process, which rarely dies because of a submission.
MAX_CLAIMS = 10
RETRY_SECONDS = 1.0


class Engine(Protocol):
    """A function that grades one submission, as `grader.grade` does.

    It draws its questions from `seed`, and passes the name of each stage to `progress`, arrays to keep to `artefacts`.
    """

    def __call__(
        self,
        submission: GraderSubmission,
        assignment: Assignment,
        /,
        *,
        seed: bytes,
        progress: Callable[[str], None] | None = None,
        artefacts: Sink | None = None,
        beforehand: bool = False,
    ) -> Report: ...


T = TypeVar("T")


class Grading:
    """Grades claimed submissions.

    Args:
        grade: blocks for seconds; called in `threads`.
        on_report: called with each stored report.
    """

    def __init__(
        self,
        database: Database,
        assignments: Assignments,
        grade: Engine,
        threads: ThreadPoolExecutor,
        on_report: Sequence[Callable[[Report], None]] = (),
    ) -> None:
        self._database = database
        self._assignments = assignments
        self._grade = grade
        self._threads = threads
        self._on_report = on_report
        self._claims: dict[str, Claim] = {}

    def running_claims(self) -> list[Claim]:
        """List the claims on submissions that are being graded here now."""
        return list(self._claims.values())

    async def run(
        self, take: Callable[[AsyncSession], Awaitable[Claim | None]], on_end: Callable[[Claim], None]
    ) -> bool:
        """Claim a submission with `take`, grade it, and store the report; call `on_end` with the claim afterwards.

        After a fault of ours it is graded again at once, up to `MAX_TRIES` times: in the queue it would hold up the
        student's next uploads. Only a run that had no core is not: it has held its slot for minutes. A cancelled call
        queues the submission again and counts no try.

        Returns:
            Whether there was one, or may be another.
        """
        try:
            claim = await self.persist(take)
        except Overtaken:
            return True
        if claim is None:
            return False
        submission_id_var.set(claim.submission_id)
        self._claims[claim.id] = claim
        try:
            await self._run(claim)
        finally:
            del self._claims[claim.id]
            on_end(claim)
            submission_id_var.set(None)
        return True

    async def _run(self, claim: Claim) -> None:
        try:
            for tries in range(1, MAX_TRIES + 1):
                logger.info("grading_started", extra={"tries": tries})
                artefacts: dict[str, bytes] = {}
                report = await self._report(claim, artefacts)
                is_starved = report.error is not None and report.error.type == RunStarved.__name__
                if report.status != Status.INTERNAL_ERROR or is_starved:
                    break
            await self._store(claim, report, artefacts)
        except asyncio.CancelledError:
            # Without a database it stays `running` until the next start, or until another worker takes over.
            with contextlib.suppress(SQLAlchemyError):
                async with self._database.write() as session:
                    await claims.release(session, claim)
            logger.warning("grading_stopped")
            raise

    async def _report(self, claim: Claim, artefacts: dict[str, bytes]) -> Report:
        submission = GraderSubmission(filename=claim.filename, content=claim.content)
        assignment = self._assignments.get(claim.assignment_id)
        try:
            if assignment is None:
                raise LookupError(f"assignment {claim.assignment_id!r} is gone")
            if claim.tries > MAX_CLAIMS:
                raise RuntimeError(f"the service ended {MAX_CLAIMS} times while grading this")
            # In the same context, so that the engine's log lines carry the submission's id.
            in_context = contextvars.copy_context().run
            async with StageRecorder(self._database, claim) as stages:
                grade = functools.partial(
                    self._grade,
                    submission,
                    assignment,
                    seed=claim.seed,
                    progress=stages.begin,
                    artefacts=artefacts.__setitem__,
                    beforehand=claim.is_check,
                )
                return await asyncio.get_running_loop().run_in_executor(self._threads, in_context, grade)
        except Exception as exc:  # The one place where a fault of ours becomes a report (and not the student's zero).
            logger.exception("grading_failed")
            rules = assignment.beforehand() if assignment and claim.is_check else assignment
            return internal_error(submission, claim.assignment_id, rules, exc)

    async def _store(self, claim: Claim, report: Report, artefacts: Mapping[str, bytes]) -> None:
        kept = await self.persist(lambda session: claims.finish(session, claim, report, artefacts))
        # A check proves too little to count among the grades.
        if kept and not claim.is_check:
            for call in self._on_report:
                call(report)
        logger.info(
            "graded",
            extra={
                "status": report.status.value,
                "points": report.points,
                "wall_seconds": report.timing.wall_seconds,
                "kept": kept,
                "preview": claim.preview_id is not None,
                "check": claim.is_check,
            },
        )

    async def persist(self, write: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run `write` in a transaction, and repeat it while the database does not answer or has no room."""
        while True:
            try:
                async with self._database.write() as session:
                    done = await write(session)
            except SQLAlchemyError as exc:
                self._database.outage.record_failure(task_name(), exc)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._database.outage.record_success(task_name())
                return done
