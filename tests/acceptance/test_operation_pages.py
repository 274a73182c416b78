"""A teacher's regrades, archives and grade book, from outside: in a real browser, and without scripts."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.installation import CORRECT, NO_CLASS, TOKEN, Installation
from tests.acceptance.test_browser import expect_to_fit
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS, wait_until

pytestmark = pytest.mark.thorough

STUDENTS = {"s1": "Анна Петрова", "s2": "Иван Сидоров", "s3": "Min Lee"}
#: The first file is of nobody in the course.
MOODLE = {
    "Somebody Else_1_assignsubmission_file_/LSTM.py": NO_CLASS,
    "Петрова Анна_2_assignsubmission_file_/LSTM.py": CORRECT,
}
CANVAS = {"leemin_LATE_77_88_LSTM.py": NO_CLASS + b"# Lee\n", "nobodyatall_78_89_LSTM.py": NO_CLASS}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("data"), cache_dir, None)
    try:
        installation.start_web()
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="module")
def course(installation: Installation) -> str:
    """The address of a course with students, of whom one has handed in a file without the class."""
    client = installation.client
    id = client.post("/api/v1/courses", json={"title": "Сети"}).raise_for_status().json()["id"]
    client.put(f"/api/v1/courses/{id}/assignments/lstm-layer", json={}).raise_for_status()
    for student, name in STUDENTS.items():
        body = {"external_id": student, "name": name}
        client.post(f"/api/v1/courses/{id}/members", json=body).raise_for_status()
    installation.grade(NO_CLASS, "s2", course=id, assignment="lstm-layer")
    return f"{installation.web.url}/courses/{id}"


@pytest.fixture(scope="module")
def page(browser: Browser, course: str, installation: Installation) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{installation.web.url}/enter?token={TOKEN}")
    page.locator("main form button").first.click()
    page.wait_for_url(lambda address: "/enter" not in address)
    yield page
    context.close()


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def counted(installation: Installation, course: str, student: str) -> object:
    """The counted grade, as the API tells it."""
    address = f"/api/v1/courses/{course.rpartition('/')[2]}/grade-book"
    rows = csv.DictReader(io.StringIO(installation.client.get(address).raise_for_status().text.lstrip("\ufeff")))
    return next(row for row in rows if row["id"] == student)["lstm-layer"]


def send_archive(page: Page, course: str, files: dict[str, bytes]) -> None:
    page.goto(f"{course}/batch")
    page.set_input_files("#file", {"name": "all.zip", "mimeType": "application/zip", "buffer": packed(files)})
    page.locator("main form button.primary").click()
    page.wait_for_url(re.compile(r"/batch/\w+"))


def test_preview_changes_nothing_until_it_is_applied(page: Page, installation: Installation, course: str) -> None:
    before = counted(installation, course, "s2")
    apply = page.locator("form[action$='/apply']")
    for decision in ("drop", "apply"):
        page.goto(f"{course}/regrades")
        page.locator("main form:has(#student) button.primary").click()
        page.wait_for_url(re.compile(r"/regrades/\w+"))
        expect(apply).to_have_count(1)
        assert counted(installation, course, "s2") == before
        form = page.locator(f"form[action$='/{decision}']")
        if decision == "apply":
            page.locator("details:has(form[action$='/apply']) summary").click()
        form.locator("button").click()
        expect(form).to_have_count(0)
        expect_to_fit(page, f"a preview after {decision}")
        # The same grader gives the same grade.
        assert counted(installation, course, "s2") == before


def test_archive_of_moodle_is_handed_in_and_its_strangers_file_given_to_a_student(
    page: Page, installation: Installation, course: str
) -> None:
    send_archive(page, course, MOODLE)
    expect(page.locator(".result")).to_contain_text("Files handed in: 1 of 2.")
    typed = page.locator("input[name^='owner-']")
    typed.fill("nobody")
    page.locator("form[action$='/owners'] button").click()
    expect(page.locator(".error")).to_contain_text("No student of the course has this id.")
    typed.fill("s3")
    page.locator("form[action$='/owners'] button").click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(typed).to_have_count(0)
    wait_until(lambda: counted(installation, course, "s1") == "100", pause=0.5)

    send_archive(page, course, MOODLE)
    expect(page.locator(".result")).to_contain_text("0 of 2")
    expect(page.get_by_text("Handed in before: 1")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"status": 413, "body": "<h1>Request Entity Too Large</h1>"}, "HTTP 413"), (None, "The connection was lost.")],
    ids=["a proxy's own page", "a lost connection"],
)
def test_archive_that_does_not_arrive_is_sent_again_by_its_teacher_alone(
    page: Page, course: str, answer: dict[str, Any] | None, said: str
) -> None:
    sent = []

    def refuse(route: Route) -> None:
        sent.append(route.request.url)
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    page.goto(f"{course}/batch")
    page.set_input_files("#file", {"name": "all.zip", "mimeType": "application/zip", "buffer": packed(MOODLE)})
    page.route("**/batch", refuse)
    button = page.locator("main form button.primary")
    button.click()
    expect(page.locator("main [data-error]")).to_contain_text(said)
    expect(button).to_be_focused()
    expect(page.locator("[data-progress]")).to_be_hidden()
    page.unroute("**/batch")
    assert sent == [f"{course}/batch"]
    button.click()
    page.wait_for_url(re.compile(r"/batch/\w+"))


def test_archive_of_canvas_is_handed_in_without_scripts(installation: Installation, course: str) -> None:
    with httpx.Client(
        base_url=installation.web.url, follow_redirects=True, headers={"Accept": "text/html"}, timeout=SECONDS
    ) as plain:
        plain.post("/enter", data={"token": TOKEN})
        secret = form_secret(plain.get(f"{course}/batch").text)

        def send(content: bytes) -> httpx.Response:
            data = {"form_secret": secret, "assignment": "lstm-layer"}
            return plain.post(f"{course}/batch?lang=en", data=data, files={"file": ("canvas.zip", content)})

        shown = send(packed(CANVAS))
        assert shown.status_code == 200
        assert "Min Lee" in shown.text
        assert "nobodyatall" in shown.text
        left_out = plain.post(f"{shown.url}/leave-out", data={"form_secret": secret})
        assert "owner-" not in left_out.text
        for content in (b"no archive", packed({}), packed({"bomb.py": bytes(60_000_000)})[:100]):
            refused = send(content)
            assert refused.status_code in (413, 422)
            assert 'role="alert"' in refused.text


def test_file_that_canvas_wrote_comes_back_with_grades(page: Page, course: str) -> None:
    table = 'Student,ID,SIS Login ID,Section,Homework (12)\n    Points Possible,,,,100\n"Петрова, Анна",1,s1,A,\n'
    page.goto(f"{course}/grade-book")
    name = "2026-11-Grades.csv"
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": table.encode()})
    page.locator("#fill-assignment").select_option("lstm-layer")
    page.locator("form[action$='/filled'] button.primary").click()
    with page.expect_download() as downloading:
        page.locator("a[download]").click()
    expect_to_fit(page, "a file that was filled in")
    assert downloading.value.suggested_filename == name
    lines = list(csv.reader(downloading.value.path().read_text(encoding="utf-8").splitlines()))
    assert lines[2] == ["Петрова, Анна", "1", "s1", "A", "100"]
