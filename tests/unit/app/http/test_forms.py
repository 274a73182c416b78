from __future__ import annotations

import pytest

from app.http.forms import see_other


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [
        ("/courses/x", None, "/courses/x"),
        ("/courses/x", "members.removed", "/courses/x?said=members.removed"),
        ("/courses/x/members?group=a%26b", "members.removed", "/courses/x/members?group=a%26b&said=members.removed"),
        ("/courses/x#links", "links.made", "/courses/x?said=links.made#links"),
    ],
)
def test_redirect_keeps_the_address_and_names_what_was_done(address: str, said: str | None, expected: str) -> None:
    answer = see_other(address, said=said)
    assert (answer.status_code, answer.headers["location"]) == (303, expected)
