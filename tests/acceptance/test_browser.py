"""The pages in a real browser, as a student meets them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.storage.models import DEFAULT_COURSE
from grader.batch.collect import Found, Student
from grader.batch.overview import overview
from grader.batch.run import Row
from tests.acceptance.conftest import CORPUS, Server, graded, hand_in, serving
from tests.acceptance.installation import lasting
from tests.ports import free_port
from tests.unit.grader.make_reports import ASSIGNMENT, hostile, internal_error, make_report
from tests.waiting import wait_until

WRONG = CORPUS / "wrong_swap_if" / "submission.py"
TASK = f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
JOIN_LINKS = f"/api/v1/courses/{DEFAULT_COURSE}/join-links"
WIDTHS = (360, 390, 768, 1280)
LONG = "Домашняя_работа_по_рекуррентным_сетям_окончательный_вариант_исправленный(3)"
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
# What is wider than the page, or needs a scroll bar of its own; code has one.
TOO_WIDE = """
() => [...document.querySelectorAll("*")].filter((each) => {
  const style = getComputedStyle(each);
  if (each.closest("pre")) return false;
  if (each === document.documentElement || ["auto", "scroll"].includes(style.overflowX))
    return each.scrollWidth > each.clientWidth + 1;
  return each.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
}).map((each) => `${each.tagName}.${each.className}: ${each.scrollWidth}`)
"""
# Promised in docs/performance.md: of a report with pictures, in a browser that has nothing of ours yet.
PAGE_REQUESTS = 7  # One of them is the style of the staff's tools.
PAGE_BYTES = 60_000


@pytest.fixture(scope="module")
def page(browser: Browser, server) -> Page:
    page = browser.new_page(locale="ru-RU")
    page.goto(server.link)
    page.get_by_role("button", name="Войти").click()
    return page


def test_owners_link_leaves_no_token_in_the_address_bar(page: Page) -> None:
    assert "token" not in page.url


def test_uploaded_file_ends_in_a_report_that_names_the_mistake(page: Page, server) -> None:
    page.goto(f"{server.url}{TASK}")
    page.get_by_label("За студента").fill("Иванов")
    page.set_input_files("input[type=file]", WRONG)
    page.locator("form:has(input[type=file]) button").click()
    expect(page.get_by_text("поменять местами")).to_be_visible()
    expect(page.get_by_role("heading", name="Есть ошибки")).to_be_visible()
    # Drawn by a script when they are opened, under the page's own rules, so that one can point at a value.
    page.locator("details.pictures summary").click()
    expect(page.locator(".chart canvas")).to_have_count(2)
    page.locator(".chart canvas").nth(1).hover()
    expect(page.locator("#vg-tooltip-element")).to_contain_text("нейрон")
    page.get_by_role("link", name="EN").click()
    expect(page.get_by_text("change places")).to_be_visible()


def test_proof_shows_the_mistake_on_the_students_line_and_every_number_by_keyboard(page: Page, server) -> None:
    page.goto(f"{server.url}{TASK}?lang=ru")
    page.get_by_label("За студента").fill("Смирнов")
    page.set_input_files("input[type=file]", WRONG)
    page.locator("form:has(input[type=file]) button").click()
    expect(page.get_by_role("heading", name="Доказательство")).to_be_visible()
    page.goto(f"{page.url}?lang=en")
    drawn = {id: page.locator(f"polyline.{id}").get_attribute("points") for id in ("keras", "yours", "named")}
    assert drawn["yours"] == drawn["named"] != drawn["keras"]
    # The curve, by arrow keys.
    plot = page.locator("figure.curve .plot")
    plot.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("figure.curve .reading")).to_contain_text("98")
    # A check opens by keyboard to its message.
    check = page.locator("#check-equivalence")
    check.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(check.locator("p").first).to_be_visible()
    # Every number: by arrow keys, and by tap.
    page.locator("details.map summary").focus()
    page.keyboard.press("Enter")
    cell = page.get_by_role("gridcell")
    cell.focus()
    page.keyboard.press("Home")
    expect(cell).to_contain_text("Timestep 0, unit")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    expect(cell).to_contain_text("Timestep 2, unit")
    expect(page.locator("details.map [aria-live]")).to_contain_text("Timestep 2, unit")
    page.locator("details.map .cells svg").click(position={"x": 3, "y": 3})
    expect(cell).to_contain_text("Timestep 0, unit 0")


def heard(page: Page, asked: list[Route], number: int) -> Route:
    """The request of this number, once it is heard of: the page may show before that it waits."""
    wait_until(lambda: page.evaluate("true") and len(asked) > number)
    return asked[number]


def test_numbers_of_the_map_that_did_not_come_are_asked_for_again_and_may_be_infinite(page: Page, server) -> None:
    with server.client() as client:
        uploaded = hand_in(client, WRONG.read_bytes(), "Орлова")
    asked: list[Route] = []
    page.route("**/numbers/*.csv", lambda route: asked.append(route))
    page.goto(f"{server.url}/submissions/{uploaded['id']}?lang=en")
    opener, reading = page.locator("details.map summary"), page.locator("details.map p.reading")
    opener.click()
    expect(reading).to_have_text("The numbers are being loaded…")
    heard(page, asked, 0).abort()
    expect(reading).to_contain_text("could not be loaded")
    opener.click()
    expect(reading).to_be_hidden()
    opener.click()
    expect(reading).to_have_text("The numbers are being loaded…")
    second = heard(page, asked, 1)
    heading, _, *rest = page.request.get(second.request.url).text().split("\n")
    second.fulfill(body="\n".join([heading, "0,0,0,0.25,-inf", *rest]))
    expect(page.get_by_role("gridcell")).to_contain_text("Keras 0.25, yours −∞, difference −∞")
    page.unroute("**/numbers/*.csv")


def test_wrong_type_of_file_is_answered_on_the_page(page: Page, server) -> None:
    page.goto(f"{server.url}{TASK}?lang=en")
    page.locator("#student").fill("ivanov")
    page.set_input_files("input[type=file]", {"name": "LSTM.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    page.locator("form:has(input[type=file]) button").click()
    expect(page.locator("#file-error")).to_contain_text(".ipynb, .py, .txt")


@pytest.mark.thorough
def test_pictures_are_there_without_scripts_and_without_what_draws_them(page: Page, server) -> None:
    with server.client() as client:
        uploaded = hand_in(client, WRONG.read_bytes(), "Петров")
    context = page.context.browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto(f"{server.url}/submissions/{uploaded['id']}")
    expect(plain.locator("polyline")).to_have_count(3)
    plain.locator("details.pictures summary").click()
    expect(plain.locator("figure img")).to_have_count(2)
    for image in plain.locator("figure img").all():
        image.scroll_into_view_if_needed()
        answer = plain.request.get(f"{server.url}{image.get_attribute('src')}")
        assert answer.text().startswith("<svg")
    context.close()
    asked: list[Route] = []
    page.route("**/static/vega.js", lambda route: asked.append(route))
    page.goto(f"{server.url}/submissions/{uploaded['id']}?lang=ru")
    assert not asked
    page.locator("details.pictures summary").click()
    expect(page.get_by_text("Рисунок строится…")).to_have_count(2)
    heard(page, asked, 0).abort()
    expect(page.locator("figure img")).to_have_count(2)
    expect(page.get_by_text("Рисунок строится…")).to_have_count(0)
    page.unroute("**/static/vega.js")


@pytest.mark.thorough
def test_report_as_a_document_fits_the_screen(browser: Browser, server: Server) -> None:
    with server.client() as client:
        sent = client.post(
            "/api/v1/submissions",
            files={"file": (f"{LONG}.py", WRONG.read_bytes())},
            data={"student": f"{LONG} Anna"},
        )
        submission = graded(client, sent.raise_for_status().json()["id"])
        report = client.get(f"{submission['links']['report']}?format=html&lang=ru").text
    page = browser.new_page()
    page.set_content(report)
    expect_to_fit(page, "the report as a document")
    page.close()


@pytest.mark.thorough
def test_stranger_joins_by_a_link_and_comes_back_by_their_own(browser: Browser, page: Page, server) -> None:
    with server.client() as client:
        join = urlsplit(client.post(JOIN_LINKS, json={"limit": 1}).json()["url"]).path
    context = browser.new_context()
    stranger = context.new_page()
    stranger.goto(f"{server.url}{join}?lang=en")
    stranger.locator("#name").fill(f"{LONG} Anna")
    stranger.locator("#email").fill("anna@example.org")
    stranger.locator("main form button").click()
    link = stranger.get_by_label("Your personal link")
    expect(link).to_be_visible()
    expect_to_fit(stranger, "the page with the personal link")
    address = urlsplit(link.text_content() or "")
    stranger.locator("main a.button").click()
    expect(stranger.locator(".tasks a").first).to_be_visible()
    stranger.goto(f"{server.url}{join}?lang=en")
    expect(stranger.get_by_text("You are in this course already")).to_be_visible()
    context.close()
    elsewhere = browser.new_context().new_page()
    elsewhere.goto(f"{server.url}{address.path}?{address.query}&lang=en")
    elsewhere.locator("main form button").first.click()
    expect(elsewhere.locator(".tasks a").first).to_be_visible()
    elsewhere.context.close()


@pytest.mark.thorough
def test_page_of_a_course_fits_the_screen(browser: Browser) -> None:
    """With names that have no place to break, a file that cannot be read, and texts of a student's."""
    path = f"{LONG}/{LONG}.ipynb"
    student = Student(LONG, "moodle", "1", late=True)
    rows = [
        Row(Found(path, student, f"{LONG}.ipynb", lambda _: b""), report, problem, same_code_as)
        for report, problem, same_code_as in (
            (make_report(), None, path),
            (hostile(), None, None),
            (internal_error(), None, None),
            (None, "encrypted", None),
        )
    ]
    page = browser.new_page()
    for language in ("ru", "en"):
        page.set_content(overview(rows, ASSIGNMENT, language))
        expect_to_fit(page, f"a course in {language}")
    page.close()


