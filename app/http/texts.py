"""The choice of a request's language."""

from fastapi import Request, Response

from app.http.cookies import keep, read
from app.services import operations
from grader.report.messages import LANGUAGES, negotiate

LANGUAGE_COOKIE = "lstm_grader_language"
#: The cookie with the language of the platform, for people who have not chosen one here.
PLATFORM_COOKIE = "lstm_grader_platform_language"
#: Key in the scope of a request: the language of its path (`app.http.frames`) or of a platform's message.
LANGUAGE = "lstm_grader.language"


def language_of(request: Request, default: str = "en") -> str:
    """Choose ``?lang=``, else the language chosen on a page, else that of the platform behind the launch.

    Without these it is that of ``Accept-Language``, else the operator's, else `default`.
    """
    chosen = request.query_params.get("lang"), read(request, LANGUAGE_COOKIE)
    for asked in (*chosen, request.scope.get(LANGUAGE), read(request, PLATFORM_COOKIE)):
        if asked in LANGUAGES:
            return str(asked)
    return negotiate(request.headers.get("accept-language"), operations(request).settings.language or default)


def keep_platform_language(request: Request, response: Response, language: str | None, max_age: int) -> None:
    """Remember a platform's language for so many seconds, if it is one of ours."""
    if language in LANGUAGES:
        keep(request, response, PLATFORM_COOKIE, str(language), max_age=max_age)
