"""A letter to students who have handed in nothing at an assignment, or whose grade is low: to whom, then what."""

from __future__ import annotations

from math import isfinite
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import letters as actions
from app.actions.asking import Asking
from app.actions.fields import MOST_POINTS
from app.actions.letters import WriteToStudents
from app.courses import course as courses
from app.courses.assignments import in_course
from app.errors import AppError
from app.errors.requests import FieldsWrong
from app.errors.teaching import LetterRepeated
from app.http.auth.holders import FormAsks, PageFor
from app.http.fields import AS_PYTHON, Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import AssignmentId, staff_page, the_use, titles_of
from app.services import services
from app.teaching.grade_list import used_assignments
from app.teaching.letters import recipients
from app.texts import text
from grader.report.messages import LANGUAGES
from grader.report.numbers import points

PATH = "/courses/{course_id}/assignments/{assignment_id}/letter"

Writer = Annotated[Principal, Depends(PageFor(Right.MANAGE_MEMBERS))]

router = APIRouter()


@router.get(PATH)
async def letter_page(
    request: Request, viewer: Writer, assignment_id: AssignmentId, below: str = "", language: str = ""
) -> Response:
    """Show to whom a letter would go, and words to begin with."""
    return await _page(request, viewer, assignment_id, below, language)


@router.post(PATH)
async def write(
    request: Request,
    asking: Annotated[Asking, Depends(FormAsks(actions.write_to_students))],
    assignment_id: AssignmentId,
) -> Response:
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    typed = fields.typed
    try:
        wanted = fields.read(WriteToStudents, members=typed.get("members", "").split())
        count = await actions.write_to_students(asking, assignment_id, wanted)
    except (FieldsWrong, LetterRepeated) as refusal:
        below, language = typed.get("below", ""), typed.get("language", "")
        return await _page(request, asking.holder, assignment_id, below, language, fields, refusal)
    overview = f"/courses/{asking.course_id}/assignments/{assignment_id}/overview"
    return see_other(overview, said="letter.sent" if count else "letter.nobody")


async def _page(
    request: Request,
    viewer: Principal,
    assignment_id: str,
    below: str,
    language: str,
    fields: Fields | None = None,
    refusal: AppError | None = None,
) -> Response:
    parts, least = services(request), _points(below)
    async with parts.database.read() as session:
        course = await courses.existing(session, viewer.course_id)
        uses = await used_assignments(session, parts.assignments, course.id, assignment_id)
        found = await recipients(session, parts.assignments, the_use(uses, assignment_id), below=least)
    language = language if language in LANGUAGES else course.language
    assignment = in_course(parts.assignments, the_use(uses, assignment_id))
    assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
    kind = "missing" if least is None else "below"
    title = the_use(uses, assignment_id).title or assignment.title_in(language)
    params = {"title": title, "points": "" if least is None else points(least, language)}
    return staff_page(
        request,
        "course/letter.html",
        viewer,
        course,
        title=titles_of(request, uses)[assignment_id],
        assignment=assignment,
        kind=kind,
        below=least,
        letter_language=language,
        has_mail=parts.mailer is not None,
        found=found,
        written=[each for each in found if each.email],
        words={
            "subject": text(f"letter.{kind}.subject", language, **params),
            "text": text(f"letter.{kind}.text", language, **params),
        },
        is_repeated=isinstance(refusal, LetterRepeated),
        **form_context(request, fields, refusal),
    )


def _points(typed: str) -> float | None:
    try:
        value = float(typed.translate(AS_PYTHON))
    except ValueError:
        return None
    return value if isfinite(value) and 0 < value <= MOST_POINTS else None
