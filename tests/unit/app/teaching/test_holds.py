"""Attempts whose code attacked the grader: held, decided on, and told of only then."""

import pytest

from app.storage.models import DEFAULT_COURSE, Delivery, Role, Webhook
from grader.report.model import HELD
from tests.unit.app.api.test_teaching_api import regraded
from tests.unit.app.calls import SUBMISSIONS, assert_problem, attacked, post, submit
from tests.unit.app.conftest import FakeGrader, Service

REASON = {"reason": "We have talked about it."}


@pytest.fixture
def grader() -> FakeGrader:
    grader = FakeGrader()
    grader.change = attacked
    return grader


@pytest.fixture(autouse=True)
async def hook(service: Service) -> None:
    token = await service.add_token("of-the-hook-0123456789", Role.TEACHER)
    await service.add(Webhook(url="https://lms.example.org/", created_by=token.id, secret="whsec_AAAA"))


async def _told(service: Service) -> int:
    return len(await service.rows(Delivery))


async def test_an_attack_is_held_with_its_report_as_it_is(service, owner):
    body = await submit(owner)
    assert (body["held"], body["hold"]["decision"], body["grade"]) == (True, None, None)
    assert (body["report"]["status"], body["report"]["points"]) == ("passed", 100.0)
    (item,) = (await owner.get(SUBMISSIONS, params={"held": True})).json()["items"]
    assert item["id"] == body["id"]
    assert (await owner.get(SUBMISSIONS, params={"held": False})).json()["items"] == []
    assert await _told(service) == 0


async def test_an_honest_attempt_counts_and_there_is_nothing_to_decide(service, owner, grader):
    grader.change = lambda report: report
    body = await submit(owner)
    assert (body["held"], body["hold"], body["grade"]["counts"]) == (False, None, True)
    decided = await owner.post(f"{body['links']['self']}/decision", json={"decision": "rejected", **REASON})
    assert_problem(decided, 409, "not-held")
    assert await _told(service) == 1


@pytest.mark.parametrize(("decision", "counts"), [("accepted", True), ("rejected", False)])
async def test_a_decision_says_who_and_why(service, owner, decision, counts):
    body = await submit(owner)
    answer = await owner.post(f"{body['links']['self']}/decision", json={"decision": decision, **REASON})
    decided = answer.json()
    assert (answer.status_code, decided["held"]) == (200, False)
    assert (decided["hold"]["decision"], decided["hold"]["reason"]) == (decision, REASON["reason"])
    assert decided["hold"]["decided_by"] == "owner"
    assert decided["hold"]["decided_at"] is not None
    assert (decided["grade"] is not None) == counts
    assert await _told(service) == 1


async def test_a_later_decision_replaces_the_first_and_an_equal_one_nothing(service, owner):
    await service.add_token("of-a-teacher-0123456789", Role.TEACHER)
    decision = f"{(await submit(owner))['links']['self']}/decision"
    first = (await owner.post(decision, json={"decision": "rejected", **REASON})).json()
    again = await post(service, "of-a-teacher-0123456789", decision, {"decision": "rejected", **REASON})
    assert (again.status_code, again.json()["hold"]) == (200, first["hold"])
    assert first["hold"]["decided_by"] == "owner"
    later = (await owner.post(decision, json={"decision": "accepted", **REASON})).json()
    assert (later["hold"]["decision"], later["grade"]["counts"]) == ("accepted", True)
    assert await _told(service) == 1
    changes = await owner.get(f"/api/v1/courses/{DEFAULT_COURSE}/changes", params={"subject": "member"})
    holds = [
        (each["before"].get("hold"), each["after"]["hold"])
        for each in changes.json()["items"]
        if "hold" in each["after"]
    ]
    attempt = {"assignment": "lstm-layer", "attempt": 1, **REASON}
    rejected, accepted = ({"decision": each, **attempt} for each in ("rejected", "accepted"))
    assert holds == [(rejected, accepted), (None, rejected)]


@pytest.mark.parametrize("file_is_gone", [False, True], ids=["file", "file-is-gone"])
async def test_each_decision_is_a_new_answer(service, owner, monkeypatch, file_is_gone):
    address = (await submit(owner))["links"]["self"]
    if file_is_gone:
        monkeypatch.delitem(service.services.assignments, "lstm-layer")
    etag = (await owner.get(address)).headers["etag"]
    for reason in ("We will talk about it.", "We have talked about it."):
        await owner.post(f"{address}/decision", json={"decision": "rejected", "reason": reason})
        answer = await owner.get(address, headers={"If-None-Match": etag})
        assert answer.status_code == 200
        assert (answer.json()["held"], answer.json()["hold"]["reason"]) == (False, reason)
        etag = answer.headers["etag"]


async def test_a_regrade_neither_releases_nor_tells(service, owner, grader):
    body = await submit(owner)
    grader.change = lambda report: report
    await regraded(owner, all=True)
    assert (await owner.get(body["links"]["self"])).json()["held"]
    assert await _told(service) == 0


async def test_a_student_reads_why_and_decides_nothing(service, owner, anna):
    async with service.client("of-anna") as student:
        body = await submit(student, student="anna")
        decision = f"{body['links']['self']}/decision"
        assert_problem(await student.post(decision, json={"decision": "accepted", **REASON}), 403, "forbidden")
    assert body["held"]
    assert [advisory["code"] for advisory in body["report"]["advisories"]] == [HELD]
    page = f"/submissions/{body['id']}"
    assert "A teacher looks at this attempt before it counts" in (await anna.get(page)).text
    assert "waits for a teacher" in (await anna.get("/")).text
    await owner.post(decision, json={"decision": "rejected", **REASON})
    decided = (await anna.get(page)).text
    assert "it does not count" in decided
    assert REASON["reason"] in decided
