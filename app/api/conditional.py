"""Conditional requests: an ETag, and 304 for a client that has this answer already (RFC 9110, section 13)."""

import hashlib
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from starlette.status import HTTP_304_NOT_MODIFIED

from app.api.openapi import Answers


def revalidated(answer: Mapping[str, Any] | None = None) -> Answers:
    """Document the answer with an ETag, and the one that it has not changed.

    Args:
        answer: additions to its description in the document.
    """
    etag = {"ETag": {"description": "send it as `If-None-Match` next time", "schema": {"type": "string"}}}
    return {
        200: {**(answer or {}), "headers": etag},
        304: {"description": "The answer that `If-None-Match` names is still the current one."},
    }


def tag(*parts: object) -> str:
    """Return the ETag of an answer that depends on `parts` and on nothing else."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def caching(etag: str) -> dict[str, str]:
    """Return headers that let a client keep the answer, if it revalidates it each time."""
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Language, Authorization, Cookie"}


def unchanged(request: Request, etag: str) -> Response | None:
    """Return a 304 if the client has this answer already."""
    known = [item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")]
    if etag in known or known == ["*"]:
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=caching(etag))
    return None
