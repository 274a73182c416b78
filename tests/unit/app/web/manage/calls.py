"""Calls that many tests of the pages that manage a course make."""

import httpx

from app.storage.models import DEFAULT_COURSE

COURSE = f"/courses/{DEFAULT_COURSE}"


def said(response: httpx.Response) -> str:
    """Return the id of the message that the next page shows."""
    assert response.status_code == 303, response.text
    return response.headers["location"].partition("said=")[2]
