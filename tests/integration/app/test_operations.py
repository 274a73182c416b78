"""Deleting, counting and backing up on real databases, and the process that draws pictures."""

import asyncio
import contextlib
import gzip
import os
import signal
import socket
from datetime import timedelta

import httpx
import psycopg
import pytest
from sqlalchemy import text, update

from app.access.tokens import Principal
from app.operations.charts import SMALL_CHART, ChartNotDrawn, ChartProcess
from app.operations.metrics import Metrics
from app.operations.probe import WriteProbe
from app.privacy import deletion, retention
from app.queue import PostgreSQLJobs
from app.services import Operations
from app.settings import Settings
from app.storage.database import CONNECTIONS, Database
from app.storage.models import JobStatus, Submission, utc_now
from app.storage.paging import Paging
from app.submissions import positions, reports
from app.submissions.listing import Selection, list_submissions
from app.worker import answering
from tests.integration.app.kinds import on_both, on_postgresql
from tests.integration.app.rows import add, claim, graded, read_by, store
from tests.ports import free_port
from tests.processes import children, command_line
from tests.waiting import until


async def names(database: Database, owner: Principal) -> list[str]:
    return [row[0].student for row in await read_by(database, list_submissions, owner, Selection(), Paging(100))]


@on_both
async def test_more_is_deleted_than_fits_in_one_transaction(database, owner, monkeypatch):
    monkeypatch.setattr(deletion, "AT_ONCE", 2)
    for number in range(5):
        await graded(database, f"s{number}")
    await add(database, "runs")
    await claim(database)
    await add(database, "waits")
    await store(database, Submission, created_at=utc_now() - timedelta(days=2))
    assert await retention.delete_older(database, days=1) == 5
    assert await names(database, owner) == ["waits", "runs"]


@on_both
async def test_the_queue_is_counted_and_regrades_do_not_make_it_old(database):
    await add(database, "a")
    await add(database, "b")
    await claim(database)
    await store(database, Submission, created_at=utc_now() - timedelta(seconds=100))
    state = await read_by(database, positions.queue_state)
    assert (state.queued, state.running) == (1, 1)
    assert 100 <= state.oldest_seconds < 200
    async with database.write() as session:
        regraded = update(Submission).where(Submission.job_status == JobStatus.QUEUED)
        await session.execute(regraded.values(priority=positions.REGRADE_PRIORITY))
        assert await positions.oldest_upload_seconds(session) == 0


@on_both
async def test_a_worker_says_how_it_is(database, tmp_path):
    port = free_port()
    settings = Settings(data_dir=tmp_path, metrics_token="token-of-the-monitoring")
    works = True
    probe = WriteProbe(database, room_bytes=1)
    state = Operations(settings, database, lambda: works, None, probe, Metrics())
    async with probe, answering(state, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.head("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json()["status"] == "ready"
        works = False
        assert (await client.get("/readyz")).json()["checks"]["queue"] == "failed"
        refused = await client.get("/metrics", headers={"Accept-Language": "ru"})
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        metrics = await client.get("/metrics", headers={"Authorization": "Bearer token-of-the-monitoring"})
        assert 'lstm_grader_submissions{job_status="queued"} 0.0' in metrics.text
        assert (await client.get("/", headers={"Accept": "text/html"})).status_code == 404
        for method, path, status in (("GET", "/openapi.json", 404), ("POST", "/healthz", 405)):
            refused = await client.request(method, path)
            assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    with pytest.raises(OSError, match=r"cannot listen on"), socket.create_server(("127.0.0.1", port)):
        async with answering(state, port):
            pass


@on_postgresql
async def test_a_dump_of_postgresql_brings_back_submissions_reports_and_the_queue(
    database, owner, postgresql, new_database
):
    done = await graded(database, "graded")
    waiting = await add(database, "waits")
    url = new_database()
    postgresql.restore(postgresql.dump(database.conninfo), url)
    await add(database, "later")

    restored = Database(url)
    try:
        await restored.check_revision()
        assert await names(restored, owner) == ["waits", "graded"]
        report = await read_by(restored, reports.newest_report, done.id)
        assert report.points == 100
        next_claim = await claim(restored)
        assert (next_claim.submission_id, next_claim.content) == (waiting.id, waiting.content)
        await graded(restored, "new")
    finally:
        await restored.close()


@on_postgresql
async def test_a_postgresql_that_takes_nothing_passes_no_probe(database, postgresql):
    probe = WriteProbe(database, room_bytes=20_000_000, look=PostgreSQLJobs(database).has_workers)
    await probe.run()
    assert (probe.passed, probe.seen) == (True, False)
    name = database.url.database
    with psycopg.connect(postgresql.url(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # type: ignore[call-overload]
        await probe.run()
        assert (probe.passed, probe.seen) == (False, None)
        admin.execute(f"ALTER DATABASE {name} RESET ALL")  # type: ignore[call-overload]
        await probe.run()
        assert probe.passed
        with contextlib.ExitStack() as others:

            async def fails() -> bool:
                # A connection that is just ending leaves a place free.
                with contextlib.suppress(psycopg.OperationalError):
                    while True:
                        others.enter_context(psycopg.connect(postgresql.url()))
                await probe.run()
                return not probe.passed

            await until(fails)

    async def passes() -> bool:
        await probe.run()
        return probe.passed

    # The server takes a moment to end what was closed.
    await until(passes)


@on_postgresql
async def test_hundreds_who_want_a_connection_do_not_make_a_service_unready(database):
    probe = WriteProbe(database, room_bytes=1)

    async def watch() -> None:
        async with database.read() as session:
            await session.execute(text("SELECT 1"))
            await over.wait()

    over = asyncio.Event()
    watchers = [asyncio.create_task(watch()) for _ in range(500)]
    await until(lambda: database._engine.pool.checkedout() == CONNECTIONS)  # type: ignore[attr-defined]
    await probe.run()
    assert probe.passed
    over.set()
    await asyncio.gather(*watchers)


def drawing_processes() -> list[int]:
    return [pid for pid in children(os.getpid(), recursive=True) if "drawing.py" in command_line(pid)]


async def test_nobody_waits_while_it_draws_nor_meets_a_chart_that_is_none_or_whose_reader_left():
    """In this process the interpreter's lock would be held for more than a second."""
    async with ChartProcess() as charts:
        waiting = asyncio.create_task(charts.javascript())
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.01)  # Sleeps: the turns of the event loop meanwhile are counted.
            turns += 1
        assert turns > 3
        assert b"window.vegaEmbed" in gzip.decompress(await waiting)
        with pytest.raises(ChartNotDrawn):
            await charts.svg({"mark": 5})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await charts.svg({**SMALL_CHART, "title": "nobody waits for this one"})
        assert "nobody" not in await charts.svg(SMALL_CHART)


async def test_process_that_died_is_started_again_and_ends_with_the_service(anyio_backend):
    async with ChartProcess() as charts:
        drawn = await charts.svg(SMALL_CHART)
        (pid,) = drawing_processes()
        os.kill(pid, signal.SIGKILL)
        # The first one that asks may still meet the dead one.
        try:
            again = await charts.svg(SMALL_CHART)
        except ChartNotDrawn:
            again = await charts.svg(SMALL_CHART)
        assert again == drawn
        assert len(drawing_processes()) == 1
        assert drawing_processes() != [pid]
    assert drawing_processes() == []
