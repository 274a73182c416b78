"""The pages of a course, as its navigation shows them: in sections, each page to those who have its right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.access.rights import Right
from app.access.tokens import Principal


@dataclass(frozen=True)
class CoursePage:
    """A page below ``/courses/{course_id}``; its name is the text ``nav.<id>``."""

    id: str
    path: str
    right: Right


#: By section, whose name is the text ``nav.section.<id>``. The first page of a section is where its tab leads.
SECTIONS: Mapping[str, Sequence[CoursePage]] = {
    "grades": (
        CoursePage("course", "", Right.SEE_GRADES),
        CoursePage("reviews", "/reviews", Right.SEE_GRADES),
        CoursePage("regrades", "/regrades", Right.SEE_STATISTICS),
        CoursePage("batch", "/batch", Right.HAND_IN_BATCHES),
        CoursePage("grade_book", "/grade-book", Right.SEE_GRADES),
    ),
    "members": (
        CoursePage("members", "/members", Right.SEE_MEMBERS),
        CoursePage("roster", "/roster", Right.MANAGE_MEMBERS),
        CoursePage("links", "/links", Right.MANAGE_LINKS),
        CoursePage("extensions", "/extensions", Right.SEE_GRADES),
        CoursePage("adjustments", "/adjustments", Right.SEE_GRADES),
        CoursePage("joins", "/joins", Right.SEE_MEMBERS),
    ),
    "settings": (
        CoursePage("settings", "/settings", Right.SEE_MEMBERS),
        CoursePage("lms", "/lms", Right.SEE_GRADES),
        CoursePage("tokens", "/tokens", Right.MANAGE_TOKENS),
        CoursePage("changes", "/changes", Right.SEE_MEMBERS),
    ),
}


@dataclass(frozen=True)
class Link:
    """A link of the navigation.

    Attributes:
        current: ``page`` on the page itself, ``true`` within its section, else None.
    """

    text_id: str
    address: str
    current: str | None


def tabs(course_id: str, viewer: Principal, here: str | None) -> tuple[Sequence[Link], Sequence[Link]]:
    """Return the links of the sections, and those of the pages in the section that holds the page `here`.

    Pages stay readable in an archived course; their forms go.

    Raises:
        ValueError: no section holds such a page.
    """
    if here is not None and all(each.id != here for pages in SECTIONS.values() for each in pages):
        raise ValueError(f"no page of a course is called {here}")
    sections: list[Link] = []
    pages: list[Link] = []
    for section, all_pages in SECTIONS.items():
        allowed = [each for each in all_pages if viewer.sees_everything and viewer.has(each.right)]
        if not allowed:
            continue
        is_here = any(each.id == here for each in allowed)
        first = allowed[0]
        sections.append(Link(f"nav.section.{section}", _address(course_id, first), "true" if is_here else None))
        if is_here:
            pages = [
                Link(f"nav.{each.id}", _address(course_id, each), "page" if each.id == here else None)
                for each in allowed
            ]
    return sections, pages if len(pages) > 1 else []


def _address(course_id: str, page: CoursePage) -> str:
    return f"/courses/{course_id}{page.path}"
