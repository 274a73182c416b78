"""The services of platforms: a token for each, and requests with it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from html import unescape
from http import HTTPStatus
from http.client import responses
from typing import Any
from urllib.parse import urlencode

from app.errors.lti import PlatformRefused, TokenRefused
from app.errors.outgoing import AnswerUnusable, TargetRefused
from app.lti import keys
from app.lti.addresses import is_of_platform
from app.lti.platforms import site_of
from app.outgoing.client import Answer, Outgoing, moment_of
from app.outgoing.targets import check_url
from app.storage.database import Database
from app.storage.models import LtiPlatform, new_id
from app.storage.passback import GONE, tokens_given

logger = logging.getLogger(__name__)

#: The life of our assertion, and the least life of a token that is still used.
ASSERTION_SECONDS = 60
LEFT_SECONDS = 60.0
#: The life of a token where the platform does not say it.
TOKEN_SECONDS = 3600.0
#: Tokens that may stand in a header.
TOKEN = re.compile(r"[!-~]{1,8000}")
#: A refused request for a token is not repeated for so long, and a new token that is refused not replaced.
PAUSE_SECONDS = 60.0
ANSWER_BYTES = 500_000
#: For a page of members or results: Moodle lists a whole course in one, and writes a Cyrillic letter as six bytes.
LIST_BYTES = 8_000_000
#: A clock that is wrong by more is somebody else's, such as a cache's.
MOST_SKEW_SECONDS = 86400.0
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
#: How much of a platform's message is kept.
WORDS = 300
#: How much of a refusal without JSON is read: its sentence, or the title of its page, is found before that.
HEAD_BYTES = 100_000
#: It ends at the next tag: one that looked for its end behind others would stop the service for hours.
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
#: Canvas's words where others answer 429 (developerdocs.instructure.com, "Throttling"), and its header of what is left.
LIMITED = "rate limit exceeded"
LEFT_HEADER = "x-rate-limit-remaining"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
LINEITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
LINEITEM_READ_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
RESULT_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
MEMBERSHIP_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


#: A platform's id, and scopes.
_Key = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class _Token:
    """Attributes: since, until: by the clock that only runs forwards."""

    text: str
    since: float
    until: float


@dataclass(frozen=True)
class _Refused:
    """A request for a token that the platform has refused for good. Attributes: by: what it was made with."""

    params: Mapping[str, Any]
    until: float
    by: tuple[str | None, ...]


class PlatformServices:
    """A client of the services of all platforms.

    Args:
        clock: of the world, in seconds; tests pass their own.
    """

    def __init__(self, database: Database, outgoing: Outgoing, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._outgoing = outgoing
        self._clock = clock
        self._tokens: dict[_Key, _Token] = {}
        self._refused: dict[_Key, _Refused] = {}
        self._replaced_at: dict[_Key, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._skews: dict[str, float] = {}

    def now_at(self, platform: LtiPlatform) -> float:
        """Return the time by the platform's clock, as far as it has told.

        It refuses a stamp ahead of its clock, and one before the last that it has made itself.
        """
        return self._clock() + self._skews.get(platform.id, 0.0)

    def skew_of(self, platform: LtiPlatform) -> float | None:
        """Return by how many seconds the platform's clock is ahead of ours; None: it has not answered yet."""
        return self._skews.get(platform.id)

    async def send(
        self,
        platform: LtiPlatform,
        method: str,
        url: str,
        *,
        scopes: Collection[str],
        accept: str,
        content: object = None,
        content_type: str | None = None,
        most_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """Send a request with a token of these scopes. One that has ended early is replaced once.

        Args:
            content: what is sent as JSON.
            most_bytes: of the answer.
        Raises:
            TokenRefused: the platform gives no token.
            AnswerUnusable: see `Outgoing.send`; or there is a page for people where an answer should be.
            TargetRefused: see `check`.
        """
        self.check(platform, url)
        body = None if content is None else json.dumps(content, ensure_ascii=False).encode()
        for is_last in (False, True):
            token = await self._token(platform, frozenset(scopes))
            headers = {"Accept": accept, "Authorization": f"Bearer {token.text}"}
            if content_type is not None:
                headers["Content-Type"] = content_type
            sent = await self._outgoing.send(method, url, headers=headers, content=body, most_bytes=most_bytes)
            answer = _limited(sent)
            self._learn_time(platform, answer)
            if is_last or not self._has_ended((platform.id, frozenset(scopes)), token, answer):
                return _no_page(answer)
        raise AssertionError("unreachable")

    def check(self, platform: LtiPlatform, url: str) -> None:
        """Check an address before it gets a token or is kept. Raises: TargetRefused: nothing is sent to it."""
        check_url(url, private=self._outgoing.private)
        if not is_of_platform(platform, url):
            raise TargetRefused(reason=f"{site_of(url) or 'the address'} is none of the platform's sites")

    async def prepare(self, platform: LtiPlatform, scopes: Collection[str]) -> None:
        """Have a token at hand, and so the platform's time, if it has answered at all.

        Raises:
            TokenRefused, AnswerUnusable, TargetRefused: see `send`.
        """
        await self._token(platform, frozenset(scopes))

    async def try_token(self, platform: LtiPlatform, scopes: Collection[str]) -> None:
        """Ask for a new token, to see whether there is one. Grades that wait for one are sent at once then.

        Raises:
            TokenRefused, AnswerUnusable, TargetRefused: see `send`.
        """
        await self._fetch_token(platform, frozenset(scopes))
        async with self._database.write() as session:
            await tokens_given(session, platform.id)

    def _has_ended(self, key: _Key, token: _Token, answer: Answer) -> bool:
        """Tell whether the platform may take a new token instead of this one, which is forgotten then.

        Open edX says 403 about a token that has ended, and about what it does not allow.
        """
        now = time.monotonic()
        is_old = now - token.since >= PAUSE_SECONDS
        if answer.status != HTTPStatus.UNAUTHORIZED and not (answer.status == HTTPStatus.FORBIDDEN and is_old):
            return False
        if self._tokens.get(key) is not token:
            return True  # A request beside this one has replaced it.
        if not is_old and now - self._replaced_at.get(key, -math.inf) < PAUSE_SECONDS:
            return False  # It is a new one itself.
        self._replaced_at[key] = now
        del self._tokens[key]
        return True

    async def _token(self, platform: LtiPlatform, scopes: frozenset[str]) -> _Token:
        """Return a token that has time left. A refusal is remembered: a thousand waiting grades do not ask each."""
        key = platform.id, scopes
        async with self._turns[platform.id]:
            token = self._tokens.get(key)
            if token is not None and time.monotonic() < token.until:
                return token
            # A new key or another registration may be taken.
            by = await keys.signing_id(self._database), platform.client_id, platform.token_url, platform.token_audience
            refused = self._refused.get(key)
            if refused is not None and refused.by == by and time.monotonic() < refused.until:
                raise TokenRefused(**refused.params)
            try:
                return await self._fetch_token(platform, scopes)
            except TokenRefused as exc:
                if not may_pass(int(exc.params["status"])):
                    self._refused[key] = _Refused(exc.params, time.monotonic() + PAUSE_SECONDS, by)
                raise

    async def _fetch_token(self, platform: LtiPlatform, scopes: frozenset[str]) -> _Token:
        """Ask for a token, once more if the refusal tells that the platform's clock is another than we have thought."""
        before = self._skews.get(platform.id, 0.0)
        answer = await self._request_token(platform, scopes)
        if not answer.is_success and abs(self._skews.get(platform.id, 0.0) - before) > keys.CLOCK_SECONDS / 2:
            answer = await self._request_token(platform, scopes)
        if not answer.is_success:
            raise TokenRefused(**refusal(answer).params)
        return self._keep_token(platform, scopes, answer)

    async def _request_token(self, platform: LtiPlatform, scopes: frozenset[str]) -> Answer:
        """Send a request for a token with our signature (RFC 7523; 1EdTech Security Framework 1.0, section 4.1)."""
        claims = {
            "iss": platform.client_id,
            "sub": platform.client_id,
            "aud": platform.token_audience or platform.token_url,
            "jti": new_id(),
        }
        now = self.now_at(platform)
        assertion = await keys.sign(self._database, claims, now=now, lifetime_seconds=ASSERTION_SECONDS)
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
            "scope": " ".join(sorted(scopes)),
        }
        answer = await self._outgoing.send(
            "POST",
            platform.token_url,
            headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            most_bytes=ANSWER_BYTES,
        )
        self._learn_time(platform, answer)
        return _limited(answer)

    def _keep_token(self, platform: LtiPlatform, scopes: frozenset[str], answer: Answer) -> _Token:
        document = answer.json()
        text = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(text, str) or not TOKEN.fullmatch(text):
            raise AnswerUnusable(reason="the answer holds no access token")
        seconds = document.get("expires_in")
        life = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 86400 else TOKEN_SECONDS
        now = time.monotonic()
        token = self._tokens[platform.id, scopes] = _Token(text, now, now + max(life - LEFT_SECONDS, 1.0))
        self._refused.pop((platform.id, scopes), None)
        return token

    def _learn_time(self, platform: LtiPlatform, answer: Answer) -> None:
        there = moment_of(answer.headers.get("date", ""))
        if there is None:
            return
        skew = there - self._clock()
        if abs(skew) < MOST_SKEW_SECONDS:  # Else it is no clock that stamps are compared with.
            self._skews[platform.id] = skew


