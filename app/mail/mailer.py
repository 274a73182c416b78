"""Sends messages in the background, and repeats failed tries that may yet succeed.

Messages to `Mailer.send` are kept in memory only: they hold a link that signs somebody in, of which everything else
keeps only a hash. Messages left unsent when a process ends are lost, and people ask for another link. Callers of
`Mailer.deliver` store theirs. Log lines hold neither addresses nor texts, nor the server's replies, which repeat
addresses.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any, Literal, Self

import aiosmtplib
from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from app.mail.addresses import domain_of
from app.mail.messages import MailKind, compose
from app.storage.models import Letter, NewsMail

logger = logging.getLogger(__name__)

TRY_SECONDS = 30.0
#: Waits after the first failure, the second, ...; then the message is given up.
RETRY_SECONDS = (10.0, 60.0, 300.0)
#: The time for which a stored message is claimed; longer than a try.
LEASE = timedelta(seconds=TRY_SECONDS + 30)
#: Waits of stored messages after the first failure, the second, ...; the last one repeats.
STORED_RETRY_SECONDS = (60, 300, 1800, 3600)
# Mail servers refuse clients that open many connections at once.
CONNECTIONS = 3
WAITING_MAX = 5000
# A stop takes a few seconds in all.
STOP_SECONDS = 1.0
# RFC 5321, section 4.2.1: the same message would be refused again.
PERMANENT = 500


@dataclass(frozen=True)
class MailServer:
    """The operator's mail server.

    Attributes:
        user: None: the server needs no account.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class Mailer:
    """A sender of mail; it works while the async context is entered.

    Args:
        retry_seconds: the waits between tries; tests pass shorter ones.
        tls: the context that checks the server's certificate; None: the system's authorities.
    """

    def __init__(
        self,
        server: MailServer,
        *,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._retry_seconds = retry_seconds
        self._tls = tls
        #: A try takes one. The caller of `deliver` takes it first, and then checks that the claim still holds.
        self.connections = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        #: The reason why the last message was given up; None: it was sent, or there was none.
        self.failure: str | None = None
        #: The number of sent messages, and of those given up, by reason.
        self.sent = 0
        self.given_up: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop. Messages that cannot be sent within a second are dropped."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            logger.warning("mail_dropped", extra={"messages": len(late)})

    async def finish(self) -> None:
        """Wait until every message is sent or given up, for a command that then counts them."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def send(self, to: str, language: str, kind: MailKind, **params: Any) -> bool:
        """Queue a message, without waiting until it is sent.

        Args:
            to: one address.
            params: the parameters of the kind's texts.
        Returns:
            Whether it is queued. False: `to` is not an address, or thousands of messages are waiting.
        """
        try:
            message = compose(self._server.sender, to, language, kind, **params)
        except ValueError:
            logger.warning("mail_refused", extra={"kind": kind, "reason": "invalid_address"})
            return False
        if len(self._tasks) >= WAITING_MAX:
            logger.warning("mail_refused", extra={"kind": kind, "reason": "too_many_wait"})
            return False
        task = asyncio.create_task(self._send(message, kind), name="mail")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def deliver(self, to: str, language: str, kind: MailKind, *, tries: int, **params: Any) -> bool | None:
        """Send a message in one try, for callers that keep what is unsent and have taken one of `connections`.

        Args:
            tries: how many there were with this one.
        Returns:
            Whether it was sent; None: another try may succeed.
        """
        try:
            message = compose(self._server.sender, to, language, kind, **params)
        except ValueError:
            logger.warning("mail_refused", extra={"kind": kind, "reason": "invalid_address"})
            return False
        return await self._try_once(message, kind, tries, is_last=False)

    async def _send(self, message: EmailMessage, kind: MailKind) -> None:
        for tries, wait in enumerate((*self._retry_seconds, None), start=1):
            async with self.connections:
                is_sent = await self._try_once(message, kind, tries, is_last=wait is None)
            if wait is None or is_sent is not None:
                return
            await asyncio.sleep(wait)

    async def _try_once(self, message: EmailMessage, kind: MailKind, tries: int, *, is_last: bool) -> bool | None:
        """Try once, and count the outcome. Returns: whether it was sent; None: another try may succeed."""
        error = await self._try(message)
        if error is None:
            logger.info("mail_sent", extra={"kind": kind, "tries": tries})
            self.failure = None
            self.sent += 1
            return True
        code = code_of(error)
        self.failure = f"{type(error).__name__} {code or ''}".strip()
        again = not is_last and (code is None or code < PERMANENT)
        facts = {"kind": kind, "tries": tries, "reason": type(error).__name__, "code": code, "will_be_repeated": again}
        logger.log(logging.WARNING if again else logging.ERROR, "mail_failed", extra=facts)
        if not again:
            self.given_up[self.failure] += 1
            return False
        return None

    async def _try(self, message: EmailMessage) -> Exception | None:
        server = self._server
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await aiosmtplib.send(
                    message.as_bytes(),  # The library would fold it in its own way.
                    sender=server.sender,
                    recipients=[message["To"]],
                    hostname=server.host,
                    port=server.port,
                    username=server.user,
                    password=server.password,
                    # The default looks up its own host name, which can take long.
                    local_hostname=domain_of(server.sender),
                    use_tls=server.security == "tls",
                    start_tls=server.security == "starttls",
                    tls_context=self._tls,
                    timeout=TRY_SECONDS,
                )
        except (SMTPException, OSError, TimeoutError) as exc:
            return exc
        return None


def renew(claimed: Letter | NewsMail, tries: int, now: datetime) -> bool:
    """Begin the lease of a claim anew, unless another process has claimed the message since; tell which.

    Args:
        tries: how many there were with this claim's.
    """
    if claimed.tries != tries:
        return False
    claimed.waits_since, claimed.next_at = now, now + LEASE
    return True


def wait_after(tries: int) -> timedelta:
    """Return the wait of a stored message after so many tries."""
    return timedelta(seconds=STORED_RETRY_SECONDS[min(tries, len(STORED_RETRY_SECONDS)) - 1])


def code_of(error: Exception) -> int | None:
    """Return the reply code of the mail server; None: it was not the server that refused."""
    if isinstance(error, SMTPRecipientsRefused):
        return max(refused.code for refused in error.recipients)
    return error.code if isinstance(error, SMTPResponseException) else None
