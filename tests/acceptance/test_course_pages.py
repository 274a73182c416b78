"""A teacher looks at a course in a real browser: finds a student, adjusts, answers, compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.storage.models import DEFAULT_COURSE
from tests.acceptance.conftest import hand_in
from tests.acceptance.test_browser import WRONG, expect_to_fit

pytestmark = pytest.mark.thorough

HERE = f"/courses/{DEFAULT_COURSE}"
STUDENTS = 60
LONG = "Константинопольская-Преображенская Александра-Виктория Владиславовна"


@pytest.fixture(scope="module")
def page(browser: Browser, server) -> Iterator[Page]:
    context = browser.new_context(locale="ru-RU")
    page = context.new_page()
    page.goto(server.link)
    page.locator("main form button").first.click()
    yield page
    context.close()


@pytest.fixture(scope="module")
def attempts(server) -> list[dict[str, Any]]:
    """A course with a list of students, one of whom has handed in twice and asks for a review."""
    rows = ["id;name;group", f"st000;{LONG};201"]
    rows += [f"st{number:03};Студент {number:03};{201 + number % 2}" for number in range(1, STUDENTS)]
    with server.client() as client:
        sent = client.post(f"/api/v1{HERE}/roster", files={"file": ("list.csv", "\n".join(rows).encode())})
        assert sent.status_code == 200, sent.text
        answers = [hand_in(client, WRONG.read_bytes(), "st000") for _ in range(2)]
        asked = client.post(f"/api/v1/submissions/{answers[-1]['id']}/reviews", json={"text": "Почему не зачтено?"})
        assert asked.status_code == 201
    return answers


def test_table_is_filtered_sorted_and_turned_over(page: Page, server, attempts) -> None:
    page.goto(f"{server.url}{HERE}?lang=ru")
    rows = page.locator("table.grades tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Дальше").click()
    expect(rows).to_have_count(STUDENTS - 50)
    page.get_by_label("Найти студента").fill("александра-виктория")
    page.locator("form.of-table button").click()
    expect(rows).to_have_count(1)
    expect(rows.get_by_role("link", name=LONG)).to_be_visible()
    page.get_by_role("link", name="Показать всех").click()
    page.get_by_label("Группа").select_option("202")
    page.locator("form.of-table button").click()
    # The first click on a heading sorts by it, the second one the other way round.
    for first in ("st001", "st059"):
        page.locator("table.grades thead").get_by_role("link", name="Id").click()
        expect(rows.first).to_contain_text(first)
    expect(rows).to_have_count(STUDENTS // 2)
    expect_to_fit(page, "the table of grades")


def test_grade_is_adjusted_and_the_review_answered(page: Page, server, attempts) -> None:
    page.goto(f"{server.url}{HERE}?lang=ru")
    page.get_by_role("link", name="1 просьба посмотреть работу ждёт ответа").click()
    page.get_by_role("link", name="Ответить").click()
    page.get_by_role("link", name="Изменить оценку").click()
    page.get_by_label("Баллы").fill("2,5")
    page.get_by_label("Причина").first.fill("Хороший график")
    page.get_by_role("button", name="Применить поправку").click()
    expect(page.get_by_role("status")).to_contain_text("Оценка изменена")
    expect(page.get_by_text("Добавлено баллов: 2,5")).to_be_visible()
    expect_to_fit(page, "the work of a student")
    page.get_by_role("link", name="Ответить").click()
    page.get_by_label("Ваш ответ").fill("Вентили переставлены.")
    page.get_by_role("button", name="Отправить ответ").click()
    expect(page.get_by_role("status")).to_contain_text("Ответ отправлен")
    expect(page.get_by_text("Ни одна просьба не ждёт ответа.")).to_be_visible()
