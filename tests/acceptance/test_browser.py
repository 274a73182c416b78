"""Reports and archives of files in a real browser: as documents, after a restart, and over a bad line."""

import io
import re
import zipfile

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.storage.models import DEFAULT_COURSE
from grader.batch.collect import Student, StudentFile
from grader.batch.overview import overview
from grader.batch.run import Row
from tests.acceptance.conftest import CORPUS, hand_in, serving
from tests.acceptance.installation import NO_CLASS, lasting
from tests.ports import free_port
from tests.unit.grader.make_reports import ASSIGNMENT, hostile, internal_error, make_report

pytestmark = pytest.mark.thorough

WRONG = CORPUS / "wrong_swap_if" / "submission.py"
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


def test_report_and_overview_as_documents_fit_the_screen(browser, server):
    """With names that have no place to break, a file that cannot be read, and texts of a student's."""
    with server.client() as client:
        submission = hand_in(client, WRONG.read_bytes(), f"{LONG} Anna")
        documents = [client.get(f"{submission['links']['report']}?format=html&lang=ru").text]
    path = f"{LONG}/{LONG}.ipynb"
    student = Student(LONG, "moodle", "1", late=True)
    rows = [
        Row(StudentFile(path, student, f"{LONG}.ipynb", lambda _: b""), report, problem, same_code_as)
        for report, problem, same_code_as in (
            (make_report(), None, path),
            (hostile(), None, None),
            (internal_error(), None, None),
            (None, "encrypted", None),
        )
    ]
    documents += [overview(rows, ASSIGNMENT, language) for language in ("ru", "en")]
    page = browser.new_page()
    for document in documents:
        page.set_content(document)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(TWO_FRAMES)
            assert page.evaluate(TOO_WIDE) == [], f"{page.title()}, at {width} pixels"
    page.close()


@pytest.mark.alone
def test_waiting_page_follows_the_queue_over_a_restart(browser, tmp_path, cache_dir):
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
        events = 'event: position\ndata: {"position": 7}\n\n'
        page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=events))
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
    """Show the report again in a browser that has been nowhere before, while the service has just started."""
    with browser.new_context(storage_state=shown.context.storage_state(), locale="ru-RU") as context:
        page = context.new_page()
        session = context.new_cdp_session(page)
        addresses: list[str] = []
        lengths: list[float] = []
        session.on("Network.requestWillBeSent", lambda event: addresses.append(event["request"]["url"]))
        session.on("Network.loadingFinished", lambda event: lengths.append(event["encodedDataLength"]))
        session.send("Network.enable")
        page.goto(shown.url)
        expect(page.locator("figure.curve polyline").first).to_be_attached()
    assert len(addresses) <= PAGE_REQUESTS, addresses
    assert sum(lengths) <= PAGE_BYTES


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"status": 413, "body": "<h1>Request Entity Too Large</h1>"}, "HTTP 413"), (None, "The connection was lost.")],
    ids=["a proxy's own page", "a lost connection"],
)
def test_archive_that_does_not_arrive_is_sent_again_by_its_teacher_alone(browser, server, answer, reason):
    addresses: list[str] = []

    def refuse(route: Route) -> None:
        addresses.append(route.request.url)
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    archive, address = io.BytesIO(), f"{server.url}/courses/{DEFAULT_COURSE}/batch"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("Somebody Else_1_assignsubmission_file_/LSTM.py", NO_CLASS)
    with browser.new_context(locale="en-GB") as context:
        assert context.request.post(f"{server.url}/enter", form={"token": server.token}).ok
        page = context.new_page()
        page.goto(address)
        page.set_input_files("#file", {"name": "all.zip", "mimeType": "application/zip", "buffer": archive.getvalue()})
        page.route("**/batch", refuse)
        page.locator("main form button.primary").click()
        expect(page.locator("main [data-error]")).to_contain_text(reason)
        expect(page.locator("main [data-error]")).to_be_focused()
        expect(page.locator("[data-progress]")).to_be_hidden()
        page.unroute("**/batch")
        assert addresses == [address]
        page.locator("main form button.primary").click()
        page.wait_for_url(re.compile(r"/batch/\w+"))
