"""The pages of a student in a real browser: handing in, the wait and the report, with and without scripts."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from app.storage.models import DEFAULT_COURSE
from app.submissions.uploads import PASTE_BYTES
from tests.acceptance.conftest import CORPUS, Server, hand_in
from tests.acceptance.installation import NO_CLASS, lasting
from tests.tiers import sampled
from tests.unit.app.calls import ATTEMPTS, PAGE, SUBMISSIONS
from tests.waiting import wait_until

#: Attempts that last hold nobody up.
SETTINGS = {"LSTM_GRADER_SLOTS": "3"}
SOURCE = CORPUS / "wrong_swap_if" / "submission.py"
DROP = """
([name, size, zone]) => {
  const files = new DataTransfer();
  files.items.add(new File(["#".repeat(size)], name));
  const drop = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
  document.querySelector(zone).dispatchEvent(drop);
}
"""


def _signed_in(browser: Browser, server: Server, student: str, **options: bool | str) -> BrowserContext:
    with server.client() as client:
        token = client.post("/api/v1/tokens", json={"name": student, "student": student}).raise_for_status().json()
    context = browser.new_context(locale="en-GB", **options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/enter?token={token['token']}")
    page.locator("main form button").click()
    return context


@pytest.fixture
def page(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = _signed_in(browser, server, request.node.name[:60])
    page = context.pages[0]
    page.goto(f"{server.url}{PAGE}")
    yield page
    context.close()


def test_dropped_file_and_pasted_code_are_refused_before_they_are_sent_and_a_good_file_is_taken(page):
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    for name, size, said in (("LSTM.pdf", 10, ".ipynb"), ("LSTM.py", 20_000_001, "20"), ("LSTM.py", 0, "empty")):
        page.evaluate(DROP, [name, size, "[data-drop]"])
        expect(page.locator("#file-error")).to_contain_text(said)
        expect(page.locator("#file")).to_be_focused()
        page.get_by_role("button", name="Hand in", exact=True).click()
        expect(page.locator("#file")).to_have_attribute("aria-invalid", "true")
    page.reload()
    # Line ends travel as two characters.
    text = f"{'#' * 999}\n" * (PASTE_BYTES // 1000)
    page.locator("#code").evaluate("(code, text) => { code.value = text; }", text)
    page.get_by_role("button", name="Hand in", exact=True).click()
    expect(page.locator("#code-error")).to_have_text("This is more than 1 MB. Hand it in as a file.")
    expect(page.locator("#code")).to_be_focused()
    expect(page.locator("#code")).to_have_accessible_description(re.compile("Hand it in as a file"))
    expect(page.locator("#file-error")).to_be_hidden()
    assert "POST" not in sent
    page.locator("#code").fill("")
    page.evaluate(DROP, ["LSTM.py", 10, "[data-drop]"])
    expect(page.locator("#file-error")).to_be_hidden()
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.wait_for_url("**/submissions/*")


def test_pasted_code_becomes_one_attempt_and_its_report(page, server):
    page.locator("#code").fill(SOURCE.read_text(encoding="utf-8"))
    page.get_by_role("button", name="Hand in", exact=True).dblclick()
    page.wait_for_url("**/submissions/*")
    expect(page.get_by_role("heading", name="Not everything is right", level=1)).to_be_visible()
    page.goto(f"{server.url}{ATTEMPTS}")
    assert page.locator(".attempts > li").count() == 1


def test_same_bytes_are_an_attempt_once_the_student_says_so(page, server):
    def hand_in() -> None:
        page.goto(f"{server.url}{PAGE}")
        page.set_input_files("#file", {"name": "LSTM.py", "mimeType": "text/x-python", "buffer": NO_CLASS})
        page.get_by_role("button", name="Hand in", exact=True).click()

    hand_in()
    page.wait_for_url("**/submissions/*")
    hand_in()
    again = page.get_by_role("button", name="Hand in the same again")
    expect(again).to_be_focused()
    expect(page.locator("#again-error")).to_contain_text("You have handed in exactly this. It is your attempt 1")
    again.click()
    page.wait_for_url("**/submissions/*")


def request_to(page: Page, asked: list[Route], number: int) -> Route:
    """Return the request of this number once the browser has made it, which may be after the page shows the wait."""
    wait_until(lambda: page.evaluate("true") and len(asked) > number)
    return asked[number]


def test_waiting_page_turns_into_the_report_without_loading_again(page, server):
    # Longer than the service waits for a report before it shows the wait, far shorter than a run may take.
    page.locator("#code").fill(lasting(2, SOURCE.read_bytes()).decode())
    asked: list[Route] = []
    page.route("**/events", lambda route: asked.append(route))
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.wait_for_url("**/submissions/*")
    expect(page.locator(".steps [aria-current=step]")).to_be_visible()
    page.evaluate("window.still = true")
    request_to(page, asked, 0).continue_()
    heading = page.locator(".verdict h1").filter(has_not_text="The file has arrived")
    expect(heading).to_be_focused()
    assert page.evaluate("window.still")
    assert "The file has arrived" not in page.title()
    # The report's scripts run as on a page of its own.
    expect(page.locator("main time[title]").first).to_be_attached()
    expect(page.locator("time[data-own-zone]")).to_have_count(0)


def test_estimate_of_the_wait_runs_down_and_says_when_it_was_wrong(page, server):
    with server.client() as client:
        hand_in(client, NO_CLASS, "measured")
    page.clock.install()
    page.route(
        "**/events",
        lambda route: route.fulfill(
            content_type="text/event-stream", body='event: position\ndata: {"position": 3, "seconds": 40}\n\n'
        ),
    )
    page.locator("#code").fill(lasting(6, SOURCE.read_bytes()).decode())
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.wait_for_url("**/submissions/*")
    left = page.locator("[data-left]")
    expect(left).to_have_text(re.compile("About 0:(40|3[0-9]) left"))
    for seconds, words in ((25, "About 0:1"), (15, "Any moment now."), (60, "This takes longer than usual.")):
        page.clock.run_for(1000 * seconds)
        expect(left).to_contain_text(words)


@pytest.mark.parametrize(
    "break_off",
    [lambda route: route.fulfill(status=502), pytest.param(lambda route: route.abort(), marks=pytest.mark.thorough)],
    ids=["a proxy answers", "nobody answers"],
)
def test_waiting_page_follows_without_loading_again_where_no_events_come(page, server, break_off):
    with server.client() as client:
        student = client.get("/api/v1/tokens").json()["items"][0]["student"]
        # One attempt of a student is graded at a time, so the next one waits.
        client.post(SUBMISSIONS, files={"file": ("LSTM.py", lasting(3))}, data={"student": student}).raise_for_status()
        page.route("**/events", break_off)
        page.locator("#code").fill(SOURCE.read_text(encoding="utf-8"))
        page.get_by_role("button", name="Hand in", exact=True).click()
        page.wait_for_url("**/submissions/*")
        page.evaluate("window.still = true")
        client.post(f"{SUBMISSIONS}/{page.url.rpartition('/')[2]}/cancel").raise_for_status()
    expect(page.get_by_role("heading", name="Taken out of the queue")).to_be_focused()
    assert page.evaluate("window.still")


def test_pasted_code_outlives_the_session_and_goes_when_it_is_handed_in(browser, server):
    context = _signed_in(browser, server, "pastes")
    page = context.pages[0]
    page.goto(f"{server.url}{PAGE}")
    page.locator("#code").fill("x = 1\n")
    cookies = context.cookies()
    context.clear_cookies()
    page.get_by_role("button", name="Hand in", exact=True).click()
    expect(page.get_by_text("Your sign-in has ended")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    expect(page.locator("#token")).to_be_visible()
    context.add_cookies(cookies)
    page.goto(f"{server.url}{PAGE}")
    expect(page.get_by_text("This is the code that you pasted here before")).to_be_visible()
    expect(page.locator("#code")).to_have_value("x = 1\n")
    page.get_by_role("button", name="Hand in", exact=True).click()
    page.wait_for_url("**/submissions/*")
    page.goto(f"{server.url}{PAGE}")
    expect(page.locator("#code")).to_have_value("")
    context.close()


EXPIRED = {"type": "urn:lstm-grader:problem:form-expired", "title": "This page is too old", "detail": ""}


#: The service says it in a problem document, a proxy on its own page.
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"status": 403, "json": EXPIRED}, EXPIRED["title"]),
    ({"status": 413, "body": "<h1>Request Entity Too Large</h1>"}, "HTTP 413"),
]


def fulfil(answer: dict[str, Any], route: Route) -> None:
    route.fulfill(**answer)


def test_pasted_code_stays_when_it_is_refused_which_is_seen_on_a_phone_too(page):
    page.set_viewport_size({"width": 360, "height": 480})
    page.locator("#code").fill("x = 1\n")
    for answer, said in REFUSALS:
        page.route(f"**{PAGE}", partial(fulfil, answer))
        page.get_by_role("button", name="Hand in", exact=True).click()
        expect(page.locator("[data-error=form]")).to_contain_text(said)
        expect(page.locator("[data-error=form]")).to_be_focused()
        expect(page.locator("[data-error=form]")).to_be_in_viewport(ratio=1)
        page.unroute(f"**{PAGE}")
        page.reload()
        expect(page.locator("#code")).to_have_value("x = 1\n")


@pytest.mark.parametrize("reader", sampled([("Europe/Berlin", "ru"), ("America/New_York", "en")], every=2), ids=str)
def test_due_date_is_told_by_the_readers_clock_on_both_sides_of_summer_time(browser, server, reader):
    """The course has the clock of Moscow, which has no summer time."""
    zone, language = reader
    year = datetime.now(UTC).year + 1
    dues = [datetime(year, month, 1, 20, 59, tzinfo=UTC) for month in (2, 7, 12)]
    context = _signed_in(browser, server, f"in-{zone}", timezone_id=zone)
    page = context.pages[0]
    course = f"/api/v1/courses/{DEFAULT_COURSE}"
    with server.client() as owner:
        owner.patch(course, json={"time_zone": "Europe/Moscow"}).raise_for_status()
        for due in dues:
            owner.put(f"{course}/assignments/lstm-layer", json={"rules": {"due": due.isoformat()}}).raise_for_status()
            here, moscow = due.astimezone(ZoneInfo(zone)), due.astimezone(ZoneInfo("Europe/Moscow"))
            for address in (f"/?lang={language}", f"{PAGE}?lang={language}"):
                page.goto(f"{server.url}{address}")
                time = page.locator(".dates time").first
                offset = here.isoformat()[-6:].replace("+00:00", "").replace("-", "−")
                expect(time).to_have_text(re.compile(rf"{here.day} \S+ {year}, {here:%H:%M} UTC{re.escape(offset)}$"))
                assert f"{moscow:%H:%M} UTC+03:00" in (time.get_attribute("title") or "")
                expect(page.locator(".dates .due").first).to_contain_text("in " if language == "en" else "через ")
        owner.put(f"{course}/assignments/lstm-layer", json={"rules": {}}).raise_for_status()
    context.close()


def test_phone_has_a_menu_that_works_by_keyboard_and_without_scripts(browser, server):
    context = _signed_in(browser, server, "phone", java_script_enabled=False)
    page = context.pages[0]
    page.set_viewport_size({"width": 320, "height": 844})
    page.goto(f"{server.url}{PAGE}")
    bar = page.locator(".bar").bounding_box()
    assert bar["height"] <= 60
    leave = page.get_by_role("button", name="Sign out")
    expect(leave).to_be_hidden()
    page.locator(".menu summary").focus()
    page.keyboard.press("Enter")
    expect(leave).to_be_visible()
    leave.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Personal link or token")).to_be_visible()
    context.close()


@pytest.fixture(scope="module")
def report(browser: Browser, server: Server) -> Iterator[Page]:
    """The page of a student's report, in a browser of the student."""
    context = _signed_in(browser, server, "reader")
    with server.client() as client:
        submission = hand_in(client, SOURCE.read_bytes(), "reader")
    page = context.pages[0]
    page.goto(f"{server.url}/submissions/{submission['id']}")
    yield page
    context.close()


