"""Bodies about the assignments that a course uses."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.actions.courses import described
from app.api.schemas.base import Body


class RulesBody(Body):
    """The dates and rules that hold: the file's, and the course's instead."""

    opens: datetime | None = Field(description=described("opens"))
    due: datetime | None = Field(description=described("due"))
    closes: datetime | None = Field(description=described("closes"))
    late_percent_per_day: float = Field(description=described("late_percent_per_day"))
    late_percent_max: float = Field(description=described("late_percent_max"))
    limit: int | None = Field(description=described("limit"))
    cooldown_seconds: int = Field(description=described("cooldown_seconds"))
    counts: str = Field(description=described("counts"))


class UseBody(Body):
    assignment: str = Field(description="the `id` of its file", examples=["lstm-layer"])
    title: str
    max_points: float | None = Field(description="of a report; null: the file is gone")
    grade_book_points: float | None = Field(description="the maximum in the grade book; null: the file is gone")
    set_here: list[str] = Field(
        description="what the course sets itself; everything else is as in the file", examples=[["due", "limit"]]
    )
    rules: RulesBody


class UseList(Body):
    items: list[UseBody]
