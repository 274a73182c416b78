"""Health, readiness, metrics and the self-test, and a service with too much waiting."""

import contextlib
import math
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from app.operations import probe
from app.operations.metrics import CountedSandbox, Metrics
from app.operations.probe import WriteProbe
from app.operations.selftest import SelfTest
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import JobStatus, Role, Submission, utc_now
from app.submissions.positions import REGRADE_PRIORITY
from grader import Assignment, Report, SandboxStartFailed, Status, load_assignments
from grader.known_answer import correct_submission
from grader.sandbox import Kind, Limits, Outcome
from tests.unit.app.calls import get
from tests.unit.app.conftest import FakeGrader, Service, make_report, running
from tests.unit.grader.in_memory import InMemorySandbox
from tests.waiting import Clock, until

METRICS_TOKEN = "token-of-the-monitoring"
ASSIGNMENT = load_assignments()["lstm-layer"]

pytestmark = pytest.mark.usefixtures("settings", "with_tables")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": Settings(metrics_token=METRICS_TOKEN).metrics_token})


async def ready(service: Service) -> httpx.Response:
    return await get(service, None, "/readyz")


async def metrics(service: Service) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    answer = await get(service, METRICS_TOKEN, "/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def upload(service: Service, student: str = "Пётр Иванов") -> httpx.Response:
    async with service.client() as client:
        files = {"file": ("Решение Петра.py", b"class LSTM: ...")}
        return await client.post("/api/v1/submissions", data={"student": student}, files=files)


@contextlib.asynccontextmanager
async def paused(service: Service, grader: FakeGrader) -> AsyncIterator[None]:
    """No grade ends meanwhile."""
    grader.released.clear()
    yield
    grader.released.set()


async def database_is(service: Service, state: str) -> bool:
    return bool((await ready(service)).json()["checks"]["database"] == state)


async def grades_are(service: Service, number: int, status: str) -> bool:
    return (await metrics(service)).get(("lstm_grader_grades_total", status)) == number


async def test_a_service_is_ready_when_a_known_answer_got_all_its_points(service):
    async def answer_when_ready() -> httpx.Response | None:
        answer = await ready(service)
        if answer.status_code != 200:
            assert answer.json()["checks"]["box"] == "failed"
        return answer if answer.status_code == 200 else None

    answer = await until(answer_when_ready)
    assert answer.json() == {"status": "ready", "checks": {"database": "ok", "queue": "ok", "box": "ok"}}


async def test_a_known_answer_without_all_its_points_is_a_service_that_cannot_grade(settings, grader):
    grader.self_test = Status.FAILED
    async with running(settings, grader) as service:
        await until(lambda: service.operations.self_test and service.operations.self_test.has_ended)
        answer = await ready(service)
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    assert answer.json()["checks"]["box"] == "failed"


async def test_a_service_that_cannot_write_is_not_ready_though_it_reads_and_counts(settings, grader, monkeypatch):
    async def full(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("the disk is full"))

    monkeypatch.setattr(probe, "EVERY_SECONDS", 0.01)
    async with running(settings, grader) as service:
        assert (await ready(service)).json()["checks"]["database"] == "ok"
        with monkeypatch.context() as broken:
            broken.setattr("app.storage.database.Database.probe", full)
            await until(lambda: database_is(service, "failed"))
            numbers = await metrics(service)
            assert (numbers["lstm_grader_database_up",], numbers["lstm_grader_submissions", "queued"]) == (0, 0)
            broken.setattr("app.submissions.positions.queue_state", full)
            unknown = {name for name, value in (await metrics(service)).items() if math.isnan(value)}
            assert unknown == {
                ("lstm_grader_submissions", "queued"),
                ("lstm_grader_submissions", "running"),
                ("lstm_grader_queue_age_seconds",),
                ("lstm_grader_webhook_deliveries_waiting",),
            }
        await until(lambda: database_is(service, "ok"))
        assert (await metrics(service))["lstm_grader_database_up",] == 1


async def test_a_proof_of_writing_grows_old(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "PATIENCE_SECONDS", 15)
    clock = Clock()
    database = Database(f"sqlite:///{tmp_path / 'db'}")
    await database.upgrade()
    writes = WriteProbe(database, room_bytes=1, clock=clock)
    assert not writes.passed
    await writes.run()
    assert writes.passed
    clock.now += 60
    assert not writes.passed
    await database.close()


async def test_a_service_that_stops_is_not_ready(service):
    service.services.jobs.stop_watching()
    assert (await ready(service)).json()["checks"]["queue"] == "failed"


async def test_a_proof_grows_old_and_a_right_answer_of_a_student_is_one_too():
    clock, grader = Clock(), FakeGrader()
    with ThreadPoolExecutor(1) as threads:
        self_test = SelfTest(grader, ASSIGNMENT, threads, every_seconds=600, clock=clock)
        assert not self_test.passed
        await self_test.run()
        assert self_test.passed
        clock.now += 5000
        assert not self_test.passed
        await self_test.run()
        assert len(set(grader.self_test_seeds)) == 2
        clock.now += 5000
        for status in (Status.FAILED, Status.PASSED):
            self_test.note_report(make_report(correct_submission(), ASSIGNMENT, status, 100.0))
            assert self_test.passed == (status == Status.PASSED)


async def test_an_engine_that_raises_proves_nothing_and_ends_no_test():
    def broken(submission: object, assignment: Assignment, **_: object) -> Report:
        raise SandboxStartFailed("no memory")

    with ThreadPoolExecutor(1) as threads:
        self_test = SelfTest(broken, ASSIGNMENT, threads, every_seconds=600)
        await self_test.run()
    assert not self_test.passed


async def test_metrics_are_for_monitoring_which_sees_nothing_else_and_for_teachers(service):
    await service.add_token("token-of-a-teacher", Role.TEACHER)
    await service.add_token("token-of-a-student", Role.SUBMITTER)
    statuses = {}
    for token in (None, "token-of-a-student", "unknown-token", METRICS_TOKEN, "token-of-a-teacher"):
        statuses[token] = (await get(service, token, "/metrics")).status_code
    assert list(statuses.values()) == [401, 403, 401, 200, 200]
    assert (await get(service, METRICS_TOKEN, "/api/v1/submissions")).status_code == 401


async def test_the_queue_and_the_verdicts_are_counted(service, grader):
    async with paused(service, grader):
        for student in ("a", "b", "c"):
            assert (await upload(service, student)).status_code == 202
        await until(lambda: len(grader.began) == 2)
        await service.store(Submission, created_at=utc_now() - timedelta(seconds=100))
        waiting = await metrics(service)
    assert waiting["lstm_grader_submissions", "running"] == 2
    assert waiting["lstm_grader_submissions", "queued"] == 1
    assert 100 <= waiting["lstm_grader_queue_age_seconds",] < 200
    grader.statuses = [Status.PASSED]
    await until(lambda: grades_are(service, 3, "passed"))
    # Once more: the queue is read before the counters, and so can be older than they are.
    done = await metrics(service)
    assert done["lstm_grader_submissions", "running"] == done["lstm_grader_queue_age_seconds",] == 0
    assert done["lstm_grader_grade_seconds_count", "total"] == 3
    # Grades of more than ten seconds are told apart.
    assert done["lstm_grader_grade_seconds_bucket", "60.0", "total"] == 3


async def test_every_counter_is_there_before_its_first_case(service, nobody, owner, grader):
    """One that appears with its first case hides it: `increase` sees no rise from nothing."""
    before = await metrics(service)
    counted = {name: set() for name in ("grades", "box_kills", "box_failures", "webhook_attempts", "http_requests")}
    for name, *labels in before:
        if (short := name.removeprefix("lstm_grader_").removesuffix("_total")) in counted:
            assert before[name, *labels] == 0
            counted[short].add(tuple(labels))
    assert {status for (status,) in counted["grades"]} == set(Status)
    assert {kind for (kind,) in counted["box_failures"]} == set(Kind)
    assert {"cpu", "wall", "memory", "other"} <= {reason for (reason,) in counted["box_kills"]}
    assert {outcome for (outcome,) in counted["webhook_attempts"]} == {"delivered", "failed", "given_up", "gone"}
    for method, route in (("GET", "/"), ("HEAD", "/"), ("POST", "/api/v1/submissions"), ("GET", "/static")):
        assert {(method, route, status) for status in ("401", "500", "503")} <= counted["http_requests"]
    grader.statuses = [Status.INTERNAL_ERROR]
    await upload(service)
    for path in ("/", "/api/v1/submissions", "/metrics"):
        await nobody.get(path)
    await owner.get("/api/v1/submissions/none")
    await owner.post("/api/v1/submissions")
    async with service.browser() as browser:  # A fixture would have signed in before the first look.
        await browser.get("/")
        await browser.get("/static/style.css")
    await until(lambda: grades_are(service, 1, "internal_error"))
    after = await metrics(service)
    new = {series for series in after if series[0].endswith("_total")} - set(before)
    assert {(name, status) for name, *_, status in new if status == "401" or status >= "500"} == set()
    assert {name for name, *_ in new} == {"lstm_grader_http_requests_total"}


async def test_no_label_holds_what_a_client_wrote(service, owner):
    submission_id = (await upload(service)).json()["id"]
    await owner.get(f"/api/v1/submissions/{submission_id}")
    await owner.get("/secret-path-of-mine")
    await owner.request("INVENTED", "/api/v1/submissions")
    text = (await get(service, METRICS_TOKEN, "/metrics")).text
    for written in ("Иванов", "Петра", submission_id, "secret-path", "INVENTED", METRICS_TOKEN):
        assert written not in text
    assert 'route="/api/v1/submissions/{submission_id}"' in text


@pytest.mark.parametrize(("killed_for", "counted"), [("memory", "memory"), ("something new", "other"), (None, None)])
async def test_runs_that_the_box_ends_are_counted_by_the_limit(killed_for, counted):
    numbers = Metrics()
    sandbox = CountedSandbox(InMemorySandbox({Kind.KERAS3: [Outcome(result=b"", killed_for=killed_for)]}), numbers)
    sandbox.run(Kind.KERAS3, b"", Limits())
    text = numbers.document(None, self_test=None, is_writable=True).decode()
    kills = re.findall(r'lstm_grader_box_kills_total{reason="(\w+)"} 1.0', text)
    assert kills == ([counted] if counted else [])


async def test_runs_that_we_lose_are_counted_and_raised():
    class Broken:
        def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
            raise SandboxStartFailed("no memory")

    numbers = Metrics()
    with pytest.raises(SandboxStartFailed):
        CountedSandbox(Broken(), numbers).run(Kind.KERAS2, b"", Limits())
    document = numbers.document(None, self_test=True, is_writable=True)
    assert b'lstm_grader_box_failures_total{kind="keras2"} 1.0' in document


async def wait_since(service: Service, seconds: float, **values: Any) -> None:
    began = utc_now() - timedelta(seconds=seconds)
    await service.store(Submission, Submission.job_status == JobStatus.QUEUED, created_at=began, **values)


@pytest.fixture
async def full(service: Service, grader: FakeGrader, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """Both slots work, and one submission waits. The queue is looked at with each upload."""
    monkeypatch.setattr("app.queue.backlog.KEPT_SECONDS", -1.0)
    async with paused(service, grader):
        for student in ("a", "b", "c"):
            await upload(service, student)
        await until(lambda: len(grader.began) == 2)
        yield service


async def test_uploads_are_refused_while_those_before_wait_too_long(full):
    await wait_since(full, full.services.settings.queue_seconds + 10)
    answer = await upload(full, "d")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert answer.json()["type"] == "urn:lstm-grader:problem:overloaded"
    async with full.browser() as browser:
        assert (await browser.get("/")).status_code == 200


async def test_regrades_that_wait_refuse_nobody(full):
    await wait_since(full, full.services.settings.queue_seconds + 10, priority=REGRADE_PRIORITY)
    assert (await upload(full, "d")).status_code == 202
