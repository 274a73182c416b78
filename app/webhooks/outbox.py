"""Queries on webhooks and their deliveries."""

import secrets
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.access.tokens import Principal, is_valid
from app.errors import TooManyWebhooks, WebhookNotFound, existing
from app.storage.due import database_now, is_due
from app.storage.models import (
    DEFAULT_COURSE,
    Delivery,
    Membership,
    Role,
    StoredReport,
    Submission,
    Token,
    Webhook,
    utc_now,
)
from app.storage.paging import Paging
from app.storage.updates import update_rows
from app.submissions.new_grades import token_reads

SECRET_PREFIX = "whsec_"  # noqa: S105 every secret of this kind begins with it
PING = "ping"
#: The limit for one token.
MOST_WEBHOOKS = 10
# Due deliveries read in one query, to find the oldest of each webhook.
AT_ONCE = 200


@dataclass(frozen=True)
class DueDelivery:
    """A delivery to send now."""

    delivery: Delivery
    webhook: Webhook
    submission: Submission | None
    report: StoredReport | None


def new_secret() -> str:
    return SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode()


async def add_webhook(
    session: AsyncSession,
    *,
    url: str,
    created_by: str,
    course_id: str = DEFAULT_COURSE,
    idempotency_key: str | None = None,
) -> Webhook:
    """Raises: TooManyWebhooks: the token has reached its limit."""
    if (await session.scalar(select(func.count()).where(Webhook.created_by == created_by)) or 0) >= MOST_WEBHOOKS:
        raise TooManyWebhooks(limit=MOST_WEBHOOKS)
    webhook = Webhook(
        url=url, created_by=created_by, course_id=course_id, secret=new_secret(), idempotency_key=idempotency_key
    )
    session.add(webhook)
    await session.flush()
    return webhook


async def list_webhooks(session: AsyncSession, viewer: Principal) -> Sequence[Webhook]:
    return (await session.scalars(select(Webhook).where(_visible_to(viewer)).order_by(Webhook.id.desc()))).all()


async def existing_webhook(session: AsyncSession, webhook_id: str, viewer: Principal) -> Webhook:
    """Raises: WebhookNotFound: there is none, or `viewer` may not see it."""
    query = select(Webhook).where(Webhook.id == webhook_id, _visible_to(viewer))
    return existing(await session.scalar(query), WebhookNotFound)


async def delete_webhook(session: AsyncSession, webhook_id: str) -> None:
    """Delete a webhook with all its deliveries."""
    await session.execute(delete(Delivery).where(Delivery.webhook_id == webhook_id))
    await session.execute(delete(Webhook).where(Webhook.id == webhook_id))


async def add_ping(session: AsyncSession, webhook_id: str) -> Delivery:
    now = await database_now(session)
    delivery = Delivery(webhook_id=webhook_id, event=PING, waits_since=now, next_at=now)
    session.add(delivery)
    await session.flush()
    return delivery


async def may_be_sent(session: AsyncSession, delivery: Delivery) -> bool:
    """Tell whether the webhook's token may still read the submission. Days may pass between two tries."""
    query = (
        select(Delivery.id)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .join(Token, Token.id == Webhook.created_by)
        .outerjoin(Membership, Membership.id == Token.membership_id)
        .outerjoin(StoredReport, StoredReport.id == Delivery.report_id)
        .outerjoin(Submission, Submission.id == StoredReport.submission_id)
        .where(Delivery.id == delivery.id, is_valid(utc_now()), or_(Delivery.report_id.is_(None), token_reads()))
    )
    return await session.scalar(query) is not None


async def list_deliveries(session: AsyncSession, webhook_id: str, paging: Paging) -> Sequence[Delivery]:
    """List the deliveries of a webhook, the newest first."""
    of_webhook = select(Delivery).where(Delivery.webhook_id == webhook_id)
    return (await session.scalars(paging.of(of_webhook, Delivery.id))).all()


async def is_something_due(session: AsyncSession) -> bool:
    due = select(Delivery.id).where(is_due(Delivery, await database_now(session))).limit(1)
    return await session.scalar(due) is not None


async def count_waiting(session: AsyncSession) -> int:
    """Count the deliveries to be sent, now or later."""
    return await session.scalar(select(func.count()).where(Delivery.next_at.is_not(None))) or 0


async def claim_due(
    session: AsyncSession, lease: timedelta, *, busy: Collection[str] = (), only: str | None = None
) -> list[DueDelivery]:
    """Claim each webhook's oldest due delivery; no other process gets it before the lease ends.

    Args:
        busy: webhooks to leave out, so that a slow receiver takes one slot instead of all.
        only: claim deliveries of this webhook alone.
    """
    now = await database_now(session)
    rows = await session.execute(
        select(Delivery, Webhook, Submission, StoredReport)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .outerjoin(StoredReport, StoredReport.id == Delivery.report_id)
        .outerjoin(Submission, Submission.id == StoredReport.submission_id)
        .where(
            is_due(Delivery, now),
            Delivery.webhook_id.not_in(busy),
            *([Delivery.webhook_id == only] if only else []),
        )
        .order_by(Delivery.next_at, Delivery.id)
        .limit(1 if only else AT_ONCE)
        .with_for_update(of=Delivery, skip_locked=True)  # Left out on SQLite.
        .options(defer(StoredReport.body))
    )
    due: dict[str, DueDelivery] = {}
    for row in rows:
        due.setdefault(row[0].webhook_id, DueDelivery(*row))
    for item in due.values():
        item.delivery.attempts += 1
        item.delivery.waits_since, item.delivery.next_at = now, now + lease
    return list(due.values())


async def settle(session: AsyncSession, delivery_id: str, *, again_in: timedelta | None = None, **outcome: Any) -> None:
    """Record the outcome of a try.

    Args:
        again_in: the wait before the next try; None: there is none.
        outcome: `delivered_at`, `last_status`, `last_error`.
    """
    now = await database_now(session)
    next_at = now + again_in if again_in is not None else None
    await update_rows(session, Delivery, Delivery.id == delivery_id, waits_since=now, next_at=next_at, **outcome)


def _visible_to(viewer: Principal) -> ColumnElement[bool]:
    in_scope = true() if viewer.course is None else Webhook.course_id == viewer.course
    return in_scope if viewer.role == Role.ADMIN else and_(in_scope, Webhook.created_by == viewer.id)
