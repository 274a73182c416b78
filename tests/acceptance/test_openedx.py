"""A course of Open edX opens the exercise and gets the grades: with its own LTI consumer, in a real browser."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.conftest import CORPUS, register_platform, serving
from tests.acceptance.test_lti import hand_in_file, open_course
from tests.peers import peer
from tests.ports import free_port
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS, wait_until

pytestmark = pytest.mark.thorough

RIGHT = CORPUS / "correct_add_multiply_layers" / "submission.py"
WRONG = CORPUS / "wrong_swap_if" / "submission.py"


@dataclass
class OpenEdX:
    """The course, and what its administrator was shown. Attributes: page: ours about it."""

    shown: dict[str, str]
    page: str
    admin: httpx.Client

    @property
    def site(self) -> str:
        return self.shown["issuer"]

    def kept(self) -> Any:
        return httpx.get(f"{self.site}/grade-book").raise_for_status().json()

    def grades(self, who: str, link: str) -> list[dict[str, Any]]:
        """Return what was written into the grade book for a link, the last one at the end."""
        return [each for each in self.kept()["grade_book"] if (each["who"], each["link"]) == (who, link)]


@pytest.fixture(scope="module")
def openedx(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[OpenEdX]:
    tool = f"http://127.0.0.1:{free_port()}"
    settings = {
        "LSTM_GRADER_PUBLIC_URL": tool,
        "LSTM_GRADER_PORT": tool.rpartition(":")[2],
        "LSTM_GRADER_LTI_PRIVATE_TARGETS": "true",
        "LSTM_GRADER_OWNER_TOKEN": "token-of-the-owner-1",
    }
    with (
        serving(tmp_path_factory.mktemp("data"), cache_dir, **settings) as server,
        peer("openedx", tool, tmp_path_factory.mktemp("openedx")) as first_line,
        httpx.Client(base_url=tool, timeout=SECONDS) as admin,
    ):
        shown = json.loads(first_line)
        page = register_platform(
            admin,
            server.token,
            client_id=shown["client_id"],
            deployment=shown["deployment_id"],
            issuer=shown["issuer"],
            login_url=shown["oidc_callback"],
            token_url=shown["token_url"],
            keys_url=shown["keyset_url"],
        )
        yield OpenEdX(shown, page, admin)


def _opened(browser: Browser, openedx: OpenEdX, who: str, *, role: str = "student", link: str = "declarative") -> Page:
    """Open the exercise as somebody."""
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{openedx.site}/course?who={who}&role={role}&link={link}")
    if role == "staff":
        open_course(page)
    expect(page.get_by_text("Recurrent networks").first).to_be_visible()
    return page


@pytest.mark.parametrize("link", ["declarative", "programmatic"])
def test_best_grade_arrives_in_the_column_of_the_course(browser, openedx, link):
    """The column is the platform's (declarative), or one that we make there (programmatic)."""
    _opened(browser, openedx, "teacher", role="staff", link=link).context.close()
    who = f"student-{link}"
    steps = [(WRONG, "Input and forget gates swapped", 0.45), (RIGHT, "100", 1.0), (WRONG, "Input and forget", 1.0)]
    for file, expected, score in steps:
        known = len(openedx.grades(who, link))
        page = _opened(browser, openedx, who, link=link)
        hand_in_file(page, file, expected)
        wait_until(lambda known=known: len(openedx.grades(who, link)) > known, pause=0.2)
        grade = openedx.grades(who, link)[-1]
        assert grade["score"] == pytest.approx(score)
        # The report of the attempt that counts.
        assert ("Input and forget gates swapped" in grade["comment"]) == (score < 1)
        assert "http" not in grade["comment"]
        page.context.close()
    kept = openedx.kept()
    [column] = [each["id"] for each in kept["columns"] if each["link"] == link]
    scores = [each for each in kept["scores"] if (each["user_id"], each["line_item"]) == (who, column)]
    assert [(each["score_given"], each["score_maximum"]) for each in scores] == [(100, 100)]


def test_list_of_members_brings_those_who_have_not_come(browser, openedx):
    page = _opened(browser, openedx, "teacher", role="staff")
    page.goto(f"{page.url}/lms")
    page.get_by_role("button", name="Read the list of members").first.click()
    expect(page.get_by_text("Added: ")).to_be_visible()
    page.goto(f"{page.url.rpartition('/lms')[0]}/members")
    expect(page.locator("body")).to_contain_text("Somebody-Else")
    page.context.close()


def test_author_chooses_in_studio_where_a_link_leads_to(browser, openedx):
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{openedx.site}/author?who=teacher&link=chosen")
    open_course(page)
    page.get_by_label("The notebook").check()
    page.locator("form button.primary").click()
    page.locator("form button.primary").click()
    expect(page.get_by_text("successfully saved in the LMS")).to_be_visible()
    page.context.close()
    student = _opened(browser, openedx, "somebody", link="chosen")
    assert student.url.endswith("/assignments/lstm-notebook")
    student.context.close()


def test_check_of_the_connection_finds_only_that_nothing_is_https(openedx):
    secret = form_secret(openedx.admin.get(openedx.page).text)
    checked = openedx.admin.post(f"{openedx.page}/check", data={"form_secret": secret})
    assert "1 thing is wrong" in checked.text
    assert "is not https" in checked.text
