"""The pages of refused and failed requests: what happened, in words for people, and where to go on.

They query no database, which may be what failed, and show only what is known about the reader by then: the course, if
`session_holder` let them in. A missing page and somebody else's look the same.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response

from app.access.tokens import Principal
from app.answers import Answer
from app.http.auth.proof import SAFE_METHODS
from app.http.auth.sessions import has_session
from app.http.pages import page, path_of
from app.http.texts import language_of
from app.http.ways_in import asked_page, ways_in
from app.onward import HOME
from app.services import operations
from app.storage.models import Course, Role
from app.texts import catalogue
from grader.report import numbers

#: Refusals whose own words are for programs, so people read the texts ``page_problem.<id>``; and those that share them.
WORDS = frozenset(
    (
        *("body-too-large", "body-unreadable", "busy", "forbidden", "form-expired", "internal-error"),
        *("invalid-request", "method-not-allowed", "not-found", "outcome-unknown", "overloaded"),
        *("storage-full", "storage-unavailable", "too-many-requests"),
    )
)
SAME_WORDS: Mapping[str, str] = {"form-expected": "body-unreadable", "form-unreadable": "body-unreadable"}
#: Refusals that an admin can mend, who reads other words: texts ``page_problem.<id>.operator``.
OF_STORAGE = frozenset({"storage-full", "storage-unavailable"})
STATUS_PAGE = "/status"
#: Refusals of links that people were given.
OF_LINKS = frozenset({"join-link-not-found", "lti-invitation-unknown"})
#: Refusals after which the same request may succeed a moment later.
TRANSIENT = frozenset({408, 429, 500, 503})
#: Launches from learning platforms.
LTI = "/lti/"
#: The step that leaves the frame of the page.
NEW_WINDOW = "onward.new_window"
ASSIGNMENT = re.compile(r"(/courses/[^/]+/assignments/[^/]+)/.+")


def problem_page(request: Request, answer: Answer, document: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return _signed_out(request, document, headers)
    viewer: Principal | None = getattr(request.state, "viewer", None)
    course: Course | None = getattr(request.state, "course", None)
    return page(
        request,
        "problem.html",
        status_code=answer.status,
        headers=headers,
        viewer=viewer,
        course=course if viewer else None,
        problem={**document, **_words(request, answer, headers, viewer)},
        number=document.get("request_id") if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR else None,
        steps=list(dict.fromkeys(_steps(request, answer, viewer, document))),
        written=getattr(request.state, "long_texts", ()),
    )


def _words(request: Request, answer: Answer, headers: Mapping[str, str], viewer: Principal | None) -> dict[str, str]:
    """Return title and detail for people; empty: the document's own will do."""
    is_missing = answer.status == HTTPStatus.NOT_FOUND and answer.slug not in OF_LINKS
    id = "not-found" if is_missing else SAME_WORDS.get(answer.slug, answer.slug)
    if id not in WORDS:
        return {}
    texts, language = catalogue(), language_of(request)
    after = numbers.after(int(headers.get("Retry-After", 0)), language)
    detail = texts.text(f"page_problem.{id}.detail", language, after=after)
    if viewer and viewer.role == Role.ADMIN and answer.slug in OF_STORAGE:
        detail = texts.text(f"page_problem.{id}.operator", language, disk=_disk(request))
    return {"title": texts.text(f"page_problem.{id}.title", language), "detail": detail}


def _disk(request: Request) -> str:
    """Name the disk of the database for its operator, with its free room."""
    state = operations(request)
    if not state.database.is_sqlite:
        return "PostgreSQL"
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(state.settings.data_dir).free
        return f"{state.settings.data_dir.absolute()} ({free / 1e6:.1f} MB)"
    return str(state.settings.data_dir)


def _steps(
    request: Request, answer: Answer, viewer: Principal | None, document: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield where to go on: the id of a text, and an address."""
    path, here = path_of(request), asked_page(request)
    if path.startswith(LTI):
        # No link leads back to the platform: the page says so in words.
        if "again" in document:
            yield NEW_WINDOW, document["again"]
        return
    is_missing = answer.status == HTTPStatus.NOT_FOUND
    if request.method not in SAFE_METHODS:
        if here != HOME:
            yield "onward.form", here
    elif answer.status in TRANSIENT:
        yield "onward.again", here
    elif answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        yield "onward.plain", path
    if viewer and viewer.role == Role.ADMIN and answer.slug in OF_STORAGE:
        yield "page.status", STATUS_PAGE
    if viewer and path.startswith(f"/courses/{viewer.course_id}"):
        if (match := ASSIGNMENT.fullmatch(path)) and not is_missing:
            yield "onward.assignment", match[1]
        elif viewer.sees_everything and path != f"/courses/{viewer.course_id}":
            yield "onward.course", f"/courses/{viewer.course_id}"
    if answer.slug == "no-course-yet" or not has_session(request):
        yield "onward.sign_in", "/enter"
    elif path != HOME:
        yield "onward.home", HOME


def _signed_out(request: Request, document: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """Offer the ways in, which lead back to the page that was asked for, or to that of the form that was sent."""
    # A link for signing in had nothing to save.
    saves = request.method not in SAFE_METHODS and request.scope["path"] != "/enter"
    return page(
        request,
        "signed_out.html",
        status_code=HTTPStatus.UNAUTHORIZED,
        headers=headers,
        problem=document,
        nothing_saved=saves,
        written=list(filter(None, getattr(request.state, "long_texts", ()))),
        **ways_in(request, asked_page(request)),
    )
