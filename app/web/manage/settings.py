"""The settings of a course, and the dates and rules of its assignments.

An empty field of the rules means: as in the assignment's file.
"""

import contextlib
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response

from app.access.rights import Right
from app.actions import courses as actions
from app.courses import course as courses
from app.courses import uses
from app.courses.assignments import Rules
from app.courses.changes import RULES
from app.courses.uses import DATES
from app.errors import AssignmentNotFound, FieldsWrong
from app.http.fields import Fields, local
from app.http.visits import Pages, Visit

MOST_PAUSE_MINUTES = 30 * 24 * 60
#: Rules with a box ``no_<name>``: ticked, the course has none, though the file sets one.
CAN_BE_NONE = (*DATES, "limit")
#: The address of an assignment.
ONE = "/assignments/{assignment_id}"

router = Pages("/courses/{course_id}/settings")


@router.page("", Right.SEE_MEMBERS)
async def settings_page(visit: Visit) -> Response:
    used = await uses.list_used(visit.session, visit.course_id, visit.assignments)
    ids = {each.use.assignment_id for each in used}
    return visit.page(
        "manage/settings.html",
        "settings",
        zones=sorted(courses.time_zones()),
        used=used,
        unused=[assignment for id, assignment in visit.assignments.items() if id not in ids],
        kept_days=visit.parts.settings.retention_days,
    )


router.act("", actions.change_course, "", "course.changed", again=settings_page)


@router.form("/assignments", actions.add_assignment, again=settings_page)
async def use_assignment(visit: Visit) -> Response:
    assignment_id = visit.fields.typed.get("assignment", "")
    await actions.add_assignment(visit, assignment_id)
    return visit.lead_to(f"/settings/assignments/{assignment_id}", "assignment.added")


@router.page(ONE, Right.SEE_MEMBERS)
async def rules_page(visit: Visit, assignment_id: str) -> Response:
    used = await uses.find_used(visit.session, visit.course_id, assignment_id, visit.assignments)
    in_use = await uses.in_use(visit.session, used.use)
    file, points = visit.assignments.get(assignment_id), used.use.grade_book_points
    return visit.page(
        "manage/assignment.html",
        "settings",
        stored={
            **_form_values(used.use.rules, visit.zone),
            "title": used.use.title or "",
            "grade_book_points": "" if points is None else f"{points:g}",
        },
        used=used,
        in_use=in_use,
        file=file,
        of_file=uses.rules_of(file) if file else None,
    )


@router.form(ONE, actions.change_assignment, again=rules_page)
async def change_rules(visit: Visit, assignment_id: str) -> Response:
    async with visit.database.read() as session:
        used = await uses.find_used(session, visit.course_id, assignment_id, visit.assignments)
        has_students = (await courses.sizes(session, [visit.course_id]))[visit.course_id].students
    rules = Rules()
    with contextlib.suppress(FieldsWrong):  # Shown together with the faults of the other fields.
        rules = _rules(visit.fields, visit.zone, Rules.model_validate(used.use.rules))
    in_file = [name for name in RULES if name not in rules.model_fields_set]
    wanted = visit.fields.read(actions.ChangeAssignment, rules=rules, as_in_file=in_file)
    await actions.change_assignment(visit, assignment_id, wanted)
    # A new course shows its next steps there.
    return visit.lead_to("/settings" if has_students else "/start", "assignment.changed")


router.act(
    f"{ONE}/remove", actions.remove_assignment, "", "assignment.removed", twice=[AssignmentNotFound], again=rules_page
)


def _rules(fields: Fields, zone: ZoneInfo, stored: Rules) -> Rules:
    """Read the rules that the course sets. An empty field means that the file's holds."""
    minutes = fields.number("cooldown_minutes", most=MOST_PAUSE_MINUTES)
    more: dict[str, Any] = {} if minutes is None else {"cooldown_seconds": round(minutes * 60)}
    # A typed value beside a box overrides its tick from when the page was opened.
    was_none = {name for name in stored.model_fields_set if getattr(stored, name) is None}
    more |= {
        name: None for name in CAN_BE_NONE if fields.has(f"no_{name}") and not (name in was_none and fields.has(name))
    }
    dates = {name: getattr(stored, name) for name in DATES}
    return fields.read(Rules, zone=zone, stored=dates, filled_only=True, **more)


def _form_values(rules: Mapping[str, Any], zone: ZoneInfo) -> dict[str, str]:
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
