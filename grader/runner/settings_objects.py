"""Values for a constructor that follow the sizes of a case: settings of the student's own, and of ours."""

from __future__ import annotations

import copy
import re
import types
from typing import Any

from parameter_names import role_of

Sizes = dict[str, int]


class Configuration(dict):  # type: ignore[type-arg]
    """Settings that can be read as items and as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def snake(name: str) -> str:
    """``LSTMConfig`` -> ``lstm_config``."""
    return re.sub(r"(?<=[^_])([A-Z][a-z])", r"_\1", name).lower()


def resized(value: Any, sizes: Sizes, canonical: Sizes, name: str = "") -> Any:
    """A value of the student's own with the sizes of a case in the place of its own sizes."""
    if type(value) is int:
        role = role_of(name) or next((role for role in ("units", "features") if value == canonical[role]), None)
        return sizes[role] if role else value
    if isinstance(value, dict):
        return type(value)({key: resized(item, sizes, canonical, str(key)) for key, item in value.items()})
    if type(value) in (list, tuple):
        return type(value)(resized(item, sizes, canonical) for item in value)
    if hasattr(value, "_replace") and hasattr(value, "_asdict"):  # a named tuple
        return value._replace(**resized(value._asdict(), sizes, canonical))
    if isinstance(value, types.SimpleNamespace) or hasattr(value, "__dataclass_fields__"):
        changed = copy.copy(value)
        for key, item in vars(value).items():
            object.__setattr__(changed, key, resized(item, sizes, canonical, key))
        return changed
    return value
