"""Common to all answers of the JSON API. The descriptions of their fields are part of its documentation."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.bodies import Body, shows
from app.storage.models import DEFAULT_COURSE

Item = TypeVar("Item")

EXAMPLE_COURSE = DEFAULT_COURSE


class Items(Body, Generic[Item]):
    items: list[Item]


class Page(Items[Item], Generic[Item]):
    next_cursor: str | None = shows("the `cursor` of the next page; null on the last one")


class Problem(BaseModel):
    """A refusal: the fault, what was expected and what to do (RFC 9457). `type` is stable; texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
