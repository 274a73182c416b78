"""PostgreSQL goes away and comes back: what was accepted is graded, each once. Nobody helps."""

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
#: Outages of each installation in seconds; 0: PostgreSQL is stopped in the middle of everything and started again.
MANY_OUTAGES = ((5,), (15,), (40,), (0, 0, 8))
GRADE_SECONDS = 20


def readiness(port: int) -> dict[str, str]:
    """Return a worker's checks; none as long as it does not answer. It works before it does."""
    try:
        checks: dict[str, str] = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=SECONDS).json()["checks"]
    except httpx.ConnectError:
        return {}
    return checks


def grade_over_outages(
    durations: Sequence[int], grade_seconds: int, folder: Path, cache_dir: Path, server: PostgreSQL
) -> list[tuple[int, str, float, int]]:
    """Stop PostgreSQL for so long, one time after the other, with a grade across the outages and one after them.

    Returns:
        Of each grade the tries, status and points, and how many claims are left.
    """
    with Installation(folder, cache_dir, server, LSTM_GRADER_SLOTS="1") as installation:
        installation.start_web()
        port = free_port()
        worker = installation.start_worker(command=SLOW_WORKER, LSTM_GRADER_WORKER_PORT=str(port))
        across = installation.post(str(grade_seconds).encode()).json()["id"]
        installation.wait_for_running(across)
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, pause=0.2)
        for seconds in durations:
            if seconds:
                server.kill()
                time.sleep(seconds)  # Sleeps: the length of the outage.
            else:
                server.stop()
            if seconds > grade_seconds:
                wait_until(lambda: readiness(port)["queue"] == "failed", pause=0.2)
            server.start()
        installation.post(b"0").raise_for_status()
        installation.expect_one_result_each()
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, pause=0.2)
        assert worker.poll() is None
        worker.terminate()
        assert worker.wait(SECONDS) == 0
        return installation.query(
            "SELECT tries, status, points, (SELECT count(*) FROM submissions WHERE claim IS NOT NULL)"
            " FROM submissions JOIN reports ON submission_id = submissions.id"
        )


@pytest.mark.thorough
def test_outages_of_many_lengths_lose_no_grade(tmp_path, cache_dir):
    """Side by side, each with a server, a service and a worker of its own."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MANY_OUTAGES)) as threads:
        servers = [stack.enter_context(running_postgresql()) for _ in MANY_OUTAGES]
        running = {
            durations: threads.submit(
                grade_over_outages, durations, GRADE_SECONDS, tmp_path / str(durations), cache_dir, server
            )
            for durations, server in zip(MANY_OUTAGES, servers, strict=True)
        }
        for durations, outages in running.items():
            assert [result[1:] for result in outages.result()] == [("passed", 100.0, 0)] * 2, durations
            assert max(tries for tries, *_ in outages.result()) <= 2, durations
