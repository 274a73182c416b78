"""Lists of platforms that come in pages."""

from __future__ import annotations

from urllib.parse import urljoin

import httpx

from app.errors.outgoing import AnswerUnusable
from app.outgoing.client import Answer


def next_page(answer: Answer, url: str) -> str | None:
    """Return the address of the next page of a list (RFC 8288).

    Args:
        url: of this page.
    Raises:
        AnswerUnusable: it is no address, or one of another site, which would get our token.
    """
    following = httpx.Response(answer.status, headers=answer.headers).links.get("next", {}).get("url")
    if not following:
        return None
    try:
        address = urljoin(url, following)
        is_of_site = _site(address) == _site(url)
    except (ValueError, httpx.InvalidURL) as exc:
        raise AnswerUnusable(reason="the address of the list's next page cannot be read") from exc
    if not is_of_site:
        raise AnswerUnusable(reason="the next page of the list is at another site")
    return address


def _site(address: str) -> tuple[str, str, int | None]:
    url = httpx.URL(address)
    return url.scheme, url.host, url.port
