"""Common parts of a course's pages for staff: ids in addresses, the right to look, and shared contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.courses import course as courses
from app.errors.courses import AssignmentNotFound
from app.errors.members import JoinNotFound, MemberNotFound, PersonNotFound
from app.errors.requests import NotPermitted
from app.errors.teaching import AdjustmentNotFound, CommentNotFound, ReviewNotFound
from app.http.auth.holders import PageFor, session_holder
from app.http.pages import page
from app.http.parameters import ASSIGNMENT_ID, PathId
from app.http.texts import language_of
from app.oidc.urls import is_loopback
from app.services import service_url, services
from app.storage.models import Course, CourseAssignment, MemberRole, Membership, StoredReport, Submission
from app.teaching.overview.attention import beside, names_of
from app.texts import title_of
from grader import Report
from grader.report.messages import render
from grader.report.model import HELD
from grader.report.server_paths import clean

#: Rows of a list on one page.
ROWS = 50


@dataclass(frozen=True)
class ReadPageFor:
    """A dependency that gives the holder of the session, if the role has this right.

    An archived course shows the page, too, without the forms that change something.
    """

    right: Right

    async def __call__(self, holder: Annotated[Principal, Depends(session_holder)]) -> Principal:
        if not holder.has(self.right):
            raise NotPermitted
        return holder


def only_here(request: Request) -> str | None:
    """Return the address of the service, if links to it only work on its own machine."""
    url = service_url(request)
    return url if is_loopback(urlsplit(url).hostname or "") else None


MemberId = Annotated[str, Depends(PathId("member_id", MemberNotFound))]
JoinId = Annotated[str, Depends(PathId("join_id", JoinNotFound))]
AdjustmentId = Annotated[str, Depends(PathId("adjustment_id", AdjustmentNotFound))]
CommentId = Annotated[str, Depends(PathId("comment_id", CommentNotFound))]
ReviewId = Annotated[str, Depends(PathId("review_id", ReviewNotFound))]
AssignmentId = Annotated[str, Depends(PathId("assignment_id", AssignmentNotFound, ASSIGNMENT_ID))]
PersonId = Annotated[str, Depends(PathId("person_id", PersonNotFound))]

Staff = Annotated[Principal, Depends(ReadPageFor(Right.SEE_MEMBERS))]
Grader = Annotated[Principal, Depends(PageFor(Right.SEE_GRADES))]
MemberManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_MEMBERS))]
CourseManager = Annotated[Principal, Depends(PageFor(Right.MANAGE_COURSE))]


def cursor_of(cursor: str | None) -> str | None:
    """Return the id at which a page of a list begins; a made-up one means the first page."""
    return cursor if cursor and ID.fullmatch(cursor) else None


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
    """Render a page of a course in the course's time zone, with the rights of its reader."""
    return page(
        request,
        template,
        viewer=viewer,
        course=course,
        here=here,
        zone=ZoneInfo(course.time_zone),
        may={right.value: viewer.may(right) for right in Right},
        # The course is archived, so the role's rights to change it are suspended.
        is_closed=viewer.in_archived,
        **context,
    )


def the_use(uses: Sequence[CourseAssignment], assignment_id: str) -> CourseAssignment:
    """Raises: AssignmentNotFound: the course does not use it."""
    for use in uses:
        if use.assignment_id == assignment_id:
            return use
    raise AssignmentNotFound


async def staff_context(session: AsyncSession, viewer: Principal, submission: Submission) -> dict[str, Any]:
    """Return what ``course/staff_tools.html`` and the pages above it need, for one of the staff."""
    course = await courses.existing(session, submission.course_id)
    acting = viewer.in_course(course)
    before, after = await beside(session, course.id, submission.id)
    names = await names_of(session, [submission])
    member = await session.get_one(Membership, submission.membership_id)
    return {
        "course": course,
        "viewer": acting,
        "zone": ZoneInfo(course.time_zone),
        "staff": {
            "name": names.get(submission.membership_id),
            "is_student": member.role == MemberRole.STUDENT,
            "may": {right.value: acting.may(right) for right in Right},
            "is_closed": acting.in_archived,
            "before": before,
            "after": after,
        },
    }


def reason_of_hold(stored: StoredReport | None, language: str) -> Sequence[str]:
    """Return the reasons, in words, why an attempt is held; none if a later report gives none."""
    if stored is None:
        return ()
    advisories = render(Report.model_validate(stored.body), language)["advisories"]
    return [clean(each["message"]) for each in advisories if each["code"] == HELD]
