"""Our cookies: for pages in a window, and for pages in a frame on another site's page.

With HTTPS their names begin with `__Host-`, so that browsers take them from this host alone, and from no other one of
its domain.
"""

from http.cookies import SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

from app.services import operations


def keep(
    request: Request,
    response: Response,
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    from_others: bool = False,
) -> None:
    """Set a cookie that scripts cannot read.

    In a window, requests that other sites begin do not carry it. In a frame browsers keep only cookies that may come
    with such requests, apart for each site whose pages have the frame; forms are guarded by their secret. Without HTTPS
    they keep none there.

    Args:
        max_age: in seconds; None: until the browser is closed.
        from_others: a form on another site's page has to send it.
    Source: draft-ietf-httpbis-rfc6265bis; CHIPS, "Cookies Having Independent Partitioned State".
    """
    name = _name(request, name)
    cookie: SimpleCookie = SimpleCookie({name: value})
    cookie[name]["path"] = "/"
    if max_age is not None:
        cookie[name]["max-age"] = str(max_age)
    secure = is_secure(request)
    if secure and (from_others or is_framed(request)):
        # `http.cookies` knows `Partitioned` from Python 3.14 on.
        attributes = "HttpOnly; SameSite=None; Secure; Partitioned"
    else:
        attributes = "HttpOnly; SameSite=lax; Secure" if secure else "HttpOnly; SameSite=lax"
    response.headers.append("set-cookie", f"{cookie[name].OutputString()}; {attributes}")


def read(request: Request, name: str) -> str:
    """Return the value of a cookie that `keep` has set; an empty text: there is none."""
    return request.cookies.get(_name(request, name), "")


def forget(request: Request, response: Response, name: str) -> None:
    keep(request, response, name, "", max_age=0)


def _name(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_secure(request) else name


def is_framed(request: Request) -> bool:
    """Tell whether the answer is shown in a frame (Fetch Metadata Request Headers, "Sec-Fetch-Dest")."""
    return request.headers.get("sec-fetch-dest") in ("iframe", "frame")


def is_secure(request: Request) -> bool:
    """Tell whether the user's browser speaks HTTPS, with us or with the proxy before us."""
    public_url = operations(request).settings.public_url
    return request.scope["scheme"] == "https" or (public_url or "").startswith("https:")
