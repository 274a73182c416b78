"""Reads forms by hand, with limits on bytes and time. FastAPI would read everything before it calls us.

If a form is refused, or its session has ended, the page that says so gives its texts back. They are not stored.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.types import Message

from app.errors.uploads import FileTooLarge, FormExpected, FormUnreadable, UploadTooSlow
from app.submissions.uploads import PASTE_BYTES

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
