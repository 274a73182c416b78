"""Reads forms by hand, with limits on bytes and time. FastAPI would read everything before it calls us.

If a form is refused, or its session has ended, the page that says so gives its texts back. They are not stored.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from app.actions.actor import Actor
from app.actions.hand_in import HandIn
from app.errors import FieldsUnknown, FileTooLarge, FormExpected, FormUnreadable, NoFileChosen, UploadTooSlow
from app.http.watching import current_rights_if_slow
from app.services import services
from app.submissions.uploads import DEFAULT_ASSIGNMENT, PASTE_BYTES, File

# Room for the rest of a form with a file: field names, boundaries, the other fields.
FORM_OVERHEAD_BYTES = 64 * 1024
# Slower uploads are cut off: 20 MB in five minutes is half a megabit a second.
UPLOAD_SECONDS = 300.0
# A browser that gets an answer before it has sent everything shows an error of its own. So the rest of a file that is
# too large is read and discarded, if it arrives soon.
DISCARD_SECONDS = 20.0
#: The limit for forms of people who are not signed in.
STRANGERS_SECONDS = 20.0
#: The fields of our forms that take long to write.
LONG_FIELDS = (
    "code", "text", "comment", "answer", "adjustment_reason", "extension_reason", "decision_reason", "table",
)  # fmt: skip


@contextlib.asynccontextmanager
async def read_form(
    request: Request, limit_bytes: int, *, text_bytes: int = FORM_OVERHEAD_BYTES
) -> AsyncIterator[FormData]:
    """Read a multipart form with one file of at most `limit_bytes`. The file is deleted after the block.

    A path that takes files is also named in `middleware.TAKE_FILES`.

    Args:
        text_bytes: the most that one text field may hold.
    Raises: FormExpected, FormUnreadable, FileTooLarge, UploadTooSlow
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
            form = await _limit(request, body_limit, limit_bytes).form(
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


async def read_file(request: Request, limit_bytes: int) -> bytes:
    """Read a file of at most `limit_bytes` that is the body itself. Raises: FileTooLarge, UploadTooSlow"""
    content = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            async for chunk in _limit(request, limit_bytes, limit_bytes).stream():
                content += chunk
    except TimeoutError as exc:
        raise UploadTooSlow(limit_seconds=UPLOAD_SECONDS) from exc
    return bytes(content)


async def read_long_texts(request: Request) -> list[str]:
    """Read the long texts of a browser's form, within the limits of pasted code. Nothing else may read the form."""
    if "text/html" not in request.headers.get("accept", ""):
        return []
    capped = _limit(request, PASTE_BYTES + FORM_OVERHEAD_BYTES, PASTE_BYTES)
    try:
        async with (
            asyncio.timeout(STRANGERS_SECONDS),
            capped.form(max_files=1, max_fields=20, max_part_size=PASTE_BYTES) as form,
        ):
            return texts_of(form)
    except (FileTooLarge, HTTPException, TimeoutError):
        return []


def texts_of(form: FormData) -> list[str]:
    texts = [text for name, text in form.items() if name in LONG_FIELDS and isinstance(text, str)]
    # Browsers send CR LF, and a page shows a CR as a character.
    return [text.replace("\r\n", "\n") for text in texts if text.strip()]


def _limit(request: Request, body_limit: int, limit_bytes: int) -> Request:
    """Limit the body of a request that nobody has read yet.

    Args:
        limit_bytes: what the refusal names as the limit.
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


AnyActor = TypeVar("AnyActor", bound=Actor)

FIELDS = ("file", "student", "assignment")


@contextlib.asynccontextmanager
async def form_with_file(
    request: Request, actor: AnyActor, limit_bytes: int, *, text_bytes: int = FORM_OVERHEAD_BYTES
) -> AsyncIterator[tuple[FormData, AnyActor]]:
    """Read a form as `read_form` does, for an action.

    Yields:
        The form, and the `Actor` with current rights, because a large file takes minutes to arrive.
    Raises:
        FormExpected, FormUnreadable, FileTooLarge, UploadTooSlow
        NotAuthenticated: the rights have ended meanwhile.
    """
    began = time.monotonic()
    async with read_form(request, limit_bytes, text_bytes=text_bytes) as form:
        # For the page of a refusal.
        request.state.long_texts = texts_of(form)
        holder = await current_rights_if_slow(services(request), actor.holder, began)
        yield form, replace(actor, holder=holder)


async def file_in(form: FormData) -> File | None:
    """Return the file of a form; None: no file was chosen. A browser then sends an empty one without a name."""
    file = form.get("file")
    if isinstance(file, UploadFile) and (file.filename or file.size):
        return File(file.filename or "", await file.read())
    return None


def chosen_file(form: FormData) -> UploadFile:
    """Return the file of a form that needs one. Raises: NoFileChosen"""
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise NoFileChosen(missing=["file"])
    return file


def check_fields(form: FormData, known: Sequence[str]) -> None:
    """Raises: FieldsUnknown: the form has a field that is none of these."""
    if unknown := sorted(set(form) - set(known)):
        raise FieldsUnknown(unknown=[name[:100] for name in unknown[:10]], known=list(known))


async def hand_in_of(form: FormData) -> HandIn:
    """Return the attempt that a program's form holds.

    Raises:
        FieldsUnknown: a misspelt `assignment` would otherwise mean the default one.
    """
    check_fields(form, FIELDS)
    texts = {name: value for name, value in form.items() if isinstance(value, str) and value}
    assignment = texts.get("assignment", DEFAULT_ASSIGNMENT)
    return HandIn(file=await file_in(form), student=texts.get("student"), assignment=assignment)
