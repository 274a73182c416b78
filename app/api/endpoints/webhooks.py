"""Webhooks: register an address that is sent every new report, try it, see its deliveries."""

from datetime import datetime
from typing import Annotated

from fastapi import Request
from pydantic import Field

from app.access.rights import Right
from app.actions import webhooks as actions
from app.actions.actor import Actor
from app.api.dependencies import Paged, Reading, Resource, acts, page_of, reads
from app.api.schemas.base import EXAMPLE_COURSE, Items, Page
from app.bodies import EXAMPLE_ID, Body, shows
from app.http.parameters import IdempotencyKey, WebhookId
from app.services import services
from app.webhooks import outbox

Viewer = Annotated[Reading, reads(Right.MANAGE_WEBHOOKS)]

router = Resource(prefix="/webhooks", tags=["webhooks"])


class WebhookBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = shows("the id of the course whose reports it is sent", EXAMPLE_COURSE, of="course_id")
    url: str
    created_at: datetime


class NewWebhookBody(WebhookBody):
    secret: str = shows("signs the deliveries; it is shown only here", "whsec_C2FVsBQIhrscChlQIMV+b5sS")


class DeliveryBody(Body):
    id: str = shows("`webhook-id` of every try to send it", EXAMPLE_ID)
    event: str = Field(examples=["submission.graded"])
    report: int | None = shows(of="report_id")
    created_at: datetime
    attempts: int = shows("tries to send it")
    next_at: datetime | None = shows("time of the next try; null when there is none")
    delivered_at: datetime | None = shows("null while `next_at` is null too: it was given up")
    last_status: int | None = shows("HTTP status of the receiver's last answer")
    last_error: str | None


@router.post("", summary="Make a webhook", status_code=201)
async def create_webhook(
    request: Request,
    actor: Annotated[Actor, acts(actions.make_webhook)],
    wanted: actions.MakeWebhook,
    idempotency_key: IdempotencyKey = None,
) -> NewWebhookBody:
    private = services(request).settings.webhook_private_targets
    webhook = await actions.make_webhook(actor, wanted, private_targets=private, key=idempotency_key)
    return NewWebhookBody.model_validate(webhook)


@router.get("", summary="List the webhooks")
async def list_webhooks(reading: Viewer) -> Items[WebhookBody]:
    """List the webhooks of this token. An admin sees all."""
    webhooks = await outbox.list_webhooks(reading.session, reading.viewer)
    return Items(items=list(map(WebhookBody.model_validate, webhooks)))


router.act("DELETE", "/{webhook_id}", actions.delete_webhook, summary="Delete a webhook")
router.act("POST", "/{webhook_id}/ping", actions.ping_webhook, DeliveryBody, summary="Try a webhook", status_code=202)


@router.get("/{webhook_id}/deliveries", summary="List the deliveries of a webhook")
async def list_webhook_deliveries(reading: Viewer, webhook_id: WebhookId, paging: Paged) -> Page[DeliveryBody]:
    """List them, the newest first."""
    await outbox.existing_webhook(reading.session, webhook_id, reading.viewer)
    rows = await outbox.list_deliveries(reading.session, webhook_id, paging)
    return page_of(paging, rows, DeliveryBody.model_validate)
