"""Links of a page to itself, in the other language."""

import re

import pytest

from app.http.auth.proof import FORM_FIELD
from app.storage.models import DEFAULT_COURSE
from tests.unit.app.calls import PAGE
from tests.unit.app.conftest import Browser, form_secret

COURSE = f"/courses/{DEFAULT_COURSE}"
MEMBER = "abcdefghjkmnpqrstvwxyz2345"


@pytest.mark.parametrize(
    ("sent_to", "leads_to"),
    [
        (PAGE, PAGE),
        ("/courses/new", "/courses/new"),
        (f"{COURSE}/settings", f"{COURSE}/settings"),
        (f"{COURSE}/settings/assignments", f"{COURSE}/settings"),
        (f"{COURSE}/settings/assignments/lstm-layer", f"{COURSE}/settings/assignments/lstm-layer"),
        (f"{COURSE}/members/{MEMBER}/link/revoke", f"{COURSE}/members/{MEMBER}"),
        ("/platforms/invitations", "/platforms"),
        ("/nothing/here", "/"),
    ],
)
async def test_answer_to_a_form_links_to_the_page_with_the_form(browser: Browser, sent_to: str, leads_to: str) -> None:
    secret = form_secret((await browser.get(PAGE)).text)
    answer = await browser.post(sent_to, files={FORM_FIELD: (None, secret), "due": (None, "soon"), "title": (None, "")})
    assert set(re.findall(r'href="([^"]*)\?lang=ru"', answer.text)) == {leads_to}, answer.text


async def test_page_links_to_itself_with_its_query(browser: Browser) -> None:
    page = await browser.get(f"{COURSE}/members?state=all&lang=en&said=member.added")
    assert set(re.findall(r'href="([^"]*lang=ru)"', page.text)) == {f"{COURSE}/members?state=all&amp;lang=ru"}
