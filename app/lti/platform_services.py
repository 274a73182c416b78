"""Requests to the services of platforms, with the access tokens that they need."""

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

from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import PlatformRefused, TokenRefused
from app.lti import keys
from app.lti.addresses import is_of_platform
from app.lti.platforms import site_of
from app.outgoing.client import Answer, Outgoing, moment_of
from app.outgoing.targets import check_url
from app.storage.database import Database
from app.storage.models import LtiPlatform, new_id
from app.storage.passback import GONE, tokens_given
from app.texts import one_line

logger = logging.getLogger(__name__)

#: The lifetime of our assertion, and the least remaining lifetime of a token in use.
ASSERTION_SECONDS = 60
LEFT_SECONDS = 60.0
#: The lifetime of a token whose platform gives none.
TOKEN_SECONDS = 3600.0
#: Tokens that are valid in a header.
TOKEN = re.compile(r"[!-~]{1,8000}")
#: The wait before a refused request for a token is repeated, or a rejected new token replaced.
PAUSE_SECONDS = 60.0
ANSWER_BYTES = 500_000
#: For a page of members or results: Moodle lists a whole course in one, and writes a Cyrillic letter as six bytes.
LIST_BYTES = 8_000_000
#: A clock that is wrong by more belongs to somebody else, such as a cache.
MOST_SKEW_SECONDS = 86400.0
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
#: Characters of a platform's message that are kept.
WORDS = 300
#: Bytes of a refusal without JSON that are searched for its sentence, or for the title of its page.
HEAD_BYTES = 100_000
#: Ends at the next tag: a search for the closing tag could backtrack for hours.
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
#: Canvas throttles with these words and this header of the remaining quota, where others answer 429
#: (developerdocs.instructure.com, "Throttling").
RATE_LIMIT_WORDS = "rate limit exceeded"
LEFT_HEADER = "x-rate-limit-remaining"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
LINEITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
LINEITEM_READ_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly"
RESULT_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"
MEMBERSHIP_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"


#: A platform's id, and the scopes of a token.
_Key = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class _Token:
    """Attributes: since, until: on the monotonic clock."""

    text: str
    since: float
    until: float


@dataclass(frozen=True)
class _Refusal:
    """A final refusal of a token. Attributes: by: the key and registration of the request."""

    params: Mapping[str, Any]
    until: float
    by: tuple[str | None, ...]


