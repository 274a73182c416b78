"""The queries on real databases: an SQLite file, and PostgreSQL."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from app.access import sessions, tokens
from app.access.limits import too_many_uploads
from app.courses import members
from app.errors import TooManyRequests
from app.queue import claims, order
from app.queue.order import Overtaken
from app.storage import engines, postgresql
from app.storage import sqlite as sqlite_connection
from app.storage.database import Database
from app.storage.engines import _prepare_sqlite
from app.storage.models import (
    DEFAULT_COURSE,
    JobStatus,
    RegradeItem,
    Role,
    Session,
    StoredReport,
    Submission,
    SubmissionEvent,
    Token,
    utc_now,
)
from app.storage.paging import Paging
from app.submissions import positions, reports
from app.submissions.listing import Selection, list_submissions
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql
from tests.integration.app.rows import (
    add,
    add_course,
    add_rows,
    all_of,
    begin_regrade,
    claim,
    finish,
    graded,
    next_claim,
    opened,
    read_by,
    store,
    waits,
    write_by,
)
from tests.waiting import SECONDS, until


async def test_sqlite_is_set_to_lose_nothing(url, monkeypatch):
    monkeypatch.setattr(engines, "_prepare_sqlite", _prepare_sqlite)  # Other tests wait for no disk.
    async with opened(url) as database, database.read() as session:
        values = {
            name: await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20_000}


def test_deleted_rows_are_overwritten_whatever_sqlite_does_by_itself(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        _prepare_sqlite(connection, None)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


@on_both
async def test_row_of_no_course_is_refused_and_the_message_holds_no_parameters(database):
    student = "Секретарёв"
    with pytest.raises(IntegrityError) as caught:
        await add_rows(
            database, Token(name="a", role=Role.SUBMITTER, sha256="9" * 64, course_id="nowhere", student=student)
        )
    assert student not in str(caught.value)


@on_both
async def test_readers_are_not_kept_waiting_by_a_writer(database, owner):
    async with database.write() as session:
        await session.execute(text("UPDATE tokens SET name = 'changed'"))
        async with database.read() as other:
            assert await asyncio.wait_for(other.scalar(select(Token.name)), SECONDS) == "owner"


async def test_a_statement_crosses_into_the_thread_of_sqlite_once(database, owner, monkeypatch):
    crossings: list[object] = []
    cross = sqlite_connection.Connection._execute

    async def counted(
        self: sqlite_connection.Connection, function: Callable[..., object], *arguments: object
    ) -> object:
        crossings.append(function)
        return await cross(self, function, *arguments)

    monkeypatch.setattr(sqlite_connection.Connection, "_execute", counted)
    async with database.write() as session:
        assert await session.scalar(select(Token.name)) == "owner"
        changed = await session.execute(text("UPDATE tokens SET name = 'changed'"))
    assert changed.rowcount == 1  # type: ignore[attr-defined]
    # BEGIN, two statements, COMMIT.
    assert len(crossings) == 4


async def test_a_connection_that_the_server_has_closed_is_not_used_again(url_on_postgresql):
    database, other = (Database(url_on_postgresql) for _ in range(2))
    async with database.read() as session, database.read() as second:
        pids = [await each.scalar(select(func.pg_backend_pid())) for each in (session, second)]
    async with other.write() as session:
        for pid in pids:
            # Returns when it is gone.
            assert await session.scalar(select(func.pg_terminate_backend(pid, 20_000)))
    async with database.read() as session, database.write() as second:
        assert await session.scalar(select(func.pg_backend_pid())) not in pids
        assert await second.scalar(select(func.pg_backend_pid())) not in pids
    await database.close()
    await other.close()


async def test_connection_whose_opener_is_cancelled_is_closed(database, monkeypatch, path):
    connections: list[Recorded] = []
    connect = sqlite3.connect

    def recording(*arguments: Any, **keywords: Any) -> Recorded:
        connections.append(connect(*arguments, **keywords, factory=Recorded))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", recording)
    fresh = Database(f"sqlite:///{path}")

    async def read() -> None:
        async with fresh.read() as session:
            await session.execute(select(Token))

    for turns in range(8):
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await fresh.close()
    assert connections
    assert [connection for connection in connections if not connection.is_closed] == []


async def test_a_server_keeps_no_connection_whose_opener_was_cancelled(url_on_postgresql, monkeypatch):
    connections: list[postgresql.Connection] = []
    init, wait = postgresql.Connection.__init__, postgresql.Connection.wait
    # Counts down to the question at which the opener is cancelled.
    left: Iterator[int] = iter(())

    def recording(self: postgresql.Connection, *arguments: Any, **keywords: Any) -> None:
        init(self, *arguments, **keywords)
        connections.append(self)

    async def cancelled_at(self: postgresql.Connection, *arguments: Any) -> Any:
        if next(left, None) == 0:
            task = asyncio.current_task()
            task.cancel()
        return await wait(self, *arguments)

    monkeypatch.setattr(postgresql.Connection, "__init__", recording)
    monkeypatch.setattr(postgresql.Connection, "wait", cancelled_at)

    async def read() -> None:
        async with fresh.read() as session:
            await session.execute(select(1))

    ends = []
    for at in itertools.count():
        fresh, left = Database(url_on_postgresql), iter(range(at, -1, -1))
        (end,) = await asyncio.gather(asyncio.create_task(read()), return_exceptions=True)
        await fresh.close()
        if end is None:
            break
        ends.append(type(end))
    # Ours and SQLAlchemy's own questions, and the query.
    assert len(ends) > 3
    assert set(ends) == {asyncio.CancelledError}
    assert [connection for connection in connections if not connection.closed] == []


class Recorded(sqlite3.Connection):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


@on_both
async def test_uploads_of_the_last_minute_are_counted_whoever_took_them(database):
    ivanov = (await add(database, "ivanov")).membership_id
    await asyncio.gather(add(database, "ivanov"), add(database, "ivanov"))
    petrov = (await add(database, "petrov")).membership_id

    async def refusals(limit: int) -> dict[str, TooManyRequests]:
        return await read_by(database, too_many_uploads, [ivanov, petrov], limit)

    async def move_back(seconds: float) -> None:
        async with database.write() as session:
            for submission in await session.scalars(select(Submission)):
                submission.created_at -= timedelta(seconds=seconds)

    assert [set(await refusals(limit)) for limit in (1, 3, 4)] == [{ivanov, petrov}, {ivanov}, set()]
    # The answer says to the second when to come again.
    await move_back(30)
    wait = (await refusals(3))[ivanov].params["retry_after_seconds"]
    assert 0 < wait <= 30
    await move_back(wait)
    assert await refusals(3) == {}
    # By a clock that has been set back an hour since.
    await move_back(-3600)
    assert await refusals(3) == {}


@on_both
async def test_claims_come_in_order_whatever_the_clock_says(database, owner):
    order = [await add(database, f"s{number}") for number in range(3)]
    for hours, submission in zip((0, -2, -1), order, strict=True):
        created_at = submission.created_at + timedelta(hours=hours)
        await store(database, Submission, Submission.id == submission.id, created_at=created_at)
    async with database.read() as session:
        places = await positions.queue_places(session)
        listed = [submission.id for submission, _ in await list_submissions(session, owner, Selection(), Paging(5))]
    assert [places[submission.id] for submission in order] == [1, 2, 3]
    assert listed == [submission.id for submission in reversed(order)]
    assert [taken.submission_id for _ in order if (taken := await claim(database))] == listed[::-1]


@on_both
async def test_workers_never_claim_the_same_submission_nor_two_of_a_student(database):
    for number in range(60):
        await add(database, f"s{number % 30}")
    # Another process would have a connection and a lock of its own, as this one has.
    other = Database(database.url.render_as_string(hide_password=False))
    taken = await asyncio.gather(*(claim(worker) for _ in range(20) for worker in (database, other)))
    await other.close()
    running = select(Submission.student).where(Submission.job_status == JobStatus.RUNNING)
    students = await all_of(database, running)
    assert len({each.submission_id for each in taken if each}) == len(students) == len(set(students)) == 30


@on_postgresql
async def test_workers_claim_side_by_side(database):
    first, second, _ = [await add(database, student) for student in ("a", "b", "a")]
    async with database.write() as session:
        taken = await order.claim_next(session)
        assert taken.submission_id == first.id
        # It is not committed. Others neither wait for it, nor take what else the student has.
        async with asyncio.timeout(SECONDS):
            beside = await next_claim(database)
            assert beside.submission_id == second.id
            assert await claim(database) is None


@on_postgresql
async def test_an_overtaken_worker_looks_again(database):
    first, second = [await add(database) for _ in range(2)]
    async with database.write() as session:
        # In no order that a worker would choose.
        await session.execute(update(Submission).where(Submission.id == second.id).values(job_status="running"))
        overtaken = asyncio.create_task(claim(database))
        await until(lambda: waits(database))
    with pytest.raises(Overtaken):
        await overtaken
    assert await claim(database) is None
    await store(database, Submission, Submission.id == second.id, job_status="done")
    taken = await next_claim(database)
    assert taken.submission_id == first.id


@on_both
async def test_crash_between_claim_and_result_queues_again_and_the_late_result_is_lost(database):
    submission, other = await add(database), await add(database, "petrov")
    lost = await next_claim(database)
    assert await write_by(database, claims.requeue_running) == 1
    assert not await finish(database, lost)
    # It goes behind the others: it may have killed its worker.
    behind, again = await next_claim(database), await next_claim(database)
    assert behind.submission_id == other.id
    assert (again.submission_id, again.tries, again.seed) == (submission.id, 2, lost.seed)
    async with database.write() as session:
        await claims.add_stages(session, lost, ["reading"])
        await claims.add_stages(session, again, ["running"])
    events = set(await all_of(database, select(SubmissionEvent.event)))
    assert events & {"reading", "running"} == {"running"}
    # One that is given back by a worker that stops is the first again, and its try does not count.
    assert await write_by(database, claims.release, again)
    again = await next_claim(database)
    assert (again.submission_id, again.tries) == (submission.id, 2)
    assert [await finish(database, each) for each in (lost, again, behind)] == [False, True, True]
    assert await write_by(database, claims.requeue_running) == 0


@on_both_thoroughly
@pytest.mark.parametrize("slots", [1, 2, 3])
async def test_a_crowd_in_one_course_holds_no_slot_that_another_waits_for(database, slots):
    crowd = [await add(database, f"s{number}") for number in range(12)]
    running = [await next_claim(database) for _ in range(slots)]
    assert [claim.submission_id for claim in running] == [each.id for each in crowd[:slots]]
    other = await add_course(database)
    few = [(await add(database, student, other)).id for student in ("a", "b", "c")]
    ids = []
    while few[-1] not in ids:
        assert await finish(database, running.pop(0))
        running.append(await next_claim(database))
        ids.append(running[-1].submission_id)
        assert slots == 1 or {claim.submission_id for claim in running} & set(few)
    assert [id for id in ids if id in few] == few
    assert ids[0] == few[0]
    assert len(ids) <= 2 * len(few)


@on_both
async def test_places_are_those_of_a_queue_in_which_courses_take_turns(database):
    other = await add_course(database)
    crowd = [await add(database, f"s{number}") for number in range(3)]
    few = [await add(database, student, other) for student in ("a", "b")]
    places = await read_by(database, positions.queue_places)
    order = [crowd[0].id, few[0].id, crowd[1].id, few[1].id, crowd[2].id]
    assert [places[id] for id in order] == [1, 2, 3, 4, 5]
    ids = []
    for _ in order:
        taken = await next_claim(database)
        ids.append(taken.submission_id)
        assert await finish(database, taken)
    assert sorted(ids[:2]) == sorted(order[:2])
    assert sorted(ids[2:4]) == sorted(order[2:4])


@on_both
async def test_regrades_of_a_course_wait_for_uploads_of_all(database):
    other = await add_course(database)
    old = await graded(database, "old")
    await begin_regrade(database, old.id)
    uploads = [await add(database, student, other) for student in ("a", "b")]
    order = [(await next_claim(database)).submission_id for _ in range(3)]
    assert order == [*(each.id for each in uploads), old.id]


async def items(database: Database, regrade_id: str) -> list[tuple[str, int, int | None]]:
    rows = await all_of(database, select(RegradeItem).where(RegradeItem.regrade_id == regrade_id))
    return [(item.submission_id, item.old_report_id, item.new_report_id) for item in rows]


@on_both
async def test_regrade_adds_a_report_and_keeps_the_old_one(database, owner):
    done, waiting = await graded(database), await add(database, "petrov")
    regrade_id = (await begin_regrade(database, done.id, waiting.id, "unknown")).id
    ((id, old, new),) = await items(database, regrade_id)
    assert (id, new) == (done.id, None)
    for expected in (waiting.id, done.id):  # Uploads go first.
        taken = await next_claim(database)
        assert taken.submission_id == expected
        await finish(database, taken)
    ((_, _, new),) = await items(database, regrade_id)
    counting = await read_by(database, reports.newest_report, done.id)
    listed = await read_by(database, list_submissions, owner, Selection(), Paging(10))
    ids = await all_of(database, select(StoredReport.id).where(StoredReport.submission_id == done.id))
    assert sorted(ids) == [old, new]
    assert counting.id == new
    assert [report and report.id for submission, report in listed if submission.id == done.id] == [new]


@on_both_thoroughly
async def test_second_regrade_of_a_waiting_submission_gets_the_same_report(database):
    submission = await graded(database)
    first, second = [(await begin_regrade(database, submission.id)).id for _ in range(2)]
    taken = await next_claim(database)
    assert taken.tries == 1
    await finish(database, taken)
    assert await claim(database) is None
    assert await items(database, first) == await items(database, second) != []


@on_both_thoroughly
@pytest.mark.parametrize(
    ("sha256", "chosen", "signed_in"),
    [("2" * 64, True, False), ("2" * 64, False, True), ("0" * 64, True, True)],
    ids=["another is set", "another is made", "the same is set"],
)
async def test_only_an_owner_token_that_replaces_one_signs_its_browsers_out(database, owner, sha256, chosen, signed_in):
    async with database.write() as session:
        old = await tokens.find_token(session, "0" * 64)
        await sessions.add(session, sha256="a" * 64, of=old, lifetime=timedelta(days=1))
        await tokens.add_token(session, name="lms", role=Role.ADMIN, sha256="1" * 64)
        await tokens.add_token(session, name=tokens.OWNER, role=Role.TEACHER, sha256="3" * 64)
    async with database.write() as session:
        # The same row: what was left with it, such as webhooks, stays the owner's.
        assert (await tokens.set_owner_token(session, sha256, chosen=chosen)).id == owner.id
    assert (await read_by(database, tokens.find_token, "0" * 64) is not None) is (sha256 == "0" * 64)
    assert (await read_by(database, sessions.find_holder, "a" * 64) is not None) is signed_in
    for other in ("1" * 64, "3" * 64, sha256):
        assert await read_by(database, tokens.find_token, other) is not None


@on_both_thoroughly
async def test_a_token_that_is_set_as_the_owners_is_the_only_one(database, owner):
    await write_by(database, tokens.add_token, name="lms", role=Role.SUBMITTER, sha256="1" * 64)
    await write_by(database, tokens.set_owner_token, "1" * 64, chosen=True)
    assert await read_by(database, tokens.find_token, "0" * 64) is None
    token = await read_by(database, tokens.find_token, "1" * 64)
    assert token.role == Role.ADMIN


@on_both
async def test_session_ends_in_time_and_with_its_token(database, monkeypatch):
    async with database.write() as session:
        soon = utc_now() + timedelta(hours=1)
        token = await tokens.add_token(session, name="a", role=Role.TEACHER, sha256="3" * 64, expires_at=soon)
        await sessions.add(session, sha256="b" * 64, of=token, lifetime=timedelta(days=1))
        lasting = await tokens.add_token(session, name="b", role=Role.TEACHER, sha256="4" * 64)
        await sessions.add(session, sha256="c" * 64, of=lasting, lifetime=timedelta(hours=1))
        person = members.add(session, DEFAULT_COURSE, external_id="ivanov").person
        await sessions.add(session, sha256="e" * 64, of=person, lifetime=timedelta(hours=1))
    assert all([await read_by(database, sessions.find_holder, each * 64) for each in "bce"])
    monkeypatch.setattr(sessions, "utc_now", lambda: utc_now() + timedelta(hours=2))
    assert not any([await read_by(database, sessions.find_holder, each * 64) for each in "bce"])
    async with database.write() as session:
        await sessions.add(session, sha256="d" * 64, of=lasting, lifetime=timedelta(hours=1))
        assert (await session.scalars(select(Session.sha256))).all() == ["d" * 64]
