"""Ways to call a constructor: a choice for each parameter, ordered by how much speaks against them."""

import heapq
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

# Choices of this weight or more are tried only when nothing likelier fits.
LAST_RESORT = 10
MOST_PLANS = 200


class Default:
    """A marker for an argument that is not given, so that the default holds."""


DEFAULT = Default()


@dataclass(frozen=True)
class Plan:
    """One way to call the constructor.

    Args:
        key: the choice made for each parameter; the same for cases of other sizes.
        unlikely: it contradicts the name, the default or the student's own call of some parameter.
        other_kind: it gives something other than a number where a size is expected.
    """

    positional: list[Any]
    keywords: dict[str, Any]
    key: tuple[int, ...]
    unlikely: bool
    other_kind: bool = False


@dataclass(frozen=True)
class Choice:
    """A value for a parameter, and how much speaks against it. Skipped when `make` raises."""

    make: Callable[[], Any]
    against: int
    other_kind: bool = False


def choices_of(weighted: Sequence[tuple[Any, int]]) -> list[Choice]:
    """Turn values and their weights into choices, each plain value once."""
    choices: list[Choice] = []
    seen: list[Any] = []
    for value, against in weighted:
        plain = type(value) in (int, float, str, bool, tuple, dict) or value is None or value is DEFAULT
        if plain and any(type(value) is type(other) and value == other for other in seen):
            continue
        seen.append(value)
        choices.append(Choice(partial(fresh_value, value), against))
    return choices


def fresh_value(value: Any) -> Any:
    """Return the value itself; one of our functions makes a new object for every model."""
    return value() if isinstance(value, types.FunctionType) else value


def constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def by_rank(weights: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """Yield one place of each list, the combinations with the smallest sum first."""
    first = (0,) * len(weights)
    waiting, seen = [(sum(group[0] for group in weights), first)], {first}
    for _ in range(MOST_PLANS):
        if not waiting:
            return
        _, places = heapq.heappop(waiting)
        yield places
        for at, place in enumerate(places):
            following = (*places[:at], place + 1, *places[at + 1 :])
            if place + 1 < len(weights[at]) and following not in seen:
                seen.add(following)
                total = sum(group[at] for group, at in zip(weights, following, strict=True))
                heapq.heappush(waiting, (total, following))
