"""The public keys of platforms, read where each platform publishes them, and cached."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import to_bytes, urlsafe_b64decode

from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import LaunchRefused, PlatformUnavailable
from app.lti.launch.message import ALGORITHM
from app.outgoing.client import Outgoing

logger = logging.getLogger(__name__)

#: A key that a platform has withdrawn is trusted no longer than this.
KEPT_SECONDS = 3600.0
#: The shortest time between two requests that messages with unknown keys cause.
AGAIN_SECONDS = 30.0
ANSWER_BYTES = 200_000
#: Shorter keys are refused (1EdTech Security Framework 1.0, section 4.2).
LEAST_BITS = 2048
MOST_KEYS = 50


@dataclass(frozen=True)
class _CachedKeys:
    keys: Mapping[str, RSAKey]
    at: float


class PlatformKeys:
    """The keys of all platforms, by the address that publishes them.

    Args:
        clock: in seconds; tests pass their own.
    """

    def __init__(self, outgoing: Outgoing, clock: Callable[[], float] = time.monotonic) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._caches: dict[str, _CachedKeys] = {}
        self._asked: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, url: str, kid: str) -> RSAKey:
        """Return the key with this id. An unknown key may be new, so the platform is asked again.

        Raises:
            LaunchRefused: the platform has no such key.
            PlatformUnavailable: the platform gives no usable keys.
        """
        if (key := self._cached(url).get(kid)) is not None:
            return key
        async with self._turns[url]:
            keys = self._cached(url)
            if kid not in keys and (not keys or self._clock() - self._asked[url] >= AGAIN_SECONDS):
                keys = await self._ask(url)
        if kid not in keys:
            raise LaunchRefused(reason="key_unknown")
        return keys[kid]

    def _cached(self, url: str) -> Mapping[str, RSAKey]:
        cached = self._caches.get(url)
        return cached.keys if cached is not None and self._clock() - cached.at < KEPT_SECONDS else {}

    async def _ask(self, url: str) -> Mapping[str, RSAKey]:
        failed_at = self._failed.get(url)
        if failed_at is not None and self._clock() - failed_at < AGAIN_SECONDS:
            raise PlatformUnavailable  # The reason was logged.
        self._asked[url] = self._clock()
        try:
            keys = await fetch_keys(self._outgoing, url)
        except (AnswerUnusable, TargetRefused) as exc:
            self._failed[url] = self._clock()
            logger.warning("lti_keys_unavailable", extra={"url": url, "reason": exc.params["reason"]})
            raise PlatformUnavailable from exc
        self._caches[url] = _CachedKeys(keys, self._clock())
        return keys


async def fetch_keys(outgoing: Outgoing, url: str) -> Mapping[str, RSAKey]:
    """Fetch the keys that a platform publishes at this address. Raises: AnswerUnusable, TargetRefused"""
    answer = await outgoing.send("GET", url, headers={"Accept": "application/json"}, most_bytes=ANSWER_BYTES)
    if not answer.is_success:
        raise AnswerUnusable(reason=f"answered {answer.status}")
    return read_keys(answer.json())


def read_keys(document: object) -> Mapping[str, RSAKey]:
    """Return those keys of a JSON Web Key Set that may sign messages.

    Raises:
        AnswerUnusable: there is none.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str, RSAKey] = {}
    for each in listed[:MOST_KEYS] if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") != "RSA" or not isinstance(each.get("kid"), str):
            continue
        if each.get("use", "sig") != "sig" or each.get("alg", ALGORITHM) != ALGORITHM:
            continue
        try:
            if int.from_bytes(urlsafe_b64decode(to_bytes(each["n"]))).bit_length() >= LEAST_BITS:
                # Only these two members, so that nothing else in the document counts, least of all a private part.
                keys[each["kid"]] = RSAKey.import_key({"kty": "RSA", "n": each["n"], "e": each["e"]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise AnswerUnusable(reason=f"no RSA key of {LEAST_BITS} bits or more that signs with {ALGORITHM}")
    return keys
