"""A database that fails for a while: the log lines about it, and what is known of a commit."""

import logging
import sqlite3

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.database import CommitUnanswered, Database
from app.storage.outage import Outage
from tests.waiting import Clock

GONE = OperationalError("SELECT 1", {}, Exception("server closed the connection\n\tThis probably means"))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "app")
    return caplog


def test_an_outage_is_a_line_at_its_beginning_one_a_minute_and_one_at_its_end(lines):
    clock = Clock()
    outage = Outage(clock)
    outage.record_success("probe")
    for _ in range(150):
        for by in ("slot-0", "slot-1", "heartbeat", "listener", "probe"):
            outage.record_failure(by, GONE)
        clock.now += 1
    for by in ("probe", "listener", "heartbeat", "slot-1"):
        outage.record_success(by)
    outage.record_failure("slot-0", GONE)
    outage.record_success("slot-0")
    events = [(record.msg, vars(record)["seconds"], record.exc_info) for record in lines.records]
    assert events == [
        *(("database_failing", seconds, None) for seconds in (0, 60, 120)),
        ("database_works_again", 150, None),
    ]
    assert vars(lines.records[0])["reason"] == "server closed the connection"


def test_the_next_outage_begins_anew(lines):
    clock = Clock()
    outage = Outage(clock)
    for _ in range(2):
        outage.record_failure("probe", GONE)
        outage.record_success("probe")
    assert [record.msg for record in lines.records] == ["database_failing", "database_works_again"] * 2


def test_a_wrong_statement_is_ours_and_is_told_with_where_it_stands(lines):
    Outage().record_failure("slot-0", ProgrammingError("SELECT x", {}, Exception("no column x")))
    assert lines.records[0].exc_info


async def test_requests_that_fail_in_an_outage_say_why_in_their_own_line(owner, grader, lines, monkeypatch):
    async def gone(*_: object, **__: object) -> None:
        raise GONE

    monkeypatch.setattr("app.submissions.listing.list_submissions", gone)
    for _ in range(20):
        assert (await owner.get("/api/v1/submissions")).status_code == 503
    of_requests = [record for record in lines.records if record.name in ("app.http.problems", "app.http.middleware")]
    assert [(record.msg, record.exc_info) for record in of_requests] == [("request", None)] * 20
    assert {vars(record)["reason"] for record in of_requests} == {"server closed the connection"}


@pytest.mark.parametrize(
    ("code", "raised"),
    [(sqlite3.SQLITE_BUSY_SNAPSHOT, OperationalError), (sqlite3.SQLITE_IOERR_FSYNC, CommitUnanswered)],
)
async def test_a_failed_commit_is_unanswered_where_it_may_have_changed_something(tmp_path, monkeypatch, code, raised):
    failure = sqlite3.OperationalError()
    failure.sqlite_errorcode = code

    async def fail(_: AsyncSession) -> None:
        raise OperationalError("COMMIT", {}, failure)

    monkeypatch.setattr(AsyncSession, "commit", fail)
    database = Database(f"sqlite:///{tmp_path}/new.sqlite3")
    with pytest.raises(raised):
        async with database.write():
            pass
    await database.close()
