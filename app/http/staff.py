"""Pages of a course for its staff: the ids in their addresses, who may look, and what several of them show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID, WORDS_CHARACTERS
from app.errors.courses import AssignmentNotFound
from app.errors.members import JoinNotFound, MemberNotFound, PersonNotFound
from app.errors.requests import NotPermitted
from app.errors.teaching import ReviewNotFound
from app.http.auth.holders import PageFor, session_holder
from app.http.fields import Fields
from app.http.pages import page
from app.http.parameters import ASSIGNMENT_ID, PathId
from app.http.texts import language_of
from app.oidc.urls import is_loopback
from app.services import service_url, services
from app.storage.models import Course, CourseAssignment
from app.texts import title_of

#: Rows of a list on one page.
ROWS = 50


@dataclass(frozen=True)
class Shown:
    """A dependency that gives the holder of the session, if the role has this right.

    In an archived course the page is shown, too; what changes the course is not.
    """

    right: Right

    async def __call__(self, holder: Annotated[Principal, Depends(session_holder)]) -> Principal:
        if not holder.has(self.right):
            raise NotPermitted
        return holder


def only_here(request: Request) -> str | None:
    """Return the address of the service if links to it open on its own machine alone."""
    url = service_url(request)
    return url if is_loopback(urlsplit(url).hostname or "") else None


MemberId = Annotated[str, Depends(PathId("member_id", MemberNotFound))]
JoinId = Annotated[str, Depends(PathId("join_id", JoinNotFound))]
ReviewId = Annotated[str, Depends(PathId("review_id", ReviewNotFound))]
AssignmentId = Annotated[str, Depends(PathId("assignment_id", AssignmentNotFound, ASSIGNMENT_ID))]
PersonId = Annotated[str, Depends(PathId("person_id", PersonNotFound))]

Staff = Annotated[Principal, Depends(Shown(Right.SEE_MEMBERS))]
Grader = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]
MemberManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_MEMBERS))]
CourseManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_COURSE))]


def cursor_of(came: str | None) -> str | None:
    """Return the id at which a page of a list begins; a made-up one means the first page."""
    return came if came and ID.fullmatch(came) else None


def titles_of(request: Request, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
    """Return the titles of assignments in the course, by the ids of their files."""
    assignments, language = services(request).assignments, language_of(request)
    return {
        use.assignment_id: use.title
        or (title_of(assignments[use.assignment_id], language) if use.assignment_id in assignments else "")
        or use.assignment_id
        for use in uses
    }


def every_title(request: Request, uses: Sequence[CourseAssignment]) -> Mapping[str, str]:
    """Return the titles of all assignments of the service, by their ids: those of the course where it uses them."""
    language = language_of(request)
    of_files = {id: title_of(assignment, language) for id, assignment in services(request).assignments.items()}
    return {**of_files, **titles_of(request, uses)}


def staff_page(
    request: Request, template: str, viewer: Principal, course: Course, here: str = "course", **context: Any
) -> Response:
    """Render a page of a course in the course's own clock, with what its reader may do there."""
    return page(
        request,
        template,
        viewer=viewer,
        course=course,
        here=here,
        zone=ZoneInfo(course.time_zone),
        may={right.value: viewer.may(right) for right in Right},
        # The role has the right, and the course is archived.
        is_closed=viewer.in_archived,
        **context,
    )


def the_use(uses: Sequence[CourseAssignment], assignment_id: str) -> CourseAssignment:
    """Raises: AssignmentNotFound: the course does not use it."""
    for use in uses:
        if use.assignment_id == assignment_id:
            return use
    raise AssignmentNotFound


def words(fields: Fields, name: str) -> str:
    """Read a person's words to another one, of several lines."""
    came = fields.came.get(name, "")
    if not came:
        fields.wrong(name, "required")
    elif len(came) > WORDS_CHARACTERS:
        fields.wrong(name, "too_long", limit=WORDS_CHARACTERS)
    elif "\0" in came:
        fields.wrong(name, "nul")  # PostgreSQL holds no such text.
    return came