def expect_to_fit(page: Page, what: str) -> None:
    page.wait_for_load_state()  # What comes after the old page has gone is not there to be opened.
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(TWO_FRAMES)
        assert page.evaluate(TOO_WIDE) == [], f"{what}, at {width} pixels"


@pytest.mark.thorough
@pytest.mark.alone
def test_waiting_page_follows_the_queue_over_a_restart_to_the_report(
    browser: Browser, tmp_path: Path, cache_dir: Path
) -> None:
    settings = {
        "LSTM_GRADER_PORT": str(free_port()),
        "LSTM_GRADER_OWNER_TOKEN": "of-the-owner-0123456789",
    }
    page = browser.new_page(locale="ru-RU")
    with serving(tmp_path / "data", cache_dir, **settings) as server, server.client() as client:
        page.goto(f"{server.url}/enter?token={server.token}")
        page.get_by_role("button", name="Войти").click()
        # One attempt of a student is graded at a time.
        source = WRONG.read_bytes()
        for content in (lasting(3, source), source):
            file = ("LSTM.py", content)
            answer = client.post("/api/v1/submissions", files={"file": file}, data={"student": "Иванов"})
        told = 'event: position\ndata: {"position": 7}\n\n'
        page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=told))
        page.goto(f"{server.url}/submissions/{answer.json()['id']}")
        expect(page.locator("[data-events]")).to_contain_text("её место: 7")
        page.unroute("**/events")
        server.stop()
    with serving(tmp_path / "data", cache_dir, **settings) as server:
        expect(page.get_by_role("heading", name="Есть ошибки")).to_be_visible()
        server.wait_until_ready()
        _expect_few_bytes_until_the_first_picture(browser, page)
    page.close()


def _expect_few_bytes_until_the_first_picture(browser: Browser, shown: Page) -> None:
    """The report on `shown` as a browser sees it that has been nowhere before, and the service since its start."""
    context = browser.new_context(storage_state=shown.context.storage_state(), locale="ru-RU")
    page = context.new_page()
    session = context.new_cdp_session(page)
    asked: list[str] = []
    came: list[float] = []
    session.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    session.on("Network.loadingFinished", lambda event: came.append(event["encodedDataLength"]))
    session.send("Network.enable")
    page.goto(shown.url)
    expect(page.locator("figure.curve polyline").first).to_be_attached()
    assert len(asked) <= PAGE_REQUESTS, asked
    assert sum(came) <= PAGE_BYTES
    context.close()
