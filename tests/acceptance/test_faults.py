"""Faults, with real processes: whatever dies, every 202 gets exactly one final result, and nobody has to help.

The times are promises: from the fault until everything that was accepted is graded, and a webhook's
receiver was told of it.
"""

import contextlib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.storage.models import DEFAULT_COURSE
from tests.acceptance.installation import CORRECT, TOKEN, UNHURRIED, Installation, kill
from tests.postgresql import PostgreSQL
from tests.programs import program
from tests.receiver import Receiver
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS, wait_until

KILLING_SECONDS = 10

Install = Callable[..., Installation]


@pytest.fixture
def install(tmp_path: Path, cache_dir: Path, receiver: Receiver, request: pytest.FixtureRequest) -> Iterator[Install]:
    """Makes an installation on "sqlite" or "postgresql"; all its processes end with the test."""
    with contextlib.ExitStack() as stack:

        def install(kind: str, folder: Path = tmp_path, **environment: str) -> Installation:
            server: PostgreSQL | None = request.getfixturevalue("postgresql") if kind == "postgresql" else None
            return stack.enter_context(Installation(folder, cache_dir, server, receiver, **environment))

        yield install


@pytest.mark.thorough
def test_kills_at_random_moments_under_load_lose_nothing_that_was_accepted(install, receiver, postgresql, chance):
    """Whatever there is dies, alone or with others, and is started again as by a supervisor. The service dies last,
    while it tells of a result.
    """
    installation = install("postgresql")
    installation.start_web()
    worker = installation.start_worker()
    kills: dict[str, Callable[[], object]] = {
        "web": lambda: kill(installation.web.process),
        "zygotes": installation.kill_zygotes,
        "worker": lambda: kill(worker),
        "postgresql": postgresql.kill,
    }
    with installation.uploading():
        until = time.monotonic() + KILLING_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                installation.post(CORRECT)
            time.sleep(chance.uniform(0, 3))  # Sleeps: the kills come at moments of chance.
            for part in chance.sample(sorted(kills), chance.randint(1, len(kills))):
                kills[part]()
            postgresql.start()
            if worker.poll() is not None:
                worker = installation.start_worker()
            if installation.web.process.poll() is not None:
                installation.start_web()
        receiver.answering.clear()
        received = len(receiver.came)
        wait_until(lambda: len(receiver.came) > received)
        kill(installation.web.process)
        receiver.answering.set()
        installation.start_web()
    assert len(installation.accepted) > 10
    installation.expect_one_result_each()
    statuses = {status for (status,) in installation.query("SELECT status FROM reports")}
    assert statuses == {"passed", "invalid_submission"}
    wait_until(lambda: max(Counter(message.id for message in receiver.came).values()) > 1)


def test_warm_processes_killed_during_a_grade_cost_the_student_nothing(install, chance):
    installation = install("sqlite")
    installation.start_web()
    installation.grade(CORRECT)
    id = installation.post(UNHURRIED).json()["id"]
    installation.wait_for_running(id)
    time.sleep(chance.uniform(0, 0.5))  # Sleeps: the kill comes at a moment of chance.
    assert installation.kill_zygotes()
    installation.expect_one_result_each()
    for id in installation.accepted:
        assert installation.client.get(f"/api/v1/submissions/{id}").json()["report"]["points"] == 100


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        [program("mount"), "-t", "tmpfs", "-o", "size=16m,mode=700", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"only root may mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.thorough
def test_full_disk_refuses_and_is_forgotten_when_there_is_room_again(install, small_disk):
    (small_disk / "ballast").write_bytes(bytes(10_000_000))
    installation = install("sqlite", small_disk)
    installation.start_web()

    def database() -> str:
        return str(installation.client.get("/readyz").json()["checks"]["database"])

    wait_until(lambda: database() == "ok", pause=0.2)
    student = installation.client.post("/api/v1/tokens", json={"name": "anna", "student": "anna"}).json()["token"]

    def refused() -> httpx.Response | None:
        response = installation.post(b"x = 1\n" + b"# filler\n" * 10_000)
        return None if response.is_success else response

    response = wait_until(refused, pause=0)
    assert response.status_code == 503, response.text
    assert int(response.headers["Retry-After"]) > 0
    wait_until(lambda: database() == "failed", pause=0.2)
    with contextlib.suppress(OSError), (small_disk / "rest").open("wb", buffering=0) as rest:
        while rest.write(bytes(1024)):
            pass
    _expect_people_to_get_in_and_read_what_is_wrong(installation, small_disk, student)
    (small_disk / "rest").unlink()
    (small_disk / "ballast").unlink()
    installation.expect_one_result_each()
    wait_until(lambda: database() == "ok", pause=0.2)
    installation.grade()


def _expect_people_to_get_in_and_read_what_is_wrong(installation: Installation, disk: Path, student: str) -> None:
    page = f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
    for token, words in (
        (TOKEN, "The disk of the database is full: "),
        (student, "nothing that was handed in before is"),
    ):
        headers = {"Accept": "text/html", "Accept-Language": "en"}
        with httpx.Client(base_url=installation.client.base_url, headers=headers, timeout=SECONDS) as browser:
            assert browser.post("/enter", data={"token": token}).status_code == 303
            shown = browser.get(page)
            assert shown.status_code == 200
            fields = {"form_secret": form_secret(shown.text), **({"student": "boris"} if token == TOKEN else {})}
            sent = browser.post(page, data=fields, files={"file": ("LSTM.py", b"x = 1\n" + b"# filler\n" * 10_000)})
            assert (sent.status_code, words in sent.text, str(disk) in sent.text) == (503, True, token == TOKEN)
            status = browser.get("/status")
            assert (status.status_code, f"on the disk of {disk}" in status.text) == (
                (200, True) if token == TOKEN else (403, False)
            )
            assert browser.post("/leave", data=fields).status_code == 303
            assert browser.get(page).status_code == 401
