"""Common parts of a course's pages for staff: ids in addresses, the right to look, and shared contents."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Request

from app.actions.fields import ID
from app.courses.assignments import title_of
from app.courses.uses import UsedAssignment
from app.http.texts import language_of
from app.oidc.urls import is_loopback
from app.services import service_url, services
from app.storage.models import CourseAssignment, StoredReport
from app.storage.paging import Paging
from grader import Report
from grader.report.messages import render
from grader.report.model import HELD
from grader.report.server_paths import clean

Row = TypeVar("Row")

#: Rows of a list on one page.
ROWS = 50


def only_here(request: Request) -> str | None:
    """Return the address of the service, if links to it only work on its own machine."""
    url = service_url(request)
    return url if is_loopback(urlsplit(url).hostname or "") else None


def one_page(
    name: str, paging: Paging, rows: Sequence[Row], id_of: Callable[[Row], object] = attrgetter("id")
) -> dict[str, Any]:
    """Return the context of one page of a list: the rows, and as ``next`` the cursor of the next page."""
    shown, next_cursor = paging.cut(rows, id_of)
    return {name: shown, "next": next_cursor}


def cursor_of(cursor: str | None) -> str | None:
    """Return the id at which a page of a list begins; a made-up one means the first page."""
    return cursor if cursor and ID.fullmatch(cursor) else None


def search_of(typed: str) -> str:
    """Return the text to search for; empty if no name can hold it."""
    text = typed.strip()[:200]
    return text if text.isprintable() else ""


def titles_of(request: Request, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
    """Return the titles of assignments in the course, by the ids of their files."""
    assignments, language = services(request).assignments, language_of(request)
    return {use.assignment_id: title_of(use, assignments, language) for use in uses}


def every_title(request: Request, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
    """Return the titles of all assignments of the service, by their ids: those of the course where it uses them."""
    language = language_of(request)
    of_files = {id: assignment.title_in(language) for id, assignment in services(request).assignments.items()}
    return {**of_files, **titles_of(request, uses)}


def offered(request: Request, used: Sequence[UsedAssignment]) -> list[tuple[str, str]]:
    """Return the ids and titles of the assignments that a form offers: those whose file is there."""
    return [*titles_of(request, [each.use for each in used if each.effective]).items()]


def reason_of_hold(stored: StoredReport | None, language: str) -> Sequence[str]:
    """Return the reasons, in words, why an attempt is held; none if a later report gives none."""
    if stored is None:
        return ()
    advisories = render(Report.model_validate(stored.body), language)["advisories"]
    return [clean(each["message"]) for each in advisories if each["code"] == HELD]
