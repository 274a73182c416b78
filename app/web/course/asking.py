"""Dependencies of these pages, and what several of them show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.errors.courses import AssignmentNotFound
from app.errors.members import MemberNotFound
from app.errors.teaching import ReviewNotFound
from app.http.auth.holders import PageFor
from app.http.pages import page
from app.http.parameters import ASSIGNMENT_ID, WORDS_CHARACTERS, PathId
from app.http.texts import language_of
from app.services import services
from app.storage.models import Course, CourseAssignment
from app.texts import title_of
from app.web.manage.fields import Fields

MemberId = Annotated[str, Depends(PathId("member_id", MemberNotFound))]
ReviewId = Annotated[str, Depends(PathId("review_id", ReviewNotFound))]
AssignmentId = Annotated[str, Depends(PathId("assignment_id", AssignmentNotFound, ASSIGNMENT_ID))]
Staff = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]


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
