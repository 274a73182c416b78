"""The dates and rules of one assignment in a course. An empty field means: as in the assignment's file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import courses as actions
from app.actions.asking import Asking
from app.actions.courses import ChangeAssignment, CourseRules
from app.courses import course as courses
from app.courses import uses
from app.courses.assignments import Rules
from app.courses.changes import RULES
from app.courses.uses import DATES
from app.errors import AppError
from app.errors.courses import AssignmentInUse, AssignmentNotFound, LateWithoutDue, RulesContradictory
from app.errors.requests import FieldsWrong
from app.http.auth.holders import FormAsks
from app.http.fields import Fields, form_context, local
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.http.staff import AssignmentId, Staff
from app.services import services

MOST_PAUSE_MINUTES = 30 * 24 * 60
#: Rules with a box ``no_<name>``: ticked, the course has none, though the file sets one.
CAN_BE_NONE = (*DATES, "limit")

router = APIRouter(prefix="/courses/{course_id}/settings/assignments/{assignment_id}")


@router.get("")
async def rules_page(request: Request, viewer: Staff, assignment_id: AssignmentId) -> Response:
    return await _page(request, viewer, assignment_id)


@router.post("")
async def change(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.change_assignment))],
    assignment_id: AssignmentId,
) -> Response:
    """Set dates and rules. They count at once, also for earlier attempts."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    async with asking.database.read() as session:
        course = await courses.existing(session, asking.course_id)
        used = await uses.find_used(session, course.id, assignment_id, asking.assignments)
        has_students = (await courses.sizes(session, [course.id]))[course.id].students
    try:
        rules = CourseRules()
        with contextlib.suppress(FieldsWrong):  # Told with what is wrong in the other fields.
            rules = _rules(fields, ZoneInfo(course.time_zone), Rules.model_validate(used.use.rules))
        in_file = [name for name in RULES if name not in rules.model_fields_set]
        await actions.change_assignment(
            asking, assignment_id, fields.read(ChangeAssignment, rules=rules, as_in_file=in_file)
        )
    except (FieldsWrong, RulesContradictory, LateWithoutDue) as refusal:
        return await _page(request, asking.holder, assignment_id, fields, refusal)
    onward = "settings" if has_students else "start"  # A new course shows its next steps there.
    return see_other(f"/courses/{asking.course_id}/{onward}", said="assignment.changed")


@router.post("/remove")
async def remove(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.remove_assignment))],
    assignment_id: AssignmentId,
) -> Response:
    """Remove the assignment from the course. In the course Default the file's own dates and rules hold again."""
    try:
        async with form_of(request):
            await actions.remove_assignment(asking, assignment_id)
    except AssignmentInUse as refusal:
        return await _page(request, asking.holder, assignment_id, refusal=refusal)
    except AssignmentNotFound:
        pass  # The form was sent twice.
    return see_other(f"/courses/{asking.course_id}/settings", said="assignment.removed")


def _rules(fields: Fields, zone: ZoneInfo, stored: Rules) -> CourseRules:
    """Read the rules that the course sets. An empty field means that the file's holds."""
    minutes = fields.number("cooldown_minutes", most=MOST_PAUSE_MINUTES)
    more: dict[str, Any] = {} if minutes is None else {"cooldown_seconds": round(minutes * 60)}
    # A typed value beside a box overrides its tick from when the page was opened.
    was_none = {name for name in stored.model_fields_set if getattr(stored, name) is None}
    more |= {
        name: None for name in CAN_BE_NONE if fields.has(f"no_{name}") and not (name in was_none and fields.has(name))
    }
    dates = {name: getattr(stored, name) for name in DATES}
    return fields.read(CourseRules, zone=zone, stored=dates, filled_only=True, **more)


def _form_values(rules: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Return the form's fields for the rules that the course sets."""
    values = Rules.model_validate(rules)
    filled = {f"no_{name}": "on" for name in CAN_BE_NONE if name in rules and rules[name] is None}
    for name in values.model_fields_set:
        value = getattr(values, name)
        if name in DATES:
            filled[name] = local(value, zone)
        elif name == "cooldown_seconds":
            filled["cooldown_minutes"] = f"{value / 60:g}"
        elif value is not None:
            filled[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return filled


async def _page(
    request: Request,
    viewer: Principal,
    assignment_id: str,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    parts = services(request)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        used = await uses.find_used(session, course.id, assignment_id, parts.assignments)
        in_use = await uses.in_use(session, used.use)
    zone = ZoneInfo(course.time_zone)
    stored = {
        **_form_values(used.use.rules, zone),
        "title": used.use.title or "",
        "grade_book_points": "" if used.use.grade_book_points is None else f"{used.use.grade_book_points:g}",
    }
    file = parts.assignments.get(assignment_id)
    context = form_context(request, fields, refusal)
    if fields is None:
        context["fields"] = stored
    return page(
        request,
        "manage/assignment.html",
        viewer=viewer,
        course=course,
        here="settings",
        zone=zone,
        used=used,
        in_use=in_use,
        file=file,
        of_file=uses.rules_of(file) if file else None,
        may_change=viewer.may(Right.MANAGE_ASSIGNMENTS),
        **context,
    )
