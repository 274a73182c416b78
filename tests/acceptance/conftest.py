"""The service as its users meet it: a process of its own, spoken to over HTTP."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from starlette.applications import Starlette

from tests.processes import children
from tests.programs import program
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS, wait_until

CORPUS = Path(__file__).parents[1] / "corpus" / "lstm_layer"
COMMAND = [str(Path(sys.executable).with_name("lstm-grader"))]
# The machine may have no way out, and nothing here needs one.
FLAGS = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]

# A page that comes late on a busy machine is no failure.
expect.set_options(timeout=SECONDS * 1000)


@dataclass
class Server:
    process: subprocess.Popen[str]
    printed: str
    log: Path
    #: The owner's, where the test chose it: then it is printed nowhere.
    chosen_token: str | None = None

    @property
    def url(self) -> str:
        return self._printed_part(r"runs on (\S+)")

    @property
    def token(self) -> str:
        return self.chosen_token or self._printed_part(r"/enter\?token=(\S+)")

    @property
    def link(self) -> str:
        return self._printed_part(r"(http\S+/enter\?token=\S+)")

    @property
    def curl_line(self) -> str:
        return self._printed_part(r"(curl .*)")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=SECONDS)

    def sign_in(self, browser: httpx.Client) -> httpx.Response:
        """As the page does that the link leads to."""
        return browser.post(f"{self.url}/enter", data={"token": self.token}, timeout=SECONDS)

    def wait_until_ready(self) -> None:
        """Wait until it grades."""
        wait_until(lambda: httpx.get(f"{self.url}/readyz", timeout=SECONDS).is_success, pause=0.2)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def children(self) -> list[int]:
        """Every process below the service."""
        return children(self.process.pid, recursive=True)

    def _printed_part(self, pattern: str) -> str:
        match = re.search(pattern, self.printed)
        assert match, self.printed
        return match[1]


@contextlib.contextmanager
def serving(
    data_dir: Path, cache_dir: Path, *, command: Sequence[str | Path] = COMMAND, **environment: str
) -> Iterator[Server]:
    """Start the service on a free port and wait until it says where it is."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / f"log-{time.monotonic_ns()}"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [*command, "serve"],
            env=service_environment(data_dir, cache_dir, **environment),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield Server(process, _started(process, log), log, environment.get("LSTM_GRADER_OWNER_TOKEN"))
        finally:
            process.kill()


def _started(process: subprocess.Popen[str], log: Path) -> str:
    """Wait until the service says where it is. Returns: what it printed."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            return printed
    pytest.fail(f"it did not start:\n{printed}{log.read_text()}")


def service_environment(data_dir: Path, cache_dir: Path, **environment: str) -> dict[str, str]:
    settings = {
        "LSTM_GRADER_DATA_DIR": str(data_dir),
        "LSTM_GRADER_CACHE_DIR": str(cache_dir),
        "LSTM_GRADER_PORT": "0",
    }
    return os.environ | settings | environment


def hand_in(client: httpx.Client, content: bytes, student: str, **params: str) -> dict[str, Any]:
    """Hand in a file. Returns: the submission when it is graded, however long that takes."""
    sent = client.post(
        "/api/v1/submissions", params=params, files={"file": ("LSTM.py", content)}, data={"student": student}
    )
    return graded(client, sent.raise_for_status().json()["id"], **params)


def graded(client: httpx.Client, submission_id: str, **params: str) -> dict[str, Any]:
    """Wait for a grade. Returns: the submission."""

    def done() -> dict[str, Any] | None:
        body: dict[str, Any] = client.get(f"/api/v1/submissions/{submission_id}", params={"wait": 60, **params}).json()
        return body if body["job_status"] == "done" else None

    return wait_until(done)  # type: ignore[no-any-return]


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a report what differs though the same was asked."""
    measured = {"created_at", "report_sha256"}
    receipt = {name: value for name, value in report["receipt"].items() if name not in measured}
    return {**report, "timing": None, "receipt": receipt}


def register_platform(admin: httpx.Client, token: str, **fields: str) -> str:
    """Register a learning platform on the page for that. Returns: the address of its page."""
    admin.headers["Accept"] = "text/html"
    admin.post("/enter", data={"token": token})
    secret = form_secret(admin.get("/platforms").text)
    answer = admin.post("/platforms", data={"form_secret": secret, "kind": "other", **fields})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].partition("?")[0]


@contextlib.contextmanager
def answering_at(port: int, app: Starlette) -> Iterator[None]:
    """Let an application of this process answer at a port, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """One for the tests of a module, with the module's own `SETTINGS` if it has some."""
    settings = getattr(request.module, "SETTINGS", {})
    with serving(tmp_path_factory.mktemp("data"), cache_dir, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@contextlib.contextmanager
def launched(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    """Start Chromium. Whatever its pages are asked for, they have as long as all that waits here."""
    path = program("chromium", "chromium-browser", "google-chrome")
    # Without its own sandbox, which root and most containers may not make: the pages are ours.
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags], chromium_sandbox=False)
    browser.on("context", lambda context: context.set_default_timeout(SECONDS * 1000))
    yield browser
    browser.close()
