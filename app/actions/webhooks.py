"""Webhooks: make, test and delete them."""

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import make_once
from app.access.rights import Right
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ActionRequest
from app.outgoing.targets import check_url
from app.storage.models import Delivery, Webhook
from app.webhooks import outbox


class MakeWebhook(ActionRequest):
    url: str = Field(
        max_length=2000,
        pattern="^https?://",
        description="the address to send to",
        examples=["https://lms.example.org/hook"],
    )


@action(Right.MAKE_WEBHOOKS)
async def make_webhook(actor: Actor, wanted: MakeWebhook, *, private_targets: bool, key: str | None = None) -> Webhook:
    """Register an address. Every report of the course that this token may read is sent to it by POST, and sent again
    until the address answers with 2xx. An answer 410 ends the webhook.

    The messages are described under `webhooks` in this document. They are signed as Standard Webhooks are: check
    `webhook-signature`, refuse an old `webhook-timestamp`, and ignore a `webhook-id` that you have had before.

    Args:
        private_targets: whether it may lead into a private network.
        key: the same request sent again with it makes no second webhook.
    Raises: TargetRefused, TooManyWebhooks, IdempotencyKeyReused
    """
    check_url(wanted.url, private=private_targets)
    holder, values = actor.holder, {"url": wanted.url, "course_id": actor.course_id}

    async def make(session: AsyncSession) -> Webhook:
        return await outbox.add_webhook(session, **values, created_by=holder.id, idempotency_key=key)

    webhook, _ = await make_once(actor.database, Webhook, holder.id, key, values, make)
    return webhook


@change(Right.MANAGE_WEBHOOKS)
async def delete_webhook(actor: Writer, webhook_id: str) -> None:
    """Delete the webhook and its unsent deliveries. Raises: WebhookNotFound"""
    await outbox.existing_webhook(actor.session, webhook_id, actor.holder)
    await outbox.delete_webhook(actor.session, webhook_id)


@change(Right.MANAGE_WEBHOOKS)
async def ping_webhook(actor: Writer, webhook_id: str) -> Delivery:
    """Send a message of type `ping`. Its outcome appears in the list of deliveries. Raises: WebhookNotFound"""
    await outbox.existing_webhook(actor.session, webhook_id, actor.holder)
    return await outbox.add_ping(actor.session, webhook_id)
