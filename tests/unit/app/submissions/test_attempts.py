"""The assignment's attempts and deadline, over the API and on the pages."""

import re
from datetime import timedelta

import pytest

from app.storage.models import Submission, utc_now
from grader import Status
from tests.unit.app.calls import ATTEMPTS, CODE, COURSE, PAGE, SUBMISSIONS, assert_problem, send, submit, upload
from tests.unit.app.conftest import Browser, Service

pytestmark = pytest.mark.usefixtures("rules")

LAYER, COOLED = [f"/api/v1{COURSE}/assignments/lstm-{kind}" for kind in ("layer", "notebook")]


@pytest.fixture
async def rules(owner: Browser) -> None:
    """`lstm-layer` takes two attempts and is due in a day; `lstm-notebook` has a cooldown, and its last one counts."""
    due = (utc_now() + timedelta(days=1)).isoformat(timespec="seconds")
    limited = {"limit": 2, "due": due, "late_percent_per_day": 10}
    for use, held in ((LAYER, limited), (COOLED, {"cooldown_seconds": 60, "counts": "last"})):
        assert (await owner.put(use, json={"rules": held})).is_success


async def move(service: Service, submission_id: str, by: timedelta) -> None:
    """As if it had been handed in at another time."""
    async with service.services.database.write() as session:
        submission = await session.get_one(Submission, submission_id)
        submission.created_at += by


@pytest.mark.parametrize("status", [Status.INTERNAL_ERROR, Status.INVALID_SUBMISSION])
async def test_attempt_that_could_not_be_graded_is_given_back(owner, grader, status):
    grader.statuses = [status]
    for _ in range(3):
        body = await submit(owner)
        assert (body["report"]["status"], body["grade"] is None) == (status, status == Status.INTERNAL_ERROR)


async def test_attempt_too_soon_is_told_when_to_come_again(owner):
    await submit(owner, assignment="lstm-notebook")
    refused = await owner.post(SUBMISSIONS, **upload(assignment="lstm-notebook"))
    problem = assert_problem(refused, 429, "attempt-too-soon")
    assert refused.headers["Retry-After"] == str(problem["retry_after_seconds"])
    assert 50 < problem["retry_after_seconds"] <= 60
    assert "two attempts is 1 minute; expected: the next one in " in problem["detail"]


async def test_late_attempt_keeps_its_report_and_page_says_what_lateness_cost_and_that_another_counts(
    service, owner, browser
):
    first, second = [await submit(owner) for _ in range(2)]
    counting = {"counting_attempt": 1, "counting_points": 100, "max_points": 100}
    assert first["grade"] == {**counting, "points": 100, "late_days": 0, "penalty_percent": 0, "counts": True}
    await move(service, second["id"], timedelta(days=1.5))
    late = (await owner.get(second["links"]["self"])).json()
    assert late["report"]["points"] == 100
    assert late["grade"] == {**counting, "points": 90, "late_days": 1, "penalty_percent": 10, "counts": False}
    page = (await browser.get(second["links"]["page"])).text
    said = "Handed in 1 day late. The answer earned 100 of 100 points; lateness takes off 10%, so the grade is 90."
    assert said in page
    assert re.findall(r"<strong>([\d.]+)</strong>", page) == ["90"]
    assert "<b>90</b>&nbsp;/&nbsp;100" in (await browser.get(ATTEMPTS)).text
    assert "The grade comes from attempt 1, with 100 of 100 points: the best one counts" in page
    page = (await browser.get(first["links"]["page"], params={"lang": "ru"})).text
    assert "опоздание" not in page
    assert re.findall(r"<strong>([\d.]+)</strong>", page) == ["100"]


@pytest.mark.parametrize("counting", ["on time", "late"])
async def test_lateness_is_told_once_beside_a_grade_that_is_derived(service, owner, browser, counting):
    assert (await owner.patch(LAYER, json={"grade_book_points": 10})).is_success
    first, second = [await submit(owner) for _ in range(2)]
    for late in (second, first) if counting == "late" else (second,):
        await move(service, late["id"], timedelta(days=1.5))
    pages = [(await browser.get(each["links"]["page"])).text for each in (first, second)]
    table = (await browser.get(COURSE)).text
    assert ("1 day late" in table) == (counting == "late")
    assert [page.count("Handed in 1 day late.") for page in pages] == [0, 1]
    assert ["The grade for this assignment:" in page for page in pages] == [True, True]
    assert not any("The grade comes from attempt" in page for page in pages)


async def test_pause_is_told_exactly_and_what_is_left_of_it_never_too_short(service, owner, anna):
    assert (await owner.put(LAYER, json={"rules": {"cooldown_seconds": 9000}})).is_success
    assert "at least 2 hours 30 minutes must pass" in (await anna.get(PAGE)).text
    attempt = await submit(owner, student="anna")
    await move(service, attempt["id"], timedelta(seconds=-65))
    assert "can be handed in after 2 hours 29 minutes" in (await anna.get(PAGE)).text


async def test_page_offers_another_attempt_only_where_one_is_left(owner, browser):
    assert "At most 2 attempts; each gets its own report." in (await browser.get(PAGE)).text
    cooled_page = (await browser.get(PAGE.replace("lstm-layer", "lstm-notebook"))).text
    assert "As many attempts as you like" in cooled_page
    assert "Between two attempts at least 1 minute must pass." in cooled_page
    for assignment, offered in (("lstm-notebook", True), ("lstm-layer", True), ("lstm-layer", False)):
        page = (await submit(owner, assignment=assignment))["links"]["page"]
        assert ("Hand in another attempt" in (await browser.get(f"{page}?as=student")).text) is offered


async def test_page_shows_the_refusal_over_the_form(browser):
    for status in (303, 303, 403):
        response = await send(browser, PAGE, student="ivanov", files={"file": ("LSTM.py", CODE)}, again="on")
        assert response.status_code == status
    assert "All attempts are used up" in response.text
    assert 'name="file"' in response.text
