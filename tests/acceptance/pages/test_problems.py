"""The pages of refusals and faults, and the documentation of the API with its operations open, as readers meet them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from starlette.requests import Request

from app.main import create_app
from app.operations import status
from app.operations.status import Deliveries, Disk, Failure, Job, Queue, ServiceState, WorkerState
from app.settings import Settings
from app.storage.models import Submission, utc_now
from app.submissions.repository import QueueState
from tests.acceptance.pages.looking import AXE_SCRIPT, DESK, PHONE, SECONDS, SMALL, TWO_FRAMES, Looking, sending
from tests.ports import free_port
from tests.unit.app.conftest import OWNER_TOKEN, ChartsInThisProcess, FakeGrader
from tests.unit.app.web.test_problem_pages import ERRORS
from tests.unit.grader import make_reports
from tests.waiting import wait_until

#: One refusal of each status.
RAISED = dict(ERRORS)
#: Forms that arrive signed out, with a wrong token, and too large: address, body, status.
SENT = (
    ("/courses/x/assignments/lstm-layer", "code=x", 401),
    ("/enter", "token=wrong", 401),
    ("/enter", "token=" + "x" * 70_000, 413),
)
#: The first operation of each method is opened: parameters, bodies, choices, headers, examples.
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that refuses or fails as the address says."""
    folder, port = tmp_path_factory.mktemp("problems"), free_port()
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache", port=port)
    app = create_app(settings, grade_with=FakeGrader(), draw_with=ChartsInThisProcess(), owner_token=OWNER_TOKEN)

    async def refuse(request: Request) -> None:
        raise RAISED[int(request.path_params["status"])]

    app.router.add_route("/raise/{status}", refuse)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def looking(browser: Browser) -> Looking:
    return Looking(browser.new_context(locale="ru-RU", reduced_motion="reduce"))


def assert_good(looking: Looking, address: str, status: int) -> None:
    seen = looking.see(address)
    assert seen.status == status
    assert len(seen.headings) == 1
    assert not re.search(rf"\b{status}\b", f"{seen.title} {seen.headings[0]}")
    assert seen.violations == []
    assert seen.too_wide == []
    assert seen.too_small == []
    assert seen.without_focus == []
    assert seen.without_keys == []
    assert seen.printed_bars == []
    assert [each for each in seen.errors if f"status of {status}" not in each] == []


@pytest.mark.parametrize("status", RAISED)
def test_page_of_a_refusal_is_as_good_as_others(looking: Looking, url: str, status: int) -> None:
    assert_good(looking, f"{url}/raise/{status}", status)


@pytest.mark.parametrize(("path", "body", "status"), SENT, ids=lambda value: str(value)[:20])
def test_page_that_answers_a_form_is_as_good_as_others(
    looking: Looking, url: str, path: str, body: str, status: int
) -> None:
    address = f"{url}{path}"
    with sending(looking.page, address, body.encode(), "application/x-www-form-urlencoded"):
        assert_good(looking, address, status)


HOST = "worker-1.grading.internal.example.edu"
#: Workers that grade behind half a wall, that fail their self-test, and that died.
WORKERS = [
    WorkerState(2.5, {"host": HOST, "grader": "0.0.1", "slots": 2, "wall": {"seccomp": False, "landlock": False}}, []),
    WorkerState(None, {"host": "web", "slots": 1, "wall": {"seccomp": True}, "self_test": {"failure": "x" * 300}}),
    WorkerState(2400.0, {"host": HOST}, [Job("0" * 26, "lstm-layer", "s000")]),
]
FAILED = Submission(id="0" * 26)
FAILURES = [
    Failure(FAILED, utc_now(), "SandboxStartFailed", make_reports.HOSTILE, graded_since=False),
    Failure(FAILED, utc_now(), "OSError", "/a" * 200, graded_since=True),
]
#: The service where everything is bad that can be read, and where nothing can be.
TROUBLES = {
    "bad": ServiceState(
        needs=(),
        queue=Queue(QueueState(300, 2, 7200.0), previews=40, graded_hour=0, graded_day=12),
        workers=WORKERS,
        failures=FAILURES,
        deliveries=Deliveries(9, 4, 2, [("0" * 26, "connection refused")]),
        disk=Disk(20_000_000, 100_000_000_000),
        database=("SQLite 3.45", ("0011", "0014")),
        is_writable=True,
        mail="failing",
        mail_waiting=3,
        sign_on="failing",
    ),
    "without workers": ServiceState((), None, [], [], None, None, None, False, "off", 0, "off"),
    "unread": ServiceState((), None, None, None, None, None, None, False, "well", 0, "unasked"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_status_page_of_a_service_in_trouble_is_as_good_as_others(
    looking: Looking, url: str, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async def read(*_: object, **__: object) -> ServiceState:
        return status._with_needs(TROUBLES[trouble])

    monkeypatch.setattr("app.web.operation.status.state_of", read)
    assert looking.page.context.request.post(f"{url}/enter", form={"token": OWNER_TOKEN}).ok
    assert_good(looking, f"{url}/status", 200)
    looking.page.context.clear_cookies()


def test_troubles_are_all_that_the_status_page_can_name() -> None:
    named = {need.code for state in TROUBLES.values() for need in status._with_needs(state).needs}
    assert named == set(status.NEEDS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("method", METHODS)
def test_open_operation_of_the_api_is_readable(browser: Browser, url: str, method: str, theme: str) -> None:
    page = documentation(browser, url, theme)
    operation = page.locator(f".opblock-{method}").first
    operation.locator(".opblock-summary-control").click()
    expect(operation.locator(".responses-wrapper")).to_be_visible(timeout=SECONDS * 1000)
    found = []
    for width in (DESK, PHONE, SMALL):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate(TWO_FRAMES)
        violations = operation.evaluate("async (each) => (await axe.run(each)).violations")
        found += [(width, each["id"], node["html"][:160]) for each in violations for node in each["nodes"]]
        found += [(width, "too wide", each) for each in page.evaluate("looks.tooWide()")]
        found += [(width, "too small", each) for each in page.evaluate("looks.tooSmall()")]
    operation.locator(".opblock-summary-control").click()
    assert found == []


@cache
def documentation(browser: Browser, url: str, theme: str) -> Page:
    context = browser.new_context(reduced_motion="reduce", color_scheme="dark" if theme == "dark" else "light")
    context.add_init_script(path=Path(__file__).with_name("looks.js"))
    page = context.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.goto(f"{url}/docs")
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=SECONDS * 1000)
    page.evaluate(AXE_SCRIPT)
    return page
