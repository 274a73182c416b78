"""Whole numbers in the bodies of requests: what JSON Schema calls an integer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from app.api import routes
from app.api.schemas.base import Request


def bodies(above: type[Request] = Request) -> Iterator[type[Request]]:
    for each in above.__subclasses__():
        yield each
        yield from bodies(each)


def integer(field: dict[str, Any]) -> dict[str, Any]:
    """The part of a field's schema that admits integers; empty if none does."""
    return next((each for each in [field, *field.get("anyOf", [])] if each.get("type") == "integer"), {})


FIELDS = [
    (body, name, found)
    for body in bodies()
    for name, field in body.model_json_schema()["properties"].items()
    if (found := integer(field))
]


def refused(body: type[Request], name: str, value: object) -> bool:
    try:
        body.model_validate({name: value})
    except ValidationError as exc:
        return name in {each["loc"][0] for each in exc.errors()}
    return False


def test_all_bodies_are_known() -> None:
    assert routes.PREFIX  # The module imports all modules of bodies.
    assert {name for _, name, _ in FIELDS} >= {"limit", "cooldown_seconds", "shift_days", "more_attempts"}


@pytest.mark.parametrize(("body", "name", "schema"), FIELDS, ids=lambda each: getattr(each, "__name__", None))
def test_number_without_a_fraction_is_taken_however_it_is_written(
    body: type[Request], name: str, schema: dict[str, Any]
) -> None:
    for limit in (schema["minimum"], schema["maximum"]):
        assert not refused(body, name, limit)
        assert not refused(body, name, float(limit))
    for wrong in (schema["minimum"] + 0.5, str(schema["maximum"]), True, schema["minimum"] - 1.0, float("nan")):
        assert refused(body, name, wrong), wrong
