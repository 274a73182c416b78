"""The service behind nginx and behind Caddy with TLS, as docs/operations.md sets them up."""

import contextlib
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import CORPUS, Server
from tests.acceptance.fronts import Certificate, caddy, nginx
from tests.acceptance.installation import Installation
from tests.ports import free_port
from tests.postgresql import PostgreSQL
from tests.tiers import sampled
from tests.unit.app.calls import PAGE
from tests.waiting import SECONDS, wait_until

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
SUBMISSIONS = "/api/v1/submissions"


@contextlib.contextmanager
def _behind_nginx(server: Server, folder: Path) -> Iterator[httpx.Client]:
    certificate = Certificate.make(folder, "grader.example.org")
    port = free_port()
    (example,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    here = {
        "127.0.0.1:8000": server.url.removeprefix("http://"),
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/ssl/certs/grader.example.org.pem": str(certificate.file),
        "/etc/ssl/private/grader.example.org.key": str(certificate.key),
    }
    for name, value in here.items():
        assert example.count(name) == 1, name
        example = example.replace(name, value)
    with nginx(folder, example) as process:
        yield from _clients(f"https://127.0.0.1:{port}", "grader.example.org", certificate.file, process, folder)
    assert server.token not in (folder / "access.log").read_text()


@contextlib.contextmanager
def _behind_caddy(server: Server, folder: Path) -> Iterator[httpx.Client]:
    port = free_port()
    with caddy(folder, server.url.removeprefix("http://"), port) as process:
        root = folder / "pki" / "authorities" / "local" / "root.crt"
        yield from _clients(f"https://localhost:{port}", f"localhost:{port}", root, process, folder)
    assert server.token not in (folder / "error.log").read_text()


def _clients(
    url: str, host: str, authority: Path, process: subprocess.Popen[bytes], folder: Path
) -> Iterator[httpx.Client]:
    verify = ssl.create_default_context(cafile=authority)
    with httpx.Client(base_url=url, headers={"Host": host}, verify=verify, timeout=SECONDS) as client:

        def answers() -> bool:
            assert process.poll() is None, (folder / "error.log").read_text()
            with contextlib.suppress(httpx.HTTPError):
                return client.get("/healthz").is_success
            return False

        wait_until(answers)
        yield client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path, postgresql: PostgreSQL) -> Iterator[Server]:
    """A service whose workers are elsewhere: nothing is graded."""
    with Installation(tmp_path_factory.mktemp("data"), cache_dir, postgresql) as installation:
        yield installation.start_web()


@pytest.fixture(scope="module", params=sampled([_behind_nginx, _behind_caddy], every=2), ids=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client that knows only the proxy."""
    with request.param(server, tmp_path_factory.mktemp("front")) as client:
        yield client


@pytest.fixture
def bearer(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


def test_browser_signs_in_and_its_cookie_is_for_https_alone(proxy, server):
    assert proxy.get("/enter", params={"token": server.token}).status_code == 200
    origin = {"Origin": f"https://{proxy.headers['host']}", "Sec-Fetch-Site": "same-origin"}
    answer = proxy.post("/enter", data={"token": server.token}, headers=origin)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"]
    page = proxy.get("/", headers={"Accept": "text/html"}).raise_for_status().text
    secret = re.search(r'name="form_secret" value="([0-9a-f]+)"', page)
    file = (CORPUS / "wrong_swap_if" / "submission.py").read_bytes()
    data = {"form_secret": secret[1], "student": "ivanov"}
    sent = proxy.post(PAGE, files={"file": ("LSTM.py", file)}, data=data)
    assert (sent.status_code, sent.headers["location"].startswith("/submissions/")) == (303, True)
    proxy.cookies.clear()


def test_largest_file_gets_through_and_a_larger_one_is_refused_by_the_service(proxy, bearer):
    largest = b"#" * 20_000_000
    for content, status in ((largest, 202), (largest + b"#", 413)):
        parts = {"files": {"file": ("LSTM.py", content)}, "data": {"student": "petrov"}}
        answer = proxy.post(SUBMISSIONS, headers=bearer, **parts)
        assert answer.status_code == status, answer.text
    assert answer.json()["type"] == "urn:lstm-grader:problem:file-too-large"


def test_events_arrive_as_they_happen(proxy, bearer):
    sent = proxy.post(SUBMISSIONS, headers=bearer, files={"file": ("LSTM.py", b"x")}, data={"student": "sidorov"})
    address = sent.json()["links"]["self"]
    with proxy.stream("GET", f"{address}/events", headers=bearer) as stream:
        lines = stream.iter_lines()
        assert "event: queued" in lines
        proxy.post(f"{address}/cancel", headers=bearer).raise_for_status()
        assert "event: cancelled" in lines
