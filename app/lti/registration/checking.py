"""The check of a registration; each fault is a code with a sentence in the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import PlatformRefused
from app.lti import keys, platforms
from app.lti.platform_keys import fetch_keys, read_keys
from app.lti.platform_services import SCORE_SCOPE, PlatformServices
from app.lti.registration.tool import addresses_of
from app.outgoing.client import Answer, Outgoing
from app.storage.database import Database
from app.storage.models import LtiPlatform

#: If the clocks differ by more, launches fail: messages live for one to five minutes, and we tolerate one more.
CLOCK_SECONDS = 30


#: The error of a platform that knows us but grants none of its services (RFC 6749, section 5.2).
NO_SCOPE = "invalid_scope"


class Code(StrEnum):
    """A fault in a registration. The values are the ends of the texts ``platform.check.<code>``."""

    UNCONFIRMED = "unconfirmed"
    SAME_CLIENT = "same_client"
    NO_DEPLOYMENT = "no_deployment"
    WRONG_DEPLOYMENT = "wrong_deployment"
    NO_PUBLIC_URL = "no_public_url"
    NOT_HTTPS = "not_https"
    PROXY_SILENT = "proxy_silent"
    OWN_KEYS_HIDDEN = "own_keys_hidden"
    KEYS_UNREADABLE = "keys_unreadable"
    SERVICES_OFF = "services_off"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 no password
    TOKEN_UNREACHABLE = "token_unreachable"  # noqa: S105 no password
    CLOCKS_DIFFER = "clocks_differ"


@dataclass(frozen=True)
class Fault:
    """A fault with the parameters of its sentence."""

    code: Code
    params: dict[str, Any] = field(default_factory=dict)


async def check(
    database: Database,
    platform_id: str,
    *,
    public_url: str | None,
    seen_url: str | None,
    outgoing: Outgoing,
    services: PlatformServices,
) -> list[Fault]:
    """List the faults that would break this platform's launches or grades.

    Args:
        public_url: this service's address, from the settings.
        seen_url: its address as this request and the proxy's headers show it; None: there is no request.
    Raises: PlatformNotFound
    """
    async with database.read() as session:
        platform = await platforms.find(session, platform_id)
        deployments = await platforms.deployments(session, platform_id)
        same_client = await platforms.same_client(session, platform)
    own_keys = await keys.public_key_set(database)
    faults: list[Fault] = []
    if platform.confirmed_at is None:
        faults.append(Fault(Code.UNCONFIRMED))
    if same_client:
        faults.append(of_same_client(same_client))
    if not deployments:
        faults.append(Fault(Code.NO_DEPLOYMENT))
    if platform.refused_deployment:
        faults.append(Fault(Code.WRONG_DEPLOYMENT, {"deployment": platform.refused_deployment}))
    faults += await _of_our_address(public_url, seen_url, own_keys, outgoing)
    try:
        await fetch_keys(outgoing, platform.keys_url)
    except (AnswerUnusable, TargetRefused) as exc:
        faults.append(Fault(Code.KEYS_UNREADABLE, {"url": platform.keys_url, "reason": exc.params["reason"]}))
    if platform.confirmed_at is not None:
        faults += await _of_tokens(platform, services, addresses_of(public_url or seen_url or "")["keys"])
    skew = services.skew_of(platform)
    if skew is not None and abs(skew) > CLOCK_SECONDS:
        faults.append(Fault(Code.CLOCKS_DIFFER, {"seconds": round(skew)}))
    return faults


def of_same_client(same_client: Sequence[LtiPlatform]) -> Fault:
    """Return the fault of a client id that is shared with these platforms."""
    return Fault(Code.SAME_CLIENT, {"platforms": ", ".join(f"{each.name} ({each.issuer})" for each in same_client)})


async def _of_tokens(platform: LtiPlatform, services: PlatformServices, keys_url: str) -> list[Fault]:
    """List the faults of a platform's tokens, by a signed request for one. Args: keys_url: the address of our keys."""
    try:
        await services.try_token(platform, [SCORE_SCOPE])
    except PlatformRefused as exc:
        code = Code.SERVICES_OFF if NO_SCOPE in str(exc.params["words"]) else Code.TOKEN_REFUSED
        return [Fault(code, {"url": platform.token_url, "keys_url": keys_url, **exc.params})]
    except (AnswerUnusable, TargetRefused) as exc:
        return [Fault(Code.TOKEN_UNREACHABLE, {"url": platform.token_url, "reason": exc.params["reason"]})]
    return []


async def _of_our_address(
    public_url: str | None, seen_url: str | None, own_keys: Mapping[str, Any], outgoing: Outgoing
) -> list[Fault]:
    """List the faults of this service's address, through which the platform reaches us."""
    if public_url is None:
        return [Fault(Code.NO_PUBLIC_URL)]
    faults: list[Fault] = []
    if not public_url.startswith("https://"):
        faults.append(Fault(Code.NOT_HTTPS, {"url": public_url}))
    if seen_url is not None and seen_url != public_url:
        faults.append(Fault(Code.PROXY_SILENT, {"seen": seen_url, "url": public_url}))
    url = addresses_of(public_url)["keys"]
    try:
        answer = await outgoing.send("GET", url, headers={"Accept": "application/json"})
    except (AnswerUnusable, TargetRefused):
        return faults  # An address that does not work from inside our network may still work for the platform.
    if not answer.is_success or _key_ids(answer) != {each["kid"] for each in own_keys["keys"]}:
        faults.append(Fault(Code.OWN_KEYS_HIDDEN, {"url": url, "status": answer.status}))
    return faults


def _key_ids(answer: Answer) -> set[str]:
    try:
        return set(read_keys(answer.json()))
    except AnswerUnusable:
        return set()
