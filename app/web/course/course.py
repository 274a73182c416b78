"""The page of a course: for the staff what needs a look, its assignments, and the table of grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import QueryParams

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import LATEST
from app.courses import course as courses
from app.courses.assignments import in_course
from app.courses.uses import UsedAssignment
from app.http.auth.holders import PageFor
from app.http.forms import see_other
from app.http.staff import staff_page, titles_of
from app.http.texts import language_of
from app.services import Services, services
from app.storage.models import CourseAssignment
from app.teaching.grade_list import used_assignments
from app.teaching.outdated import outdated_of
from app.teaching.overview.attention import attention
from app.teaching.overview.table import Filter, Table, Wanted, grade_table
from app.texts import text
from app.web.course.words import reason_of_hold

#: Orders besides those by points at an assignment.
ORDERS = ("name", "id", "group")

router = APIRouter()


@router.get("/courses/{course_id}")
async def course_page(request: Request, viewer: Annotated[Principal, Depends(PageFor(Right.READ))]) -> Response:
    """Show the course to its staff; others get their own work in it."""
    if not viewer.sees_everything:
        asked = [*request.query_params.multi_items(), ("course", viewer.course_id)]
        return see_other(f"/?{urlencode(asked)}")
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        uses = _by_date(parts, await used_assignments(session, parts.assignments, course.id))
        wanted = wanted_of(request.query_params, uses)
        table = await grade_table(session, parts.assignments, uses, course.id, wanted)
        needed = await attention(session, course.id)
        outdated = await outdated_of(session, parts.assignments, course.id) if viewer.may(Right.REGRADE) else ()
    language = language_of(request)
    reasons = {each.submission.id: reason_of_hold(each.report, language) for each in needed.held.listed}
    titles = titles_of(request, uses)
    return staff_page(
        request,
        "course/course.html",
        viewer,
        course,
        wide=True,
        table=table,
        wanted=wanted,
        is_filtered=bool(wanted.text or wanted.group or wanted.state),
        choices=_choices(table, titles, language),
        chosen={
            "group": wanted.group or "",
            "state": wanted.state or "",
            "assignment": wanted.assignment or "",
            "sort": wanted.sort,
            "order": "desc" if wanted.descending else "",
        },
        attention=needed,
        outdated=outdated,
        reasons=reasons,
        titles=titles,
        used={use.assignment_id: UsedAssignment(use, in_course(parts.assignments, use)) for use in uses},
    )


def _by_date(parts: Services, uses: Sequence[CourseAssignment]) -> Sequence[CourseAssignment]:
    """Sort assignments as the term goes: by due date, those without one last."""

    def due(use: CourseAssignment) -> tuple[datetime, str]:
        assignment = in_course(parts.assignments, use)
        return (assignment and assignment.deadline.due) or LATEST, use.assignment_id

    return sorted(uses, key=due)


def _choices(table: Table, titles: Mapping[str, str], language: str) -> dict[str, list[tuple[str, str]]]:
    """Return what the form above the table offers, as pairs of value and words."""
    return {
        "group": [("", text("course.all_groups", language)), *((group, group) for group in table.groups)],
        "state": [
            ("", text("course.everybody", language)),
            *((each.value, text(f"course.filter.{each}", language)) for each in Filter),
        ],
        "assignment": [("", text("course.any_assignment", language)), *titles.items()],
        "sort": [*((each, text(f"course.by.{each}", language)) for each in ORDERS), *titles.items()],
        "order": [("", text("course.ascending", language)), ("desc", text("course.descending", language))],
    }


def wanted_of(query: QueryParams, uses: Sequence[CourseAssignment]) -> Wanted:
    """Read the filter of a table from its address. A value that means nothing is left out."""
    ids = {use.assignment_id for use in uses}
    assignment, state, sort, page = (query.get(name, "") for name in ("assignment", "state", "sort", "page"))
    return Wanted(
        text=query.get("search", "").strip(),
        group=query.get("group") or None,
        assignment=assignment if assignment in ids else None,
        state=Filter(state) if state in set(Filter) else None,
        sort=sort if sort in {*ORDERS, *ids} else "name",
        descending=query.get("order") == "desc",
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
    )
