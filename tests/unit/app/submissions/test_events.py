"""The stream of events of an attempt, from the queue to the report."""

import asyncio
import json
from typing import Any

import pytest
from fastapi.sse import format_sse_event

from tests.unit.app.calls import SUBMISSIONS, assert_problem, submit
from tests.unit.app.conftest import Browser, Service
from tests.waiting import SECONDS, until


async def events(client: Browser, submission: dict[str, Any], last: str | None = None) -> list[dict[str, Any]]:
    """All events of a stream that ends."""
    headers = {"Last-Event-ID": last} if last else {}
    response = await asyncio.wait_for(client.get(f"{submission['links']['self']}/events", headers=headers), SECONDS)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    stream = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            stream.append({**fields, "data": json.loads(fields["data"])})
    return stream


@pytest.fixture
def places(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The places in the queue that watchers were told."""
    said: list[int | None] = []
    place = service.services.backlog.place

    async def noted(submission_id: str) -> int | None:
        said.append(await place(submission_id))
        return said[-1]

    monkeypatch.setattr(service.services.backlog, "place", noted)
    return said


async def test_stream_tells_all_up_to_the_report(owner, grader, places):
    grader.released.clear()
    for number in range(3):
        body = await submit(owner, wait=0, student=f"s{number}")
    watching = asyncio.create_task(events(owner, body))
    await until(lambda: places)
    grader.released.set()
    stream = await watching
    assert [event["event"] for event in stream] == ["queued", "position", "reading", "running", "done"]
    assert stream[1]["data"] == {"position": 1, "seconds": None}
    assert "id" not in stream[1]
    assert stream[-1]["data"]["submission"] == body["id"]
    assert (stream[-1]["data"]["status"], stream[-1]["data"]["points"]) == ("passed", 100.0)


async def test_stream_goes_on_after_the_last_event_that_arrived(owner):
    body = await submit(owner)
    everything = await events(owner, body)
    for number, event in enumerate(everything[:-1]):
        assert await events(owner, body, event["id"]) == everything[number + 1 :]
    last = {"Last-Event-ID": everything[-1]["id"]}
    over = await owner.get(f"{body['links']['self']}/events", headers=last)
    assert (over.status_code, over.content) == (204, b"")


async def test_a_new_grade_is_announced_again(owner):
    body = await submit(owner)
    last = (await events(owner, body))[-1]["id"]
    await owner.post("/api/v1/regrades", json={"all": True})
    await owner.get(body["links"]["self"], params={"wait": 120})
    again = [event["event"] for event in await events(owner, body, last) if event["event"] != "position"]
    assert again == ["queued", "reading", "running", "done"]


async def test_a_watcher_that_is_not_told_looks_again(owner, monkeypatch):
    """As it is when another process grades, and its word does not get through."""
    monkeypatch.setattr("app.queue.jobs.Jobs.tell", lambda *_: None)
    monkeypatch.setattr("app.http.watching.LOOK_SECONDS", 0.5)
    monkeypatch.setattr("app.http.watching.POSITION_SECONDS", 0.2)
    body = await submit(owner, wait=0)
    assert [event["event"] for event in await events(owner, body)][-1] == "done"
    body = await submit(owner, wait=120)
    assert body["job_status"] == "done"


async def test_cancelling_ends_the_stream(owner, grader, places):
    grader.released.clear()
    for number in range(3):
        body = await submit(owner, wait=0, student=f"s{number}")
    watching = asyncio.create_task(events(owner, body))
    await until(lambda: places)
    await owner.post(f"{body['links']['self']}/cancel")
    assert [event["event"] for event in await watching] == ["queued", "position", "cancelled"]


async def test_silence_is_broken_and_the_stop_of_the_service_ends_it(settings, service, owner, grader, monkeypatch):
    monkeypatch.setattr("app.http.watching.HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr("app.http.watching.POSITION_SECONDS", 0.05)
    made: list[dict[str, Any]] = []

    def noted(**event: Any) -> bytes:
        made.append(event)
        return format_sse_event(**event)

    monkeypatch.setattr("app.http.watching.format_sse_event", noted)
    grader.released.clear()
    body = await submit(owner, wait=0)
    watching = asyncio.create_task(owner.get(f"{body['links']['self']}/events"))
    await until(lambda: any("comment" in event for event in made))
    service.services.jobs.stop_watching()
    response = await asyncio.wait_for(watching, SECONDS)
    assert ": still here\n\n" in response.text
    assert "event: done" not in response.text


async def test_hundreds_who_wait_ask_the_database_little(service, owner, grader, places, monkeypatch):
    monkeypatch.setattr("app.http.watching.POSITION_SECONDS", 0.01)
    monkeypatch.setattr("app.http.watching.LOOK_SECONDS", SECONDS)
    monkeypatch.setattr(service.services.backlog, "_clock", lambda: 0.0)  # All that follows is within one second.
    grader.released.clear()
    reads = 0
    read = service.services.database.read

    def counted() -> Any:
        nonlocal reads
        reads += 1
        return read()

    for number in range(3):
        body = await submit(owner, wait=0, student=f"s{number}")
    monkeypatch.setattr(service.services.database, "read", counted)
    watching = [asyncio.create_task(events(owner, body)) for _ in range(50)]
    await until(lambda: len(places) >= 50 * 10)
    asked = reads
    grader.released.set()
    for stream in await asyncio.gather(*watching):
        assert [event["event"] for event in stream][-1:] == ["done"], stream
    # Each asks for the submission and for what happened; all together for their tokens, and for the queue.
    assert asked < 50 * 2 + 30


@pytest.mark.parametrize("last", ["x", "-1", str(2**63)])
async def test_event_id_that_cannot_be_is_refused(owner, last):
    body = await submit(owner)
    response = await owner.get(f"{body['links']['self']}/events", headers={"Last-Event-ID": last})
    assert_problem(response, 422, "invalid-request")
    assert_problem(await owner.get(f"{SUBMISSIONS}/nothing/events"), 404, "submission-not-found")
