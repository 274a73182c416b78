"""Reads uploads, and refuses those with an obvious fault.

We parse the form ourselves, after checking the token and within a limit of bytes: FastAPI would read all of it before
it calls us. Faults in the content (an unknown encoding, a broken notebook, no class) lead to a report instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from app.access.tokens import Principal
from app.errors.uploads import (
    AssignmentUnknown,
    FieldsMissing,
    FieldsUnknown,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormUnreadable,
    OtherStudent,
    StudentInvalid,
    UploadTooSlow,
)
from grader import Assignment
from grader import Submission as GraderSubmission
from grader.submission import CODE_SUFFIXES

FIELDS = ("file", "student", "assignment")
DEFAULT_ASSIGNMENT = "lstm-layer"
STUDENT_CHARACTERS = 200
FILENAME_CHARACTERS = 255
# The key of a notebook's cells, in format 4 and in earlier formats.
NOTEBOOK_MARKS = ('"cells"', '"worksheets"')
# Room for the rest of the form: field names, boundaries, the other fields.
FORM_OVERHEAD_BYTES = 64 * 1024
#: Code without pictures is small; a notebook with pictures is uploaded as a file.
PASTE_BYTES = 1_000_000
# Slower uploads are cut off: 20 MB in five minutes is half a megabit a second.
UPLOAD_SECONDS = 300.0
# A browser that is answered before it has sent everything shows an error of its own. So the rest of a too large file is
# read and discarded, if it arrives soon.
DISCARD_SECONDS = 20.0


@dataclass(frozen=True)
class Upload:
    student: str
    assignment_id: str
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        return GraderSubmission(self.filename, self.content).sha256

    def key(self, form_key: str) -> str:
        """Return the idempotency key of an upload from the page's form `form_key`.

        The same file sent again is the same upload. Another file from the same form is a new upload, because a browser
        may return to the page.
        """
        sent = json.dumps([form_key, self.student, self.assignment_id, self.filename, self.sha256])
        return f"page:{hashlib.sha256(sent.encode()).hexdigest()}"


@contextlib.asynccontextmanager
async def read_form(
    request: Request, limit_bytes: int, *, text_bytes: int = FORM_OVERHEAD_BYTES
) -> AsyncIterator[FormData]:
    """Read a multipart form with one file of at most `limit_bytes`. The file is deleted after the block.

    Args:
        text_bytes: the limit of one text field.
    Raises:
        FormExpected, FormUnreadable, FileTooLarge, UploadTooSlow
    """
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise FormExpected(came=content_type[:100])
    body_limit = limit_bytes + FORM_OVERHEAD_BYTES
    announced = request.headers.get("content-length", "")
    try:
        if announced.isascii() and announced.isdecimal() and int(announced) > body_limit:
            raise FileTooLarge(limit_bytes=limit_bytes)
        async with asyncio.timeout(UPLOAD_SECONDS):
            form = await limit_body(request, body_limit, limit_bytes).form(
                max_files=1, max_fields=10, max_part_size=text_bytes
            )
    except FileTooLarge:
        await _discard(request)
        raise
    except TimeoutError as exc:
        raise UploadTooSlow(limit_seconds=UPLOAD_SECONDS) from exc
    except HTTPException as exc:
        if exc.detail.startswith("Part exceeded maximum size") and text_bytes != FORM_OVERHEAD_BYTES:
            raise FileTooLarge(limit_bytes=text_bytes) from exc
        raise FormUnreadable(reason=exc.detail) from exc
    try:
        yield form
    finally:
        await form.close()


async def check_upload(
    form: FormData,
    assignments: Mapping[str, Assignment],
    limit_bytes: int,
    submitter: Principal,
    fields: Sequence[str] = FIELDS,
) -> Upload:
    """Check the fields ``file``, ``student`` and ``assignment``.

    Args:
        submitter: the holder of the token; with a student's or an assistant's own token the form may omit the name.
        fields: the allowed field names.
    Raises:
        UploadRefused: one of its subclasses, for the first fault found.
        OtherStudent: the form names another student than the holder of the token.
    """
    # Otherwise a misspelt `assignment` would select the default one.
    if unknown := sorted(set(form) - set(fields)):
        raise FieldsUnknown(unknown=[name[:100] for name in unknown[:10]], known=list(fields))
    file, assignment_id = form.get("file"), form.get("assignment") or DEFAULT_ASSIGNMENT
    own = None if submitter.hands_in_for_others else submitter.external_id
    student = form.get("student") or own
    # A browser sends an empty file without a name when none was chosen.
    has_file = isinstance(file, UploadFile) and bool(file.filename or file.size)
    missing = [name for name, given in (("file", has_file), ("student", bool(student))) if not given]
    if missing:
        raise FieldsMissing(missing=missing)
    assert isinstance(file, UploadFile)
    if assignment_id not in assignments:
        raise AssignmentUnknown(came=str(assignment_id)[:100], known=sorted(assignments))
    assert isinstance(assignment_id, str)
    student = check_student(student)
    if not submitter.hands_in_for_others and student != own:
        raise OtherStudent
    filename = clean_filename(file.filename or "")
    if PurePosixPath(filename).suffix.lower() not in CODE_SUFFIXES:
        raise FileTypeUnsupported(filename=filename, accepted=list(CODE_SUFFIXES))
    limit_bytes = min(limit_bytes, assignments[assignment_id].upload.upload_bytes)
    if (file.size or 0) > limit_bytes:
        raise FileTooLarge(limit_bytes=limit_bytes)
    content = await file.read()
    if not content:
        raise FileEmpty(filename=filename)
    return Upload(student, assignment_id, filename, content)


def check_student(value: object) -> str:
    """Normalize the student's name or id: composed letters, no surrounding spaces.

    Raises:
        StudentInvalid: it is empty, too long, or holds control characters.
    """
    student = unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""
    printable = all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in student)
    if not student or max(len(student), len(str(value))) > STUDENT_CHARACTERS or not printable:
        raise StudentInvalid(limit=STUDENT_CHARACTERS)
    return student


def clean_filename(text: str) -> str:
    """Return the last part of a path of any operating system, without control characters, shortened before its suffix.

    >>> clean_filename("C:\\\\homework\\\\LSTM.ipynb")
    'LSTM.ipynb'
    """
    name = re.split(r"[/\\]", text)[-1]
    name = "".join(character for character in name if unicodedata.category(character)[0] != "C").strip()
    path = PurePosixPath(name)
    suffix = path.suffix if len(path.suffix) < FILENAME_CHARACTERS else ""
    return path.name.removesuffix(suffix)[: FILENAME_CHARACTERS - len(suffix)] + suffix


def file_of_code(code: str) -> UploadFile:
    """Turn code that was pasted into a form into a file: a module, or a notebook if the text looks like one.

    Parsing is left to the reader process, which reports the faults.
    """
    # Browsers send line ends as CR LF.
    content = code.replace("\r\n", "\n").encode()
    is_notebook = code.lstrip("\ufeff \t\r\n").startswith("{") and any(mark in code for mark in NOTEBOOK_MARKS)
    return UploadFile(io.BytesIO(content), size=len(content), filename=f"pasted.{'ipynb' if is_notebook else 'py'}")


def limit_body(request: Request, body_limit: int, limit_bytes: int) -> Request:
    """Return the request with a limit on its body, which must be unread.

    Args:
        limit_bytes: the limit that the refusal quotes.
    """
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > body_limit:
            raise FileTooLarge(limit_bytes=limit_bytes)
        return message

    return Request(request.scope, receive)


async def _discard(request: Request) -> None:
    if "expect" in request.headers:
        return  # This client waits for our answer before it sends the body.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while (await request.receive()).get("more_body"):
                pass
