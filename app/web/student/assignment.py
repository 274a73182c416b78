"""The pages of an assignment: the task, the points of each check, handing in, the own attempts and notebooks.

Code comes as a file or is pasted. A page that is loaded again after a broken connection is still the same form, by a
key in a cookie and, masked, in the form: so what is sent twice is one attempt.
"""

from collections.abc import Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from app.access.notebooks import CODE_LIFETIME, TOKEN_LIFETIME, notebooks_of
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import hand_in as actions
from app.actions import notebooks
from app.actions.fields import ID
from app.answers import answer_for
from app.errors import AppError, FileAndCode, NotAuthenticated, NothingHandedIn, existing
from app.http.archives import as_file
from app.http.auth.proof import mask, unmask
from app.http.bodies import file_in
from app.http.cookies import forget, keep, read
from app.http.forms import refusal_context, see_other
from app.http.frames import in_frame
from app.http.notebook import notebook_cell
from app.http.visits import Pages, Visit, one_page
from app.lti.grades.connection import passback_of
from app.storage.models import Token, new_id, utc_now
from app.storage.paging import Paging
from app.submissions.derivation import steps_in_words
from app.submissions.uploads import PASTE_BYTES, File, file_of_code
from app.teaching.own.attempts import AttemptsFilter, list_attempts, source_changes
from app.teaching.own.courses import Task, own_task
from app.teaching.own.reasons import reasons_of
from app.texts import text
from app.web.student.conversation import words_on_all
from app.web.student.markdown import to_html
from grader import Assignment, handout
from grader.report.messages import translate
from grader.report.numbers import in_zone
from grader.submission import CODE_SUFFIXES

PATH = "/courses/{course_id}/assignments/{assignment_id}"
#: Attempts on the page of the assignment, and on a page of their own.
RECENT, LISTED = Paging(5), 20
KEY_FIELD = "idempotency_key"
KEY_COOKIE = "lstm_grader_form"
CODE_FIELD = "code"
#: The button that hands in the newest attempt's bytes again.
AGAIN_FIELD = "again"
#: The refusals that concern one field, by the last part of their type. Others stand above the form.
FIELD_OF: Mapping[str, str] = {
    "file-too-large": "file",
    "empty-file": "file",
    "unsupported-file-type": "file",
    "nothing-handed-in": "file",
    "file-and-code": "file",
    "fields-missing": "student",
    "invalid-student": "student",
    "other-student": "student",
    "member-removed": "student",
    "handed-in-before": "again",
}

router = Pages()


@router.page(PATH, Right.READ)
async def assignment_page(visit: Visit, assignment_id: str) -> Response:
    return await show(visit, assignment_id)


@router.form(PATH, actions.hand_in, with_file=True)
async def hand_in(visit: Visit, assignment_id: str) -> Response:
    """Take a file or pasted code, and lead to its page. A refusal shows the form again, as it was filled in.

    The page's script asks for JSON: the address of the new page, or a problem document.
    """
    request, fields = visit.request, visit.fields.typed
    try:
        visit, wanted = await _read(visit, assignment_id)
        submission, _ = await actions.hand_in(
            visit,
            visit.parts.inbox,
            wanted,
            with_trials=True,
            key=_key(wanted, fields),
            asks_again=AGAIN_FIELD not in fields,
        )
    except AppError as error:
        return await _refused(visit, assignment_id, error)
    address = f"/submissions/{submission.id}"
    response = JSONResponse({"address": in_frame(request, address)}) if _wants_json(request) else see_other(address)
    forget(request, response, KEY_COOKIE)
    return response


@router.form(f"{PATH}/check", actions.check_beforehand, with_file=True)
async def check(visit: Visit, assignment_id: str) -> Response:
    """Take what the same form holds for a check before handing in, and lead to its page."""
    try:
        visit, wanted = await _read(visit, assignment_id)
        key = _key(wanted, visit.fields.typed)
        stored = await actions.check_beforehand(visit, visit.parts.inbox, wanted, key=key)
    except AppError as error:
        return await _refused(visit, assignment_id, error)
    address = f"/courses/{visit.course_id}/assignments/{assignment_id}/checks/{stored.id}"
    if _wants_json(visit.request):
        return JSONResponse({"address": in_frame(visit.request, address), "keeps_draft": True})
    return see_other(address)


@router.page(f"{PATH}/template.{{form}}", Right.READ)
async def template(visit: Visit, assignment_id: str, form: Literal["ipynb", "py"]) -> Response:
    """Send the file to begin with, as a notebook that hands itself in, or as a module."""
    task = await own_task(visit.session, visit.assignments, visit.holder, assignment_id)
    if form == "ipynb":
        cell = notebook_cell(visit.url, assignment_id, visit.language)
        content, media_type = handout.notebook(task.assignment, visit.language, cell), "application/x-ipynb+json"
    else:
        content, media_type = handout.module(task.assignment, visit.language), "text/x-python; charset=utf-8"
    return Response(content, headers=as_file(f"{assignment_id}.{form}"), media_type=media_type)


@router.page(f"{PATH}/attempts", Right.READ)
async def attempts_page(visit: Visit, assignment_id: str) -> Response:
    paging = visit.paging(LISTED, "before")
    shown = await _work(visit, assignment_id, paging)
    return visit.page("student/attempts.html", "course", before=paging.cursor, **shown)


@router.form(f"{PATH}/code", notebooks.make_code)
async def make_code(visit: Visit, assignment_id: str) -> Response:
    """Make a code and show it, for the only time. The same form sent again makes another one in its place."""
    visit.parts.code_limit.take(visit.holder.membership_id or "")
    return await show(visit, assignment_id, code=await notebooks.make_code(visit, assignment_id, visit.language))


