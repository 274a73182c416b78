"""Sends webhook deliveries: signed, one at a time to each webhook, and again later after a failure.

The format is Standard Webhooks (github.com/standard-webhooks), for which receivers find libraries: ``webhook-id`` is
the same in every try, ``webhook-signature`` is an HMAC-SHA256 over id, time and body.
"""

import hashlib
import hmac
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.errors import AnswerUnusable, TargetRefused
from app.outgoing.client import Outgoing
from app.outgoing.sender import Sender
from app.storage.database import Database
from app.storage.models import utc_now
from app.submissions.grades import grades_of
from app.webhooks import outbox
from app.webhooks.messages import message_of
from app.webhooks.outbox import SECRET_PREFIX, DueDelivery

logger = logging.getLogger(__name__)

TRY_SECONDS = 15.0
# Longer than a try, so a process that holds a delivery for longer has died.
LEASE = timedelta(seconds=TRY_SECONDS + 5)
#: Waits after the first failure, the second, ...; then the delivery is given up.
RETRY_SECONDS = (5, 30, 120, 600, 3600, 6 * 3600, 12 * 3600, 24 * 3600)
#: The possible outcomes of a try.
OUTCOMES = ("delivered", "failed", "given_up", "gone")
ERROR_CHARACTERS = 200


class WebhookSender(Sender[DueDelivery]):
    """A sender of due deliveries; it works while the async context is entered. Several processes may each run one.

    Args:
        assignments: needed for the grades in the messages.
        private: whether the operator allows addresses in private networks.
        on_try: called with the outcome of each try, one of `OUTCOMES`.
        transport: makes the connections; tests pass their own.
    """

    NAME = "webhooks"

    def __init__(
        self,
        database: Database,
        assignments: Assignments = MappingProxyType({}),
        *,
        private: bool,
        on_try: Callable[[str], None] = lambda outcome: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(database)
        self._assignments = assignments
        self._tried = on_try
        self._outgoing = Outgoing(private=private, transport=transport, seconds=TRY_SECONDS)

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        await self._outgoing.aclose()

    async def _is_something_due(self, session: AsyncSession) -> bool:
        return await outbox.is_something_due(session)

    async def _claim(self, session: AsyncSession, busy: Mapping[str, int]) -> Iterable[DueDelivery]:
        return await outbox.claim_due(session, LEASE, busy=list(busy))

    def _receiver(self, item: DueDelivery) -> str:
        return item.webhook.id

    async def _send(self, first: DueDelivery) -> None:
        """Send this delivery and then the other due ones of its webhook, until one fails."""
        item: DueDelivery | None = first
        while item is not None:
            error, status = await self._try(item)
            await self._settle(item, error, status)
            if error is not None:
                return
            async with self._database.write() as session:
                item = next(iter(await outbox.claim_due(session, LEASE, only=first.webhook.id)), None)

    async def _try(self, due: DueDelivery) -> tuple[str | None, int | None]:
        """Send it once. Return the error, or None, and the status of the answer."""
        counted = None
        async with self._database.read() as session:
            if not await outbox.may_be_sent(session, due.delivery):
                return "the token may not read this any more", None
            if due.submission is not None:
                counted = (await grades_of(session, self._assignments, due.submission)).counted
        body = message_of(due.delivery, due.submission, due.report, counted).model_dump_json().encode()
        signed = signature(due.webhook.secret, due.delivery.id, body, int(time.time()))
        headers = {"Content-Type": "application/json", **signed}
        try:
            # The answer's body is not needed, and may be long.
            answer = await self._outgoing.send("POST", due.webhook.url, headers=headers, content=body, most_bytes=0)
        except TargetRefused as exc:
            return f"TargetRefused: {exc.params['reason']}"[:ERROR_CHARACTERS], None
        except AnswerUnusable as exc:
            return exc.params["reason"][:ERROR_CHARACTERS], None
        if answer.is_success:
            return None, answer.status
        return f"answered {answer.status}", answer.status

    async def _settle(self, due: DueDelivery, error: str | None, status: int | None) -> None:
        delivery = due.delivery
        facts = {"delivery_id": delivery.id, "webhook_id": due.webhook.id, "attempts": delivery.attempts}
        async with self._database.write() as session:
            if status == HTTPStatus.GONE:
                outcome = "gone"
                await outbox.delete_webhook(session, due.webhook.id)
                logger.info("webhook_gone", extra=facts)
            elif error is None:
                outcome = "delivered"
                await outbox.settle(session, delivery.id, delivered_at=utc_now(), last_status=status)
                logger.info("webhook_delivered", extra=facts)
            else:
                again = delivery.attempts <= len(RETRY_SECONDS)
                outcome = "failed" if again else "given_up"
                wait = timedelta(seconds=RETRY_SECONDS[delivery.attempts - 1]) if again else None
                await outbox.settle(session, delivery.id, again_in=wait, last_status=status, last_error=error)
                facts |= {"status": status, "reason": error, "will_be_repeated": again}
                logger.warning("webhook_failed", extra=facts)
        self._tried(outcome)


def signature(secret: str, id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """Return the headers that prove to a receiver that a delivery is authentic and recent."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{id}.{timestamp}.".encode() + body
    digest = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{digest}"}
