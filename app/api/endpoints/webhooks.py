"""Webhooks: register an address that is sent every new report, try it, see its deliveries."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.status import HTTP_201_CREATED, HTTP_202_ACCEPTED, HTTP_204_NO_CONTENT

from app.access.idempotency import made_before, make_once
from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID
from app.api.openapi import JSON_BODY, problem_answers
from app.api.paging import page_of
from app.api.schemas.webhooks import (
    DeliveryBody,
    DeliveryList,
    NewWebhookBody,
    WebhookBody,
    WebhookList,
    WebhookRequest,
)
from app.errors.courses import CourseArchived
from app.errors.outgoing import TargetRefused, TooManyWebhooks, WebhookNotFound
from app.errors.requests import NotPermitted
from app.errors.uploads import IdempotencyKeyReused
from app.http.auth.holders import Permitted
from app.http.parameters import Cursor, IdempotencyKey, Limit
from app.outgoing.targets import check_url
from app.services import services
from app.storage.models import Delivery, Webhook
from app.webhooks import outbox

MOST_WEBHOOKS = 10


async def _webhook_id(webhook_id: Annotated[str, Path(description="an `id` from the list")]) -> str:
    if not ID.fullmatch(webhook_id):
        raise WebhookNotFound
    return webhook_id


Maker = Annotated[Principal, Depends(Permitted(Right.MAKE_WEBHOOKS))]
Holder = Annotated[Principal, Depends(Permitted(Right.MANAGE_WEBHOOKS))]
WebhookId = Annotated[str, Depends(_webhook_id)]

router = APIRouter(prefix="/webhooks", tags=["webhooks"], responses=problem_answers(NotPermitted))


@router.post(
    "",
    summary="Make a webhook",
    status_code=HTTP_201_CREATED,
    responses=problem_answers(
        *JSON_BODY,
        TargetRefused,
        NotPermitted,
        CourseArchived,
        TooManyWebhooks,
        RequestValidationError,
        IdempotencyKeyReused,
    ),
)
async def create_webhook(
    request: Request, holder: Maker, wanted: WebhookRequest, idempotency_key: IdempotencyKey = None
) -> NewWebhookBody:
    """Register an address. Every report of the course that this token may read is sent to it by POST, and sent again
    until the address answers with 2xx. An answer 410 ends the webhook.

    The messages are described under `webhooks` in this document. They are signed as Standard Webhooks are: check
    `webhook-signature`, refuse an old `webhook-timestamp`, and ignore a `webhook-id` that you have had before.

    With the header `Idempotency-Key` the same request sent again is answered with the same webhook.
    """
    parts = services(request)
    meant = {"url": wanted.url, "course_id": holder.course_id}
    check_url(wanted.url, private=parts.settings.webhook_private_targets)

    async def make(session: AsyncSession) -> Webhook:
        if await outbox.count_webhooks(session, holder.id) >= MOST_WEBHOOKS:
            raise TooManyWebhooks(limit=MOST_WEBHOOKS)
        return await outbox.add_webhook(
            session,
            **meant,
            created_by=holder.id,
            idempotency_key=idempotency_key,
        )

    webhook, _ = await make_once(
        parts.database,
        lambda session: made_before(session, Webhook, holder.id, idempotency_key, **meant),
        make,
    )
    return NewWebhookBody(**_body(webhook).model_dump(), secret=webhook.secret)


@router.get("", summary="List the webhooks")
async def list_webhooks(request: Request, holder: Holder) -> WebhookList:
    """List the webhooks of this token. An admin sees all."""
    async with services(request).database.read() as session:
        return WebhookList(items=list(map(_body, await outbox.list_webhooks(session, holder))))


@router.delete(
    "/{webhook_id}",
    summary="Delete a webhook",
    status_code=HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problem_answers(WebhookNotFound),
)
async def delete_webhook(request: Request, holder: Holder, webhook_id: WebhookId) -> Response:
    """Delete the webhook and its unsent deliveries."""
    async with services(request).database.write() as session:
        if await outbox.find_webhook(session, webhook_id, holder) is None:
            raise WebhookNotFound
        await outbox.delete_webhook(session, webhook_id)
    return Response(status_code=HTTP_204_NO_CONTENT)


@router.post(
    "/{webhook_id}/ping",
    summary="Try a webhook",
    status_code=HTTP_202_ACCEPTED,
    responses=problem_answers(WebhookNotFound),
)
async def ping_webhook(request: Request, holder: Holder, webhook_id: WebhookId) -> DeliveryBody:
    """Send a message of type `ping`. Its outcome appears in the list of deliveries."""
    async with services(request).database.write() as session:
        if await outbox.find_webhook(session, webhook_id, holder) is None:
            raise WebhookNotFound
        return _delivery(await outbox.add_ping(session, webhook_id))


@router.get(
    "/{webhook_id}/deliveries",
    summary="List the deliveries of a webhook",
    responses=problem_answers(WebhookNotFound),
)
async def list_webhook_deliveries(
    request: Request, holder: Holder, webhook_id: WebhookId, limit: Limit = 50, cursor: Cursor = None
) -> DeliveryList:
    async with services(request).database.read() as session:
        if await outbox.find_webhook(session, webhook_id, holder) is None:
            raise WebhookNotFound
        found = await outbox.list_deliveries(session, webhook_id, limit=limit + 1, before=cursor)
    shown, next_cursor = page_of(found, limit, lambda delivery: delivery.id)
    return DeliveryList(items=list(map(_delivery, shown)), next_cursor=next_cursor)


def _body(webhook: Webhook) -> WebhookBody:
    return WebhookBody(id=webhook.id, course=webhook.course_id, url=webhook.url, created_at=webhook.created_at)


def _delivery(delivery: Delivery) -> DeliveryBody:
    return DeliveryBody(
        id=delivery.id,
        event=delivery.event,
        report=delivery.report_id,
        created_at=delivery.created_at,
        attempts=delivery.attempts,
        next_at=delivery.next_at,
        delivered_at=delivery.delivered_at,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
    )
