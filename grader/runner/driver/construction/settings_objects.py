"""Values for a constructor that follow the sizes of a case: settings of the student's own, and of ours."""

import argparse
import contextlib
import copy
import inspect
import json
import re
import types
from typing import Any

from driver.construction.class_signature import parameters
from driver.student.parameter_names import is_measure, role_of, setting

Sizes = dict[str, int]
STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Configuration(dict):  # type: ignore[type-arg]
    """Settings that can be read as items and as attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return type(self).__name__  # in a message, values that only we gave would confuse


def snake(name: str) -> str:
    """Convert ``LSTMConfig`` to ``lstm_config``."""
    return re.sub(r"(?<=[^_])([A-Z][a-z])", r"_\1", name).lower()


def resized(value: Any, sizes: Sizes, canonical: Sizes, name: str = "", *, is_own: bool = False) -> Any:
    """Return a value of the student's own with the sizes of a case in place of its own sizes.

    Args:
        is_own: an object of a class that the student wrote, so its attributes are settings.
    """
    if type(value) is int:
        role = role_of(name) or next((role for role in ("units", "features") if value == canonical[role]), None)
        return sizes[role] if role else value
    if isinstance(value, dict):
        return type(value)(_resized_settings(value, sizes, canonical))
    if type(value) in (list, tuple):
        return type(value)(resized(item, sizes, canonical) for item in value)
    if hasattr(value, "_replace") and hasattr(value, "_asdict"):  # a named tuple
        return value._replace(**resized(value._asdict(), sizes, canonical))
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        with contextlib.suppress(ValueError):  # it is no JSON
            return json.dumps(resized(json.loads(value), sizes, canonical))
    # A layer is the student's own too, and can be called; settings cannot.
    is_settings = isinstance(value, types.SimpleNamespace | argparse.Namespace) or (is_own and not callable(value))
    if is_settings or hasattr(value, "__dataclass_fields__"):
        changed = copy.copy(value)
        for key, item in _resized_settings(vars(value), sizes, canonical).items():
            object.__setattr__(changed, key, item)
        return changed
    return value


def _resized_settings(settings: dict[Any, Any], sizes: Sizes, canonical: Sizes) -> dict[Any, Any]:
    """Resize settings by name. If none is named like the units or has their number, one named like a measure is."""
    names = {key: str(key) for key in settings}
    numbers = [key for key, value in settings.items() if type(value) is int]
    if not any(role_of(names[key]) == "units" or settings[key] == canonical["units"] for key in numbers):
        names.update(dict.fromkeys([key for key in numbers if is_measure(names[key])][:1], "units"))
    return {key: resized(value, sizes, canonical, names[key]) for key, value in settings.items()}


def value_of(name: str, sizes: Sizes) -> Any:
    """Return the value that a setting of this name has."""
    known = setting(name)
    if known is not None:
        return known[0]
    return sizes[role_of(name) or "units"]


def value_at(path: tuple[str, ...], sizes: Sizes) -> Any:
    """Return the value of a nested setting; a name that is only a measure refers to the setting around it."""
    *outer, name = path
    if outer and is_measure(name) and (role := role_of(outer[-1])) is not None:
        return sizes[role]
    return value_of(name, sizes)


def fields(kind: type, sizes: Sizes) -> dict[str, Any]:
    """Return a value for each parameter of a class that holds settings."""
    return {p.name: value_of(p.name, sizes) for p in parameters(kind) if p.kind not in STARRED}
