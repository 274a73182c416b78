"""Finds settings that a constructor reads inside others: ``params["lstm"]["units"]``, ``json.loads(cfg)["units"]``.

The constructor is called once with an object that notes which names are read. These are then made as plain settings,
for the call that counts.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from driver.construction.settings_objects import Configuration

#: Gives the value of a setting by its name and the names of the settings around it, the outermost first.
ValueOf = Callable[[tuple[str, ...]], Any]
# A list that is read beyond this index is not a list of sizes.
LONGEST = 8
#: JSON that stands for a text whose content is not known yet.
TEXT = '{"settings": "noted"}'


class Notes:
    """The settings that were read, some of them inside others.

    Args:
        value_of: gives the answers.
        path: names of the settings that these lie in.
    """

    def __init__(self, number: int, value_of: ValueOf, path: tuple[str, ...] = ()) -> None:
        self.number, self._value_of, self._path = number, value_of, path
        self.under: dict[Any, Any] = {}

    def ask(self, key: Any) -> Any:
        if key not in self.under:
            path = (*self._path, key) if isinstance(key, str) else self._path
            value = self._value_of(path) if isinstance(key, str) else self.number
            self.under[key] = NotedNumber.of(Notes(value, self._value_of, path)) if type(value) is int else value
        return self.under[key]

    def settings(self) -> Any:
        """Return what was read as a dictionary, as a list where it was read by number, or as the number it is."""
        values = {
            key: value.notes.settings() if isinstance(value, NotedNumber) else value
            for key, value in self.under.items()
        }
        places = [key for key in values if isinstance(key, int)]
        if not values:
            return self.number
        if len(places) < len(values):
            return Configuration(values)
        length = min(LONGEST, max(place + 1 if place >= 0 else -place for place in places))
        return [values.get(place, values.get(place - length, self.number)) for place in range(length)]


class NotedNumber(int):
    """A number that can be asked for settings inside it."""

    notes: Notes

    __iter__ = None  # else Python would ask for the items 0, 1, 2 and so on, without an end

    @classmethod
    def of(cls, notes: Notes) -> NotedNumber:
        noted = cls(notes.number)
        noted.notes = notes
        return noted

    def __getitem__(self, key: Any) -> Any:
        return self.notes.ask(key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.notes.ask(name)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)

    def get(self, key: Any, *_default: Any) -> Any:
        return self.notes.ask(key)


class NotedSettings(Configuration):
    """A dictionary that answers every key."""

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        vars(self)["notes"] = notes

    def __missing__(self, key: Any) -> Any:
        return vars(self)["notes"].ask(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)

    def get(self, key: Any, *_default: Any) -> Any:
        return self[key]


def discover_settings(construct: Callable[[Any], object], units: int, value_of: ValueOf, *, as_text: bool) -> Any:
    """Return settings that hold everything a constructor reads.

    Args:
        construct: calls the constructor with the settings.
        as_text: the constructor gets JSON, and parses it.
    Raises:
        LookupError: the constructor reads nothing out of them.
    """
    notes = Notes(units, value_of)
    noted = NotedSettings(notes)
    with contextlib.suppress(Exception), _parsed_as(noted):  # a number may not fit where something else was meant
        construct(TEXT if as_text else noted)
    if not notes.under:
        raise LookupError("no setting was read")
    return json.dumps(notes.settings()) if as_text else notes.settings()


@contextlib.contextmanager
def _parsed_as(noted: NotedSettings) -> Iterator[None]:
    """Let `json` read `TEXT` as the noting object, and other texts as usual."""
    original: Any = json._default_decoder  # type: ignore[attr-defined]

    class Decoder:
        def decode(self, text: str) -> Any:
            return noted if text.strip() == TEXT else original.decode(text)

    json._default_decoder = Decoder()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        json._default_decoder = original  # type: ignore[attr-defined]