router.act(f"{PATH}/notebooks/{{token_id}}/end", notebooks.end_notebook, PATH, "notebook.ended")


async def _read(visit: Visit, assignment_id: str) -> tuple[Visit, actions.HandIn]:
    """Read the form that hands in."""
    async with visit.file_form(visit.parts.settings.upload_bytes, text_bytes=PASTE_BYTES) as (form, visit):
        student = visit.fields.typed.get("student", "").strip() or None
        return visit, actions.HandIn(file=await _file(form), student=student, assignment=assignment_id)


def _key(wanted: actions.HandIn, fields: Mapping[str, str]) -> str | None:
    form_key = unmask(fields.get(KEY_FIELD, ""))
    return wanted.key(form_key) if form_key else None


async def _refused(visit: Visit, assignment_id: str, error: AppError) -> Response:
    if _wants_json(visit.request) or isinstance(error, NotAuthenticated):
        raise error
    return await show(visit, assignment_id, error)


async def _file(form: FormData) -> File:
    """Return the file of a form, or the pasted code as one. Raises: NothingHandedIn, FileAndCode"""
    file, code = await file_in(form), form.get(CODE_FIELD)
    if not isinstance(code, str) or not code.strip():
        return existing(file, NothingHandedIn)
    if file is not None:
        raise FileAndCode
    return file_of_code(code)


async def _work(visit: Visit, assignment_id: str, paging: Paging) -> dict[str, Any]:
    """Return the common contents of both pages: the task, a page of attempts, and the grade."""
    viewer = visit.holder
    async with visit.database.read() as session:
        task = await own_task(session, visit.assignments, viewer, assignment_id)
        chosen = AttemptsFilter(visit.course_id, assignment_id, viewer.membership_id)
        attempts = await list_attempts(session, task.assignment, viewer, chosen, paging)
    page = one_page("attempts", paging, attempts, lambda each: each.submission.id)
    counted = task.basis.counted if task.basis else None
    return {
        **page,
        "task": task,
        "assignment": task.assignment,
        "changed": await source_changes(visit.database, page["attempts"]),
        "reasons": reasons_of(task.basis) if task.basis else {},
        "counted": counted,
        "steps": steps_in_words(counted.steps, visit.language, visit.zone) if counted else (),
    }


async def show(
    visit: Visit, assignment_id: str, refusal: AppError | None = None, *, code: str | None = None
) -> Response:
    """Show the page.

    Args:
        code: a new one for the student's notebook.
    """
    request, viewer = visit.request, visit.holder
    shown = await _work(visit, assignment_id, RECENT)
    task: Task = shown["task"]
    async with visit.database.read() as session:
        said_on_all = await words_on_all(session, viewer, task.use)
        passback = None
        if viewer.membership_id is not None:
            passback = await passback_of(session, viewer.membership_id, task.use.id)
        in_use = await notebooks_of(
            session, Token.membership_id == viewer.membership_id, Token.assignment_id == assignment_id
        )
    problem = refusal_context(request, refusal) if refusal else {}
    remembered = read(request, KEY_COOKIE)
    closed = _obstacle(viewer, task)
    slug = answer_for(refusal).slug if refusal else None
    form_key = remembered if ID.fullmatch(remembered) else new_id()
    response = visit.page(
        "student/assignment.html",
        "course",
        text=_text(task.assignment, visit.language),
        passback=passback,
        notebooks=in_use,
        code=code,
        code_minutes=CODE_LIFETIME.seconds // 60,
        token_days=TOKEN_LIFETIME.days,
        cell=notebook_cell(visit.url, assignment_id, visit.language),
        may_make_codes=viewer.may(Right.MAKE_CODES),
        may_check=viewer.may(Right.CHECK) and task.assignment.attempts.checks_per_hour > 0,
        conversation=said_on_all,
        closed=closed,
        closed_slug=answer_for(closed).slug if closed else None,
        closed_when=_moments(closed, visit.zone),
        now=utc_now(),
        form_key=mask(form_key),
        fields=visit.fields.typed if refusal else {},
        wrong_field=FIELD_OF.get(slug, "form") if slug else None,
        refused_slug=slug,
        slugs_of={
            name: [slug for slug, of in FIELD_OF.items() if of == name] for name in ("file", "student", "code", "again")
        },
        accepted=CODE_SUFFIXES,
        file_bytes=visit.parts.inbox.most_bytes(task.assignment),
        paste_bytes=PASTE_BYTES,
        **shown,
        **problem,
    )
    if refusal and "retry_after_seconds" in refusal.params:
        response.headers["Retry-After"] = str(refusal.params["retry_after_seconds"])
    keep(request, response, KEY_COOKIE, form_key)
    return response


def _text(assignment: Assignment, language: str) -> Any:
    """Return the task in the reader's language, else in another; None: the file has no text."""
    texts: dict[str, str] = dict(assignment.text.items())
    words = texts.get(language) or next(iter(texts.values()), None)
    if not words:
        return None
    return to_html(words, text("course.code", language), translate("report.sideways", language))


def _obstacle(viewer: Principal, task: Task) -> AppError | None:
    """Say why nothing can be handed in now; None: it can."""
    try:
        viewer.check(Right.SUBMIT)
        if task.basis:
            task.basis.check_next()
    except AppError as error:
        return error
    return None


def _moments(closed: AppError | None, zone: ZoneInfo) -> dict[str, str]:
    """Return the times in a refusal, in the course's time zone, as its text shows them."""
    params = closed.params if closed else {}
    return {name: in_zone(str(value), zone).isoformat() for name, value in params.items() if name.endswith("_at")}


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
