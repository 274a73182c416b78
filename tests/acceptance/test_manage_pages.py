"""A teacher's first course in a real browser, from its title to a student who comes in."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.test_browser import expect_to_fit

pytestmark = pytest.mark.thorough

LONG = "Нейронные_сети_и_глубокое_обучение_осенний_семестр_две_тысячи_тридцатого_года"
PEOPLE = 300


@pytest.fixture(scope="module")
def page(browser: Browser, server) -> Iterator[Page]:
    context = browser.new_context(locale="ru-RU", timezone_id="Asia/Novosibirsk")
    page = context.new_page()
    page.goto(server.link)
    page.locator("main form button").first.click()
    yield page
    context.close()


@pytest.fixture(scope="module")
def course(page: Page, server) -> str:
    """The address of a new course with dates and 300 students."""
    page.goto(f"{server.url}/courses?lang=ru")
    page.get_by_role("link", name="Новый курс").click()
    # The browser's own zone is filled in by the script.
    expect(page.get_by_label("Часовой пояс")).to_have_value("Asia/Novosibirsk")
    page.get_by_label("Название").fill(f"{LONG} <b>")
    page.get_by_role("button", name="Создать курс").dblclick()
    expect(page.get_by_role("heading", name="Три шага")).to_be_visible()
    expect_to_fit(page, "the steps of a new course")
    address = page.url.partition("/start")[0]

    page.locator(".steps a[href*='/settings/assignments/']").first.click()
    page.get_by_label("Сдать до").fill("2030-10-08T23:59")
    page.get_by_label("Закрывается").fill("2030-10-01T23:59")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.locator("#due-error")).to_be_visible()
    expect(page.get_by_label("Сдать до")).to_have_value("2030-10-08T23:59")
    expect_to_fit(page, "contradictory dates")
    page.get_by_label("Закрывается").fill("2030-10-15T23:59")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.get_by_role("status")).to_contain_text("изменены")
    expect(page.get_by_text("8 октября 2030")).to_be_visible()

    rows = [f"st{number:03};Студент Номер {number};st{number:03}@example.org;201" for number in range(PEOPLE)]
    rows[7] = "st007;Студент с ошибкой;не адрес;201"
    content = "\n".join(["id;name;email;group", *rows, f"<script>;{LONG};;201", ""])
    page.goto(f"{address}/roster")
    page.set_input_files("input[type=file]", {"name": "list.csv", "mimeType": "text/csv", "buffer": content.encode()})
    page.get_by_role("button", name="Показать").click()
    expect(page.get_by_text("«не адрес» не адрес электронной почты")).to_be_visible()
    expect(page.locator("#new")).to_contain_text(str(PEOPLE))
    expect_to_fit(page, "a dry run")
    page.get_by_role("button", name="Загрузить", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Список загружен")
    return address


def test_student_comes_in_by_the_link_on_the_projector(browser: Browser, page: Page, course: str) -> None:
    page.goto(f"{course}/links")
    expect(page.get_by_text(f"Без ссылки: {PEOPLE}", exact=True)).to_be_visible()
    page.locator("#join").get_by_role("button", name="Создать ссылку").click()
    expect(page.locator(".qr svg")).to_be_visible()
    expect_to_fit(page, "the page for the projector")
    address = page.locator(".selectable").inner_text()
    page.locator("[data-copy]").click()

    student = browser.new_context().new_page()
    student.goto(address)
    student.locator("#name").fill(f"{LONG} Анна")
    student.locator("main form button").click()
    expect(student.locator("main a.button")).to_be_visible()
    student.context.close()

    page.goto(f"{course}/members?state=unconfirmed")
    expect_to_fit(page, "a member to confirm")
    page.get_by_role("button", name="Подтвердить отмеченных").click()
    expect(page.get_by_role("status")).to_contain_text("подтверждены")


def test_roster_of_hundreds_has_pages_and_a_search(page: Page, course: str) -> None:
    page.goto(f"{course}/members")
    first = page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Дальше").click()
    expect(page.locator("tbody tr").first).not_to_have_text(first)
    page.get_by_label("Имя, id или почта").fill("номер 123")
    page.get_by_role("button", name="Показать").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Изменить").click()
    page.get_by_role("button", name="Создать ссылку").click()
    link = page.locator(".selectable").inner_text()
    assert urlsplit(link).path == "/enter"


def test_pages_work_without_scripts(browser: Browser, page: Page, course: str) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{course}/tokens?lang=en")
    plain.get_by_label("Purpose").fill("Moodle")
    plain.get_by_role("button", name="Make a token").click()
    expect(plain.locator(".selectable").first).to_contain_text("lstmg_")
    # A button that needs a script is not there.
    expect(plain.locator("[data-copy]").first).to_be_hidden()
    context.close()
