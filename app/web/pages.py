"""Makes HTML of templates. Everything that is put into one is escaped; nothing in one is a script or a style."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.auth import SESSION_COOKIE, form_secret
from app.texts import LANGUAGE_COOKIE, language_of, text, title_of
from grader.formats.view import clean
from grader.messages import LANGUAGES, translate

LANGUAGE_SECONDS = 365 * 24 * 3600

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """The template in the reader's language. A language that was chosen on this page is remembered."""
    language = language_of(request)
    html = _environment.get_template(template).render(
        t=partial(_text, language),
        name=partial(_name, language),
        title_of=lambda assignment: title_of(assignment, language),
        language=language,
        languages=LANGUAGES,
        path=request.url.path if request.method == "GET" else "/",
        signed_in=SESSION_COOKIE in request.cookies and status_code != HTTPStatus.UNAUTHORIZED,
        form_secret=form_secret(request),
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
    """The name of a value of the report, from the grader's own catalogue."""
    return translate(id, language, **params)


def _points(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _number(value: float | None) -> str:
    """A number of a comparison; null in a report stands for NaN and infinity."""
    return "NaN" if value is None else f"{value:.6g}"


def _moment(value: datetime | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _untinted(value: str) -> str:
    """The output without the escape sequences that colour a terminal, and without other characters it obeys."""
    return clean(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", value))


_environment.filters.update(points=_points, number=_number, moment=_moment, untinted=_untinted)
