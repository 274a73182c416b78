"""Lists of platforms that come in pages."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urljoin

import httpx
from pydantic import BaseModel, ValidationError

from app.errors.outgoing import AnswerUnusable
from app.lti.addresses import is_same_site
from app.outgoing.client import Answer

#: Most pages of one list; no course has more people.
MOST_ENTRIES = 20_000

Entry = TypeVar("Entry", bound=BaseModel)


def entries(listed: object, form: type[Entry], *, before: int, name: str) -> list[Entry]:
    """Read the entries of a page. They are counted before any is read, and the first wrong one is the last.

    Args:
        before: the number of entries of earlier pages.
        name: of the list's entries, for errors.
    Raises:
        AnswerUnusable: there are too many, or one has another form.
    """
    if not isinstance(listed, list):
        raise AnswerUnusable(reason=f"the list of {name} has another form")
    if before + len(listed) > MOST_ENTRIES:
        raise AnswerUnusable(reason=f"the list has more than {MOST_ENTRIES} {name}")
    try:
        return [form.model_validate(each) for each in listed]
    except ValidationError as exc:
        raise AnswerUnusable(reason=f"the list of {name} has another form") from exc


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
    except ValueError as exc:
        raise AnswerUnusable(reason="the address of the list's next page cannot be read") from exc
    if not is_same_site(address, url):
        raise AnswerUnusable(reason="the next page of the list is at another site")
    return address
