"""The service as an operator runs it: processes that can be killed and started again, on either database."""

import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg

from grader.known_answer import correct_submission
from tests.acceptance.conftest import COMMAND, Server, graded, service_environment, serving
from tests.ports import free_port
from tests.postgresql import PostgreSQL
from tests.processes import children, command_line
from tests.receiver import Receiver
from tests.waiting import SECONDS, wait_until

TOKEN = "owner-token-of-these-tests-7c1e"
#: What only the reader looks at: graded in milliseconds, through the real box.
NO_CLASS = b"x = 1\n"
CORRECT = correct_submission().content
#: The same, with a run that can be seen while it lasts: others are over in a fraction of a second.
UNHURRIED = CORRECT + b"\nimport time\n\ntime.sleep(4)\n"
MADE = b"super().__init__()\n"
RESULTS = """
    SELECT submissions.id, submissions.job_status, count(reports.id), max(reports.id) FROM submissions
    LEFT JOIN reports ON reports.submission_id = submissions.id GROUP BY submissions.id, submissions.job_status
"""


def lasting(seconds: float, content: bytes = CORRECT) -> bytes:
    """Return a file whose class sleeps so long whenever it is made; its grade takes about eight times as long."""
    assert MADE in content
    return b"import time\n" + content.replace(MADE, MADE + f"        time.sleep({seconds})\n".encode(), 1)


class Installation(contextlib.AbstractContextManager["Installation"]):
    """Web and worker processes, which end with the block. It remembers what was answered 202.

    Args:
        postgresql: None: everything is one process, on SQLite.
        receiver: is told of every report.
    """

    def __init__(
        self,
        folder: Path,
        cache_dir: Path,
        postgresql: PostgreSQL | None,
        receiver: Receiver | None = None,
        **environment: str,
    ) -> None:
        self.kind = "PostgreSQL" if postgresql else "SQLite"
        self.accepted: list[str] = []
        self._folder = folder
        self._cache_dir = cache_dir
        self._receiver = receiver
        self._secret = ""
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count()
        self._processes: list[subprocess.Popen[Any]] = []
        port = free_port()
        self._environment = {
            "LSTM_GRADER_PORT": str(port),
            "LSTM_GRADER_OWNER_TOKEN": TOKEN,
            "LSTM_GRADER_SLOTS": "2",
            "LSTM_GRADER_TOKEN_REQUESTS_PER_MINUTE": "1000000",
            "LSTM_GRADER_WEBHOOK_PRIVATE_TARGETS": "true",
            **environment,
        }
        self.database_url = postgresql.new_database() if postgresql else ""
        if postgresql:
            self._stack.callback(postgresql.drop, self.database_url)
            self._environment["LSTM_GRADER_DATABASE_URL"] = self.database_url
            subprocess.run([*COMMAND, "db", "upgrade"], env=self._all_environment(), check=True, capture_output=True)
        self.client = self._stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=SECONDS
            )
        )
        self.web: Server

    def _all_environment(self) -> dict[str, str]:
        return service_environment(self._folder, self._cache_dir, **self._environment)

    def start_web(self) -> Server:
        self.web = self._stack.enter_context(serving(self._folder, self._cache_dir, **self._environment))
        self._processes.append(self.web.process)
        if self._receiver and not self._secret:
            webhook = self.client.post("/api/v1/webhooks", json={"url": self._receiver.url})
            self._secret = webhook.raise_for_status().json()["secret"]
        return self.web

    def start_worker(
        self, *within: str, command: Sequence[str] = (*COMMAND, "worker"), **environment: str
    ) -> subprocess.Popen[bytes]:
        """A process that grades; on SQLite that is the service itself.

        Args:
            within: a command that runs the one that follows it.
        """
        log = self._folder / f"worker-log-{next(self._numbers)}"
        with log.open("wb") as stderr:
            process = subprocess.Popen([*within, *command], env=self._all_environment() | environment, stderr=stderr)
        self._processes.append(process)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def post(self, content: bytes = NO_CLASS, student: str | None = None, **params: str) -> httpx.Response:
        """Send a file; whatever is answered 202 (or 200, graded already) counts from now on."""
        response = self.client.post(
            "/api/v1/submissions",
            params=params,
            files={"file": ("LSTM.py", content)},
            data={"student": student or f"student-{next(self._numbers)}"},
        )
        if response.is_success:
            self.accepted.append(response.json()["id"])
        return response

    def grade(self, content: bytes = NO_CLASS, student: str | None = None, **params: str) -> dict[str, Any]:
        """Send a file. Returns: the submission when it is graded, however long that takes."""
        return graded(self.client, self.post(content, student, **params).raise_for_status().json()["id"])

    @contextlib.contextmanager
    def uploading(self, threads: int = 4) -> Iterator[None]:
        """Upload from several threads for as long as the block lasts, whatever happens to the service."""
        over = threading.Event()

        def upload() -> None:
            while not over.is_set():
                with contextlib.suppress(httpx.TransportError):
                    self.post()
                over.wait(0.2)

        started = [threading.Thread(target=upload) for _ in range(threads)]
        for thread in started:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in started:
                thread.join()

    def job_status(self, submission_id: str) -> str:
        return str(self.client.get(f"/api/v1/submissions/{submission_id}").json()["job_status"])

    def wait_for_running(self, submission_id: str) -> None:
        wait_until(lambda: self.job_status(submission_id) == "running", pause=0.2)

    def expect_one_result_each(self, seconds: float = SECONDS) -> None:
        """Every submission that is stored, and so every one that was answered 202, is done and has one report; and the
        receiver, if there is one, was sent each report under one id, however often.
        """
        assert self.accepted

        def state() -> tuple[list[Any], list[str], list[str]]:
            results = self.query(RESULTS)
            unfinished = [result for result in results if result[1:3] != ("done", 1)]
            reports = sorted(result[3] for result in results if result[3])
            return unfinished, reports, sorted(self._receiver.told(self._secret)) if self._receiver else reports

        def is_over() -> bool:
            unfinished, reports, received = state()
            return not unfinished and len(received) >= len(reports)

        with contextlib.suppress(TimeoutError):  # The assertions below say what is missing.
            wait_until(is_over, seconds, pause=0.2)
        unfinished, reports, received = state()
        assert unfinished == [], f"after {seconds} s"
        assert received == reports
        assert set(self.accepted) <= {result[0] for result in self.query(RESULTS)}
        assert self.client.get(f"/api/v1/submissions/{self.accepted[-1]}").json()["report"]["status"]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        if self.database_url:
            with psycopg.connect(self.database_url) as connection:
                return list(connection.execute(sql))  # type: ignore[call-overload]
        with contextlib.closing(sqlite3.connect(self._folder / "lstm-grader.sqlite3", timeout=SECONDS)) as connection:
            return list(connection.execute(sql))

    def pids(self) -> list[int]:
        """All processes, those that the service has started itself too."""
        started = [process.pid for process in self._processes if process.poll() is None]
        return sorted({*started, *(pid for service in started for pid in children(service, recursive=True))})

    def kill_zygotes(self) -> int:
        """Kill every warm process; returns how many there were."""
        killed = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if "zygote.py" in command_line(pid):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def memory_bytes(self) -> int:
        """Of all processes together; what they share counts once (PSS)."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += 1024 * int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
        return total


def kill(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
