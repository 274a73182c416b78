"""Answers a refused or failed request: a problem document (RFC 9457) for programs, a page for browsers."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from app.answers import ANSWERS, Answer, answer_for, words_for
from app.errors import AnswerUnusable, AppError, IssuerUnavailable, NotAuthenticated, Overloaded
from app.errors.lti import PlatformRefused, PlatformUnavailable
from app.http.problem_pages import problem_page
from app.http.texts import language_of
from app.log_config import request_id_var
from app.storage.database import CommitUnanswered, may_have_changed
from app.storage.database_file import NoRoom
from app.storage.outage import is_full, is_ours, reason_of
from grader.errors import without_prefix

logger = logging.getLogger(__name__)

#: Key in the scope of a request: why the database could not serve it.
FAILURE = "lstm_grader.failure"
#: Key in the scope of a request: the exception that kept us from serving it.
FAULT = "lstm_grader.fault"
PROBLEM = "application/problem+json"
TYPE_PREFIX = "urn:lstm-grader:problem:"
#: To the framework's own refusals, by class or by status: a bad request or body, no such page, no such method.
FRAMEWORK_ANSWERS: dict[type[Exception] | int, Answer] = {
    RequestValidationError: Answer(422, "invalid-request"),
    400: Answer(400, "body-unreadable"),
    404: Answer(404, "not-found"),
    405: Answer(405, "method-not-allowed"),
    408: Answer(408, "body-too-slow"),
    413: Answer(413, "body-too-large"),
}
EVERY_ANSWER = ANSWERS | FRAMEWORK_ANSWERS
#: Failures of other services, which are logged already.
OF_OTHERS = (IssuerUnavailable, PlatformUnavailable, AnswerUnusable, PlatformRefused)


def add_handlers(app: FastAPI) -> None:
    for cls in (AppError, HTTPException, RequestValidationError, SQLAlchemyError):
        app.add_exception_handler(cls, problem_response)


async def problem_response(request: Request, error: Exception) -> Response:
    """Answer `error`, which may be any exception."""
    answer = answer_to(error)
    # Our own refusals know what was changed before them.
    is_storage = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and not isinstance(error, AppError)
    if is_storage and may_have_changed.get():
        answer = ANSWERS[CommitUnanswered]
    language = language_of(request)
    params = _params(request, error)
    if isinstance(error, Overloaded):
        logger.warning("upload_refused", extra={"reason": answer.slug})
    elif isinstance(error, SQLAlchemyError) and not is_ours(error):
        # It goes into the log line of the request. Background tasks log the outage itself.
        request.scope[FAILURE] = reason_of(error)
    elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, OF_OTHERS):
        request.scope[FAULT] = error
        logger.error("request_failed", exc_info=error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="lstm-grader"'
    if answer.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(params.get("retry_after_seconds", 10))
    document = problem(answer, language, params)
    if _wants_page(request):
        return problem_page(request, answer, document, headers)
    headers |= {"Content-Language": language, "Vary": "Accept-Language"}
    return JSONResponse(document, answer.status, headers, PROBLEM)


def answer_to(error: Exception) -> Answer:
    if isinstance(error, HTTPException):
        return EVERY_ANSWER.get(error.status_code) or Answer(error.status_code, "invalid-request")
    if is_full(error):
        return ANSWERS[NoRoom]
    return EVERY_ANSWER.get(type(error)) or answer_for(error)


def problem(answer: Answer, language: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Make the problem document: what came, what was expected, what to do."""
    title, detail = words_for(answer, language, params)
    return {"type": f"{TYPE_PREFIX}{answer.slug}", "title": title, "status": answer.status, "detail": detail, **params}


def _params(request: Request, error: Exception) -> dict[str, Any]:
    if isinstance(error, AppError):
        return error.params
    if isinstance(error, RequestValidationError):
        # Without `input` and `ctx`, which repeat the request's data.
        errors = [(list(item["loc"]), without_prefix(item["msg"])) for item in error.errors()]
        return {"errors": [{"location": location, "message": message} for location, message in errors]}
    if isinstance(error, HTTPException):
        return {"method": request.method} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return {"request_id": request_id_var.get()}


def _wants_page(request: Request) -> bool:
    # Not `request.url`, which a bad header `Host` breaks.
    is_page = not request.scope["path"].startswith(("/api/", "/healthz"))
    return is_page and "text/html" in request.headers.get("accept", "")
