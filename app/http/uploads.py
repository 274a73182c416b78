"""Forms with a file: the rights of the sender after the upload, the file, and the attempt in it."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TypeVar

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from app.actions.asking import Asking
from app.actions.hand_in import HandIn
from app.errors.uploads import FieldsUnknown
from app.http.bodies import FORM_OVERHEAD_BYTES, read_form, texts_of
from app.http.watching import current_rights_if_slow
from app.services import services
from app.submissions.uploads import DEFAULT_ASSIGNMENT, File

Asker = TypeVar("Asker", bound=Asking)

FIELDS = ("file", "student", "assignment")


@contextlib.asynccontextmanager
async def form_with_file(
    request: Request, asking: Asker, limit_bytes: int, *, text_bytes: int = FORM_OVERHEAD_BYTES
) -> AsyncIterator[tuple[FormData, Asker]]:
    """Read a form as `read_form` does, for an action.

    Yields:
        The form, and the `Asking` with current rights, because a large file takes minutes to arrive.
    Raises:
        FormExpected, FormUnreadable, FileTooLarge, UploadTooSlow
        NotAuthenticated: the rights have ended meanwhile.
    """
    began = time.monotonic()
    async with read_form(request, limit_bytes, text_bytes=text_bytes) as form:
        # For the page of a refusal.
        request.state.long_texts = texts_of(form)
        holder = await current_rights_if_slow(services(request), asking.holder, began)
        yield form, replace(asking, holder=holder)


async def file_in(form: FormData) -> File | None:
    """Return the file of a form; None: no file was chosen. A browser then sends an empty one without a name."""
    file = form.get("file")
    if isinstance(file, UploadFile) and (file.filename or file.size):
        return File(file.filename or "", await file.read())
    return None


async def hand_in_of(form: FormData) -> HandIn:
    """Return the attempt that a program's form holds.

    Raises:
        FieldsUnknown: a misspelt `assignment` would otherwise mean the default one.
    """
    if unknown := sorted(set(form) - set(FIELDS)):
        raise FieldsUnknown(unknown=[name[:100] for name in unknown[:10]], known=list(FIELDS))
    texts = {name: value for name, value in form.items() if isinstance(value, str) and value}
    assignment = texts.get("assignment", DEFAULT_ASSIGNMENT)
    return HandIn(file=await file_in(form), student=texts.get("student"), assignment=assignment)
