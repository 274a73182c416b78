"""A letter to students who have handed in nothing at an assignment, or whose grade is low."""

from math import isfinite

from fastapi import Response

from app.access.rights import Right
from app.actions import mail as actions
from app.actions.fields import MOST_POINTS
from app.courses.assignments import in_course, title_of
from app.errors import LetterRepeated
from app.http.fields import AS_PYTHON
from app.http.visits import Pages, Visit
from app.teaching.grade_list import used_assignments
from app.teaching.letters import recipients
from app.texts import text
from grader.report.messages import LANGUAGES
from grader.report.numbers import points

PATH = "/courses/{course_id}/assignments/{assignment_id}/letter"

router = Pages()


@router.page(PATH, Right.MANAGE_MEMBERS)
async def letter_page(visit: Visit, assignment_id: str, below: str = "", language: str = "") -> Response:
    """Show the recipients, and a text to begin with."""
    typed = visit.fields.typed
    least, language = _points(typed.get("below", below)), typed.get("language", language)
    (use,) = await used_assignments(visit.session, visit.assignments, visit.course_id, assignment_id)
    students = await recipients(visit.session, visit.assignments, use, below=least)
    language = language if language in LANGUAGES else visit.course.language
    assignment = in_course(visit.assignments, use)
    assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
    kind = "missing" if least is None else "below"
    title = title_of(use, visit.assignments, language)
    params = {"title": title, "points": "" if least is None else points(least, language)}
    return visit.page(
        "course/letter.html",
        "course",
        title=visit.title_of(use),
        assignment=assignment,
        kind=kind,
        below=least,
        letter_language=language,
        has_mail=visit.mailer is not None,
        students=students,
        written=[each for each in students if each.email],
        words={
            "subject": text(f"letter.{kind}.subject", language, **params),
            "text": text(f"letter.{kind}.text", language, **params),
        },
        is_repeated=isinstance(visit.refusal, LetterRepeated),
    )


@router.form(PATH, actions.write_to_students, again=letter_page)
async def write(visit: Visit, assignment_id: str) -> Response:
    wanted = visit.fields.read(actions.WriteToStudents, members=visit.fields.typed.get("members", "").split())
    count = await actions.write_to_students(visit, assignment_id, wanted)
    return visit.lead_to(f"/assignments/{assignment_id}/overview", "letter.sent" if count else "letter.nobody")


def _points(typed: str) -> float | None:
    try:
        value = float(typed.translate(AS_PYTHON))
    except ValueError:
        return None
    return value if isfinite(value) and 0 < value <= MOST_POINTS else None
