"""An HTTP client that connects to checked addresses only, and limits the size of an answer."""

from __future__ import annotations

import asyncio
import codecs
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
from pydantic_core import from_json

from app.errors import AnswerUnusable
from app.outgoing.targets import check_url, look_up

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 15.0
#: The default limit of an answer.
ANSWER_BYTES = 1_000_000
#: The limit of commas and brackets in a JSON answer. Eight megabytes of empty lists would block the service for two
#: seconds; the longest list of members that we accept needs a third of the limit.
MOST_VALUES = 600_000


@dataclass(frozen=True)
class Answer:
    """An answer, with its body unless that was skipped."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def retry_after(self) -> float | None:
        """The seconds that the server asks us to wait, by its own clock (RFC 9110, section 10.2.3), or None."""
        header = self.headers.get("retry-after", "").strip()
        if header.isascii() and header.isdecimal():
            return float(header[:9])
        until = moment_of(header)
        now = moment_of(self.headers.get("date", "")) or time.time()
        return None if until is None else max(0.0, until - now)

    def json(self) -> Any:
        """Parse the answer as JSON.

        Raises:
            AnswerUnusable: it is not JSON, is too large or nested too deeply, or holds a lone surrogate (not storable).
        """
        if sum(map(self.body.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise AnswerUnusable(reason=f"the answer holds more than {MOST_VALUES} values")
        try:
            return from_json(self.body.removeprefix(codecs.BOM_UTF8), allow_inf_nan=False)
        except ValueError as exc:
            raise AnswerUnusable(reason="the answer is no JSON") from exc


class Outgoing:
    """An HTTP client for addresses that somebody else has chosen.

    Args:
        private: whether the operator allows private networks, and HTTP without TLS.
        transport: makes the connections; tests pass their own.
        seconds: the time limit of a request.
    """

    def __init__(
        self, *, private: bool, transport: httpx.AsyncBaseTransport | None = None, seconds: float = REQUEST_SECONDS
    ) -> None:
        self.private = private
        self._seconds = seconds
        # No proxy from the environment, because it would look up names by itself.
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            follow_redirects=False,
            trust_env=False,
            # The system's authorities, and those in SSL_CERT_FILE; httpx's own default has only the public ones.
            verify=ssl.create_default_context(),
            # Two names may share an IP address, so each request opens its own connection and checks the certificate.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "lstm-grader", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Outgoing:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        most_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            most_bytes: the limit of the answer; 0: the body is not read.
        Raises:
            TargetRefused: this address may receive nothing.
            AnswerUnusable: there is no answer in time, or it is too long.
        """
        check_url(url, private=self.private)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(method, httpx.URL(url), headers or {}, content, most_bytes)
        except (httpx.TimeoutException, TimeoutError) as exc:
            raise AnswerUnusable(reason="no answer in time") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise AnswerUnusable(reason=f"{type(exc).__name__}: {exc}"[:200]) from exc

    async def _send(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None, most_bytes: int
    ) -> Answer:
        port = url.port or (443 if url.scheme == "https" else 80)
        # As DNS and certificates write an international name.
        name = url.raw_host.decode()
        addresses = await look_up(name, port, private=self.private)
        for address in addresses:
            request = self._client.build_request(
                method,
                url.copy_with(host=address),
                content=content,
                headers={**headers, "Host": url.netloc.decode()},
                # The certificate is checked against the name, not the address.
                extensions={"sni_hostname": name},
            )
            try:
                response = await self._client.send(request, stream=True)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # Nothing was sent yet. A host with IPv4 and IPv6 addresses is often reachable by one kind only.
                if address == addresses[-1]:
                    raise
        self._client.cookies.clear()  # Cookies would go to any other host at the same IP address.
        try:
            return Answer(response.status_code, response.headers, await _read(response, most_bytes))
        finally:
            await response.aclose()


def moment_of(date: str) -> float | None:
    """Parse a date in a header, in seconds since 1970; None: it is invalid."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    """Read the body. Raises: AnswerUnusable: it is too long, or compressed: a few bytes could become gigabytes."""
    body = bytearray()
    if not most_bytes:
        return b""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise AnswerUnusable(reason="the answer is compressed, which we do not ask for")
    async for part in response.aiter_bytes(16_384):
        body += part
        if len(body) > most_bytes:
            raise AnswerUnusable(reason=f"the answer is longer than {most_bytes} bytes")
    return bytes(body)
