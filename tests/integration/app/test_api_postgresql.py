"""The API in one process, a worker beside it, PostgreSQL between them: what the other tests ask on SQLite."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.queue import Grading, Worker
from app.settings import Settings
from app.storage.database import Database
from grader import Status, load_assignments
from grader.report.model import Diagnosis
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader
from tests.waiting import SECONDS, until

SUBMISSIONS = "/api/v1/submissions"


@pytest.fixture
def grader() -> FakeGrader:
    return FakeGrader()


@pytest.fixture
async def client(
    anyio_backend: str, tmp_path: Path, url_on_postgresql: str, grader: FakeGrader
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path, database_url=url_on_postgresql, owner_token=OWNER_TOKEN)
    database = Database(settings.database_url)
    app = create_app(settings, owner_token=OWNER_TOKEN)
    with ThreadPoolExecutor(2) as threads:
        grading = Grading(database, load_assignments(), grader, threads)
        async with (
            app.router.lifespan_context(app),
            Worker(database, grading, slots=2, shutdown_seconds=1),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url="http://grader.test",
                headers={"Authorization": f"Bearer {OWNER_TOKEN}"},
                timeout=30,
            ) as client,
        ):
            yield client
            grader.released.set()
    await database.close()


async def submit(client: httpx.AsyncClient, student: str, wait: int = 120) -> httpx.Response:
    parts = {"files": {"file": ("LSTM.py", b"class LSTM: ...")}, "data": {"student": student}}
    return await client.post(SUBMISSIONS, params={"wait": wait}, **parts)


def events(response: httpx.Response) -> list[str]:
    names = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    return [event for event in names if event != "position"]


async def test_a_workers_grades_are_seen_regraded_and_counted(client, grader):
    grader.statuses = [Status.FAILED, Status.PASSED]
    scaled = [Diagnosis(code="scaled", confidence="exact")] * 2
    grader.change = lambda report: report.model_copy(
        update={"diagnoses": scaled if report.status == Status.FAILED else []}
    )
    assert (await client.get("/readyz")).json()["checks"]["queue"] == "ok"
    submission, later = [(await submit(client, "ivanov")).json() for _ in range(2)]
    here = submission["links"]["self"]
    assert submission["report"]["status"] == "failed"
    assert events(await client.get(f"{here}/events")) == ["queued", "reading", "running", "done"]
    statistics = (await client.get("/api/v1/assignments/lstm-layer/statistics")).json()
    assert statistics["statuses"] == {"failed": 1, "passed": 1}
    assert [statistics["attempts"][name] for name in ("mean", "median")] == pytest.approx([0.55, 0.55])
    assert statistics["students"]["histogram"] == [0] * 10 + [1]
    fixed = {"code": "scaled", "attempts": 1, "students": 1, "retried": 1, "fixed": 1, "by_attempt": [1, 0]}
    assert statistics["misconceptions"] == [fixed]

    regrade = (await client.post("/api/v1/regrades", json={"filter": {"status": "failed"}})).json()
    assert regrade["total"] == 1
    again = await client.get(here, params={"wait": 120})
    assert again.json()["report"]["status"] == "passed"
    assert (await client.get(regrade["link"])).json()["changed"] == 1
    (item,) = (await client.get(f"{regrade['link']}/submissions")).json()["items"]
    assert (await client.get(item["changes"])).json()["changes"]
    listed = [each["id"] for each in (await client.get(SUBMISSIONS)).json()["items"]]
    assert listed == [later["id"], submission["id"]]


async def test_stream_follows_a_worker_to_a_cancelled_submission(client, grader):
    grader.released.clear()
    # The second waits: only one of a student is graded at a time.
    first, second = [(await submit(client, "ivanov", wait=0)).json() for _ in range(2)]
    watching = [asyncio.create_task(client.get(f"{each['links']['self']}/events")) for each in (first, second)]
    await until(lambda: grader.began)
    assert (await client.post(f"{second['links']['self']}/cancel")).json()["job_status"] == "cancelled"
    grader.released.set()
    streams = [events(await asyncio.wait_for(each, SECONDS)) for each in watching]
    assert streams == [["queued", "reading", "running", "done"], ["queued", "cancelled"]]
