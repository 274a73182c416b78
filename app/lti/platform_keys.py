"""The public keys of platforms, read from where the platform publishes them, and kept for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.util import to_bytes, urlsafe_b64decode

from app.errors.lti import LaunchRefused, PlatformUnavailable
from app.errors.outgoing import AnswerUnusable, TargetRefused
from app.lti.launch.message import ALGORITHM
from app.outgoing.client import Outgoing

logger = logging.getLogger(__name__)

#: A key that a platform has withdrawn is trusted no longer than this.
KEPT_SECONDS = 3600.0
#: Messages with unknown keys make us ask again no more often than this.
AGAIN_SECONDS = 30.0
ANSWER_BYTES = 200_000
#: Shorter keys are refused (1EdTech Security Framework 1.0, section 4.2).
LEAST_BITS = 2048
MOST_KEYS = 50


@dataclass(frozen=True)
class _Read:
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
        self._read: dict[str, _Read] = {}
        self._asked: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def find(self, url: str, kid: str) -> RSAKey:
        """Return the key with this id. An unknown one may be new, so the platform is asked once more.

        Raises:
            LaunchRefused: the platform has no such key.
            PlatformUnavailable: the platform does not answer with keys.
        """
        if (key := self._known(url).get(kid)) is not None:
            return key
        async with self._turns[url]:
            known = self._known(url)
            if kid not in known and (not known or self._clock() - self._asked[url] >= AGAIN_SECONDS):
                known = await self._ask(url)
        if kid not in known:
            raise LaunchRefused(reason="key_unknown")
        return known[kid]

    def _known(self, url: str) -> Mapping[str, RSAKey]:
        read = self._read.get(url)
        return read.keys if read is not None and self._clock() - read.at < KEPT_SECONDS else {}

    async def _ask(self, url: str) -> Mapping[str, RSAKey]:
        failed_at = self._failed.get(url)
        if failed_at is not None and self._clock() - failed_at < AGAIN_SECONDS:
            raise PlatformUnavailable  # The log has said why.
        self._asked[url] = self._clock()
        try:
            answer = await self._outgoing.send(
                "GET", url, headers={"Accept": "application/json"}, most_bytes=ANSWER_BYTES
            )
            if not answer.is_success:
                raise AnswerUnusable(reason=f"answered {answer.status}")
            keys = read_keys(answer.json())
        except (AnswerUnusable, TargetRefused) as exc:
            self._failed[url] = self._clock()
            logger.warning("lti_keys_unavailable", extra={"url": url, "reason": exc.params["reason"]})
            raise PlatformUnavailable from exc
        self._read[url] = _Read(keys, self._clock())
        return keys


def read_keys(document: object) -> Mapping[str, RSAKey]:
    """Read the keys of a JSON Web Key Set that may sign messages; the others are left out.

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
                # Only these two, so that nothing else of the document is looked at; a private part least of all.
                keys[each["kid"]] = RSAKey.import_key({"kty": "RSA", "n": each["n"], "e": each["e"]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise AnswerUnusable(reason=f"no RSA key of {LEAST_BITS} bits or more that signs with {ALGORITHM}")
    return keys
