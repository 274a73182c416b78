"""Puts pydantic's errors about other people's data into our words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Pydantic puts this before the message of a ValueError.
PREFIX = "Value error, "


def without_prefix(message: str) -> str:
    return message.replace(PREFIX, "")


def sentence_of(error: ErrorDetails) -> str:
    """Describe the mistake in the value."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "string_too_short":
            return "is empty"
        case "string_pattern_mismatch":
            return f"does not have the form {error['ctx']['pattern']}"
    return without_prefix(error["msg"])
