"""A teacher hands in an archive of files in a real browser, gives a file to its student, and sends it again."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.conftest import Server
from tests.acceptance.installation import NO_CLASS

pytestmark = pytest.mark.thorough

STUDENTS = {"s1": "Анна Петрова", "s3": "Min Lee"}
#: As Moodle packs them. The first file is of nobody in the course.
FILES = {
    "Somebody Else_1_assignsubmission_file_/LSTM.py": NO_CLASS,
    "Петрова Анна_2_assignsubmission_file_/LSTM.py": NO_CLASS + b"# Anna\n",
}


@pytest.fixture(scope="module")
def course(server: Server) -> str:
    """The address of a course with students."""
    with server.client() as client:
        id = client.post("/api/v1/courses", json={"title": "Сети"}).raise_for_status().json()["id"]
        client.put(f"/api/v1/courses/{id}/assignments/lstm-layer", json={}).raise_for_status()
        for student, name in STUDENTS.items():
            body = {"external_id": student, "name": name}
            client.post(f"/api/v1/courses/{id}/members", json=body).raise_for_status()
    return f"{server.url}/courses/{id}"


@pytest.fixture(scope="module")
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with browser.new_context(locale="en-GB") as context:
        assert context.request.post(f"{server.url}/enter", form={"token": server.token}).ok
        yield context.new_page()


def choose_archive(page: Page, course: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in FILES.items():
            packed.writestr(name, content)
    page.goto(f"{course}/batch")
    page.set_input_files("#file", {"name": "all.zip", "mimeType": "application/zip", "buffer": archive.getvalue()})


def send(page: Page) -> None:
    page.locator("main form button.primary").click()
    page.wait_for_url(re.compile(r"/batch/\w+"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"status": 413, "body": "<h1>Request Entity Too Large</h1>"}, "HTTP 413"), (None, "The connection was lost.")],
    ids=["a proxy's own page", "a lost connection"],
)
def test_archive_that_does_not_arrive_is_sent_again_by_its_teacher_alone(
    page: Page, course: str, answer: dict[str, Any] | None, reason: str
) -> None:
    addresses: list[str] = []

    def refuse(route: Route) -> None:
        addresses.append(route.request.url)
        if answer:
            route.fulfill(**answer)
        else:
            route.abort()

    choose_archive(page, course)
    page.route("**/batch", refuse)
    page.locator("main form button.primary").click()
    expect(page.locator("main [data-error]")).to_contain_text(reason)
    expect(page.locator("main [data-error]")).to_be_focused()
    expect(page.locator("[data-progress]")).to_be_hidden()
    page.unroute("**/batch")
    assert addresses == [f"{course}/batch"]
    send(page)


def test_archive_is_handed_in_once_and_the_file_of_a_stranger_given_to_a_student(page: Page, course: str) -> None:
    choose_archive(page, course)
    send(page)
    typed = page.locator("input[name^='owner-']")
    typed.fill("nobody")
    page.locator("form[action$='/owners'] button").click()
    expect(page.locator(".error")).to_contain_text("No student of the course has this id.")
    typed.fill("s3")
    page.locator("form[action$='/owners'] button").click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect(typed).to_have_count(0)

    choose_archive(page, course)
    send(page)
    expect(page.locator(".result")).to_contain_text("0 of 2")
    expect(page.get_by_text("Handed in before: 1")).to_be_visible()
