"""Bodies about regrades: how far one is, and what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.api.schemas.base import EXAMPLE_ID, Body, Page
from grader import Status


class RegradeBody(Body):
    id: str = Field(examples=[EXAMPLE_ID])
    created_at: datetime
    selection: dict[str, Any] = Field(description="the choice in the request")
    total: int = Field(description="submissions that are graded again")
    done: int
    changed: int = Field(description="finished ones whose points or verdict changed")
    preview: bool = Field(description="its reports count only when it is applied")
    applied_at: datetime | None = Field(description="null: it is no preview, or not applied")
    dropped_at: datetime | None = Field(description="null: it is no preview, or not dropped")
    superseded: int = Field(
        description="of an applied preview: submissions that had a newer report by then, and keep that"
    )
    link: str


class RegradeList(Page):
    items: list[RegradeBody]


class RegradeResultBody(Body):
    report: int
    status: Status
    points: float | None
    max_points: float
    points_after_rules: float | None = Field(
        description="the points less the penalty for lateness, by the course's rules of today"
    )


class RegradeItemBody(Body):
    submission: str = Field(examples=[EXAMPLE_ID])
    student: str
    assignment: str
    attempt: int
    before: RegradeResultBody
    after: RegradeResultBody | None = Field(description="null until it is graded again")
    changes: str | None = Field(description="address that compares the two reports")
    applied: bool | None = Field(
        description="of an applied preview: whether its report counts like any other; false when a newer one did "
        "already. Else null"
    )


class RegradeItemList(Page):
    items: list[RegradeItemBody]
