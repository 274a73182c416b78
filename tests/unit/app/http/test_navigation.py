"""The navigation: what readers of each kind are shown beside a page."""

import pytest

from app.access.rights import Right
from app.access.tokens import Principal
from app.http import navigation
from app.http.navigation import CoursePage, tabs
from app.storage.models import Role

COURSE = "abcdefghjkmnpqrstvwxyz2345"
PAGES = {
    "grades": (CoursePage("course", "", Right.SEE_GRADES), CoursePage("regrades", "/regrades", Right.REGRADE)),
    "members": (CoursePage("members", "/members", Right.SEE_MEMBERS),),
    "settings": (CoursePage("tokens", "/tokens", Right.MANAGE_TOKENS),),
}


@pytest.fixture(autouse=True)
def known_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "SECTIONS", PAGES)


ALL = ["", "/members", "/tokens"], ["nav.course", "nav.regrades"]


@pytest.mark.parametrize(
    ("role", "about", "shown"),
    [
        (Role.TEACHER, {}, ALL),
        (Role.TEACHER, {"in_archived": True}, ALL),
        (Role.ASSISTANT, {}, (["", "/members"], [])),
        (Role.SUBMITTER, {"membership_id": "m"}, ([], [])),
        (Role.SUBMITTER, {}, ([], [])),
    ],
    ids=["teacher", "teacher of an archived course", "assistant", "student", "script"],
)
def test_reader_sees_the_sections_and_pages_that_the_role_has_a_right_to(role, about, shown):
    sections, pages = tabs(COURSE, Principal("x", role, course_id=COURSE, **about), "course")
    addresses = [link.address.removeprefix(f"/courses/{COURSE}") for link in sections]
    assert (addresses, [link.text_id for link in pages]) == shown


def test_reader_sees_where_this_page_is():
    sections, pages = tabs(COURSE, Principal("t", Role.TEACHER, course_id=COURSE), "regrades")
    assert [link.current for link in sections] == ["true", None, None]
    assert [link.current for link in pages] == [None, "page"]
