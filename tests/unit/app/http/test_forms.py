"""Forms: where a sent one leads on to, and the charset of one in parts."""

import pytest

from app.http.forms import see_other
from tests.unit.app.conftest import Service


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [
        ("/courses/x", None, "/courses/x"),
        ("/courses/x/members?group=a%26b", "members.removed", "/courses/x/members?group=a%26b&said=members.removed"),
        ("/courses/x#links", "links.made", "/courses/x?said=links.made#links"),
    ],
)
def test_redirect_keeps_the_address_and_names_what_was_done(address: str, said: str | None, expected: str) -> None:
    answer = see_other(address, said=said)
    assert (answer.status_code, answer.headers["location"]) == (303, expected)


#: Each ends in another error of Python's, or in a text with halves of characters.
CHARSETS = ("undefined", "punycode", "idna", "unicode_escape", "utf-16", "no such one")


async def test_form_in_parts_has_a_charset_of_the_web(service: Service) -> None:
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
