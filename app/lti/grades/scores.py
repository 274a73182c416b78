"""The form in which platforms accept scores (AGS 2.0)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlunsplit

from app.lti.addresses import parts_of
from app.lti.platform_services import SCORE_SCOPE, PlatformServices
from app.outgoing.client import Answer
from app.storage.models import LtiPlatform

SCORE = "application/vnd.ims.lis.v1.score+json"
COMMENT_CHARACTERS = 500
#: Source: Canvas, "Score" (developerdocs.instructure.com).
CANVAS_SUBMISSION = "https://canvas.instructure.com/lti/submission"


def score_of(
    *,
    user_id: str,
    points: float | None,
    max_points: float,
    comment: str | None,
    stamp: datetime,
    submitted_at: datetime | None,
    is_new: bool | None = None,
) -> dict[str, Any]:
    """Return the body of a score.

    It is never "pending", because platforms then hide the grade that they have.

    Args:
        points: None: the platform should clear its grade (AGS 2.0, section 3.4.4).
        comment: None: the platform already has it.
        stamp: in whole seconds; a platform refuses a stamp that is not later than the last one.
        is_new: whether Canvas should show another attempt; None: for other platforms.
    """
    score: dict[str, Any] = {"userId": user_id, "timestamp": _timestamp(stamp)}
    if comment is not None:
        score["comment"] = comment[:COMMENT_CHARACTERS]
    if is_new is not None:
        score[CANVAS_SUBMISSION] = {"new_submission": is_new}
    if points is None:
        return {**score, "activityProgress": "Initialized", "gradingProgress": "NotReady"}
    score |= {
        "scoreGiven": points,
        "scoreMaximum": max_points,
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    if submitted_at is not None:
        score["submission"] = {"submittedAt": _timestamp(submitted_at)}
    return score


def below(lineitem: str, name: str) -> str:
    """Return the address of a line item's ``/scores`` or ``/results``; the name goes before the query.

    Raises:
        TargetRefused: the line item has no valid address.
    """
    parts = parts_of(lineitem)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


async def post_score(
    services: PlatformServices, platform: LtiPlatform, lineitem: str, score: Mapping[str, Any]
) -> Answer:
    return await services.send(
        platform,
        "POST",
        below(lineitem, "scores"),
        scopes=[SCORE_SCOPE],
        accept="application/json",
        content=score,
        content_type=SCORE,
    )


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
