"""The ways in that a page offers to somebody who is not signed in, and the page to go on with afterwards."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Request

from app.http.frames import out_of_frame
from app.http.pages import OF_ONE_VISIT, path_of, without
from app.oidc.registration import START_PATH
from app.onward import HOME, onward
from app.services import operations


def ways_in(request: Request, next: str) -> dict[str, Any]:
    """Return the context of ``ways_in.html``: the ways that this service has, each of which leads on to `next`."""
    settings = operations(request).settings
    query = f"?{urlencode({'next': next})}" if next != HOME else ""
    return {
        "issuer": urlsplit(settings.oidc_issuer).hostname if settings.oidc_issuer else None,
        "sign_on": START_PATH + query,
        "by_mail": f"/link{query}" if settings.mail_server else None,
        "next": next,
    }


def asked_page(request: Request) -> str:
    """Return the requested page; for a form, the page that holds it, if the browser names it."""
    if request.method in ("GET", "HEAD"):
        path, query = path_of(request), request.query_params.multi_items()
    else:
        # Not `urlsplit`, which refuses some headers.
        host, _, rest = request.headers.get("referer", "").partition("://")[2].partition("/")
        if host != request.headers.get("host"):
            return HOME
        path, _, text = out_of_frame(f"/{rest}").partition("?")
        query = parse_qsl(text)
    kept = urlencode(without(query, *OF_ONE_VISIT))
    return onward(f"{path}?{kept}" if kept else path)
