"""Grades of a course over the API: extensions, adjustments, comments, reviews, and what each person reads of them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.storage.models import (
    DEFAULT_COURSE,
    Change,
    CourseAssignment,
    MemberRole,
    Membership,
    Role,
    StoredReport,
    Submission,
    utc_now,
)
from tests.unit.app.calls import SUBMISSIONS, assert_problem, submit
from tests.unit.app.conftest import Browser, Service

COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"


@pytest.fixture
async def graded(service: Service, ivanov: Browser, teacher: Browser) -> Service:
    """Ivanov has handed in a right answer, petrov nothing; both have tokens of their own."""
    await service.add_token("of-petrov", student="petrov")
    await service.add_token("assistant", Role.ASSISTANT)
    await submit(ivanov)
    return service


@pytest.fixture
async def assistant(graded: Service) -> AsyncIterator[Browser]:
    async with graded.client("assistant") as assistant:
        yield assistant


async def place_of(service: Service, student: str = "ivanov", assignment: str = "lstm-layer") -> str:
    return f"{COURSE}/members/{await service.member_id(student)}/assignments/{assignment}"


async def own(client: Browser) -> dict[str, Any]:
    body: dict[str, Any] = (await client.get(f"{COURSE}/grades/me")).json()
    return body


def at(grades: dict[str, Any], assignment: str = "lstm-layer") -> dict[str, Any]:
    return next(each for each in grades["grades"] if each["assignment"] == assignment)


async def test_adjustment_is_applied_last_with_its_history_and_the_student_reads_why(graded, teacher, ivanov):
    work = await place_of(graded)
    first = await teacher.post(f"{work}/adjustments", json={"delta": -5.0, "reason": "no comments"})
    assert (first.status_code, first.json()["points_below"]) == (201, 100)
    second = (await teacher.post(f"{work}/adjustments", json={"value": 97.0, "reason": "a few, after all"})).json()
    history = (await teacher.get(f"{work}/adjustments")).json()["items"]
    assert [(each["id"], each["ended_by"]) for each in history] == [
        (second["id"], None),
        (first.json()["id"], "test"),
    ]
    grades = await own(ivanov)
    assert (at(grades)["points"], at(grades)["points_below"], at(grades)["stale"]) == (97, 100, False)
    assert at(grades)["text"] == "points 100 of 100 (attempt 1), set to 97 (“a few, after all”)"
    assert [each["reason"] for each in grades["adjustments"]] == ["a few, after all", "no comments"]
    (submission,) = (await ivanov.get(SUBMISSIONS)).json()["items"]
    body = (await ivanov.get(submission["links"]["self"], params={"lang": "en"})).json()
    assert body["grade"]["points"] == 100
    assert body["counted"] == {name: value for name, value in at(grades).items() if name != "assignment"}
    for _ in range(2):
        assert (await teacher.delete(f"{work}/adjustments/{second['id']}")).status_code == 204
    assert at(await own(ivanov))["points"] == 100
    assert_problem(await teacher.delete(f"{work}/adjustments/{'0' * 26}"), 404, "adjustment-not-found")
    changes = await graded.rows(Change)
    values = [(each.before.get("adjustment", {}), each.after.get("adjustment", {})) for each in changes]
    assert [(before.get("delta"), before.get("value"), after.get("value")) for before, after in values] == [
        (None, None, None),
        (-5, None, 97),
        (None, 97, None),
    ]


async def test_adjustment_names_the_one_that_it_replaces(graded, teacher):
    adjustments = f"{await place_of(graded)}/adjustments"
    first, second = [{"delta": delta, "reason": "x", "replaces": None} for delta in (1.0, 2.0)]
    adjustment = (await teacher.post(adjustments, json=first)).json()
    assert (await teacher.post(adjustments, json=first)).json() == adjustment  # Sent twice, it is the same one.
    refused = await teacher.post(adjustments, json=second)
    assert assert_problem(refused, 409, "adjustment-replaced")["current"] == adjustment["id"]
    assert (await teacher.post(adjustments, json=second | {"replaces": adjustment["id"]})).status_code == 201
    assert len((await teacher.get(adjustments)).json()["items"]) == 2


async def test_adjustment_is_stale_when_the_points_below_it_have_changed(graded, teacher):
    adjustments = f"{await place_of(graded)}/adjustments"
    await teacher.post(adjustments, json={"delta": -5.0, "reason": "x"})
    (submission,) = await graded.rows(Submission)
    report = {"status": "failed", "points": 40.0, "max_points": 100.0, "body": {}}
    await graded.add(StoredReport(submission_id=submission.id, **report))
    stale = (await teacher.get(f"{COURSE}/grades", params={"stale": True, "held": False})).json()["items"]
    assert [(each["student"], at(each)["points"], at(each)["stale"]) for each in stale] == [("ivanov", 35, True)]
    # The same words again say that it still holds.
    await teacher.post(adjustments, json={"delta": -5.0, "reason": "x"})
    assert (await teacher.get(f"{COURSE}/grades", params={"stale": True})).json()["items"] == []


async def test_extension_opens_an_assignment_for_one_student_alone(graded, teacher, ivanov):
    past = utc_now() - timedelta(days=2)
    moment = past.isoformat()
    await graded.store(
        CourseAssignment, rules={"due": moment, "closes": moment, "late_percent_per_day": 10, "limit": 1}
    )
    address = f"{await place_of(graded)}/extension"
    body = {"due": (past + timedelta(days=9)).isoformat(), "more_attempts": 1, "reason": "ill"}
    files = {"file": ("LSTM.py", b"class LSTM: 0")}
    async with graded.client("of-petrov") as petrov:
        assert at(await own(ivanov))["points"] == 80
        extension = (await teacher.put(address, json=body)).json()
        assert at(await own(ivanov))["points"] == 100
        assert "due date extended until" in at(await own(ivanov))["text"]
        assert (extension["effective_limit"], extension["effective_closes"]) == (2, extension["due"])
        assert (await teacher.get(address)).json() == extension
        assert (await teacher.get(f"{COURSE}/extensions")).json()["items"] == [extension]
        assert (await ivanov.post(SUBMISSIONS, files=files)).is_success
        assert_problem(await ivanov.post(SUBMISSIONS, files=files), 403, "attempts-used-up")
        assert_problem(await petrov.post(SUBMISSIONS, files=files), 403, "assignment-closed")
        assert (await teacher.delete(address)).status_code == 204
        assert_problem(await teacher.delete(address), 404, "extension-not-found")
        assert_problem(await teacher.get(address), 404, "extension-not-found")
        assert_problem(await teacher.put(address, json={"reason": "x"}), 422, "invalid-request")


async def test_grades_of_a_course_hold_every_student_page_by_page_and_filtered(graded, assistant):
    await graded.store(Membership, Membership.id == await graded.member_id("petrov"), group="A", confirmed_at=utc_now())

    async def listed(**params: Any) -> list[str]:
        answer = await assistant.get(f"{COURSE}/grades", params=params)
        return [each["student"] for each in answer.json()["items"]]

    page = (await assistant.get(f"{COURSE}/grades", params={"limit": 1})).json()
    rest = (await assistant.get(f"{COURSE}/grades", params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert [each["student"] for each in page["items"] + rest["items"]] == ["ivanov", "petrov"]
    assert rest["next_cursor"] is None
    assert [at(each)["points"] for each in page["items"] + rest["items"]] == [100, None]
    assert await listed(group="A") == ["petrov"]
    assert await listed(unconfirmed=True) == ["ivanov"]
    assert await listed(late=True) == await listed(held=True) == []
    assert await listed(held=False) == ["ivanov", "petrov"]
    only = (await assistant.get(f"{COURSE}/grades", params={"assignment": "lstm-layer"})).json()["items"]
    assert [len(each["grades"]) for each in only] == [1, 1]
    unknown = await assistant.get(f"{COURSE}/grades", params={"assignment": "nothing"})
    assert_problem(unknown, 404, "assignment-not-found")
    one = (await assistant.get(f"{COURSE}/members/{await graded.member_id('ivanov')}/grades")).json()
    assert one == page["items"][0]


async def test_assignment_that_nobody_has_handed_in_has_empty_lists(graded, teacher):
    work, nothing = [await place_of(graded, assignment=id) for id in ("lstm-notebook", "nothing")]
    for part in ("adjustments", "comments"):
        assert (await teacher.get(f"{work}/{part}")).json() == {"items": [], "next_cursor": None}
    assert_problem(await teacher.get(f"{work}/extension"), 404, "extension-not-found")
    extension = {"more_attempts": 1, "reason": "x"}
    assert (await teacher.put(f"{work}/extension", json=extension)).status_code == 200
    assert_problem(await teacher.get(f"{nothing}/adjustments"), 404, "assignment-not-found")
    adjustment = (await teacher.post(f"{work}/adjustments", json={"delta": 1.0, "reason": "x"})).json()
    assert (adjustment["delta"], adjustment["points_below"]) == (1.0, None)
    refused = await teacher.post(f"{nothing}/adjustments", json={"delta": 1.0, "reason": "x"})
    assert_problem(refused, 404, "assignment-not-found")


async def test_comment_is_made_once_by_an_assistant_and_read_by_the_student(graded, assistant, teacher, ivanov, owner):
    comments = f"{await place_of(graded)}/comments"
    comment = (await assistant.post(comments, json={"text": "Well done."})).json()
    assert (await assistant.post(comments, json={"text": "Well done."})).json() == comment
    assert [each["text"] for each in (await own(ivanov))["comments"]] == ["Well done."]
    assert (await ivanov.get(comments)).status_code == 403
    agreed = (await owner.post(comments, json={"text": "Well done."})).json()
    assert (agreed["id"] != comment["id"], agreed["text"]) == (True, "Well done.")
    assert (await teacher.delete(f"{comments}/{agreed['id']}")).status_code == 204
    assert (await teacher.delete(f"{comments}/{comment['id']}")).status_code == 204
    assert_problem(await teacher.delete(f"{comments}/{comment['id']}"), 404, "comment-not-found")
    stray = {"text": "x", "submission": "0" * 26}
    assert_problem(await teacher.post(comments, json=stray), 404, "submission-not-found")
    assert [(each.before, each.after) for each in await graded.rows(Change)] == [
        ({}, {"comment": comment["id"]}),
        ({}, {"comment": agreed["id"]}),
        ({"comment": agreed["id"]}, {}),
        ({"comment": comment["id"]}, {}),
    ]


async def test_student_asks_once_at_a_time_and_reads_the_answer(graded, ivanov, assistant):
    (submission,) = (await ivanov.get(SUBMISSIONS)).json()["items"]
    reviews = f"{submission['links']['self']}/reviews"
    question = await ivanov.post(reviews, json={"text": "Why 100?"})
    assert question.status_code == 201
    assert (await ivanov.post(reviews, json={"text": "Why 100?"})).json() == question.json()
    refused = await ivanov.post(reviews, json={"text": "Please!"})
    assert assert_problem(refused, 409, "review-open")["request"] == question.json()["id"]
    async with graded.client("of-petrov") as petrov:
        assert_problem(await petrov.get(reviews), 404, "submission-not-found")
        assert_problem(await petrov.post(reviews, json={"text": "x"}), 404, "submission-not-found")
    unanswered = (await assistant.get(f"{COURSE}/reviews", params={"answered": False})).json()["items"]
    assert unanswered == [question.json()]
    answer = f"{COURSE}/reviews/{question.json()['id']}/answer"
    for _ in range(2):
        assert (await assistant.post(answer, json={"answer": "It is right."})).status_code == 200
    assert_problem(await assistant.post(answer, json={"answer": "No."}), 409, "review-answered")
    (change,) = await graded.rows(Change)
    assert (change.made_by, change.after) == ("test", {"answered_review": question.json()["id"]})
    assert (await assistant.get(f"{COURSE}/reviews", params={"answered": False})).json()["items"] == []
    assert [each["answer"] for each in (await ivanov.get(reviews)).json()["items"]] == ["It is right."]
    assert [each["answer"] for each in (await own(ivanov))["reviews"]] == ["It is right."]
    assert (await ivanov.post(reviews, json={"text": "Really?"})).status_code == 201
    unknown = await assistant.post(f"{COURSE}/reviews/{'0' * 26}/answer", json={"answer": "x"})
    assert_problem(unknown, 404, "review-not-found")


async def test_nobody_asks_about_an_attempt_that_has_no_report(owner, grader):
    grader.released.clear()
    body = await submit(owner, wait=0)
    refused = await owner.post(f"{body['links']['self']}/reviews", json={"text": "x"})
    assert_problem(refused, 409, "report-not-ready")


async def test_members_of_the_staff_have_no_grades(graded, teacher, ivanov):
    member = await graded.member("ivanov")
    await graded.store(Membership, Membership.id == member.id, role=MemberRole.ASSISTANT)
    for path in (f"{await place_of(graded)}/extension", f"{COURSE}/members/{member.id}/grades"):
        assert_problem(await teacher.get(path), 409, "member-not-student")
    token = await teacher.post("/api/v1/tokens", json={"name": "script", "student": "ivanov"})
    assert_problem(token, 409, "member-not-student")
    assert [each["student"] for each in (await teacher.get(f"{COURSE}/grades")).json()["items"]] == ["petrov"]
    assert at(await own(ivanov))["derivation"][0]["code"] == "not_a_student"
    statistics = (await teacher.get("/api/v1/assignments/lstm-layer/statistics")).json()
    assert statistics["attempts"]["count"] == 0


async def test_script_reads_the_grade_and_no_teachers_words(graded, teacher):
    await graded.add_token("script")
    place = await place_of(graded)
    async with graded.client("script") as script:
        body = await submit(script)
        await teacher.post(f"{place}/adjustments", json={"delta": -5.0, "reason": "he was ill"})
        read = await script.get(body["links"]["self"], params={"lang": "en"})
        assert read.json()["counted"]["points"] == 95
        assert read.json()["counted"]["text"].endswith("adjusted −5")
        assert "ill" not in str(read.json()["counted"])
        assert (await own(script))["grades"] == []
    async with graded.browser("script") as browser:
        page = (await browser.get(body["links"]["page"])).text
        assert "adjusted −5." in page
        assert "he was ill" not in page
    async with graded.browser("of-ivanov") as browser:
        page = (await browser.get(body["links"]["page"])).text
        assert "The grade for this assignment: 95 of 100 points" in page
        assert "adjusted −5 (“he was ill”)" in page
