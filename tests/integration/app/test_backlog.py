"""The estimate of a wait: by the latest grades, the slots of all workers alive, and the place in the queue."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update

from app.queue.backlog import Backlog
from app.storage.database import Database
from app.storage.models import JobStatus, LiveWorker, Submission, utc_now
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import add, execute, finish, next_claim

pytestmark = on_both

GRADING = timedelta(seconds=40)


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
async def backlog(database: Database, clock: list[float]) -> Backlog:
    """The backlog of four slots after a grade of 40 seconds. On PostgreSQL two workers have them, and a third died."""
    await add(database, "graded")
    await finish(database, await next_claim(database))
    async with database.write() as session:
        now = utc_now()
        await session.execute(update(Submission).values(started_at=now - GRADING, finished_at=now))
        if not database.is_sqlite:
            for number, (slots, seconds) in enumerate([(1, 0), (3, 5), (8, 60)]):
                seen_at = func.now() - timedelta(seconds=seconds)
                session.add(LiveWorker(id=str(number), seen_at=seen_at, about={"slots": slots}))
    return Backlog(database, 3600, slots=4, clock=lambda: clock[0])


async def test_estimate_runs_down_at_the_same_place_and_begins_anew_at_the_next(
    database: Database, backlog: Backlog, clock: list[float]
) -> None:
    # For a submission that is done the queue is not read, so the next question finds it as it is now.
    assert await backlog.seconds_left(Submission(job_status=JobStatus.DONE)) is None
    waiting = [await add(database, f"student-{number}") for number in range(9)]
    assert [await backlog.seconds_left(each) for each in (waiting[0], waiting[7])] == [50, 120]
    clock[0] += 45
    assert [await backlog.seconds_left(each) for each in (waiting[0], waiting[7])] == [5, 75]
    clock[0] += 45
    assert await backlog.seconds_left(waiting[0]) == -40
    await next_claim(database)
    clock[0] += 2
    assert [await backlog.seconds_left(each) for each in (waiting[0], waiting[7])] == [None, 110]
    assert await backlog.count() == 8


async def test_running_grade_is_expected_after_the_usual_time_and_nobody_knows_without_workers(
    database: Database, backlog: Backlog
) -> None:
    waiting = await add(database, "waits")
    running = Submission(job_status=JobStatus.RUNNING, started_at=utc_now() - timedelta(seconds=60))
    assert await backlog.seconds_left(running) == pytest.approx(-20, abs=5)
    await execute(database, update(LiveWorker).values(seen_at=func.now() - timedelta(hours=1)))
    assert await Backlog(database, 3600, slots=0).seconds_left(waiting) is None
