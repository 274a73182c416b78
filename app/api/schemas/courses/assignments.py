"""Bodies about the assignments that a course uses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.base import WHOLE, Body, Request
from app.courses.assignments import Rules
from app.http.parameters import Moment, Name

RuleName = Literal[
    "opens", "due", "closes", "late_percent_per_day", "late_percent_max", "limit", "cooldown_seconds", "counts"
]
Percent = Annotated[float, Field(ge=0, le=100, strict=True, allow_inf_nan=False)]
Points = Annotated[float, Field(gt=0, le=100_000, strict=True, allow_inf_nan=False)]


def described(name: str) -> str:
    return Rules.model_fields[name].description or ""


class RulesRequest(Request):
    """The dates and rules that the course sets. One that is not given is as in the file; null there means none."""

    # No field has a default in the document: one that is not given is the file's.
    opens: Moment | None = Field(default_factory=lambda: None, description=described("opens"))
    due: Moment | None = Field(default_factory=lambda: None, description=described("due"))
    closes: Moment | None = Field(default_factory=lambda: None, description=described("closes"))
    late_percent_per_day: Percent = Field(default_factory=float, description=described("late_percent_per_day"))
    late_percent_max: Percent = Field(default_factory=float, description=described("late_percent_max"))
    limit: Annotated[int, Field(ge=1, le=1000, strict=True), WHOLE] | None = Field(
        default_factory=lambda: None, description=described("limit")
    )
    cooldown_seconds: Annotated[int, Field(ge=0, le=30 * 86400, strict=True), WHOLE] = Field(
        default_factory=int, description=described("cooldown_seconds")
    )
    counts: Literal["best", "last"] = Field(default_factory=lambda: "best", description=described("counts"))


class UseRequest(Request):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "Неделя 3: LSTM", "rules": {"due": "2026-10-01T20:59:59Z", "limit": 5}}]
        }
    )

    title: Name | None = Field(None, description="replaces the file's; null: the file's")
    grade_book_points: Points | None = Field(
        None, description="the maximum in the grade book; null: the points of the file"
    )
    rules: RulesRequest = RulesRequest()


class UseChangeRequest(Request):
    """The fields to change; the others stay."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"rules": {"due": "2026-10-08T20:59:59Z"}, "as_in_file": ["closes"]}]}
    )

    title: Name | None = Field(default_factory=lambda: None, description="null: the file's")
    grade_book_points: Points | None = Field(default_factory=lambda: None, description="null: the points of the file")
    rules: RulesRequest = Field(default_factory=RulesRequest)
    as_in_file: list[RuleName] = Field(
        default_factory=list, max_length=8, description="dates and rules that the course sets no longer"
    )


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
