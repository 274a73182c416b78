"""Common to the answers of the JSON API. The descriptions of their fields are part of its documentation."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.storage.models import DEFAULT_COURSE

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"
EXAMPLE_COURSE = DEFAULT_COURSE
#: How many things a list has.
Count = Annotated[int, BeforeValidator(len)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Page(Body):
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")
