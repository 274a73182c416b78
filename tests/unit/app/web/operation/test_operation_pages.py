"""Regrades, a batch, the grade book and the state of the service, as a teacher without scripts uses them."""

import html
import io
import re
import zipfile

import httpx
import pytest

from app.operations.status import ERRORS_LISTED, ServiceState
from app.queue.state import Queue, WorkerState
from app.storage.models import Role
from app.submissions.positions import QueueState
from app.web.operation import batch, regrades
from grader import Status
from grader.report.model import Diagnosis
from tests.unit.app.calls import COURSE, SUBMISSIONS, hand_in, hidden, send, upload
from tests.unit.app.conftest import Browser
from tests.waiting import until

PAGES = [f"{COURSE}/{page}" for page in ("regrades", "batch", "grade-book")]


def archive(*names: str, content: bytes = b"class LSTM: ...\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names or ["ivanov.py"]:
            packed.writestr(name, content)
    return buffer.getvalue()


def next_page(shown: str, parameter: str) -> str | None:
    """Return the address of the next page of the list that this parameter of the query turns."""
    link = re.search(rf'rel="next" href="([^"]*\b{parameter}=\w+)"', shown)
    return link and html.unescape(link[1])


async def hand_in_archive(browser: Browser, content: bytes) -> httpx.Response:
    return await send(browser, f"{COURSE}/batch", assignment="lstm-layer", files={"file": ("course.zip", content)})


@pytest.mark.parametrize(("page", "action"), [("batch", "batch"), ("grade-book", "grade-book/filled")])
async def test_form_without_its_file_asks_for_the_file(browser, page, action):
    answer = await send(browser, f"{COURSE}/{page}", f"{COURSE}/{action}", files={"file": ("", b"")})
    assert answer.status_code == 422
    assert "Choose the file, then send the form again." in answer.text
    assert "Missing in the form" not in answer.text


async def test_operator_and_teacher_read_when_the_queue_is_empty(service, owner, browser, grader):
    await hand_in(service, "ivanov")
    grader.released.clear()
    for number in range(9):
        await owner.post(SUBMISSIONS, **upload(student=f"student-{number}"))
    await until(lambda: len(grader.began) > 1)
    state = (await browser.get("/status")).text
    assert "Empty in about" in state
    assert re.findall(r"Graded in the last (\w+)</dt><dd>(\d+)", state) == [("hour", "1"), ("day", "1")]
    shown = (await browser.get(COURSE)).text
    assert re.search(r"\d attempts of all courses wait to be graded. The queue is empty in about \d+ second", shown)


async def test_preview_is_begun_looked_at_and_dropped(service, browser, grader):
    await hand_in(service, "ivanov")
    begun = await send(browser, f"{COURSE}/regrades", f"{COURSE}/regrades", assignment="lstm-layer", mode="preview")
    assert begun.status_code == 303
    address = begun.headers["location"]
    assert (await browser.get(f"{address}?show=all")).status_code == 200
    dropped = await send(browser, address, f"{address}/drop")
    assert dropped.status_code == 303
    again = await send(browser, PAGES[0], f"{address}/apply")
    assert again.status_code == 409
    assert 'role="alert" tabindex="-1" autofocus' in again.text


async def ready_preview(browser: Browser) -> str:
    """Begin the preview of a regrade; return its page once all is graded."""
    address = (await send(browser, PAGES[0], PAGES[0], mode="preview")).headers["location"]

    async def is_ready() -> bool:
        return "waits for your decision" in (await browser.get(address)).text

    await until(is_ready)
    return (await browser.get(f"{address}?show=all")).text


async def test_preview_that_changes_nothing_is_closed(service, browser):
    await hand_in(service, "ivanov")
    shown = await ready_preview(browser)
    assert "No points and no verdict would change" in shown
    assert "Close the preview" in shown
    assert "Yes, let the new results count" not in shown
    assert "Use the new reports" in shown


async def test_preview_that_runs_says_that_what_changes_is_not_known_yet(service, browser, grader):
    await hand_in(service, "ivanov")
    grader.released.clear()
    address = (await send(browser, PAGES[0], PAGES[0], mode="preview")).headers["location"]
    shown = (await browser.get(address)).text
    assert "The changes are not known yet: 0 of 1 graded again so far." in shown
    assert "no points and no verdict change" not in shown


async def test_regrade_names_causes_as_their_reports_do(service, browser, grader):
    grader.statuses = [Status.FAILED]
    before = Diagnosis(code="forget_term_missing", params={"variant": "full"}, confidence="exact")
    after = Diagnosis(code="c_as_candidate", params={"variant": "output"}, confidence="exact")
    grader.change = lambda report: report.model_copy(
        update={"diagnoses": [before if len(grader.graded) == 1 else after]}
    )
    await hand_in(service, "ivanov")
    shown = await ready_preview(browser)
    assert "Nothing is forgotten</p>" in shown
    assert "Candidate instead of the memory</p>" in shown


async def test_changes_of_a_regrade_are_all_reached_from_page_to_page(service, browser, monkeypatch):
    monkeypatch.setattr(regrades, "PER_PAGE", 1)
    students = ["ivanov", "petrov"]
    for student in students:
        await hand_in(service, student)
    first = await ready_preview(browser)
    last = (await browser.get(next_page(first, "page"))).text
    assert sorted([student for student in students if student in page] for page in (first, last)) == [
        [each] for each in students
    ]
    assert next_page(last, "page") is None


async def test_course_page_leads_to_a_preview_of_works_graded_by_an_earlier_grader(service):
    await hand_in(service, "ivanov")  # The grader of these tests is of an earlier version.
    for token, role in {"teacher": Role.TEACHER, "assistant": Role.ASSISTANT}.items():
        await service.add_token(token, role)
    async with service.browser("assistant") as browser:
        assert 'id="outdated"' not in (await browser.get(COURSE)).text
    async with service.browser("teacher") as browser:
        shown = (await browser.get(COURSE)).text
        section = shown[shown.index('id="outdated"') :].partition("</section>")[0]
        assert "An earlier version of the grader graded 1 of 1 submission." in section
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', section))
        begun = await browser.post(PAGES[0], data=fields)
        assert begun.status_code == 303
        preview = await browser.get(begun.headers["location"])
    assert "<h1>Preview of a regrade</h1>" in preview.text


async def test_preview_that_runs_is_shown_to_whoever_asks_for_the_same(service, browser, grader):
    await hand_in(service, "ivanov")
    grader.released.clear()
    forms = [{"mode": "preview"}, {"mode": "preview"}, {"mode": "preview", "student": "ivanov"}, {"mode": "now"}]
    first, again, other, now = [
        (await send(browser, PAGES[0], PAGES[0], **fields)).headers["location"] for fields in forms
    ]
    assert first == again
    assert len({first, other, now}) == 3
    await send(browser, first, f"{first}/drop")
    assert (await send(browser, PAGES[0], PAGES[0], mode="preview")).headers["location"] != first


async def test_form_that_is_sent_twice_begins_one_regrade(service, browser):
    await hand_in(service, "ivanov")
    shown = (await browser.get(PAGES[0])).text
    form = {"mode": "now", **dict(re.findall(r'name="(form_key|form_secret)" value="([^"]*)"', shown))}
    first, again, other = [
        await browser.post(PAGES[0], data={**form, **more}) for more in ({}, {}, {"student": "ivanov"})
    ]
    assert first.headers["location"] == again.headers["location"]
    assert other.status_code == 422
    form["form_key"] = hidden(other.text, "form_key")
    assert (await browser.post(PAGES[0], data={**form, "student": "ivanov"})).status_code == 303


async def test_archive_is_handed_in_and_told_file_by_file(service, browser):
    await hand_in(service, "ivanov", b"class LSTM: pass")
    answer = await hand_in_archive(browser, archive())
    assert answer.status_code == 303
    shown = await browser.get(answer.headers["location"])
    unmatched = await browser.get((await hand_in_archive(browser, archive("nobody.py"))).headers["location"])
    assert "ivanov" in shown.text
    assert "owner-" in unmatched.text


@pytest.mark.parametrize(
    ("content", "parameter"), [(b"x = 1\n", "unmatched"), (b"", "undone")], ids=["without an owner", "refused"]
)
async def test_files_of_a_batch_are_all_reached_from_page_to_page(browser, monkeypatch, content, parameter):
    monkeypatch.setattr(batch, "PER_PAGE", 2)
    names = [f"nobody{number}.py" for number in range(5)]
    address = (await hand_in_archive(browser, archive(*names, content=content))).headers["location"]
    pages = []
    while address:
        shown = (await browser.get(address)).text
        pages.append(re.findall(r"<bdi>(nobody\d\.py)</bdi>", shown))
        address = next_page(shown, parameter)
    assert pages == [names[:2], names[2:4], names[4:]]


async def test_id_that_no_student_has_is_told_on_the_page(browser, monkeypatch):
    monkeypatch.setattr(batch, "PER_PAGE", 1)
    answer = await hand_in_archive(browser, archive(*(f"nobody{number}.py" for number in range(3))))
    second = next_page((await browser.get(answer.headers["location"])).text, "unmatched")
    (action, _), (_, field) = re.findall(
        r'action="([^"]*/owners[^"]*)"|name="(owner-\w+)"', (await browser.get(second)).text
    )
    refused = await send(browser, second, action, **{field: "nobody"})
    assert refused.status_code == 422
    assert f'name="{field}" list="students" value="nobody"' in refused.text
    # Sent again, it would come back to the same files.
    assert f'action="{action}"' in refused.text
    third = next_page(refused.text, "unmatched")
    last = await browser.get(third)
    assert "<bdi>nobody2.py</bdi>" in last.text


async def test_owner_of_what_is_no_file_is_left_out(browser):
    batch = (await hand_in_archive(browser, archive("nobody.py"))).headers["location"]
    answer = await send(browser, batch, f"{batch}/owners", **{"owner-a\0b": "nobody"})
    assert answer.status_code == 303


async def test_file_that_is_no_archive_is_refused_above_the_form(browser):
    answer = await hand_in_archive(browser, b"no archive")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


async def test_grade_book_is_downloaded_as_csv(service, browser):
    await hand_in(service, "ivanov")
    answer = await browser.get(f"{COURSE}/grade-book/file", params={"format": "moodle", "unconfirmed": "true"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "ivanov" in answer.text


async def test_worker_that_does_not_answer_does_nothing_else(browser, monkeypatch):
    async def read(*_: object, **__: object) -> ServiceState:
        workers = [WorkerState(20.0, {"host": "far", "slots": 2}), WorkerState(1.0, {"host": "near", "slots": 2})]
        return ServiceState(None, workers, None, None, None, None, True, "off", "off")

    monkeypatch.setattr("app.web.operation.status.state_of", read)
    page = (await browser.get("/status")).text
    assert "The worker on far has not answered for 20 seconds." in page
    far, near = (page[page.index(f"<bdi>{host}</bdi>") :].partition("</section>")[0] for host in ("far", "near"))
    assert "does not answer" in far
    assert "waits for work" not in far
    assert "waits for work" in near


@pytest.mark.parametrize(("workers", "named"), [([], {"no_workers"}), ([WorkerState(1.0, {})], {"queue"})])
def test_queue_that_no_worker_empties_has_one_cause(workers, named):
    queue = Queue(QueueState(3, 0, 7200.0), previews=0, checks=0, graded_hour=0, graded_day=0)
    state = ServiceState(queue, workers, None, None, None, ("SQLite", ("1", "1")), True, "off", "off")
    assert {need.code for need in state.needs} == named


async def test_requests_that_we_fail_are_listed_with_a_cause(browser, monkeypatch):
    async def fail(*_: object) -> None:
        raise KeyError("ivanov-42")

    assert "failed by a fault of ours" not in (await browser.get("/status")).text
    monkeypatch.setattr("app.web.course.course.attention", fail)
    failed = [await browser.get(COURSE) for _ in range(ERRORS_LISTED + 1)]
    assert {answer.status_code for answer in failed} == {500}
    page = (await browser.get("/status")).text
    listed = re.findall(
        r"<bdi>GET /courses/{course_id}</bdi>, request&nbsp;<code>(\w+)</code>: <bdi>KeyError</bdi>", page
    )
    assert listed == [answer.headers["x-request-id"] for answer in reversed(failed[1:])]
    assert f"{ERRORS_LISTED} requests failed by a fault of ours in the last day." in page
    assert "ivanov-42" not in page
