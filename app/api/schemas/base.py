"""Common to the bodies of the JSON API. The descriptions of their fields are part of its documentation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.storage.models import DEFAULT_COURSE

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"
EXAMPLE_COURSE = DEFAULT_COURSE

Schema = dict[str, Any]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# With `strict=True` before it, an integer of JSON Schema: 5.0 is one, "5" and true are none.
WHOLE = BeforeValidator(_whole)


class Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class Request(Body):
    """A request body. A misspelt key is refused: ignored, it could turn a filter into "everything"."""

    model_config = ConfigDict(extra="forbid")


class Page(Body):
    next_cursor: str | None = Field(description="the `cursor` of the next page; null on the last one")


# Rules about several properties are written with `not`: for `anyOf` or `oneOf` at the top of a schema, client
# generators make one class per branch, without the properties.


def given(name: str, value: Schema | None = None) -> Schema:
    """Return a schema: the property is present and not null, or matches `value`."""
    return {"required": [name], "properties": {name: value or not_({"type": "null"})}}


def not_(schema: Schema) -> Schema:
    return {"not": schema}


def one_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def both(*schemas: Schema) -> Schema:
    return {"allOf": list(schemas)}
