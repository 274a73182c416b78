"""Uploads that come at the same time, to one process and on PostgreSQL to two; and the estimate of their wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import tokens
from app.access.tokens import Principal
from app.errors import AppError, AttemptsUsedUp, IdempotencyKeyReused, TooManyRequests
from app.queue import jobs
from app.queue.backlog import Backlog
from app.queue.inbox import TOGETHER_BYTES, Inbox
from app.storage.database import Database
from app.storage.models import JobStatus, LiveWorker, Submission, utc_now
from app.submissions import positions, repository
from app.submissions.uploads import Upload
from grader import Assignment, load_assignments
from grader.assignment import Attempts
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add, all_of, finish, next_claim, store, write_by


class Jobs(jobs.Jobs):
    is_working = True

    def wake(self) -> None:
        """Nobody grades here."""


@pytest.fixture
async def databases(anyio_backend: str, kind: str, url: str) -> AsyncIterator[list[Database]]:
    """One for each process."""
    databases = [Database(url)] if kind == "sqlite" else [Database(url), Database(url)]
    await databases[0].upgrade()
    yield databases
    for database in databases:
        await database.close()


@pytest.fixture
async def owner(databases: list[Database]) -> Principal:
    return Principal.of(await write_by(databases[0], tokens.set_owner_token, "0" * 64))


@pytest.fixture
def assignments() -> dict[str, Assignment]:
    plain = load_assignments(None)["lstm-layer"]
    return {"lstm-layer": plain, "limited": plain.model_copy(update={"id": "limited", "attempts": Attempts(limit=3)})}


@pytest.fixture
def inboxes(databases: list[Database], assignments: Mapping[str, Assignment]) -> list[Inbox]:
    return [
        Inbox(database, assignments, Jobs(), Backlog(database, 3600), uploads_per_minute=5, upload_bytes=10**7)
        for database in databases
    ]


def upload(student: str, assignment_id: str = "lstm-layer", content: bytes = b"x = 1") -> Upload:
    return Upload(student, assignment_id, "LSTM.py", content)


async def hand_in(
    inboxes: list[Inbox], owner: Principal, uploads: list[Upload], key: str | None = None
) -> list[tuple[Submission, int | None] | BaseException]:
    """All at the same time, to the processes in turns."""
    accepting = (inboxes[n % len(inboxes)].accept(each, owner, key) for n, each in enumerate(uploads))
    return await asyncio.gather(*accepting, return_exceptions=True)


async def stored(database: Database) -> list[Submission]:
    return await all_of(database, select(Submission))


@on_both
async def test_each_of_many_gets_a_number_and_a_place_of_its_own(databases, inboxes, owner):
    sizes = [len(b"x = 1"), TOGETHER_BYTES + 1]
    uploads = [upload(f"s{n % 20}", content=b"x" * sizes[n % 7 == 0]) for n in range(60)]
    results = await hand_in(inboxes, owner, uploads)
    submissions = [result[0] for result in results if not isinstance(result, BaseException)]
    assert len(submissions) == 60
    rows = await stored(databases[0])
    assert sorted(each.id for each in rows) == sorted(each.id for each in submissions)
    assert Counter((each.student, each.attempt) for each in rows) == {
        (f"s{n}", a): 1 for n in range(20) for a in (1, 2, 3)
    }
    # The second of a student waits behind the first of all others.
    assert all(each.priority == 1 - each.attempt for each in rows)
    async with databases[0].read() as session:
        places = await positions.queue_places(session)
        assert sorted(places.values()) == list(range(1, 61))
        for each in rows[:5]:
            assert await positions.queue_position(session, each) == places[each.id]
    for submission, position in (result for result in results if not isinstance(result, BaseException)):
        assert submission.job_status == JobStatus.QUEUED
        assert position is not None


@on_both
async def test_limits_hold_for_those_that_come_together_and_hurt_nobody_else(databases, inboxes, owner):
    uploads = [upload("ivanov", "limited", b"x" * (TOGETHER_BYTES + n)) for n in range(5)]
    uploads += [upload("petrov") for _ in range(8)]
    uploads += [upload(f"s{n}") for n in range(10)]
    results = await hand_in(inboxes, owner, uploads)
    refused = Counter(type(result) for result in results if isinstance(result, BaseException))
    assert refused == {AttemptsUsedUp: 2, TooManyRequests: 3}
    kept = Counter(each.student for each in await stored(databases[0]))
    assert kept == {"ivanov": 3, "petrov": 5, **{f"s{n}": 1 for n in range(10)}}


@on_both
async def test_several_uploads_at_once_under_one_key_are_one_attempt(databases, inboxes, owner):
    same = [upload("ivanov", "limited") for _ in range(6)]
    others = [upload(f"s{n}") for n in range(6)]
    results, _ = await asyncio.gather(hand_in(inboxes, owner, same, "k"), hand_in(inboxes, owner, others))
    accepted = [result[0].id for result in results if not isinstance(result, BaseException)]
    assert (len(accepted), len(set(accepted))) == (6, 1)
    assert Counter(each.student for each in await stored(databases[0])) == {
        "ivanov": 1,
        **{f"s{n}": 1 for n in range(6)},
    }


@on_both
async def test_a_key_that_two_use_at_once_costs_those_who_come_with_them_nothing(databases, inboxes, owner):
    others = [upload(f"s{n}") for n in range(6)]
    results, _ = await asyncio.gather(
        hand_in(inboxes, owner, [upload("ivanov"), upload("petrov")], "k"), hand_in(inboxes, owner, others)
    )
    assert sorted(type(result).__name__ for result in results) == [IdempotencyKeyReused.__name__, "tuple"]
    kept = Counter(each.student for each in await stored(databases[0]))
    assert kept == {**{f"s{n}": 1 for n in range(6)}, **{name: 1 for name in kept if name in ("ivanov", "petrov")}}
    assert len(kept) == 7


@on_both_thoroughly
async def test_a_fault_while_they_go_one_by_one_is_told_to_the_one_it_meets(databases, inboxes, owner, monkeypatch):
    add = repository.add_submissions

    async def failing(session: AsyncSession, submissions: Sequence[Submission]) -> None:
        if len(submissions) > 1:
            raise IntegrityError("INSERT", {}, Exception("a key that is there already"))
        if submissions[0].student == "s1":
            raise OperationalError("INSERT", {}, Exception("disk full"))
        await add(session, submissions)

    monkeypatch.setattr("app.submissions.repository.add_submissions", failing)
    results = await hand_in(inboxes[:1], owner, [upload(f"s{n}") for n in range(4)])
    assert [type(result) for result in results] == [tuple, OperationalError, tuple, tuple]
    assert sorted(each.student for each in await stored(databases[0])) == ["s0", "s2", "s3"]


async def test_uploads_that_come_together_share_transactions(databases, inboxes, owner):
    commits = 0

    def count(*_: Any) -> None:
        nonlocal commits
        commits += 1

    event.listen(databases[0]._engine.sync_engine, "commit", count)
    results = await hand_in(inboxes[:1], owner, [upload(f"s{n}") for n in range(100)])
    assert not [result for result in results if isinstance(result, AppError)]
    assert commits <= 5


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


@on_both
async def test_estimate_runs_down_at_the_same_place_and_begins_anew_at_the_next(database, backlog, clock):
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


@on_both
async def test_running_grade_is_expected_after_the_usual_time_and_nobody_knows_without_workers(database, backlog):
    waiting = await add(database, "waits")
    running = Submission(job_status=JobStatus.RUNNING, started_at=utc_now() - timedelta(seconds=60))
    assert await backlog.seconds_left(running) == pytest.approx(-20, abs=5)
    await store(database, LiveWorker, seen_at=func.now() - timedelta(hours=1))
    assert await Backlog(database, 3600, slots=0).seconds_left(waiting) is None
