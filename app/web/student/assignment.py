"""The page of an assignment: the task, what is checked for how many points, handing in, the own attempts.

Code comes as a file or is pasted. A page that is loaded again after a broken connection is still the same form, by a
key in a cookie and, masked, in the form: so what is sent twice is one attempt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.answers import answer_for
from app.actions.fields import ID
from app.courses import members
from app.errors import AppError
from app.errors.requests import NotAuthenticated
from app.errors.uploads import FileAndCode, NothingHandedIn
from app.http.auth.holders import PageFor, SessionHolder
from app.http.auth.proof import FORM_FIELD, check_form_secret
from app.http.cookies import forget, keep, read
from app.http.forms import refused, see_other
from app.http.frames import in_frame
from app.http.masking import mask, unmask
from app.http.pages import page
from app.http.staff import AssignmentId
from app.http.texts import language_of
from app.http.watching import renewed_if_slow
from app.lti.grades.connection import passback_of
from app.services import services
from app.storage.models import Course, new_id, utc_now
from app.submissions import uploads
from app.teaching.own.attempts import Place, list_attempts, source_changes
from app.teaching.own.courses import Task, own_task
from app.teaching.own.reasons import reasons_of
from app.texts import text
from app.web.student.clock import told, zone_of
from app.web.student.conversation import words_on_all
from app.web.student.markdown import rendered
from grader import Assignment, handout
from grader.report.messages import translate
from grader.report.numbers import in_zone
from grader.submission import CODE_SUFFIXES

PATH = "/courses/{course_id}/assignments/{assignment_id}"
RECENT = 5
KEY_FIELD = "idempotency_key"
KEY_COOKIE = "lstm_grader_form"
CODE_FIELD = "code"
FIELDS = (*uploads.FIELDS, CODE_FIELD, FORM_FIELD, KEY_FIELD)
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
}

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(PageFor(Right.READ))]


@dataclass(frozen=True)
class Refusal:
    """A form that was refused, or would be. Attributes: fields: the texts in it, to show it again."""

    error: AppError
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        return answer_for(self.error).slug


@router.get(PATH)
async def assignment_page(request: Request, viewer: Reader, assignment_id: AssignmentId) -> Response:
    return await _page(request, viewer, assignment_id)


@router.post(PATH)
async def hand_in(request: Request, submitter: SessionHolder, assignment_id: AssignmentId) -> Response:
    """Take a file or pasted code, and lead to its page. A refusal shows the form again, as it was filled in.

    The page's script asks for JSON: the address of the new page, or a problem document.
    """
    fields: dict[str, str] = {}
    try:
        address = await _accept(request, submitter, assignment_id, fields)
    except NotAuthenticated:
        request.state.written = [fields.get(CODE_FIELD, "")]
        raise
    except AppError as error:
        if _wants_json(request):
            raise
        return await _page(request, submitter, assignment_id, Refusal(error, fields))
    response = JSONResponse({"address": in_frame(request, address)}) if _wants_json(request) else see_other(address)
    forget(request, response, KEY_COOKIE)
    return response


@router.get(f"{PATH}/template.{{form}}")
async def template(
    request: Request, viewer: Reader, assignment_id: AssignmentId, form: Literal["ipynb", "py"]
) -> Response:
    """Send the file to begin with, as a notebook or as a module."""
    parts = services(request)
    async with parts.database.read() as session:
        task = await own_task(session, parts.assignments, viewer, assignment_id)
    make, media_type = {
        "ipynb": (handout.notebook, "application/x-ipynb+json"),
        "py": (handout.module, "text/x-python; charset=utf-8"),
    }[form]
    name = f'attachment; filename="{assignment_id}.{form}"'
    return Response(
        make(task.assignment, language_of(request)), headers={"Content-Disposition": name}, media_type=media_type
    )


async def _accept(request: Request, submitter: Principal, assignment_id: str, fields: dict[str, str]) -> str:
    """Store what the form brings, and return the address of its page.

    Args:
        fields: gets the texts of the form, also of one that is refused.
    """
    submitter.check(Right.SUBMIT, archived_too=True)
    parts = services(request)
    limit_bytes = parts.settings.upload_bytes
    began = time.monotonic()
    async with uploads.read_form(request, limit_bytes, text_bytes=uploads.PASTE_BYTES) as form:
        # Browsers send the ends of lines as CR LF; the form that is shown again has them as they were typed.
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        fields.update((name, value.replace("\r\n", "\n")) for name, value in texts.items())
        submitter = await renewed_if_slow(parts, submitter, began)
        check_form_secret(request, form.get(FORM_FIELD))
        submitter, student = await _on_whose_behalf(request, submitter, fields.get("student", "").strip())
        sent = {name: value for name, value in fields.items() if name != CODE_FIELD}
        upload = FormData({**sent, "file": _file(form), "student": student, "assignment": assignment_id})
        checked = await parts.inbox.check(upload, limit_bytes, submitter, fields=FIELDS)
    form_key = unmask(fields.get(KEY_FIELD, ""))
    submission, _ = await parts.inbox.accept(checked, submitter, checked.key(form_key) if form_key else None)
    return f"/submissions/{submission.id}"


def _file(form: FormData) -> UploadFile:
    """Return the file of a form, or the pasted code as one.

    Raises:
        NothingHandedIn, FileAndCode
    """
    file, code = form.get("file"), form.get(CODE_FIELD)
    # A browser sends an empty file without a name when none was chosen.
    has_file = isinstance(file, UploadFile) and bool(file.filename or file.size)
    has_code = isinstance(code, str) and bool(code.strip())
    if has_file and has_code:
        raise FileAndCode
    if has_code:
        return uploads.file_of_code(str(code))
    if not has_file:
        raise NothingHandedIn
    assert isinstance(file, UploadFile)
    return file


async def _on_whose_behalf(request: Request, submitter: Principal, named: str) -> tuple[Principal, str]:
    """Return the submitter and the student of an upload. Without a name, one of the staff hands in a trial."""
    if named or not submitter.sees_everything:
        return submitter, named
    if submitter.external_id is None:
        async with services(request).database.write() as session:
            trials = await members.enrol_trials(session, submitter.course_id)
        submitter = replace(submitter, external_id=trials.external_id)
    return submitter, submitter.external_id or ""


async def _page(request: Request, viewer: Principal, assignment_id: str, refusal: Refusal | None = None) -> Response:
    parts = services(request)
    language = language_of(request)
    async with parts.database.read() as session:
        task = await own_task(session, parts.assignments, viewer, assignment_id)
        course = await session.get_one(Course, viewer.course_id)
        place = Place(course.id, assignment_id, viewer.membership_id)
        attempts = await list_attempts(session, task.assignment, viewer, place, limit=RECENT)
        said_on_all = await words_on_all(session, viewer, task.use)
        passback = None
        if viewer.membership_id is not None and task.use.id is not None:
            passback = await passback_of(session, viewer.membership_id, task.use.id)
    said = refused(request, refusal.error) if refusal else {}
    remembered = read(request, KEY_COOKIE)
    closed = _closed(viewer, task)
    form_key = remembered if ID.fullmatch(remembered) else new_id()
    counted = task.basis.counted if task.basis else None
    response = page(
        request,
        "student/assignment.html",
        viewer=viewer,
        course=course,
        here="course",
        task=task,
        assignment=task.assignment,
        text=_text(task.assignment, language),
        counted=counted,
        steps=told(counted.steps, language, zone_of(course)) if counted else (),
        passback=passback,
        conversation=said_on_all,
        attempts=attempts,
        changed=await source_changes(parts.database, attempts),
        reasons=reasons_of(task.basis) if task.basis else {},
        closed=closed,
        closed_when=_moments(closed, zone_of(course)),
        zone=zone_of(course),
        now=utc_now(),
        form_key=mask(form_key),
        fields=refusal.fields if refusal else {},
        wrong_field=FIELD_OF.get(refusal.slug, "form") if refusal else None,
        refused_slug=refusal.slug if refusal else None,
        slugs_of={name: [slug for slug, of in FIELD_OF.items() if of == name] for name in ("file", "student", "code")},
        accepted=CODE_SUFFIXES,
        file_bytes=min(parts.settings.upload_bytes, task.assignment.upload.upload_bytes),
        paste_bytes=uploads.PASTE_BYTES,
        **said,
    )
    if refusal and "retry_after_seconds" in refusal.error.params:
        response.headers["Retry-After"] = str(refusal.error.params["retry_after_seconds"])
    keep(request, response, KEY_COOKIE, form_key)
    return response


def _text(assignment: Assignment, language: str) -> Any:
    """Return the task in the reader's language, else in another; None: the file has no text."""
    texts: dict[str, str] = dict(assignment.text.items())
    found = texts.get(language) or next(iter(texts.values()), None)
    if not found:
        return None
    return rendered(found, text("course.code", language), translate("report.sideways", language))


def _closed(viewer: Principal, task: Task) -> Refusal | None:
    """Say why nothing can be handed in now; None: it can."""
    try:
        viewer.check(Right.SUBMIT)
        if task.basis:
            task.basis.check_next()
    except AppError as error:
        return Refusal(error)
    return None


def _moments(closed: Refusal | None, zone: ZoneInfo) -> dict[str, str]:
    """Return the times of a refusal by the clock of the course, as its text has them."""
    params = closed.error.params if closed else {}
    return {name: in_zone(str(value), zone).isoformat() for name, value in params.items() if name.endswith("_at")}


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
