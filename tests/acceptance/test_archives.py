"""A teacher hands in an archive of files in a real browser, and sends again what did not arrive."""

import io
import re
import zipfile
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from app.storage.models import DEFAULT_COURSE
from tests.acceptance.conftest import Server
from tests.acceptance.installation import NO_CLASS


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"status": 413, "body": "<h1>Request Entity Too Large</h1>"}, "HTTP 413"), (None, "The connection was lost.")],
    ids=["a proxy's own page", "a lost connection"],
)
def test_archive_that_does_not_arrive_is_sent_again_by_its_teacher_alone(
    browser: Browser, server: Server, answer: dict[str, Any] | None, reason: str
) -> None:
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
