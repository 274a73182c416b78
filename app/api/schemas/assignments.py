"""Bodies about assignments and their statistics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import Body


class AssignmentBody(Body):
    id: str = Field(description="the value of `assignment` in an upload", examples=["lstm-layer"])
    title: str
    max_points: float
    digest: str = Field(description="changes when anything that decides a grade changes")
    upload_bytes: int = Field(description="largest accepted file")


class AssignmentList(Body):
    items: list[AssignmentBody]


class AssignmentCase(Body):
    """One input on which the answer is compared."""

    id: str = Field(examples=["exercise"])
    visibility: Literal["public", "hidden"]
    category: str = Field(description="the kind of input", examples=["exercise"])
    title: str
    shape: list[int] | None = Field(description="(batch, timesteps, features); null for a hidden case")
    units: int | None = Field(description="null for a hidden case")


class AssignmentDetail(AssignmentBody):
    language: str = Field(description="default language of reports", examples=["ru"])
    keras: str = Field(description="the generation of Keras: `3`, `2`, or `auto` for the one that gives more points")
    points: dict[str, float] = Field(description="points of each check", examples=[{"contract": 10}])
    atol: float = Field(description="close means |actual - expected| <= atol + rtol * |expected|")
    rtol: float
    cpu_seconds: int = Field(description="limit of a run")
    wall_seconds: float
    cases: list[AssignmentCase]


class ScoresBody(Body):
    """Shares of the points, from 0 to 1."""

    count: int
    mean: float | None
    median: float | None
    histogram: list[int] = Field(description="counts in [0, 0.1), [0.1, 0.2), ... [0.9, 1), and the count of 1")


class MisconceptionBody(Body):
    code: str = Field(description="of a diagnosis", examples=["gates_swapped_if"])
    attempts: int = Field(description="attempts that show it")
    students: int
    retried: int = Field(description="of these, those whose next attempt of the same student ran to the end")
    fixed: int = Field(description="of the retried ones, where the next attempt does not show it")


class StatisticsBody(Body):
    statuses: dict[str, int] = Field(description="attempts by verdict", examples=[{"passed": 10, "failed": 32}])
    attempts: ScoresBody = Field(description="of every attempt")
    students: ScoresBody = Field(description="of every student's best attempt")
    misconceptions: list[MisconceptionBody] = Field(description="the most frequent first")
