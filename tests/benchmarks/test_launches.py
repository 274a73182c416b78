"""A lecture begins: 300 students open the exercise in their platform within a minute, on both databases.

The platform is in this process. Each launch is a login, a signed message, and the page of the assignment.
"""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.acceptance.conftest import register_platform
from tests.acceptance.installation import TOKEN, Installation
from tests.benchmarks.test_load import Measured, words
from tests.platforms import CLIENT_ID, DEPLOYMENT, ISSUER, KEY, LTI, FakePlatform, login_parameters, published
from tests.ports import answering
from tests.postgresql import PostgreSQL

LAUNCHES, BROWSERS = 300, 20


@contextmanager
def keys_published(folder: Path) -> Iterator[str]:
    folder.mkdir()
    (folder / "keys").write_text(json.dumps(published(KEY)))
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/keys"


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    server: PostgreSQL | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    with (
        Installation(tmp_path, tmp_path / "cache", server, LSTM_GRADER_LTI_PRIVATE_TARGETS="true") as installation,
        keys_published(tmp_path / "platform") as keys_url,
    ):
        installation.start_web()
        with httpx.Client(base_url=installation.client.base_url, timeout=90) as admin:
            addresses = {"login_url": f"{ISSUER}/login_url", "token_url": f"{ISSUER}/token_url", "keys_url": keys_url}
            register_platform(admin, TOKEN, client_id=CLIENT_ID, deployment=DEPLOYMENT, issuer=ISSUER, **addresses)
        yield installation


def test_launches_of_a_lecture(benchmark: BenchmarkFixture, measured: Measured, installation: Installation) -> None:
    platform = FakePlatform()
    url = str(installation.client.base_url).rstrip("/")
    target = f"{url}/lti/open"

    def launch(who: str, role: str = "Learner") -> float:
        began = time.monotonic()
        with httpx.Client(base_url=url, headers={"Accept": "text/html"}, timeout=90, verify=False) as browser:
            login = browser.post("/lti/login", data=login_parameters(target_link_uri=target))
            claims = {f"{LTI}target_link_uri": target}
            fields = platform.message(login.headers["location"], sub=who, role=role, **claims)
            answer = browser.post("/lti/launch", data=fields)
            if secret := re.search(r'name="secret" value="([^"]+)"', answer.text):
                answer = browser.post("/lti/course", data={"secret": secret[1], "course": "new"})
            assert answer.status_code == 303, answer.text
            assert browser.get(answer.headers["location"]).status_code == 200
        return time.monotonic() - began

    def lecture() -> tuple[list[float], float]:
        began = time.monotonic()
        with ThreadPoolExecutor(BROWSERS) as pool:
            seconds = list(pool.map(launch, [f"student-{number}" for number in range(LAUNCHES)]))
        return seconds, time.monotonic() - began

    launch("teacher", "Instructor")
    seconds, elapsed = benchmark.pedantic(lecture, rounds=1)
    a_minute = 60 * LAUNCHES / elapsed
    measured(
        f"{installation.kind}: {LAUNCHES} launches by {BROWSERS} browsers at once took {elapsed:.0f} s, "
        f"{a_minute:.0f} a minute; each with its page (median, p99 milliseconds) {words(seconds)}",
        launches_a_minute=a_minute,
    )
