"""Bodies about the reports of a submission, the difference of two, and their pictures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.api.schemas.base import EXAMPLE_ID, Body
from grader import Status


class ReportItem(Body):
    """One report of a submission. It never changes."""

    id: int = Field(examples=[1])
    created_at: datetime
    status: Status
    points: float | None
    max_points: float
    grader_version: str
    assignment_digest: str
    link: str = Field(examples=[f"/api/v1/submissions/{EXAMPLE_ID}/reports/1"])


class ReportList(Body):
    items: list[ReportItem] = Field(description="the newest first")


class ChangeBody(Body):
    key: str = Field(description="its path in the report", examples=["checks.equivalence.points"])
    before: Any
    after: Any


class ReportDiffBody(Body):
    """The differences between two reports of one submission, and their possible causes."""

    before: int
    after: int
    same_submission: bool
    causes: list[ChangeBody] = Field(description="differences in the input of the grade")
    changes: list[ChangeBody] = Field(description="differences in the result")
    only_questions: bool = Field(description="the numbers that were asked are the only difference in the input")
    unexplained: bool = Field(description="the result changed and no cause is known")


class PictureItem(Body):
    name: str
    title: str
    text: str = Field(description="the picture in words")
    link: str


class PictureList(Body):
    items: list[PictureItem]
