"""Calls that many tests of the pages that manage a course make."""

from __future__ import annotations

import re
from html import unescape

import httpx

from app.storage.models import DEFAULT_COURSE
from tests.unit.app.conftest import form_secret

COURSE = f"/courses/{DEFAULT_COURSE}"


def hidden(html: str, name: str) -> str:
    """Return the value of a hidden field."""
    field = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert field, name
    return unescape(field[1])


async def send(
    browser: httpx.AsyncClient, page: str, action: str | None = None, *, key: str | None = None, **fields: object
) -> httpx.Response:
    """Fill in a form of the page `page` and send it to `action`, by default the page itself."""
    html = (await browser.get(page)).text
    data: dict[str, object] = {"form_secret": form_secret(html), **fields}
    if key or 'name="form_key"' in html:
        data["form_key"] = key or hidden(html, "form_key")
    return await browser.post(action or page, data=data)


def said(response: httpx.Response) -> str:
    """Return the id of the message that the next page shows."""
    assert response.status_code == 303, response.text
    return response.headers["location"].partition("said=")[2]
