"""Lists of platforms that come in pages."""

from __future__ import annotations

from app.outgoing.client import Answer


def next_page(answer: Answer) -> str | None:
    """Return the address of the next page of a list (RFC 8288)."""
    for part in answer.headers.get("link", "").split(","):
        target, _, parameters = part.strip().partition(">")
        if target.startswith("<") and "next" in parameters.replace('"', "").replace(" ", "").lower().split("rel=")[1:]:
            return str(target[1:])
    return None
