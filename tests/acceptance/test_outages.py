"""PostgreSQL goes away and comes back, and so do workers: what was accepted is graded, each once. Nobody helps."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.ports import free_port
from tests.postgresql import PostgreSQL, running_postgresql
from tests.waiting import SECONDS, wait_until

SLOW_WORKER = [sys.executable, str(Path(__file__).with_name("slow_worker.py"))]
#: Of each installation; 0: PostgreSQL is stopped in the middle of everything and started again at once.
OUTAGES_SECONDS = ((5,), (15,), (25,), (60,), (0, 0, 8))
GRADE_SECONDS = 20


def readiness(port: int) -> dict[str, str]:
    """A worker's checks; none as long as it does not answer. It works before it does."""
    try:
        checks: dict[str, str] = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=SECONDS).json()["checks"]
    except httpx.ConnectError:
        return {}
    return checks


def outages(
    durations: Sequence[int], folder: Path, cache_dir: Path, server: PostgreSQL
) -> list[tuple[int, str, float, int]]:
    """Stop PostgreSQL for so long, one time after the other, with a grade across the outages and one after them.

    Returns:
        What became of each grade.
    """
    installation = Installation(folder, cache_dir, server, LSTM_GRADER_SLOTS="1")
    try:
        installation.start_web()
        port = free_port()
        worker = installation.start_worker(command=SLOW_WORKER, LSTM_GRADER_WORKER_PORT=str(port))
        across = installation.post(str(GRADE_SECONDS).encode()).json()["id"]
        installation.wait_for_running(across)
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, pause=0.2)
        for seconds in durations:
            if seconds:
                server.kill()
                time.sleep(seconds)  # Sleeps: the length of the outage.
            else:
                server.stop()
            if seconds > GRADE_SECONDS:
                wait_until(lambda: readiness(port)["queue"] == "failed", pause=0.2)
            server.start()
        installation.post(str(GRADE_SECONDS).encode()).raise_for_status()
        installation.expect_one_result_each()
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, pause=0.2)
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(SECONDS) == 0
        return installation.query(
            "SELECT tries, status, points, (SELECT count(*) FROM submissions WHERE claim IS NOT NULL)"
            " FROM submissions JOIN reports ON submission_id = submissions.id"
        )
    finally:
        installation.close()


@pytest.mark.parametrize(
    "all_durations",
    [((0, 8),), pytest.param(OUTAGES_SECONDS, marks=pytest.mark.thorough)],
    ids=["two outages", "outages of many lengths"],
)
def test_grades_across_and_after_an_outage_of_postgresql_are_kept(
    tmp_path: Path, cache_dir: Path, all_durations: Sequence[Sequence[int]]
) -> None:
    """Side by side, each with a server, a service and a worker of its own."""
    with ExitStack() as stack, ThreadPoolExecutor(len(all_durations)) as threads:
        servers = [stack.enter_context(running_postgresql()) for _ in all_durations]
        found = {
            durations: threads.submit(outages, durations, tmp_path / str(durations), cache_dir, server)
            for durations, server in zip(all_durations, servers, strict=True)
        }
        for durations, results in found.items():
            assert [result[1:] for result in results.result()] == [("passed", 100.0, 0)] * 2, durations
            assert max(result[0] for result in results.result()) <= 2, durations


def test_a_worker_that_was_frozen_changes_nothing_of_what_another_has_taken_over(
    tmp_path: Path, cache_dir: Path, postgresql: PostgreSQL
) -> None:
    installation = Installation(tmp_path, cache_dir, postgresql, LSTM_GRADER_SLOTS="1")
    claims = "SELECT claim, tries FROM submissions WHERE job_status = 'running'"
    try:
        installation.start_web()
        frozen = installation.start_worker(command=SLOW_WORKER)
        first = installation.post(b"20", "ivanov").json()["id"]
        installation.wait_for_running(first)
        ((claim, _),) = installation.query(claims)
        frozen.send_signal(signal.SIGSTOP)
        other = installation.start_worker(command=SLOW_WORKER)
        installation.post(b"0", "ivanov").raise_for_status()
        wait_until(lambda: [tries for each, tries in installation.query(claims) if each != claim] == [2], pause=0.2)
        # Its own grade is over at once, for the time went on.
        frozen.send_signal(signal.SIGCONT)
        wait_until(lambda: kept(tmp_path / "worker-log-0") == {first: False}, pause=0.2)
        installation.expect_one_result_each()
        assert kept(tmp_path / "worker-log-1")[first]
        found = "SELECT tries, started_at, finished_at FROM submissions ORDER BY arrival"
        (tries, began, _), (tries_of_next, _, ended_next) = installation.query(found)
        assert (tries, tries_of_next) == (2, 1)
        # What its worker was taken for dead with waits behind; and a student has one running at a time.
        assert ended_next <= began
        # It goes on as any other.
        other.send_signal(signal.SIGKILL)
        assert installation.grade(b"0", "petrov")["report"]["points"] == 100
        assert frozen.poll() is None
    finally:
        installation.close()


def kept(log: Path) -> dict[str, bool]:
    """Read from the log which submissions the worker has graded, and whether each was stored."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
    return {line["submission_id"]: line["kept"] for line in lines if line.get("message", line.get("event")) == "graded"}
