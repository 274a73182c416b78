"""Tokens, regrades, their previews, and statistics over the API, for teachers and administrators."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.storage.models import CourseAssignment, Role, Token
from grader import Report, Status
from grader.report.finding import CheckStatus
from grader.report.model import Check, Diagnosis
from tests.unit.app.calls import SUBMISSIONS, assert_problem, get, submit
from tests.unit.app.conftest import Browser
from tests.waiting import until

TOKENS, REGRADES = "/api/v1/tokens", "/api/v1/regrades"


async def test_token_is_shown_once_works_and_ends_with_its_sessions(service, owner):
    token = (await owner.post(TOKENS, json={"name": "Moodle"})).json()
    assert (token["role"], token["student"], token["expires_at"]) == ("submitter", None, None)
    listed = await owner.get(TOKENS)
    assert token["token"] not in listed.text
    assert token["id"] in {item["id"] for item in listed.json()["items"]}
    async with service.client(token["token"]) as client, service.browser(token["token"]) as browser:
        assert (await client.get(SUBMISSIONS)).status_code == 200
        assert token["link"].endswith(f"/enter?token={token['token']}")
        assert (await owner.delete(f"{TOKENS}/{token['id']}")).status_code == 204
        assert_problem(await client.get(SUBMISSIONS), 401, "unauthorized")
        assert (await browser.get("/")).status_code == 401
    (ended,) = [item for item in (await owner.get(TOKENS)).json()["items"] if item["id"] == token["id"]]
    assert ended["revoked_at"]
    old = (await owner.post(TOKENS, json={"name": "x", "expires_at": "2020-01-01T00:00:00+03:00"})).json()
    assert old["expires_at"] == "2019-12-31T21:00:00Z"
    assert (await get(service, old["token"], SUBMISSIONS)).status_code == 401


async def test_teacher_manages_the_tokens_of_submitters_and_no_others(service, teacher):
    (teachers,) = await service.rows(Token, Token.role == Role.TEACHER)
    for role in ("teacher", "admin"):
        assert_problem(await teacher.post(TOKENS, json={"name": "x", "role": role}), 403, "forbidden")
    token = (await teacher.post(TOKENS, json={"name": "x", "student": " ivanov "})).json()
    assert token["student"] == "ivanov"
    assert [item["id"] for item in (await teacher.get(TOKENS)).json()["items"]] == [token["id"]]
    for foreign in (teachers.id, "01ksvh1y8gk3v0q4m2z7c9x5ab", "nothing"):
        assert_problem(await teacher.delete(f"{TOKENS}/{foreign}"), 404, "token-not-found")
    assert (await teacher.delete(f"{TOKENS}/{token['id']}")).status_code == 204


async def test_impossible_token_or_regrade_is_refused_in_our_words(owner):
    for path, body in (
        (TOKENS, {"name": " "}),
        (TOKENS, {"name": "a\nb"}),
        (TOKENS, {"name": "owner", "role": "admin"}),
        (TOKENS, {"name": "x", "role": "teacher", "student": "ivanov"}),
        (TOKENS, {"name": "x", "student": "\x00"}),
        (TOKENS, {"name": "x", "rolle": "teacher"}),
        (REGRADES, {}),
        (REGRADES, {"filter": {"since": "yesterday"}}),
    ):
        refused = assert_problem(await owner.post(path, json=body), 422, "invalid-request")
        assert refused["errors"], body
        assert "Value error" not in str(refused), body


async def test_body_that_is_too_large_is_not_read(nobody):
    response = await nobody.post(TOKENS, content=b" " * 100_000, headers={"Content-Type": "application/json"})
    assert_problem(response, 413, "body-too-large")


async def test_body_that_comes_too_slowly_is_given_up(nobody, monkeypatch):
    monkeypatch.setattr("app.http.middleware.BODY_SECONDS", 0.05)

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await nobody.post(TOKENS, content=endless(), headers={"Content-Type": "application/json"})
    assert_problem(response, 408, "body-too-slow")


async def regraded(client: Browser, **selection: Any) -> dict[str, Any]:
    """The regrade when it is done."""
    response = await client.post(REGRADES, json=selection)
    assert response.status_code == 202

    async def done() -> dict[str, Any] | None:
        body: dict[str, Any] = (await client.get(response.json()["link"])).json()
        return body if body["done"] == body["total"] else None

    return await until(done)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"all": True, "filter": None}, {"ivanov", "petrov", "sidorov"}),
        ({"filter": {"student": "petrov", "status": "failed"}}, {"petrov"}),
        ({"filter": {"assignment": "lstm-layer", "since": "2500-01-01T00:00:00Z"}}, set()),
        ({"submissions": ["sidorov"]}, {"sidorov"}),
    ],
)
async def test_regrade_takes_what_is_meant_and_says_what_it_changed(owner, grader, selection, expected):
    grader.statuses = [Status.FAILED, Status.FAILED, Status.PASSED]
    ids = {name: (await submit(owner, student=name))["id"] for name in ("ivanov", "petrov", "sidorov")}
    if "submissions" in selection:
        selection = {"submissions": [ids[name] for name in selection["submissions"]]}
    done = await regraded(owner, **selection)
    assert done["total"] == len(expected)
    assert done["changed"] == len(expected - {"sidorov"})
    items = (await owner.get(f"{done['link']}/submissions")).json()["items"]
    assert {item["student"] for item in items} == expected
    changed = (await owner.get(f"{done['link']}/submissions", params={"changed": True})).json()["items"]
    assert {item["student"] for item in changed} == expected - {"sidorov"}
    for item in changed:
        assert (item["before"]["points"], item["after"]["points"]) == (10.0, 100.0)
        keys = {change["key"] for change in (await owner.get(item["changes"])).json()["changes"]}
        assert {"status", "points"} <= keys
    assert (await owner.get(REGRADES)).json()["items"] == [done]


async def test_statistics_count_scores_misconceptions_and_what_was_fixed(owner, grader):
    attempts_of = {  # student -> what each attempt showed, and its points
        "ivanov": [({"bias_missing", "scaled"}, 0.0), ({"scaled"}, 30.0), (set(), 100.0)],
        "petrov": [({"bias_missing"}, 50.0), ({"bias_missing"}, 50.0)],
        "sidorov": [({"scaled"}, 55.0)],
    }
    now: tuple[set[str], float]

    def change(report: Report) -> Report:
        codes, points = now
        diagnoses = [Diagnosis(code=code, confidence="exact") for code in sorted(codes)]
        status = Status.PASSED if points == 100 else Status.FAILED
        checks = [
            Check(id=id, points=0, max_points=1, status=CheckStatus.PASSED if passes else otherwise)
            for id, passes, otherwise in (
                ("contract", points > 50, CheckStatus.FAILED),
                ("equivalence", points == 100, CheckStatus.SKIPPED),
            )
        ]
        changed = {"diagnoses": diagnoses, "points": points, "status": status, "checks": checks}
        return report.model_copy(update=changed)

    grader.change = change
    for student, attempts in attempts_of.items():
        for attempt in attempts:
            now = attempt
            await submit(owner, student=student)
    body = (await owner.get("/api/v1/assignments/lstm-layer/statistics")).json()
    later = await owner.get("/api/v1/assignments/lstm-layer/statistics", params={"since": "2500-01-01T00:00:00Z"})
    assert_problem(await owner.get("/api/v1/assignments/gru/statistics"), 404, "assignment-not-found")
    assert body["statuses"] == {"failed": 5, "passed": 1}
    assert body["attempts"] == {
        "count": 6,
        "mean": pytest.approx(0.475),
        "median": 0.5,
        "histogram": [1, 0, 0, 1, 0, 3, 0, 0, 0, 0, 1],
    }
    assert body["students"]["histogram"] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    assert body["students"]["median"] == 0.55
    assert body["misconceptions"] == [
        # ivanov fixes it at once, petrov stops with it.
        {"code": "bias_missing", "attempts": 3, "students": 2, "retried": 2, "fixed": 1, "by_attempt": [2, 1, 1]},
        {"code": "scaled", "attempts": 3, "students": 2, "retried": 2, "fixed": 1, "by_attempt": [2, 2, 1]},
    ]
    assert body["by_attempt"] == [3, 2, 1]
    assert body["checks"] == [
        {"check": "contract", "passed": 2, "students": 3},
        {"check": "equivalence", "passed": 1, "students": 3},
    ]
    nothing = {"count": 0, "mean": None, "median": None, "histogram": [0] * 11}
    empty = {"checks": [], "by_attempt": [], "misconceptions": []}
    assert later.json() == {"statuses": {}, "attempts": nothing, "students": nothing, **empty}


async def test_student_sees_a_preview_when_it_is_applied(owner, ivanov, grader):
    grader.statuses = [Status.FAILED, Status.PASSED]
    here = (await submit(ivanov))["links"]["self"]
    before = await ivanov.get(here)
    done = await regraded(owner, preview=True, submissions=[before.json()["id"]])
    during = await ivanov.get(here, params={"wait": 1})
    assert (during.json(), during.headers["etag"]) == (before.json(), before.headers["etag"])
    events = (await ivanov.get(f"{here}/events")).text
    assert events.count("event: queued") == events.count("event: done") == 1
    assert (done["preview"], done["changed"], done["applied_at"]) == (True, 1, None)
    (item,) = (await owner.get(f"{done['link']}/submissions", params={"changed": True})).json()["items"]
    assert (item["before"]["points"], item["after"]["points"], item["applied"]) == (10.0, 100.0, None)
    report = f"{here}/reports/{item['after']['report']}"
    for path in (report, item["changes"], f"{report}/pictures"):
        assert (await ivanov.get(path)).status_code == 404, path
        assert (await owner.get(path)).status_code == 200, path
    assert len((await ivanov.get(f"{here}/reports")).json()["items"]) == 1
    statistics = (await owner.get("/api/v1/assignments/lstm-layer/statistics")).json()
    assert statistics["statuses"] == {"failed": 1}

    applied = (await owner.post(f"{done['link']}/apply")).json()
    assert applied["applied_at"]
    assert (await owner.post(f"{done['link']}/apply")).json() == applied
    assert (await ivanov.get(here)).json()["report"]["points"] == 100.0
    assert (await ivanov.get(report)).status_code == 200
    assert_problem(await owner.post(f"{done['link']}/drop"), 409, "preview-applied")


async def test_preview_that_is_not_done_is_dropped_and_not_applied(owner, grader):
    here = (await submit(owner))["links"]["self"]
    grader.released.clear()
    begun = (await owner.post(REGRADES, json={"all": True, "preview": True})).json()
    problem = assert_problem(await owner.post(f"{begun['link']}/apply"), 409, "preview-unfinished")
    assert (problem["done"], problem["total"]) == (0, 1)
    assert_problem(await owner.post(f"{here}/cancel"), 409, "not-cancellable")
    dropped = (await owner.post(f"{begun['link']}/drop")).json()
    assert dropped["dropped_at"]
    grader.released.set()
    assert_problem(await owner.post(f"{begun['link']}/apply"), 409, "preview-dropped")
    assert (await owner.post(f"{begun['link']}/drop")).json() == dropped
    normal = (await owner.post(REGRADES, json={"all": True})).json()
    for end in ("apply", "drop"):
        assert_problem(await owner.post(f"{normal['link']}/{end}"), 409, "regrade-not-preview")
        assert_problem(await owner.post(f"{REGRADES}/nothing/{end}"), 404, "regrade-not-found")


async def test_points_are_shown_by_rules_of_the_course(service, owner, grader):
    grader.statuses = [Status.FAILED, Status.PASSED]
    await submit(owner)
    await service.store(
        CourseAssignment, rules={"due": "2020-01-01T00:00:00Z", "late_percent_per_day": 50, "late_percent_max": 50}
    )
    done = await regraded(owner, preview=True, all=True)
    (item,) = (await owner.get(f"{done['link']}/submissions")).json()["items"]
    await regraded(owner, all=True)
    assert (await owner.post(f"{done['link']}/apply")).json()["superseded"] == 1
    assert [item[each]["points"] for each in ("before", "after")] == [10.0, 100.0]
    assert [item[each]["points_after_rules"] for each in ("before", "after")] == [5.0, 50.0]