class PlatformServices:
    """A client of the services of all platforms.

    Args:
        clock: seconds since 1970; tests pass their own.
    """

    def __init__(self, database: Database, outgoing: Outgoing, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._outgoing = outgoing
        self._clock = clock
        self._tokens: dict[_Key, _Token] = {}
        self._refused: dict[_Key, _Refusal] = {}
        self._replaced_at: dict[_Key, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._skews: dict[str, float] = {}

    def now_at(self, platform: LtiPlatform) -> float:
        """Return the time by the platform's clock, estimated from its answers.

        A platform refuses a stamp ahead of its clock, or earlier than its own last one.
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
        """Send a request with a token of these scopes. A token that was ended early is replaced once.

        Args:
            content: the body, sent as JSON.
            most_bytes: the limit of the answer.
        Raises:
            TokenRefused: the platform refuses a token.
            AnswerUnusable: see `Outgoing.send`; or the answer is a web page.
            TargetRefused: see `check`.
        """
        self.check(platform, url)
        body = None if content is None else json.dumps(content, ensure_ascii=False).encode()
        for is_last in (False, True):
            token = await self._token(platform, frozenset(scopes))
            headers = {"Accept": accept, "Authorization": f"Bearer {token.text}"}
            if content_type is not None:
                headers["Content-Type"] = content_type
            answer = await self._outgoing.send(method, url, headers=headers, content=body, most_bytes=most_bytes)
            answer = _as_rate_limit(answer)
            self._learn_time(platform, answer)
            if is_last or not self._has_ended((platform.id, frozenset(scopes)), token, answer):
                return _refuse_page(answer)
        raise AssertionError("unreachable")

    def check(self, platform: LtiPlatform, url: str) -> None:
        """Check an address before it receives a token or is stored. Raises: TargetRefused: it may receive nothing."""
        check_url(url, private=self._outgoing.private)
        if not is_of_platform(platform, url):
            raise TargetRefused(reason=f"{site_of(url) or 'the address'} is none of the platform's sites")

    async def prepare(self, platform: LtiPlatform, scopes: Collection[str]) -> None:
        """Fetch a token in advance, which also shows the platform's time.

        Raises:
            TokenRefused, AnswerUnusable, TargetRefused: see `send`.
        """
        await self._token(platform, frozenset(scopes))

    async def try_token(self, platform: LtiPlatform, scopes: Collection[str]) -> None:
        """Test whether the platform gives a token. If it does, grades that wait for one become due at once.

        Raises:
            TokenRefused, AnswerUnusable, TargetRefused: see `send`.
        """
        await self._fetch_token(platform, frozenset(scopes))
        async with self._database.write() as session:
            await tokens_given(session, platform.id)

    def _has_ended(self, key: _Key, token: _Token, answer: Answer) -> bool:
        """Tell whether a new token may help; if so, discard this one.

        Open edX answers 403 both to an expired token and to a forbidden request.
        """
        now = time.monotonic()
        is_old = now - token.since >= PAUSE_SECONDS
        if answer.status != HTTPStatus.UNAUTHORIZED and not (answer.status == HTTPStatus.FORBIDDEN and is_old):
            return False
        if self._tokens.get(key) is not token:
            return True  # A concurrent request has replaced it.
        if not is_old and now - self._replaced_at.get(key, -math.inf) < PAUSE_SECONDS:
            return False  # It is itself a replacement.
        self._replaced_at[key] = now
        del self._tokens[key]
        return True

    async def _token(self, platform: LtiPlatform, scopes: frozenset[str]) -> _Token:
        """Return a valid token. A refusal is remembered, so that a thousand waiting grades do not each ask."""
        key = platform.id, scopes
        async with self._turns[platform.id]:
            token = self._tokens.get(key)
            if token is not None and time.monotonic() < token.until:
                return token
            # With a new key or registration the platform may agree.
            by = await keys.signing_id(self._database), platform.client_id, platform.token_url, platform.token_audience
            refusal_before = self._refused.get(key)
            if refusal_before is not None and refusal_before.by == by and time.monotonic() < refusal_before.until:
                raise TokenRefused(**refusal_before.params)
            try:
                return await self._fetch_token(platform, scopes)
            except TokenRefused as exc:
                if not may_pass(int(exc.params["status"])):
                    self._refused[key] = _Refusal(exc.params, time.monotonic() + PAUSE_SECONDS, by)
                raise

    async def _fetch_token(self, platform: LtiPlatform, scopes: frozenset[str]) -> _Token:
        """Request a token. If a refusal shows that our estimate of the platform's clock was wrong, request it again."""
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
        return _as_rate_limit(answer)

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
        if abs(skew) < MOST_SKEW_SECONDS:  # A larger one is not the clock that checks stamps.
            self._skews[platform.id] = skew


def refusal(answer: Answer) -> PlatformRefused:
    """Return the error for an unsuccessful answer."""
    return PlatformRefused(status=answer.status, words=words_of(answer), retry_after=answer.retry_after)


def may_pass(status: int) -> bool:
    """Tell whether a refusal may be temporary: the platform is moving, busy or down, or has a newer stamp."""
    return status in PASSING or 300 <= status < 400 or status >= 500


def words_of(answer: Answer) -> str:
    """Return a platform's explanation of a refusal, shortened and printable.

    Moodle labels its JSON as HTML, and repeats our whole score after its sentence. An empty answer is explained by
    the name of its status.
    """
    text = answer.body[:HEAD_BYTES].decode("utf-8", "replace")
    if (sentence := _sentence_of(answer)) is not None:
        text = sentence.partition("{")[0] or sentence
    elif is_page(answer):
        title = _TITLE.search(text)
        text = unescape(title[1]) if title else ""
    words = one_line(text[: WORDS * 4], WORDS) or ""
    # Moodle sometimes answers `[]`.
    return words if any(map(str.isalnum, words)) else responses.get(answer.status, "")


def is_page(answer: Answer) -> bool:
    """Tell whether an answer is a web page, such as one for login or maintenance."""
    return answer.body.lstrip().startswith(b"<")


def _as_rate_limit(answer: Answer) -> Answer:
    """Turn a 403 that means throttling into a 429, because it says nothing about the grade."""
    if answer.status != HTTPStatus.FORBIDDEN:
        return answer
    try:
        is_spent = float(answer.headers.get(LEFT_HEADER, "1")) <= 0
    except ValueError:
        is_spent = False
    is_limited = is_spent or RATE_LIMIT_WORDS in words_of(answer).lower()
    return replace(answer, status=HTTPStatus.TOO_MANY_REQUESTS) if is_limited else answer


def _refuse_page(answer: Answer) -> Answer:
    """Return the answer. Raises: AnswerUnusable: it is a web page that reports a missing address."""
    if answer.status in GONE and is_page(answer):
        raise AnswerUnusable(reason=f"the platform answered {answer.status} with a page: {words_of(answer)}")
    return answer


def _sentence_of(answer: Answer) -> str | None:
    """Return the sentence of an error in JSON; None: there is none."""
    try:
        document = answer.json()
    except AnswerUnusable:
        return None
    if not isinstance(document, Mapping):
        return None
    # The code tells an administrator more than most sentences do.
    code = document.get("error") if isinstance(document.get("error"), str) else None
    for name in ("error_description", "message", "reason", "detail", "title"):
        if isinstance(document.get(name), str):
            return f"{code}: {document[name]}" if code else str(document[name])
    return code
