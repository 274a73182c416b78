"""Common to all answers of the JSON API. The descriptions of their fields are part of its documentation."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.storage.models import DEFAULT_COURSE

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"
EXAMPLE_COURSE = DEFAULT_COURSE
#: How many things a list has.
Count = Annotated[int, BeforeValidator(len)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def from_row(cls, row: object, **more: Any) -> Self:
        """Fill the body with the attributes of a row, and with values that it does not have or calls otherwise."""
        names = [name for name in cls.model_fields if name not in more and hasattr(row, name)]
        return cls(**{name: getattr(row, name) for name in names}, **more)


class Page(Body):
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")


class Problem(BaseModel):
    """A refusal: the fault, what was expected and what to do (RFC 9457). `type` is stable; texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