def refusal(answer: Answer) -> PlatformRefused:
    """Return the error of an answer that is no success."""
    return PlatformRefused(status=answer.status, words=words_of(answer), retry_after=answer.retry_after)


def may_pass(status: int) -> bool:
    """Tell whether a refusal may pass by itself: a platform that moves, is busy, is down, or has a newer stamp."""
    return status in PASSING or 300 <= status < 400 or status >= 500


def words_of(answer: Answer) -> str:
    """Return what a platform says about a refusal, cut and without characters that do not print.

    Moodle sends JSON under the type of a page, and repeats our whole score behind its sentence. An empty answer
    says no more than the name of its status.
    """
    text = answer.body[:HEAD_BYTES].decode("utf-8", "replace")
    if (said := _said(answer)) is not None:
        text = said.partition("{")[0] or said
    elif is_page(answer):
        found = _TITLE.search(text)
        text = unescape(found[1]) if found else ""
    words = " ".join("".join(char if char.isprintable() else " " for char in text[: WORDS * 4]).split())[:WORDS]
    # Moodle says `[]`, which says nothing.
    return words if any(map(str.isalnum, words)) else responses.get(answer.status, "")


def is_page(answer: Answer) -> bool:
    """Tell whether an answer is a page for people, such as the one of a login or of maintenance."""
    return answer.body.lstrip().startswith(b"<")


