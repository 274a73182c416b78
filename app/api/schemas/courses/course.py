"""Bodies about courses themselves."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.actions.courses import RETENTION
from app.api.schemas.base import EXAMPLE_COURSE, Body, Page


class CourseBody(Body):
    id: str = Field(examples=[EXAMPLE_COURSE])
    title: str
    language: str = Field(examples=["ru"])
    time_zone: str = Field(examples=["Europe/Moscow"])
    retention_days: float | None = Field(description=RETENTION)
    created_at: datetime
    archived_at: datetime | None = Field(description="since when nothing in it changes; null: it is not archived")


class CourseList(Page):
    items: list[CourseBody]
