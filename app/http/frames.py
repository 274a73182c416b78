"""Pages in a frame whose browser keeps no cookie of ours: their session is a token at the beginning of each path.

The middleware takes the token off, so that no route, log line or metric has it, and puts it before the address of a
redirect. Pages put it before their own addresses as they are rendered. The token opens one course, in a frame, and to
requests that pages of ours have begun: an address that somebody copies from the frame opens nothing in a window, nor in
a page that shows it to others, whose work would otherwise be handed in as that somebody's. Behind the token stands the
language that was chosen in the frame, or that the platform has, because no cookie keeps it.
"""

import re

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.texts import LANGUAGE
from grader.report.messages import LANGUAGES

#: Key in the scope of a request: the token of its path.
TOKEN = "lstm_grader.frame_token"  # noqa: S105 no password
PREFIX = re.compile(rf"(/t/([A-Za-z0-9_-]{{43}})(?:\.({'|'.join(LANGUAGES)}))?)(/.*)", re.DOTALL)
#: An address of ours in a page that is rendered; values are escaped, so no text in a page looks like one. Our own files
#: are the same for all.
ADDRESS = re.compile(r"""(\s(?:href|src|action|formaction|data-events|data-numbers)=")(/(?!/|static/)[^"]*")""")


class FrameMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = PREFIX.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is None:
            await self._app(scope, receive, send)
            return
        prefix, token, language, path = match.groups()
        plain = {**scope, "path": path, "raw_path": scope["raw_path"][len(prefix) :]}
        headers = Headers(scope=scope)
        # A browser without this header may show a window.
        if headers.get("sec-fetch-dest", "document") != "document" and is_from_us(headers):
            asked = QueryParams(scope["query_string"]).get("lang")
            language = asked if asked in LANGUAGES else language
            await self._app({**plain, TOKEN: token, LANGUAGE: language}, receive, _with_token(send, token, language))
        elif scope["method"] in ("GET", "HEAD") and not path.startswith("//"):
            query = scope["query_string"].decode("latin-1")
            address = plain["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
            await RedirectResponse(address, 303)(scope, receive, send)
        else:
            await self._app(plain, receive, send)


def is_from_us(headers: Headers) -> bool:
    """Tell whether a page of ours, or the browser's user, has begun a request, by the browser's word if it says one.

    Source: Fetch Metadata Request Headers, "Sec-Fetch-Site"; redirects by others make it `cross-site`.
    """
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def address_in_frame(token: str, language: str | None, address: str) -> str:
    """Return an address of ours, from the root, for a frame without cookies."""
    return f"/t/{token}.{language}{address}" if language in LANGUAGES else f"/t/{token}{address}"


def out_of_frame(address: str) -> str:
    """Return an address of ours without what `address_in_frame` puts before it."""
    match = PREFIX.fullmatch(address)
    return address if match is None else match[4]


def _with_token(send: Send, token: str, language: str | None) -> Send:
    """Put the token before the address of a redirect."""

    async def send_with_token(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            location = headers.get("location", "")
            if location.startswith("/") and not location.startswith("//"):
                headers["location"] = address_in_frame(token, language, location)
        await send(message)

    return send_with_token


def token_of(request: HTTPConnection) -> str | None:
    token: str | None = request.scope.get(TOKEN)
    return token


def in_frame(request: HTTPConnection, address: str) -> str:
    """Return an address of ours, from the root, as the page that asks for it has to write it."""
    token = token_of(request)
    return address if token is None else address_in_frame(token, request.scope.get(LANGUAGE), address)


def with_addresses(request: HTTPConnection, html: str) -> str:
    """Return a page whose own addresses are as `in_frame` returns them."""
    return (
        html if token_of(request) is None else ADDRESS.sub(lambda match: match[1] + in_frame(request, match[2]), html)
    )
