"""Bodies about courses themselves, and about what was changed in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.actions.courses import RETENTION
from app.api.schemas.base import EXAMPLE_COURSE, EXAMPLE_ID, Body, Page


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


class CourseChangeBody(Body):
    id: int
    at: datetime = Field(validation_alias="created_at")
    made_by: str = Field(description="the name of a person or of a token", examples=["owner"])
    subject: str = Field(
        description="what was changed: `course`, `assignment`, `member` or another", examples=["assignment"]
    )
    subject_id: str = Field(examples=[EXAMPLE_ID])
    member: str | None = Field(validation_alias="membership_id", description="the id of the member concerned")
    before: dict[str, Any] = Field(description="the changed values; empty for something new")
    after: dict[str, Any] = Field(examples=[{"due": "2026-10-01T20:59:59Z"}])


class CourseChangeList(Page):
    items: list[CourseChangeBody]


class DeletedCourseBody(Body):
    """The number of deleted rows, by kind."""

    submissions: int
    members: int
    people: int = Field(description="members who were in no other course")
