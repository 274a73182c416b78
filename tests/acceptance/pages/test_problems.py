"""The pages of refusals and faults, and the status page of a service in trouble, as readers meet them."""

import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest
from playwright.sync_api import Browser
from starlette.requests import Request

from app.main import create_app
from app.operations.status import Deliveries, Disk, Failure, ServiceState
from app.queue.state import Job, Queue, WorkerState
from app.settings import Settings
from app.storage.models import Submission, utc_now
from app.submissions.positions import QueueState
from app.texts import catalogue
from tests.acceptance.conftest import answering_at
from tests.acceptance.pages.looking import EVERYWHERE, Look, Looking, Seen, one_of_the_looks, sending
from tests.ports import free_port
from tests.tiers import sampled
from tests.unit.app.conftest import OWNER_TOKEN, ChartsInThisProcess, FakeGrader
from tests.unit.app.web.test_problem_pages import ERRORS
from tests.unit.grader import make_reports

#: One refusal of each status.
RAISED = dict(ERRORS)
#: Forms that arrive signed out, with a wrong token, and too large: address, body, status.
SENT = (
    ("/courses/x/assignments/lstm-layer", "code=x", 401),
    ("/enter", "token=wrong", 401),
    ("/enter", "token=" + "x" * 70_000, 413),
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that refuses or fails as the address says."""
    folder, port = tmp_path_factory.mktemp("problems"), free_port()
    settings = Settings(data_dir=folder / "data", cache_dir=folder / "cache", port=port)
    app = create_app(settings, grade_with=FakeGrader(), draw_with=ChartsInThisProcess(), owner_token=OWNER_TOKEN)

    async def refuse(request: Request) -> None:
        raise RAISED[int(request.path_params["status"])]

    app.router.add_route("/raise/{status}", refuse)
    with answering_at(port, app):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def looking(browser: Browser) -> Looking:
    return Looking(browser.new_context(locale="ru-RU", reduced_motion="reduce"))


def expect_a_good_page(looking: Looking, address: str, status: int, looks: Sequence[Look] = EVERYWHERE) -> None:
    seen = looking.see(address, looks)
    faults = seen.faults()
    assert not faults, "\n".join(faults)
    assert seen.status == status, f"status {seen.status}"
    assert len(seen.headings) == 1, f"headings of the first level: {seen.headings}"
    words = f"{seen.title} {seen.headings[0]}"
    assert not re.search(rf"\b{status}\b", words), f"a number that says nothing to its reader: {words}"


@pytest.mark.parametrize("status", sampled(RAISED, every=8))
def test_page_of_a_refusal_is_as_good_as_others(looking, url, status):
    expect_a_good_page(looking, f"{url}/raise/{status}", status, one_of_the_looks(list(RAISED).index(status)))


@pytest.mark.parametrize("sent", sampled(SENT, every=len(SENT)), ids=lambda sent: str(sent[2]))
def test_page_that_answers_a_form_is_as_good_as_others(looking, url, sent):
    path, body, status = sent
    address = f"{url}{path}"
    with sending(looking.page, address, body.encode(), "application/x-www-form-urlencoded"):
        expect_a_good_page(looking, address, status)


HOST = "worker-1.grading.internal.example.edu"
#: Workers that grade behind half a wall, that fail their self-test, and that died.
WORKERS = [
    WorkerState(2.5, {"host": HOST, "grader": "0.0.1", "slots": 2, "wall": {"seccomp": False, "landlock": False}}, []),
    WorkerState(None, {"host": "web", "slots": 1, "wall": {"seccomp": True}, "self_test": {"failure": "x" * 300}}),
    WorkerState(2400.0, {"host": HOST}, [Job("0" * 26, "lstm-layer", "s000")]),
]
FAILED = Submission(id="0" * 26)
FAILURES = [
    Failure(utc_now(), "SandboxStartFailed", make_reports.HOSTILE, submission=FAILED),
    Failure(utc_now(), "OSError", "/a" * 200, submission=FAILED, graded_since=True),
]
#: Somebody has chosen the second id.
FAILED_REQUESTS = [
    Failure(utc_now(), "KeyError", request="GET /courses/{course_id}/members/{member_id}", id="0" * 26),
    Failure(utc_now(), "RuntimeError", request="POST –", id="x" * 64),
]
#: The service where everything is bad that can be read, and where nothing can be.
TROUBLES = {
    "bad": ServiceState(
        queue=Queue(QueueState(300, 2, 7200.0), previews=40, checks=3, graded_hour=0, graded_day=12),
        workers=WORKERS,
        failures=FAILURES,
        deliveries=Deliveries(9, 4, 2, [("0" * 26, "connection refused")]),
        disk=Disk(20_000_000, 100_000_000_000),
        database=("SQLite 3.45", ("0011", "0014")),
        is_writable=True,
        mail="failing",
        sign_on="failing",
        failed_requests=FAILED_REQUESTS,
    ),
    "without workers": ServiceState(None, [], [], None, None, None, False, "off", "off"),
    "unread": ServiceState(None, None, None, None, None, None, False, "well", "unasked", FAILED_REQUESTS),
}


@pytest.mark.parametrize("trouble", sampled(TROUBLES, every=len(TROUBLES)))
def test_status_page_of_a_service_in_trouble_is_as_good_as_others(looking, url, monkeypatch, trouble):
    async def read(*_: object, **__: object) -> ServiceState:
        return TROUBLES[trouble]

    monkeypatch.setattr("app.web.operation.status.state_of", read)
    assert looking.page.context.request.post(f"{url}/enter", form={"token": OWNER_TOKEN}).ok
    expect_a_good_page(looking, f"{url}/status", 200)
    looking.page.context.clear_cookies()


def test_troubles_are_all_that_the_status_page_can_name():
    named = {need.code for state in TROUBLES.values() for need in state.needs}
    assert named == catalogue().below("status.need", "en").keys()


@pytest.mark.thorough
def test_operation_and_dialog_of_the_token_are_readable_when_they_are_opened(looking, url):
    """The documentation of the API shows one operation here: all others are as this one, and take minutes."""
    page, seen = looking.page, Seen(HTTPStatus.OK)
    document = page.request.get(f"{url}/openapi.json").json()
    paths = {"/api/v1/submissions": document["paths"]["/api/v1/submissions"]}
    page.route("**/openapi.json", lambda route: route.fulfill(json=document | {"paths": paths, "webhooks": {}}))
    page.goto(f"{url}/docs")
    page.locator(".opblock-post .opblock-summary-control").click()
    for opener in ".opblock-post .try-out__btn", ".btn.authorize":
        page.locator(opener).click()
        # It is in English alone.
        looking.look_around(seen, [look for look in EVERYWHERE if look.language == "ru"])
    page.unroute("**/openapi.json")
    faults = [*seen.violations, *seen.too_wide, *seen.too_small]
    assert not faults, "\n".join(faults)
