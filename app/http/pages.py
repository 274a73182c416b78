"""Renders HTML from templates. All values are escaped; no template holds a script or a style."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.http.auth import SESSION_COOKIE, form_secret
from app.http.masking import mask
from app.http.texts import LANGUAGE_COOKIE, language_of, title_of
from app.texts import text
from grader.formats.html import environment
from grader.report.messages import LANGUAGES, translate

WEB = Path(__file__).parents[1] / "web"
LANGUAGE_SECONDS = 365 * 24 * 3600

# The icon is inlined into every page, which saves a request.
_environment = environment(WEB / "templates", WEB / "static")


def page(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """Render the template in the reader's language. A language chosen on this page is remembered."""
    language = language_of(request)
    html = _environment.get_template(template).render(
        t=partial(_text, language),
        name=partial(_name, language),
        title_of=lambda assignment: title_of(assignment, language),
        language=language,
        languages=LANGUAGES,
        path=request.url.path if request.method == "GET" else "/",
        signed_in=SESSION_COOKIE in request.cookies and status_code != HTTPStatus.UNAUTHORIZED,
        form_secret=mask(form_secret(request)),
        **context,
    )
    response = HTMLResponse(html, status_code, headers)
    response.headers["Content-Language"] = language
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=LANGUAGE_SECONDS, samesite="lax", httponly=True)
    return response


def _text(language: str, id: str, /, **params: object) -> str:
    return text(id, language, **params)


def _name(language: str, id: str, /, **params: object) -> str:
    """Return the name of a value of the report, from the grader's catalogue."""
    return translate(id, language, **params)