def _limited(answer: Answer) -> Answer:
    """Return an answer as it is, but a 403 that asks us to send less as a 429: it is no word about the grade."""
    if answer.status != HTTPStatus.FORBIDDEN:
        return answer
    try:
        is_spent = float(answer.headers.get(LEFT_HEADER, "1")) <= 0
    except ValueError:
        is_spent = False
    is_limited = is_spent or LIMITED in words_of(answer).lower()
    return replace(answer, status=HTTPStatus.TOO_MANY_REQUESTS) if is_limited else answer


def _no_page(answer: Answer) -> Answer:
    """Raises: AnswerUnusable: a page for people says that nothing is there; the service itself answers without one."""
    if answer.status in GONE and is_page(answer):
        raise AnswerUnusable(reason=f"the platform answered {answer.status} with a page: {words_of(answer)}")
    return answer


def _said(answer: Answer) -> str | None:
    """Return the sentence of an error in JSON."""
    try:
        document = answer.json()
    except AnswerUnusable:
        return None
    if not isinstance(document, Mapping):
        return None
    # The code says more to an administrator than most sentences do.
    code = document.get("error") if isinstance(document.get("error"), str) else None
    for name in ("error_description", "message", "reason", "detail", "title"):
        if isinstance(document.get(name), str):
            return f"{code}: {document[name]}" if code else str(document[name])
    return code
