"""Reads paged lists of platforms."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar
from urllib.parse import urljoin

import httpx
from pydantic import BaseModel, ValidationError

from app.errors import AnswerUnusable
from app.lti.addresses import is_same_site
from app.lti.platform_services import ANSWER_BYTES, PlatformServices, refusal
from app.outgoing.client import Answer
from app.storage.models import LtiPlatform

#: Limits of one list; no course has more people.
MOST_ENTRIES = 20_000
MOST_PAGES = 200

Entry = TypeVar("Entry", bound=BaseModel)


def entries(listed: object, form: type[Entry], *, before: int, name: str) -> list[Entry]:
    """Parse the entries of a page. They are counted first, and the first invalid one stops the parsing.

    Args:
        before: the number of entries of earlier pages.
        name: the kind of entries, for errors.
    Raises:
        AnswerUnusable: there are too many, or one is invalid.
    """
    if not isinstance(listed, list):
        raise AnswerUnusable(reason=f"the list of {name} has another form")
    if before + len(listed) > MOST_ENTRIES:
        raise AnswerUnusable(reason=f"the list has more than {MOST_ENTRIES} {name}")
    try:
        return [form.model_validate(each) for each in listed]
    except ValidationError as exc:
        raise AnswerUnusable(reason=f"the list of {name} has another form") from exc


async def pages(
    services: PlatformServices,
    platform: LtiPlatform,
    url: str,
    *,
    scope: str,
    accept: str,
    most_bytes: int = ANSWER_BYTES,
) -> AsyncIterator[Any]:
    """Yield the pages of a list, as JSON.

    Raises:
        PlatformRefused: the platform does not show the list.
        AnswerUnusable: a page is not JSON, or there are too many.
        TargetRefused: see `PlatformServices.send`.
    """
    for _ in range(MOST_PAGES):
        answer = await services.send(platform, "GET", url, scopes=[scope], accept=accept, most_bytes=most_bytes)
        if not answer.is_success:
            raise refusal(answer)
        yield answer.json()
        following = next_page(answer, url)
        if following is None:
            return
        url = following
    raise AnswerUnusable(reason=f"the list has more than {MOST_PAGES} pages")


def next_page(answer: Answer, url: str) -> str | None:
    """Return the address of the next page of a list (RFC 8288).

    Args:
        url: the address of this page.
    Raises:
        AnswerUnusable: it is no valid address, or at another site, which would receive our token.
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
