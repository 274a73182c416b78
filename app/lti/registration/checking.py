"""The check of a registration: what is wrong with it, each fault as a code that has a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.errors import AnswerUnusable, PlatformRefused, TargetRefused
from app.lti.platform_keys import read_keys
from app.lti.platform_services import SCORE_SCOPE, PlatformServices
from app.outgoing.client import Outgoing
from app.storage.models import LtiPlatform

#: Clocks that differ by more refuse launches: messages live for a minute or five, and we allow for one more.
CLOCK_SECONDS = 30


class Code(StrEnum):
    """A fault that a check finds. The values are the ends of the texts ``platform.check.<code>``."""

    UNCONFIRMED = "unconfirmed"
    NO_DEPLOYMENT = "no_deployment"
    NO_PUBLIC_URL = "no_public_url"
    NOT_HTTPS = "not_https"
    KEYS_UNREADABLE = "keys_unreadable"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 no password
    TOKEN_UNREACHABLE = "token_unreachable"  # noqa: S105 no password
    CLOCKS_DIFFER = "clocks_differ"


@dataclass(frozen=True)
class Fault:
    """Attributes: params: of the sentence."""

    code: Code
    params: dict[str, Any] = field(default_factory=dict)


async def check(
    platform: LtiPlatform,
    deployments: Sequence[str],
    *,
    public_url: str | None,
    outgoing: Outgoing,
    services: PlatformServices,
) -> list[Fault]:
    """Look for everything that would keep launches and grades of this platform from working.

    Args:
        public_url: of this service, from the settings.
    """
    faults: list[Fault] = []
    if platform.confirmed_at is None:
        faults.append(Fault(Code.UNCONFIRMED))
    if not deployments:
        faults.append(Fault(Code.NO_DEPLOYMENT))
    if public_url is None:
        faults.append(Fault(Code.NO_PUBLIC_URL))
    elif not public_url.startswith("https://"):
        faults.append(Fault(Code.NOT_HTTPS, {"url": public_url}))
    try:
        answer = await outgoing.send("GET", platform.keys_url, headers={"Accept": "application/json"})
        if not answer.is_success:
            raise AnswerUnusable(reason=f"answered {answer.status}")
        read_keys(answer.json())
    except (AnswerUnusable, TargetRefused) as exc:
        faults.append(Fault(Code.KEYS_UNREADABLE, {"url": platform.keys_url, "reason": exc.params["reason"]}))
    try:
        await services.try_token(platform, [SCORE_SCOPE])
    except PlatformRefused as exc:
        faults.append(Fault(Code.TOKEN_REFUSED, {"url": platform.token_url, **exc.params}))
    except (AnswerUnusable, TargetRefused) as exc:
        faults.append(Fault(Code.TOKEN_UNREACHABLE, {"url": platform.token_url, "reason": exc.params["reason"]}))
    skew = services.skew_of(platform)
    if skew is not None and abs(skew) > CLOCK_SECONDS:
        faults.append(Fault(Code.CLOCKS_DIFFER, {"seconds": round(skew)}))
    return faults
