"""A newcomer teacher: from the lines that `make serve` prints to students who hand in, by what the pages say alone."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.pages.filling import RIGHT

pytestmark = pytest.mark.thorough


class Hand:
    """A hand on a mouse and keys. Attributes: clicks, fields: how often it did something."""

    def __init__(self, browser: Browser, address: str) -> None:
        context = browser.new_context(locale="en-GB", timezone_id="Asia/Novosibirsk")
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = context.new_page()
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


def test_link_for_everybody_lets_students_hand_in_after_five_clicks(browser, server):
    teacher = Hand(browser, server.link)
    teacher.click("Sign in")
    teacher.click("New course")
    teacher.fill("#title", "Recurrent networks")
    expect(teacher.page.locator("#time_zone")).to_have_value("Asia/Novosibirsk")
    teacher.click("Make the course")
    expect(teacher.page.get_by_role("heading", level=1)).to_have_text("Students can hand in after three steps")
    teacher.click("Link for everybody")
    teacher.click("Make the link")
    assert (teacher.clicks, teacher.fields) == (5, 1)
    teacher.page.locator("[data-copy]").click()
    expect(teacher.page.locator("[data-copy]")).to_have_text("Copied")
    join = teacher.page.evaluate("navigator.clipboard.readText()")
    teacher.page.context.close()

    student = Hand(browser, join)
    student.fill("#name", "Ivan Ivanov")
    student.click("Join")
    student.click("Hand in")
    student.click("The class LSTM, equal to tf.keras.layers.LSTM")
    student.page.locator("#code").fill(RIGHT.read_text(encoding="utf-8"))
    student.page.locator("[data-hand-in] button.primary").click()
    student.page.wait_for_url("**/submissions/*")
    student.page.context.close()
