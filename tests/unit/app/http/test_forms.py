"""Forms: where a sent one leads on to, the charset of one in parts, and links to the other language."""

import re

import pytest

from app.http.auth.proof import FORM_FIELD
from app.http.forms import see_other
from tests.unit.app.calls import COURSE, PAGE
from tests.unit.app.conftest import form_secret


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [
        ("/courses/x", None, "/courses/x"),
        ("/courses/x/members?group=a%26b", "members.removed", "/courses/x/members?group=a%26b&said=members.removed"),
        ("/courses/x#links", "links.made", "/courses/x?said=links.made#links"),
    ],
)
def test_redirect_keeps_the_address_and_names_what_was_done(address, said, expected):
    answer = see_other(address, said=said)
    assert (answer.status_code, answer.headers["location"]) == (303, expected)


#: Each ends in another error of Python's, or in a text with halves of characters.
CHARSETS = ("undefined", "punycode", "idna", "unicode_escape", "utf-16", "no such one")


async def test_form_in_parts_has_a_charset_of_the_web(service):
    part = b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nabc-99999999\r\n--b--\r\n'

    async with service.client(None, Accept="text/html") as anybody:

        async def sent(path: str, **headers: str) -> int:
            answer = await anybody.post(path, content=part, headers=headers)
            return answer.status_code

        for path in ("/enter", "/lti/login", "/lti/launch", "/api/v1/submissions"):
            for charset in CHARSETS:
                in_parts = f'multipart/form-data; boundary=b; Charset="{charset}"'
                assert await sent(path, **{"Content-Type": in_parts}) == 400, (path, charset)
        for charset in ("", "; charset=UTF-8", "; charset=ISO-8859-1"):
            assert await sent("/enter", **{"Content-Type": f"multipart/form-data; boundary=b{charset}"}) == 401


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
async def test_answer_to_a_form_links_to_the_page_with_the_form(browser, sent_to, leads_to):
    secret = form_secret((await browser.get(PAGE)).text)
    answer = await browser.post(sent_to, files={FORM_FIELD: (None, secret), "due": (None, "soon"), "title": (None, "")})
    assert set(re.findall(r'href="([^"]*)\?lang=ru"', answer.text)) == {leads_to}, answer.text


async def test_page_links_to_itself_with_its_query(browser):
    page = await browser.get(f"{COURSE}/members?state=all&lang=en&said=member.added")
    assert set(re.findall(r'href="([^"]*lang=ru)"', page.text)) == {f"{COURSE}/members?state=all&amp;lang=ru"}
