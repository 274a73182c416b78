"""Scores as a platform takes them, and the line item that takes them (AGS 2.0)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from app.errors import AnswerUnusable, PlatformRefused
from app.lti.arguments import TAG
from app.lti.pages import next_page
from app.lti.platform_services import (
    LINEITEM_READ_SCOPE,
    LINEITEM_SCOPE,
    SCORE_SCOPE,
    PlatformServices,
    words_of,
)
from app.outgoing.client import Answer
from app.storage.models import LtiLink, LtiPlatform

SCORE = "application/vnd.ims.lis.v1.score+json"
LINEITEM = "application/vnd.ims.lis.v2.lineitem+json"
LINEITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
COMMENT_CHARACTERS = 500
PAGES = 20


def score_of(
    *,
    user_id: str,
    points: float,
    max_points: float,
    comment: str,
    stamp: datetime,
    submitted_at: datetime | None,
) -> dict[str, Any]:
    """Return the body of a score.

    It is never "pending": a platform shows no grade then, also where it had one.

    Args:
        stamp: whole seconds; a platform refuses one that is not later than the last.
    """
    score: dict[str, Any] = {
        "userId": user_id,
        "scoreGiven": points,
        "scoreMaximum": max_points,
        "comment": comment[:COMMENT_CHARACTERS],
        "timestamp": _written(stamp),
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    if submitted_at is not None:
        score["submission"] = {"submittedAt": _written(submitted_at)}
    return score


def scores_url(lineitem: str) -> str:
    """Return where scores of a line item go: its path and ``/scores``, before its query."""
    parts = urlsplit(lineitem)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/scores"))


async def post_score(
    services: PlatformServices, platform: LtiPlatform, lineitem: str, score: Mapping[str, Any]
) -> Answer:
    return await services.send(
        platform,
        "POST",
        scores_url(lineitem),
        scopes=[SCORE_SCOPE],
        accept="application/json",
        content=score,
        content_type=SCORE,
    )


async def find_or_make_lineitem(
    services: PlatformServices, platform: LtiPlatform, link: LtiLink, *, label: str, max_points: float, resource: str
) -> str:
    """Return the address of the link's line item. It is made only if it is not there: platforms make a second one.

    Args:
        label: of the column.
        resource: our id of what is graded.
    Raises:
        PlatformRefused: the platform shows no line items, or makes none.
        AnswerUnusable, TargetRefused: see `Outgoing.send`.
    """
    assert link.lineitems_url is not None
    granted: Collection[str] = link.scopes.get("granted", [])
    if LINEITEM_SCOPE not in granted and LINEITEM_READ_SCOPE not in granted:
        raise PlatformRefused(status=403, words="line items are not granted")
    reading = LINEITEM_SCOPE if LINEITEM_SCOPE in granted else LINEITEM_READ_SCOPE
    url: str | None = _with(link.lineitems_url, {"resource_link_id": link.resource_link_id, "limit": "100"})
    for _ in range(PAGES):
        if url is None:
            break
        answer = await services.send(platform, "GET", url, scopes=[reading], accept=LINEITEMS)
        if not answer.is_success:
            raise PlatformRefused(status=answer.status, words=words_of(answer))
        listed = answer.json()
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, dict) and isinstance(item.get("id"), str) and _is_ours(item, link, resource):
                return str(item["id"])
        url = next_page(answer, url)
    if LINEITEM_SCOPE not in granted:
        raise PlatformRefused(status=403, words="there is no line item of this link, and making one is not granted")
    answer = await services.send(
        platform,
        "POST",
        link.lineitems_url,
        scopes=[LINEITEM_SCOPE],
        accept=LINEITEM,
        content={
            "scoreMaximum": max_points,
            "label": label[:200],
            "resourceId": resource,
            "tag": TAG,
            "resourceLinkId": link.resource_link_id,
        },
        content_type=LINEITEM,
    )
    if not answer.is_success:
        raise PlatformRefused(status=answer.status, words=words_of(answer))
    made = answer.json()
    if not isinstance(made, dict) or not isinstance(made.get("id"), str):
        raise AnswerUnusable(reason="the line item has no id")
    return str(made["id"])


def _is_ours(item: Mapping[str, Any], link: LtiLink, resource: str) -> bool:
    """Tell whether a line item is the one of this link. Some platforms do not filter the list."""
    if item.get("resourceLinkId") is not None:
        return bool(item["resourceLinkId"] == link.resource_link_id)
    return bool(item.get("resourceId") == resource and item.get("tag") == TAG)


def _with(address: str, parameters: Mapping[str, str]) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(parameters))))))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
