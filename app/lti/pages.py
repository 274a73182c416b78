"""Lists of platforms that come in pages."""

from __future__ import annotations

from urllib.parse import urljoin

import httpx

from app.outgoing.client import Answer


def next_page(answer: Answer, url: str) -> str | None:
    """Return the address of the next page of a list (RFC 8288).

    Args:
        url: of this page.
    """
    following = httpx.Response(answer.status, headers=answer.headers).links.get("next", {}).get("url")
    return urljoin(url, following) if following else None
