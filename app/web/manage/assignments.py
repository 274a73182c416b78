"""The dates and rules of one assignment in a course. An empty field means: as in the assignment's file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.courses import uses
from app.courses.assignments import Rules
from app.courses.changes import RULES
from app.courses.uses import DATES
from app.errors import AppError
from app.errors.courses import AssignmentInUse, AssignmentNotFound, LateWithoutDue, RulesContradictory
from app.errors.requests import FieldsWrong
from app.http.forms import fields_of, form_of, see_other
from app.http.pages import page
from app.services import services
from app.web.course.asking import AssignmentId
from app.web.manage.asking import Staff
from app.web.manage.fields import Fields, form_context, local
from app.web.manage.settings import AssignmentManager

MOST_POINTS = 100_000
MOST_ATTEMPTS = 1000
MOST_PAUSE_MINUTES = 30 * 24 * 60
#: A ticked box ``no_<name>``: the file sets this, and the course sets none.
CAN_BE_NONE = (*DATES, "limit")

router = APIRouter(prefix="/courses/{course_id}/settings/assignments/{assignment_id}")


@router.get("")
async def rules_page(request: Request, viewer: Staff, assignment_id: AssignmentId) -> Response:
    return await _page(request, viewer, assignment_id)


@router.post("")
async def change(request: Request, holder: AssignmentManager, assignment_id: AssignmentId) -> Response:
    """Set dates and rules. They count at once, for what was handed in, too."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        async with parts.database.write() as session:
            course = await courses.existing(session, holder.course_id)
            used = await uses.find_used(session, course.id, assignment_id, parts.assignments)
            rules = _rules(fields, ZoneInfo(course.time_zone), Rules.model_validate(used.use.rules))
            given = {
                "title": fields.name("title"),
                "grade_book_points": fields.number("grade_book_points", least=0.01, most=MOST_POINTS),
                "rules": rules,
            }
            fields.check()
            where = (session, course.id, assignment_id, parts.assignments)
            await uses.change(*where, given, holder.name, [name for name in RULES if name not in rules])
            has_students = (await courses.sizes(session, [course.id]))[course.id].students
    except (FieldsWrong, RulesContradictory, LateWithoutDue) as refusal:
        return await _page(request, holder, assignment_id, fields, refusal)
    onward = "settings" if has_students else "start"  # A course that begins has its next steps there.
    return see_other(f"/courses/{holder.course_id}/{onward}", said="assignment.changed")


@router.post("/remove")
async def remove(request: Request, holder: AssignmentManager, assignment_id: AssignmentId) -> Response:
    """Let the course use it no more. In the course Default the file's own dates and rules hold again."""
    try:
        async with form_of(request), services(request).database.write() as session:
            await uses.remove(session, holder.course_id, assignment_id, holder.name)
    except AssignmentInUse as refusal:
        return await _page(request, holder, assignment_id, refusal=refusal)
    except AssignmentNotFound:
        pass  # The form was sent twice.
    return see_other(f"/courses/{holder.course_id}/settings", said="assignment.removed")


def _rules(fields: Fields, zone: ZoneInfo, stored: Rules) -> dict[str, Any]:
    """Read the rules that the course sets, as JSON has them."""
    minutes = fields.number("cooldown_minutes", most=MOST_PAUSE_MINUTES)
    read: dict[str, Any] = {
        **{name: _as_json(fields.moment(name, zone, getattr(stored, name))) for name in DATES},
        "late_percent_per_day": fields.number("late_percent_per_day", most=100),
        "late_percent_max": fields.number("late_percent_max", most=100),
        "limit": fields.whole("limit", least=1, most=MOST_ATTEMPTS),
        "cooldown_seconds": None if minutes is None else round(minutes * 60),
        "counts": fields.choice("counts", ("", "best", "last"), "") or None,
    }
    given = {name: value for name, value in read.items() if value is not None}
    # A box that was ticked when the page was opened yields to what is typed beside it.
    was_none = {name for name in stored.model_fields_set if getattr(stored, name) is None}
    none = {name for name in CAN_BE_NONE if fields.has(f"no_{name}")} - (was_none & given.keys())
    return given | dict.fromkeys(none)


def _as_json(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _filled(rules: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Fill the form with what the course sets."""
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
        **_filled(used.use.rules, zone),
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
