"""PostgreSQL goes away and comes back: what was accepted is graded, each once, and nobody has to help."""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx

from tests.acceptance.installation import Installation, wait_until
from tests.postgresql import PostgreSQL, running_postgresql

SLOW_WORKER = [sys.executable, str(Path(__file__).with_name("slow_worker.py"))]
OUTAGES_SECONDS = (5, 15, 25, 60)
GRADE_SECONDS = 20


def readiness(port: int) -> dict[str, str]:
    return httpx.get(f"http://127.0.0.1:{port}/readyz").json()["checks"]


def outage(seconds: int, folder: Path, cache_dir: Path, server: PostgreSQL) -> list[tuple[int, str, float, int]]:
    """Stop PostgreSQL for so long, with a grade across the outage and one after it; returns what became of each."""
    installation = Installation(folder, cache_dir, server, LSTM_GRADER_SLOTS="1")
    try:
        installation.start_web()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        worker = installation.start_worker(command=SLOW_WORKER, LSTM_GRADER_WORKER_PORT=str(port))
        across = installation.post(str(GRADE_SECONDS).encode()).json()["id"]
        installation.wait_for_running(across)
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, 20)
        server.kill()
        time.sleep(seconds)
        if seconds > GRADE_SECONDS:
            assert readiness(port)["queue"] == "failed"
        server.start()
        installation.post(str(GRADE_SECONDS).encode()).raise_for_status()
        installation.expect_one_result_each(150)
        wait_until(lambda: set(readiness(port).values()) == {"ok"}, 20)
        assert worker.poll() is None
        return installation.query(
            "SELECT tries, status, points, (SELECT count(*) FROM submissions WHERE claim IS NOT NULL)"
            " FROM submissions JOIN reports ON submission_id = submissions.id"
        )
    finally:
        installation.close()


def test_grades_across_and_after_an_outage_of_postgresql_are_kept(tmp_path: Path, cache_dir: Path) -> None:
    """Side by side, each with a server, a service and a worker of its own."""
    with ExitStack() as stack, ThreadPoolExecutor(len(OUTAGES_SECONDS)) as threads:
        servers = [stack.enter_context(running_postgresql()) for _ in OUTAGES_SECONDS]
        found = {
            seconds: threads.submit(outage, seconds, tmp_path / str(seconds), cache_dir, server)
            for seconds, server in zip(OUTAGES_SECONDS, servers, strict=True)
        }
        for seconds, results in found.items():
            assert [result[1:] for result in results.result()] == [("passed", 100.0, 0)] * 2, seconds
            assert max(result[0] for result in results.result()) <= 2, seconds
