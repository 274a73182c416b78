"""Deep Linking 2.0: a teacher chooses on our page which assignment a new link of the platform opens."""

import math
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import existing
from app.errors.lti import SelectionNotFound
from app.lti import keys
from app.lti.arguments import ASSIGNMENT, TAG
from app.lti.launch.message import CLAIM, DeepLinking
from app.storage.database import Database
from app.storage.models import LtiContext, LtiPlatform, LtiSelection, Membership, utc_now
from grader import Assignment

LIFETIME = timedelta(hours=1)
#: Short, because the browser posts the answer at once.
ANSWER_SECONDS = 300
CONTENT = "https://purl.imsglobal.org/spec/lti-dl/claim/"


async def ask(session: AsyncSession, context: LtiContext, member: Membership, settings: DeepLinking) -> LtiSelection:
    """Keep the platform's question until this member has chosen."""
    selection = LtiSelection(
        lti_context_id=context.id,
        membership_id=member.id,
        return_url=settings.deep_link_return_url,
        data=settings.data,
        takes_lineitem=settings.accept_lineitem is not False,
        expires_at=utc_now() + LIFETIME,
    )
    session.add(selection)
    await session.flush()
    return selection


async def find(
    session: AsyncSession, selection_id: str, membership_id: str | None
) -> tuple[LtiSelection, LtiContext, LtiPlatform]:
    """Find an open question to this member.

    Raises:
        SelectionNotFound: it is unknown, has expired, or its platform was suspended.
    """
    rows = await session.execute(
        select(LtiSelection, LtiContext, LtiPlatform)
        .join(LtiContext, LtiContext.id == LtiSelection.lti_context_id)
        .join(LtiPlatform, LtiPlatform.id == LtiContext.platform_id)
        .where(
            LtiSelection.id == selection_id,
            LtiSelection.membership_id == membership_id,
            LtiSelection.expires_at > utc_now(),
            LtiPlatform.confirmed_at.is_not(None),
        )
    )
    selection, context, platform = existing(rows.one_or_none(), SelectionNotFound)
    return selection, context, platform


def item_of(assignment: Assignment, *, title: str, url: str, points: float, takes_lineitem: bool) -> dict[str, Any]:
    """Return the description of the link that the platform should create.

    Args:
        assignment: with the dates of the course.
        url: the tool's address.
        points: the maximum in the grade book; Moodle and Open edX take whole numbers only, so it is rounded up there.
    """
    item: dict[str, Any] = {
        "type": "ltiResourceLink",
        "title": title,
        "url": url,
        "custom": {ASSIGNMENT: assignment.id},
    }
    if takes_lineitem:
        item["lineItem"] = {
            "label": title,
            "scoreMaximum": math.ceil(points),
            "resourceId": assignment.id,
            "tag": TAG,
        }
    opens, due, closes = assignment.deadline.opens, assignment.deadline.due, assignment.deadline.closes
    for name, dates in (("available", (opens, closes)), ("submission", (None, due))):
        moments = zip(("startDateTime", "endDateTime"), dates, strict=True)
        if known := {key: moment.isoformat() for key, moment in moments if moment is not None}:
            item[name] = known
    return item


async def answer(
    database: Database,
    platform: LtiPlatform,
    context: LtiContext,
    selection: LtiSelection,
    item: Mapping[str, Any],
    *,
    now: float,
) -> str:
    """Sign the answer, which the browser posts to the platform as `JWT`. Args: now: see `keys.sign`."""
    claims: dict[str, Any] = {
        "iss": platform.client_id,
        "aud": platform.issuer,
        "nonce": secrets.token_urlsafe(16),
        f"{CLAIM}deployment_id": context.deployment_id,
        f"{CLAIM}message_type": "LtiDeepLinkingResponse",
        f"{CLAIM}version": "1.3.0",
        f"{CONTENT}content_items": [item],
    }
    if selection.data is not None:
        claims[f"{CONTENT}data"] = selection.data
    return await keys.sign(database, claims, now=now, lifetime_seconds=ANSWER_SECONDS)
