"""Cookies of pages in a frame on another site's page."""

from __future__ import annotations

from http.cookies import SimpleCookie

from starlette.responses import Response


def set_framed_cookie(response: Response, name: str, value: str, *, max_age: int, secure: bool) -> None:
    """Set a cookie that browsers keep for a frame: apart for each site whose pages have the frame.

    Without HTTPS they keep none in a frame; then it is one for a window of its own.

    Source: draft-ietf-httpbis-rfc6265bis; CHIPS, "Cookies Having Independent Partitioned State".
    """
    cookie: SimpleCookie = SimpleCookie({name: value})
    cookie[name].update({"max-age": str(max_age), "path": "/"})
    # `http.cookies` knows `Partitioned` from Python 3.14 on.
    attributes = "; HttpOnly; SameSite=None; Secure; Partitioned" if secure else "; HttpOnly; SameSite=Lax"
    response.headers.append("set-cookie", cookie[name].OutputString() + attributes)
