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


def shown(viewer: Principal, here: str | None = None) -> tuple[list[str], list[str]]:
    sections, pages = tabs(COURSE, viewer, here)
    return [link.address.removeprefix(f"/courses/{COURSE}") for link in sections], [link.text_id for link in pages]


def test_teacher_sees_every_section_and_the_pages_beside_this_one() -> None:
    teacher = Principal("t", Role.TEACHER, course_id=COURSE)
    assert shown(teacher, "regrades") == (["", "/members", "/tokens"], ["nav.course", "nav.regrades"])
    sections, pages = tabs(COURSE, teacher, "regrades")
    assert [link.current for link in sections] == ["true", None, None]
    assert [link.current for link in pages] == [None, "page"]


def test_assistant_sees_no_page_of_which_the_role_has_no_right() -> None:
    assert shown(Principal("a", Role.ASSISTANT, course_id=COURSE), "course") == (["", "/members"], [])


def test_archived_course_still_shows_its_pages() -> None:
    teacher = Principal("t", Role.TEACHER, course_id=COURSE, in_archived=True)
    assert shown(teacher, "course") == (["", "/members", "/tokens"], ["nav.course", "nav.regrades"])


@pytest.mark.parametrize("membership_id", [None, "m"])
def test_students_and_scripts_see_no_navigation_of_staff(membership_id: str | None) -> None:
    assert shown(Principal("s", Role.SUBMITTER, course_id=COURSE, membership_id=membership_id), "course") == ([], [])
