"""Checks before handing in: what they use and leave, their limit, and their place behind all attempts."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.privacy.retention import delete_ended
from app.queue import claims
from app.storage.models import DEFAULT_COURSE, Check, Delivery, JobStatus, Submission, SubmissionEvent, utc_now
from grader import Report, Status
from grader.report.model import Advisory, Source
from tests.unit.app.calls import SUBMISSIONS, assert_problem, submit, upload
from tests.unit.app.conftest import Browser, Service
from tests.waiting import until

CHECKS = "/api/v1/checks"
RULES = f"/api/v1/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
AN_HOUR = 3600


async def allow(service: Service, per_hour: int, **rules: Any) -> None:
    async with service.client() as owner:
        given = {"checks_per_hour": per_hour, **rules}
        assert (await owner.patch(RULES, json={"rules": given})).json()["rules"]["checks_per_hour"] == per_hour


async def check(client: Browser, wait: int = 120, **headers: str) -> httpx.Response:
    return await client.post(CHECKS, params={"wait": wait}, headers=headers, **upload(student=None))


async def test_a_course_allows_none_until_it_says_so(service, ivanov):
    assert_problem(await check(ivanov), 403, "checks-not-allowed")
    await allow(service, 1)
    answer = await check(ivanov)
    assert answer.status_code == 200
    assert answer.json().keys() == {"id", "job_status", "position", "report", "links"}
    assert answer.headers["location"] == answer.json()["links"]["self"]
    await allow(service, 0)
    assert_problem(await check(ivanov), 403, "checks-not-allowed")


async def test_a_check_is_no_attempt_and_gives_no_grade(service, owner, ivanov, grader):
    await allow(service, 3, limit=1)
    await owner.post("/api/v1/webhooks", json={"url": "https://lms.example.org/hook"})
    report = (await check(ivanov)).json()["report"]
    assert grader.beforehand == [True]
    assert (report["status"], report["points"], report["max_points"], report["score"]) == ("passed", None, 0, None)
    assert report["advisories"][0]["code"] == "check_only"
    assert "не оценка" in report["advisories"][0]["message"]
    assert [await service.rows(table) for table in (Submission, SubmissionEvent, Delivery)] == [[], [], []]
    # The only attempt is still there, with questions of its own.
    assert (await submit(ivanov))["grade"]["points"] == 100
    assert grader.beforehand == [True, False]
    assert len(set(grader.seeds)) == 2


async def test_each_student_has_so_many_in_an_hour(service, ivanov):
    await allow(service, 2)
    for _ in range(2):
        assert (await check(ivanov)).status_code == 200
    refused = await check(ivanov)
    problem = assert_problem(refused, 429, "checks-used-up")
    assert problem["limit"] == 2
    assert AN_HOUR - 60 < int(refused.headers["retry-after"]) <= AN_HOUR
    await service.add_token("of-petrov", student="petrov")
    async with service.client("of-petrov") as petrov:
        assert (await check(petrov)).status_code == 200
    first = (await service.rows(Check))[0]
    await service.store(Check, Check.id == first.id, created_at=first.created_at - timedelta(seconds=AN_HOUR))
    assert (await check(ivanov)).status_code == 200
    assert (await check(ivanov)).status_code == 429


async def test_a_check_that_is_sent_again_counts_once(service, ivanov):
    """As a notebook does whose line was cut; a check of another file is a request of its own."""
    await allow(service, 1)
    key = {"Idempotency-Key": "k"}
    first, again = [(await check(ivanov, **key)).json() for _ in range(2)]
    assert again == first
    other = await ivanov.post(CHECKS, headers=key, **upload(b"class LSTM: pass", student=None))
    assert_problem(other, 422, "idempotency-key-reused")
    assert_problem(await check(ivanov), 429, "checks-used-up")
    await allow(service, 0)
    assert (await check(ivanov, **key)).json() == first


@pytest.mark.parametrize("name", ["opens", "closes"])
async def test_nothing_is_checked_when_nothing_can_be_handed_in(service, ivanov, name):
    moved = timedelta(days=1 if name == "opens" else -1)
    await allow(service, 1, **{name: (utc_now() + moved).isoformat()})
    slug = {"opens": "assignment-not-open", "closes": "assignment-closed"}[name]
    assert_problem(await check(ivanov), 403, slug)


async def test_checks_wait_behind_all_attempts(service, owner, ivanov, grader):
    await allow(service, 2)
    grader.released.clear()
    for student in ("a", "b"):  # For both slots.
        await owner.post(SUBMISSIONS, **upload(student=student))
    await until(lambda: len(grader.began) == 2)
    first, second = [(await check(ivanov, wait=0)).json() for _ in range(2)]
    assert (first["job_status"], first["report"]) == ("queued", None)
    assert [first["position"], second["position"]] == [1, 2]
    await owner.post(SUBMISSIONS, **upload(student="c"))
    moved = [(await ivanov.get(each["links"]["self"])).json()["position"] for each in (first, second)]
    assert moved == [2, 3]
    grader.released.set()
    for each in (first, second):
        assert (await ivanov.get(each["links"]["self"], params={"wait": 120})).json()["job_status"] == "done"
    assert grader.beforehand == [False, False, False, True, True]


async def test_no_more_is_kept_than_the_report_shows_its_student(service, ivanov, grader):
    def with_source(report: Report) -> Report:
        remarks = [*report.advisories, Advisory(code="review_suggested")]
        return report.model_copy(update={"source": Source(artefact="source.json"), "advisories": remarks})

    grader.change = with_source
    grader.artefacts = {"source.json": b"lines", "exercise.npz": b"arrays"}
    await allow(service, 1)
    assert len((await check(ivanov)).json()["report"]["advisories"]) == 1
    async with service.services.database.read() as session:
        kept = (await session.scalars(select(Check))).one()
        assert await session.scalar(select(Check.content)) is None
    assert kept.source == b"lines"
    assert [each["code"] for each in kept.report["advisories"]] == ["check_only"]


async def test_a_check_goes_after_a_day_and_with_its_student(service, owner, ivanov):
    await allow(service, 2)
    old, new = [(await check(ivanov)).json()["links"]["self"] for _ in range(2)]
    await service.store(Check, Check.id == old.rpartition("/")[2], created_at=utc_now() - timedelta(days=1, seconds=1))
    await delete_ended(service.services.database)
    assert_problem(await ivanov.get(old), 404, "check-not-found")
    assert (await ivanov.get(new)).status_code == 200
    assert (await owner.delete("/api/v1/students", params={"student": "ivanov"})).status_code == 200
    assert await service.rows(Check) == []


async def test_our_failure_is_tried_again(service, ivanov, grader):
    grader.statuses = [Status.INTERNAL_ERROR, Status.PASSED]
    await allow(service, 2)
    assert (await check(ivanov)).json()["report"]["status"] == "passed"

    def fail(report: Report) -> Report:
        raise ZeroDivisionError

    grader.change = fail
    report = (await check(ivanov, **{"Idempotency-Key": "k"})).json()["report"]
    assert (report["status"], report["points"], report["max_points"]) == ("internal_error", None, 0)
    # Nobody grades it again.
    assert {each["params"].get("variant") for each in report["checks"]} == {"beforehand"}
    # The student may check it again, as if it had not been.
    grader.change = lambda report: report
    assert (await check(ivanov, **{"Idempotency-Key": "k"})).json()["report"]["status"] == "passed"
    assert_problem(await check(ivanov), 429, "checks-used-up")


async def test_a_check_that_was_cut_off_runs_again(service, ivanov):
    """By a crash: its row says that a worker has it."""
    await allow(service, 1)
    stored = (await check(ivanov)).json()
    await service.store(Check, job_status=JobStatus.RUNNING, claim="0" * 26, content=b"class LSTM: ...", report=None)
    assert await service.write(claims.requeue_running) == 1
    answer = (await ivanov.get(stored["links"]["self"], params={"wait": 120})).json()
    assert (answer["job_status"], answer["report"]["status"]) == ("done", "passed")
