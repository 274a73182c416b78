"""Bodies about regrades: which submissions, how far it is, and what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from app.actions.fields import ID, ActionRequest, Moment, Name, both, given, not_, one_of
from app.api.schemas.base import EXAMPLE_ID, Body, Page
from app.storage.models import JobStatus
from app.submissions.listing import Selection
from grader import Status

_BY_ID, _BY_FILTER, _ALL = given("submissions"), given("filter"), given("all", {"const": True})
_NOT_EXACTLY_ONE = one_of(
    not_(one_of(_BY_ID, _BY_FILTER, _ALL)), both(_BY_ID, _BY_FILTER), both(_BY_ID, _ALL), both(_BY_FILTER, _ALL)
)
_NO_CONDITION = not_(one_of(*map(given, ("student", "assignment", "job_status", "status", "since"))))


class SelectionBody(ActionRequest):
    """A filter: at least one condition; several are combined with "and"."""

    model_config = ConfigDict(json_schema_extra=not_(_NO_CONDITION))

    student: Name | None = None
    assignment: str | None = Field(None, pattern="^[a-z0-9-]{1,64}$")
    job_status: JobStatus | None = None
    status: Status | None = Field(None, description="of the report that counts")
    since: Moment | None = Field(None, description="submitted at this moment or later")

    @model_validator(mode="after")
    def _something_is_given(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("expected at least one condition; to choose all submissions, use `all` instead")
        return self


class RegradeRequest(ActionRequest):
    """A choice of submissions by exactly one of ids, a filter, and all."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": _NOT_EXACTLY_ONE,
            "examples": [
                {"filter": {"assignment": "lstm-layer", "status": "failed"}},
                {"submissions": [EXAMPLE_ID]},
                {"all": True},
                {"filter": {"assignment": "lstm-layer"}, "preview": True},
            ],
        }
    )

    submissions: list[Annotated[str, Field(pattern=f"^{ID.pattern}$")]] | None = Field(
        None, min_length=1, max_length=1000
    )
    filter: SelectionBody | None = None
    all: bool = Field(False, strict=True, description="every submission that has a report")
    preview: bool = Field(
        False, strict=True, description="the new reports do not count, and are sent nowhere, until they are applied"
    )

    @model_validator(mode="after")
    def _exactly_one_is_given(self) -> Self:
        if (self.submissions is not None) + (self.filter is not None) + self.all != 1:
            raise ValueError("expected exactly one of `submissions`, `filter` and `all`")
        return self

    @property
    def selection(self) -> dict[str, Any]:
        """The choice in the words of the request."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"preview"})

    @property
    def meant(self) -> list[str] | Selection:
        """The ids, or the selection."""
        if self.submissions is not None:
            return self.submissions
        return Selection(**self.filter.model_dump()) if self.filter else Selection()


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
