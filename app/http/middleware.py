"""Middleware around the service: request id, log line, security headers, a limit on bodies, and exceptions.

It is plain ASGI, because Starlette's `BaseHTTPMiddleware` breaks streamed bodies and contextvars.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.problems import FAILURE, FAULT, problem_response
from app.log_config import request_id_var
from app.operations.metrics import Metrics
from app.operations.status import Failure
from app.services import operations
from app.storage.database import may_have_changed
from app.storage.models import new_id, utc_now

logger = logging.getLogger(__name__)

# These take files and count the bytes while reading. The framework reads all other bodies whole before it calls us.
TAKE_FILES = re.compile(
    r"/api/v1/(submissions|checks|courses/[^/]+/roster)"
    r"|/courses/[^/]+/(roster|batch|grade-book/filled|assignments/[^/]+(/check)?)"
)
BODY_BYTES = 64 * 1024
BODY_SECONDS = 60.0
#: Charsets that the type of a form in parts may name. The framework decodes it with any codec of Python's: some end in
#: errors of their own, and `punycode` takes a second for 64 KiB, and four times as long for twice that.
CHARSETS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors"
ALL = "*"
#: Pages of the whole service, which no platform may show in a frame: it could hide them under its own buttons.
NEVER_FRAMED = re.compile(r"/(platforms|people|status|enter)(/|$)")
#: Pages for the frame of a platform that nobody knows yet (`app.web.lti.registering`). They also answer the window that
#: has opened them.
FRAMED_BY_ALL = re.compile(r"/lti/register/")
SECURITY_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


# Answers of any route that may raise an alarm: guesses at tokens, and failures.
WATCHED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE})


def expect_requests(app: FastAPI, metrics: Metrics) -> None:
    """Start the counters of guesses and failures at 0, on all routes. Call this after the last route is added."""
    for route in iter_route_contexts(app.routes):
        methods: set[str] = getattr(route, "methods", None) or {"GET"}
        failures = {int(status) for status in getattr(route, "responses", {}) if int(status) >= 500}
        for method in methods | {"HEAD"} if "GET" in methods else methods:
            metrics.expect(method, route.path or "none", failures | WATCHED)


class RequestMiddleware:
    """Gives every request an id, a line in the log and a place in the metrics, and every answer its headers.

    Args:
        routes: of the whole application.
        frame_ancestors: tells the sites whose pages may show ours in a frame.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        routes: Sequence[BaseRoute],
        frame_ancestors: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._frame_ancestors = frame_ancestors
        # Endpoints and their whole patterns; the pattern in a request's scope lacks the prefixes of its routers.
        self._patterns: dict[object, str | None] = {
            getattr(route, "endpoint", None) or getattr(route, "app", None): route.path
            for route in iter_route_contexts(routes)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = Headers(scope=scope).get("x-request-id", "")
        request_id = header if REQUEST_ID.fullmatch(header) else new_id()
        request_id_var.set(request_id)
        may_have_changed.set(False)
        started = time.monotonic()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _security_headers(self._framing(scope["path"])).items():
                    headers.setdefault(name, value)
                # Browsers may keep our own files, and revalidate them each time. All other answers are private.
                ours = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", "no-cache" if ours else "no-store")
            await send(message)

        capped = receive if TAKE_FILES.fullmatch(scope["path"]) else _cap(receive)
        try:
            _check_charset(Headers(scope=scope))
            await self._app(scope, capped, send_with_headers)
        except ClientDisconnect:
            logger.info("client_left")
        except Exception as exc:  # An error of ours without a handler.
            if status:
                scope[FAULT] = exc
                raise  # The answer has begun; the server closes the connection and logs why.
            response = await problem_response(Request(scope, receive), exc)
            await response(scope, receive, send_with_headers)
        finally:
            # The pattern, not the path: a client may have put a secret into the path.
            route = self._patterns.get(scope.get("endpoint"))
            seconds = time.monotonic() - started
            self._metrics.count_answer(scope["method"], route, status, seconds)
            facts = {"method": scope["method"], "route": route, "status": status, "milliseconds": round(seconds * 1000)}
            if FAILURE in scope:
                facts["reason"] = scope[FAILURE]
            if FAULT in scope:
                asked, cause = f"{scope['method']} {route or '–'}", type(scope[FAULT]).__name__
                failed = Failure(utc_now(), cause, request=asked, id=request_id)
                operations(Request(scope)).failed_requests.append(failed)
            logger.info("request", extra=facts)

    def _framing(self, path: str) -> tuple[str, ...]:
        """Return the sites that may show this page in a frame, besides our own."""
        if NEVER_FRAMED.match(path):
            return ()
        return (ALL,) if FRAMED_BY_ALL.match(path) else tuple(self._frame_ancestors())


@lru_cache(maxsize=8)
def _security_headers(frame_ancestors: tuple[str, ...]) -> Mapping[str, str]:
    framed = " ".join(["'self'", *frame_ancestors]) if frame_ancestors else "'none'"
    headers = SECURITY_HEADERS | {"Content-Security-Policy": f"{POLICY} {framed}"}
    if frame_ancestors == (ALL,):
        del headers["Cross-Origin-Opener-Policy"]
    # This older header takes no list of sites, and browsers that know the policy ignore it.
    return headers if frame_ancestors else headers | {"X-Frame-Options": "DENY"}


def _check_charset(headers: Headers) -> None:
    """Raises: HTTPException: it is a form in parts, and in a charset that is none of `CHARSETS`."""
    type, options = parse_options_header(headers.get("content-type"))
    if type == b"multipart/form-data" and options.get(b"charset", b"utf-8").lower() not in CHARSETS:
        raise HTTPException(HTTPStatus.BAD_REQUEST)


def _cap(receive: Receive) -> Receive:
    """Limit the body. Raises: HTTPException: it is larger than any body but a file needs to be, or too slow."""
    seen = 0
    ends: float | None = asyncio.get_running_loop().time() + BODY_SECONDS

    async def receive_some() -> Message:
        nonlocal seen, ends
        try:
            async with asyncio.timeout_at(ends):
                message = await receive()
        except TimeoutError as exc:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from exc
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if not message.get("more_body"):
            ends = None  # The next message is the end of the connection.
        return message

    return receive_some
