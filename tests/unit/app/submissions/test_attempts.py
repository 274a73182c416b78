"""The assignment's attempts and deadline, over the API and on the pages."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, Submission, utc_now
from grader import Status
from grader.assignment import BUILT_IN
from tests.unit.app.calls import ATTEMPTS, PAGE, SUBMISSIONS, assert_problem, upload
from tests.unit.app.conftest import FakeGrader, Service, form_secret, running

pytestmark = pytest.mark.usefixtures("with_tables")


@pytest.fixture
async def rules(anyio_backend: str, settings: Settings, grader: FakeGrader, tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose `lstm-layer` takes two attempts, is due in a day, and has a variant with a cooldown."""
    plain = (BUILT_IN / "lstm-layer.toml").read_text(encoding="utf-8")
    due = (utc_now() + timedelta(days=1)).isoformat(timespec="seconds")
    limited = f"[attempts]\nlimit = 2\n[deadline]\ndue = {due}\nlate_percent_per_day = 10\n"
    (tmp_path / "limited.toml").write_text(plain + limited, encoding="utf-8")
    cooled = (
        plain.replace('id = "lstm-layer"', 'id = "cooled"') + '[attempts]\ncooldown_seconds = 60\ncounts = "last"\n'
    )
    (tmp_path / "cooled.toml").write_text(cooled, encoding="utf-8")
    changed = settings.model_copy(update={"assignments_dir": tmp_path})
    async with running(changed, grader) as service:
        yield service


async def move(service: Service, submission_id: str, by: timedelta) -> None:
    """As if it had been handed in at another time."""
    async with service.services.database.write() as session:
        submission = await session.get_one(Submission, submission_id)
        submission.created_at += by


@pytest.mark.parametrize("status", [Status.INTERNAL_ERROR, Status.INVALID_SUBMISSION])
async def test_attempt_that_could_not_be_graded_is_given_back(
    rules: Service, grader: FakeGrader, status: Status
) -> None:
    grader.statuses = [status]
    async with rules.client() as client:
        for _ in range(3):
            body = (await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
            assert (body["report"]["status"], body["grade"] is None) == (status, status == Status.INTERNAL_ERROR)


async def test_attempt_too_soon_is_told_when_to_come_again(rules: Service) -> None:
    async with rules.client() as client:
        assert (await client.post(SUBMISSIONS, **upload(assignment="cooled"))).is_success
        refused = await client.post(SUBMISSIONS, **upload(assignment="cooled"))
    problem = assert_problem(refused, 429, "attempt-too-soon")
    assert refused.headers["Retry-After"] == str(problem["retry_after_seconds"])
    assert 50 < problem["retry_after_seconds"] <= 60
    assert "two attempts is 1 minute; expected: the next one in " in problem["detail"]


async def test_late_attempt_keeps_its_report_and_loses_part_of_its_grade(rules: Service) -> None:
    async with rules.client() as client:
        first = (await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
        on_time = {"points": 100, "max_points": 100, "late_days": 0, "penalty_percent": 0}
        assert first["grade"] == {**on_time, "counts": True, "counting_attempt": 1, "counting_points": 100}
        await move(rules, first["id"], timedelta(days=2.5))
        late = (await client.get(first["links"]["self"])).json()
    assert late["report"]["points"] == 100
    is_late = {"points": 80, "max_points": 100, "late_days": 2, "penalty_percent": 20}
    assert late["grade"] == {**is_late, "counts": True, "counting_attempt": 1, "counting_points": 80}


async def test_page_says_what_lateness_cost_and_that_another_attempt_counts(rules: Service) -> None:
    async with rules.client() as client, rules.browser() as browser:
        first, second = [(await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json() for _ in range(2)]
        await move(rules, second["id"], timedelta(days=1.5))
        page = (await browser.get(second["links"]["page"])).text
        assert (
            "Handed in 1 day late. The answer earned 100 of 100 points; lateness takes off 10%, so the grade is 90."
            in page
        )
        assert re.findall(r"<strong>([\d.]+)</strong>", page) == ["90"]
        assert "<b>90</b>&nbsp;/&nbsp;100" in (await browser.get(ATTEMPTS)).text
        assert "The grade comes from attempt 1, with 100 of 100 points: the best one counts" in page
        page = (await browser.get(first["links"]["page"], params={"lang": "ru"})).text
        assert "опоздание" not in page
        assert re.findall(r"<strong>([\d.]+)</strong>", page) == ["100"]


@pytest.mark.parametrize("counting", ["on time", "late"])
async def test_lateness_is_told_once_beside_a_grade_that_is_derived(rules: Service, counting: str) -> None:
    async with rules.client() as client, rules.browser() as browser:
        use = f"/api/v1/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
        assert (await client.put(use, json={"grade_book_points": 10})).is_success
        first, second = [(await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json() for _ in range(2)]
        await move(rules, second["id"], timedelta(days=1.5))
        if counting == "late":
            await move(rules, first["id"], timedelta(days=1.5))
        pages = [(await browser.get(each["links"]["page"])).text for each in (first, second)]
        table = (await browser.get(f"/courses/{DEFAULT_COURSE}")).text
    assert ("1 day late" in table) == (counting == "late")
    assert [page.count("Handed in 1 day late.") for page in pages] == [0, 1]
    assert ["The grade for this assignment:" in page for page in pages] == [True, True]
    assert not any("The grade comes from attempt" in page for page in pages)


async def test_pause_is_told_exactly_and_what_is_left_of_it_never_too_short(rules: Service) -> None:
    await rules.add_token("of-anna", student="anna")
    async with rules.client() as owner, rules.browser("of-anna") as browser:
        use = f"/api/v1/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
        assert (await owner.put(use, json={"rules": {"cooldown_seconds": 9000}})).is_success
        assert "at least 2 hours 30 minutes must pass" in (await browser.get(PAGE)).text
        attempt = (await owner.post(SUBMISSIONS, params={"wait": 120}, **upload(student="anna"))).json()
        await move(rules, attempt["id"], timedelta(seconds=-65))
        assert "can be handed in after 2 hours 29 minutes" in (await browser.get(PAGE)).text


async def test_page_offers_another_attempt_only_where_one_is_left(rules: Service) -> None:
    async with rules.client() as client, rules.browser() as browser:
        assert "At most 2 attempts; each gets its own report." in (await browser.get(PAGE)).text
        cooled_page = (await browser.get(PAGE.replace("lstm-layer", "cooled"))).text
        assert "As many attempts as you like" in cooled_page
        assert "Between two attempts at least 1 minute must pass." in cooled_page
        cooled = (await client.post(SUBMISSIONS, params={"wait": 120}, **upload(assignment="cooled"))).json()
        assert "Hand in another attempt" in (await browser.get(f"{cooled['links']['page']}?as=student")).text
        for offered in (True, False):
            attempt = (await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
            shown = await browser.get(f"{attempt['links']['page']}?as=student")
            assert ("Hand in another attempt" in shown.text) is offered


async def test_page_shows_the_refusal_over_the_form(rules: Service) -> None:
    async with rules.browser() as browser:
        secret = form_secret((await browser.get(PAGE)).text)
        for status in (303, 303, 403):
            form = upload()
            form["data"] = {"form_secret": secret, "student": "ivanov"}
            response = await browser.post(PAGE, **form)
            assert response.status_code == status
    assert "All attempts are used up" in response.text
    assert 'name="file"' in response.text
