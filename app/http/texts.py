"""The choice of a request's language."""

from __future__ import annotations

from fastapi import Request

from app.http.cookies import read
from app.services import operations
from grader.report.messages import LANGUAGES, negotiate

LANGUAGE_COOKIE = "lstm_grader_language"


def language_of(request: Request, default: str = "en") -> str:
    """Choose ``?lang=``, else the page's choice, else ``Accept-Language``, else the operator's, else `default`."""
    for asked in (request.query_params.get("lang"), read(request, LANGUAGE_COOKIE)):
        if asked in LANGUAGES:
            return asked
    return negotiate(request.headers.get("accept-language"), operations(request).settings.language or default)
