"""The spare slot of real workers on both databases: courses whose runs sleep keep no other course waiting."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from app.queue import slots as slots_module
from app.queue.grading import Grading
from app.queue.slots import LONG_SECONDS, Slots
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Check, JobStatus, Membership, Submission
from grader import Assignment, Report, load_assignments
from grader import Submission as GraderSubmission
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import BY, REPORT, add, add_course, graded, job_status
from tests.waiting import SECONDS, until

ASLEEP = b"asleep"
ASLEEP_ELSEWHERE = b"asleep in another course"


class Sleepers:
    """An engine whose runs of these contents end when the test says so."""

    def __init__(self) -> None:
        self.released = {content: threading.Event() for content in (ASLEEP, ASLEEP_ELSEWHERE)}
        self.asleep: dict[bytes, int] = defaultdict(int)

    def __call__(self, submission: GraderSubmission, assignment: Assignment, /, **options: Any) -> Report:
        if (released := self.released.get(submission.content)) is not None:
            self.asleep[submission.content] += 1
            assert released.wait(SECONDS)
        return REPORT

    def release(self) -> None:
        for each in self.released.values():
            each.set()


@pytest.fixture
def engine() -> Sleepers:
    return Sleepers()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let spare slots look without a pause, and note the outcomes."""
    seen: list[bool] = []
    look = Slots._grade_of_others

    async def noted(self: Slots) -> bool:
        seen.append(False)
        seen[-1] = await look(self)
        return seen[-1]

    monkeypatch.setattr(Slots, "_grade_of_others", noted)
    monkeypatch.setattr(slots_module, "IDLE_SECONDS", 0.02)
    return seen


@contextlib.asynccontextmanager
async def workers(database: Database, engine: Sleepers, counts: list[int]) -> AsyncIterator[Callable[[], None]]:
    """Workers with so many slots each. Runs that sleep are released at the end.

    Yields:
        A function that makes a run of `LONG_SECONDS` of everything that runs now.
    """

    def pass_long() -> None:
        for claim in (claim for grading in gradings for claim in grading.running_claims()):
            object.__setattr__(claim, "began", claim.began - LONG_SECONDS)

    async with contextlib.AsyncExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(sum(counts) + len(counts)))
        gradings = [Grading(database, load_assignments(), engine, threads) for _ in counts]
        for grading, count in zip(gradings, counts, strict=True):
            await stack.enter_async_context(Slots(grading, count=count, shutdown_seconds=SECONDS))
        stack.callback(engine.release)
        yield pass_long


def is_done(database: Database, submission: Submission) -> Callable[[], Any]:
    async def look() -> bool:
        return (await job_status(database, submission.id))[0] == JobStatus.DONE

    return look


async def looked(looks: list[bool], slots: int) -> None:
    """Wait until the spare slot of each of so many workers has begun and ended a look."""
    begun = len(looks)
    await until(lambda: len(looks) > begun + 2 * slots)


@on_both
@pytest.mark.parametrize("counts", [[1], [2], [1, 1]], ids=["one slot", "two slots", "two workers"])
async def test_a_course_whose_runs_sleep_keeps_no_other_course_waiting(database, engine, looks, counts):
    slots = sum(counts)
    crowd = [await add(database, f"s{number}", content=ASLEEP) for number in range(slots + len(counts) + 1)]
    other = await add_course(database)
    async with workers(database, engine, counts) as pass_long:
        await until(lambda: engine.asleep[ASLEEP] == slots)
        pass_long()
        for student in ("a", "b"):
            await until(is_done(database, await add(database, student, other)))
        await looked(looks, len(counts))
        assert engine.asleep[ASLEEP] == slots
        engine.release()
        for each in crowd:
            await until(is_done(database, each))


@on_both
@pytest.mark.parametrize("counts", [[1], [2], [1, 1]], ids=["one slot", "two slots", "two workers"])
async def test_courses_whose_runs_sleep_keep_the_spare_slot_from_others_once(database, engine, looks, counts):
    sleepers = sum(counts), len(counts)
    for number in range(sleepers[0]):
        await add(database, f"s{number}", content=ASLEEP)
    second, other = await add_course(database), await add_course(database)
    async with workers(database, engine, counts) as pass_long:
        await until(lambda: engine.asleep[ASLEEP] == sleepers[0])
        pass_long()
        for number in range(sleepers[1]):
            await add(database, f"s{number}", second, ASLEEP_ELSEWHERE)
        await until(lambda: engine.asleep[ASLEEP_ELSEWHERE] == sleepers[1])
        for _ in range(3):
            pass_long()
        engine.released[ASLEEP_ELSEWHERE].set()
        await looked(looks, len(counts))
        again = await add(database, "a", second)
        await until(is_done(database, await add(database, "a", other)))
        await looked(looks, len(counts))
        assert (await job_status(database, again.id))[0] == JobStatus.QUEUED
        # The others have been busy for more than twice as long then.
        for _ in range(3):
            pass_long()
        await until(is_done(database, again))
        assert engine.asleep[ASLEEP] == sleepers[0]


@on_both
async def test_the_spare_slot_stays_empty_where_grades_take_their_usual_time(database, engine, looks):
    await add(database, content=ASLEEP)
    waiting = await add(database, "a", await add_course(database))
    async with workers(database, engine, [1]):
        await until(lambda: engine.asleep)
        await looked(looks, 1)
        assert (await job_status(database, waiting.id))[0] == JobStatus.QUEUED
        engine.release()
        await until(is_done(database, waiting))
    assert not any(looks)


@on_both
async def test_a_course_gets_no_spare_slot_beside_its_own_checks(database, engine, looks):
    await graded(database, "ivanov")
    async with database.write() as session:
        member = await session.scalar(select(Membership.id).where(Membership.course_id == DEFAULT_COURSE))
        of_file = {"assignment_id": "lstm-layer", "filename": "LSTM.py", "sha256": "0" * 64, "submitted_by": BY}
        session.add(Check(membership_id=member, content=ASLEEP, **of_file))
    async with workers(database, engine, [1]) as pass_long:
        await until(lambda: engine.asleep)
        pass_long()
        own = await add(database, "petrov")
        await until(is_done(database, await add(database, "a", await add_course(database))))
        await looked(looks, 1)
        assert (await job_status(database, own.id))[0] == JobStatus.QUEUED
