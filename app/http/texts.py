"""The choice of a request's language."""

from __future__ import annotations

from fastapi import Request, Response

from app.http.cookies import keep, read
from app.services import operations
from grader.report.messages import LANGUAGES, negotiate

LANGUAGE_COOKIE = "lstm_grader_language"
#: The language of the platform that somebody comes from, for whoever has chosen none here.
PLATFORM_COOKIE = "lstm_grader_platform_language"
#: Key in the scope of a request: the language of its path (`app.http.frames`) or of a platform's message.
LANGUAGE = "lstm_grader.language"


def language_of(request: Request, default: str = "en") -> str:
    """Choose ``?lang=``, else the page's choice, else that of the platform that the person has come from.

    Without these it is that of ``Accept-Language``, else the operator's, else `default`.
    """
    chosen = request.query_params.get("lang"), read(request, LANGUAGE_COOKIE)
    for asked in (*chosen, request.scope.get(LANGUAGE), read(request, PLATFORM_COOKIE)):
        if asked in LANGUAGES:
            return str(asked)
    return negotiate(request.headers.get("accept-language"), operations(request).settings.language or default)


def keep_platform_language(request: Request, response: Response, language: str | None, max_age: int) -> None:
    """Keep the language of a platform, if it has named one of ours, for so many seconds."""
    if language in LANGUAGES:
        keep(request, response, PLATFORM_COOKIE, str(language), max_age=max_age)
