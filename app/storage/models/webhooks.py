"""Tables of webhooks and their deliveries."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import DEFAULT_COURSE, Entity


class Webhook(Entity):
    """An address that receives every report of one course that its token may read."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    url: Mapped[str] = mapped_column(String(2000))
    # Stored in plain text, because deliveries are signed with it.
    secret: Mapped[str] = mapped_column(String(100))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    created_by: Mapped[str] = mapped_column(ForeignKey("tokens.id"), index=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True, default=DEFAULT_COURSE)


class Delivery(Entity):
    """One message to one webhook; every try carries its id."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "webhook_id", "id"),)

    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str] = mapped_column(String(32))
    report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"), index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    # It is due while the clock is outside this interval. Without `next_at` it was delivered or given up.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None] = mapped_column(index=True)
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(200))
