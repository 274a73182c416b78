"""Turns pydantic's findings on data of others into our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Pydantic writes it before the message of a ValueError.
PREFIX = "Value error, "


def without_prefix(message: str) -> str:
    return message.replace(PREFIX, "")


def sentence_of(error: ErrorDetails) -> str:
    """Say what was wrong with the value."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "string_too_short":
            return "is empty"
        case "string_pattern_mismatch":
            return f"does not have the form {error['ctx']['pattern']}"
    return without_prefix(error["msg"])
