"""Bodies about webhooks and their deliveries."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.actions.fields import ActionRequest
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page


class WebhookRequest(ActionRequest):
    url: str = Field(
        max_length=2000,
        pattern="^https?://",
        description="the address to send to",
        examples=["https://lms.example.org/hook"],
    )


class WebhookBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    course: str = Field(description="the id of the course whose reports it is sent", examples=[EXAMPLE_COURSE])
    url: str
    created_at: datetime


class NewWebhookBody(WebhookBody):
    secret: str = Field(
        description="signs the deliveries; it is shown only here",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sS"],
    )


class WebhookList(Body):
    items: list[WebhookBody]


class DeliveryBody(Body):
    id: str = Field(description="`webhook-id` of every try to send it", examples=[EXAMPLE_ID])
    event: str = Field(examples=["submission.graded"])
    report: int | None
    created_at: datetime
    attempts: int = Field(description="tries to send it")
    next_at: datetime | None = Field(description="time of the next try; null when there is none")
    delivered_at: datetime | None = Field(description="null while `next_at` is null too: it was given up")
    last_status: int | None = Field(description="HTTP status of the receiver's last answer")
    last_error: str | None


class DeliveryList(Page):
    items: list[DeliveryBody] = Field(description="the newest first")
