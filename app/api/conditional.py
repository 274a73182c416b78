"""Answers that a client need not get twice: an ETag, and 304 when it has that one already (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

from app.api.openapi import Answers

ETAG_HEADER = {"ETag": {"description": "send it as `If-None-Match` next time", "schema": {"type": "string"}}}
NOT_MODIFIED: Answers = {304: {"description": "What `If-None-Match` names is still what this address gives."}}


def tag(*parts: object) -> str:
    """The ETag of an answer that is made of `parts` and of nothing else."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def caching(etag: str) -> dict[str, str]:
    """Headers that let a client keep the answer, if it asks each time whether it is still the same."""
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Language, Authorization, Cookie"}


def unchanged(request: Request, etag: str) -> Response | None:
    """The answer 304, if the client has this one already."""
    known = [item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")]
    if etag in known or known == ["*"]:
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=caching(etag))
    return None
