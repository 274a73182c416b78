"""The texts of a form that was refused, or that came after its session had ended.

The page that says so gives them back. They are kept nowhere.
"""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from app.errors.uploads import FileTooLarge
from app.submissions import uploads

#: The fields of our forms that take long to write.
FIELDS = (
    "code", "text", "comment", "answer", "adjustment_reason", "extension_reason", "decision_reason", "table",
)  # fmt: skip
#: Strangers send these forms, too.
SECONDS = 20.0


async def written_in(request: Request) -> list[str]:
    """Read what a browser's form says, within the limits of pasted code. Call it where nothing else reads the form."""
    if "text/html" not in request.headers.get("accept", ""):
        return []
    limited = uploads.limit_body(request, uploads.PASTE_BYTES + uploads.FORM_OVERHEAD_BYTES, uploads.PASTE_BYTES)
    try:
        async with (
            asyncio.timeout(SECONDS),
            limited.form(max_files=1, max_fields=20, max_part_size=uploads.PASTE_BYTES) as form,
        ):
            return texts_of(form)
    except (FileTooLarge, HTTPException, TimeoutError):
        return []


def texts_of(form: FormData) -> list[str]:
    texts = [text for name, text in form.items() if name in FIELDS and isinstance(text, str)]
    # Browsers send CR LF, and a page shows a CR as a character.
    return [text.replace("\r\n", "\n") for text in texts if text.strip()]
