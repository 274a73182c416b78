"""Bodies about the log of changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.api.schemas.base import EXAMPLE_ID, Body, Page


class CourseChangeBody(Body):
    id: int
    at: datetime
    made_by: str = Field(description="the name of a person or of a token", examples=["owner"])
    subject: str = Field(
        description="what was changed: `course`, `assignment`, `member` or another", examples=["assignment"]
    )
    subject_id: str = Field(examples=[EXAMPLE_ID])
    member: str | None = Field(description="the id of the member concerned")
    before: dict[str, Any] = Field(description="the changed values; empty for something new")
    after: dict[str, Any] = Field(examples=[{"due": "2026-10-01T20:59:59Z"}])


class CourseChangeList(Page):
    items: list[CourseChangeBody]
