"""A newcomer teacher: from the lines that `make serve` prints to students who hand in, by what the pages say alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import Server, serving
from tests.acceptance.pages.filling import RIGHT

pytestmark = pytest.mark.thorough


class Hand:
    """A hand on a mouse and keys. Attributes: clicks, fields: how often it did something."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.page: Page = browser.new_context(locale="en-GB", accept_downloads=True).new_page()
        self.page.goto(address)
        self.clicks = self.fields = 0

    def click(self, name: str) -> None:
        """Click on a link or a button of the page itself. Menus are for those who know their way."""
        main = self.page.locator("main")
        named = main.get_by_role("button", name=name, exact=True).or_(main.get_by_role("link", name=name, exact=True))
        named.first.click()
        self.clicks += 1

    def fill(self, field: str, text: str) -> None:
        self.page.locator(field).fill(text)
        self.fields += 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    """A service without settings, as it is after `make serve` in a new folder."""
    with serving(tmp_path_factory.mktemp("new"), cache_dir) as server:
        yield server


def made_course(browser: Browser, server: Server, title: str) -> Hand:
    teacher = Hand(browser, server.link)
    teacher.click("Sign in")
    teacher.click("New course")
    teacher.fill("#title", title)
    teacher.click("Make the course")
    expect(teacher.page.get_by_role("heading", level=1)).to_have_text("Students can hand in after three steps")
    return teacher


def hands_in(student: Hand) -> None:
    student.click("The class LSTM, equal to tf.keras.layers.LSTM")
    student.page.locator("#code").fill(RIGHT.read_text(encoding="utf-8"))
    student.page.locator("[data-hand-in] button.primary").click()
    student.page.wait_for_url("**/submissions/*")


def test_link_for_everybody_lets_students_hand_in_after_five_clicks_and_one_field(
    browser: Browser, server: Server
) -> None:
    teacher = made_course(browser, server, "Recurrent networks")
    teacher.click("Link for everybody")
    teacher.click("Make the link")
    join = teacher.page.locator(".selectable").inner_text()
    assert (teacher.clicks, teacher.fields) == (5, 1)
    teacher.page.context.close()

    student = Hand(browser, join)
    student.fill("#name", "Ivan Ivanov")
    student.click("Join")
    student.click("Hand in")
    hands_in(student)
    student.page.context.close()


def test_list_lets_students_hand_in_after_seven_clicks_and_two_fields(browser: Browser, server: Server) -> None:
    # A service that has a course already shows the same way.
    teacher = made_course(browser, server, "Evening group")
    teacher.click("Import a list")
    teacher.fill("#table", "id,name,email\nivanov,Ivan Ivanov,ivanov@example.org\npetrova,Anna Petrova,\n")
    teacher.click("Show what would happen")
    teacher.click("Import")
    with teacher.page.expect_download() as downloading:
        teacher.click("Make links and download them")
    assert (teacher.clicks, teacher.fields) == (7, 2)
    rows = list(csv.DictReader(downloading.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 2
    teacher.page.context.close()

    student = Hand(browser, next(value for value in rows[0].values() if value.startswith("http")))
    student.click("Sign in")
    hands_in(student)
    student.page.context.close()