def test_curve_and_map_of_a_report_are_read_by_keyboard_and_by_tap(report):
    report.reload()
    points = {id: report.locator(f"polyline.{id}").get_attribute("points") for id in ("keras", "yours", "named")}
    assert points["yours"] == points["named"] != points["keras"]
    report.locator("figure.curve .plot").focus()
    report.keyboard.press("End")
    report.keyboard.press("ArrowLeft")
    expect(report.locator("figure.curve .reading")).to_contain_text("98")
    report.locator("details.map summary").focus()
    report.keyboard.press("Enter")
    cell = report.get_by_role("gridcell")
    cell.focus()
    report.keyboard.press("Home")
    expect(cell).to_contain_text("Timestep 0, unit")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        report.keyboard.press(key)
    expect(cell).to_contain_text("Timestep 2, unit")
    expect(report.locator("details.map [aria-live]")).to_contain_text("Timestep 2, unit")
    report.locator("details.map .cells svg").click(position={"x": 3, "y": 3})
    expect(cell).to_contain_text("Timestep 0, unit 0")


def test_numbers_of_the_map_that_did_not_arrive_are_asked_for_again_and_may_be_infinite(report):
    asked: list[Route] = []
    report.route("**/numbers/*.csv", lambda route: asked.append(route))
    report.reload()
    opener, reading = report.locator("details.map summary"), report.locator("details.map p.reading")
    opener.click()
    expect(reading).to_have_text("The numbers are being loaded…")
    request_to(report, asked, 0).abort()
    expect(reading).to_contain_text("could not be loaded")
    opener.click()
    expect(reading).to_be_hidden()
    opener.click()
    expect(reading).to_have_text("The numbers are being loaded…")
    second = request_to(report, asked, 1)
    heading, _, *rest = report.request.get(second.request.url).text().split("\n")
    second.fulfill(body="\n".join([heading, "0,0,0,0.25,-inf", *rest]))
    expect(report.get_by_role("gridcell")).to_contain_text("Keras 0.25, yours −∞, difference −∞")
    report.unroute("**/numbers/*.csv")


def test_pictures_are_drawn_when_they_are_opened_and_are_images_where_that_fails(report):
    """They are drawn under the rules of the page, which allow no code made of strings."""
    asked: list[Route] = []
    report.route("**/static/vega.js", lambda route: asked.append(route))
    for works in (False, True):
        report.reload()
        assert not asked
        report.locator("details.pictures summary").click()
        expect(report.get_by_text("is being drawn")).to_have_count(2)
        route = request_to(report, asked, 0)
        asked.clear()
        if works:
            route.continue_()
            expect(report.locator(".chart canvas")).to_have_count(2)
            expect(report.locator("[aria-busy=true]")).to_have_count(0)
            bars = report.locator(".chart canvas").nth(1)
            bars.hover()
            box = bars.bounding_box()
            # Over a bar, wherever the gaps between them are.
            report.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=20)
            expect(report.locator("#vg-tooltip-element")).to_contain_text("unit")
        else:
            route.abort()
            expect(report.locator("figure.picture > img")).to_have_count(2)
    report.unroute("**/static/vega.js")
