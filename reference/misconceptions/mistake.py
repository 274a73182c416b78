"""One mistake: its name, its choices, and the parts that it leaves right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.cases import Case
from reference.misconceptions.computation import Array, Inputs, finished, forward

RECURRENCE = frozenset({"recurrence"})
#: Parts of an answer: the four gates and the recurrence that carries them from step to step.
PARTS = ("i", "f", "g", "o", "recurrence")


@dataclass(frozen=True)
class Mistake:
    """A wrong-on-purpose choice, or several that belong together.

    Args:
        code: of the report.
        name: tells apart the mistakes with this code; unique in the bank.
        changes: slot of `computation` -> choice.
        wrong: the `PARTS` that it spoils.
        params: of the report's code.
        quantum: for mistakes that round: the step of the rounding, relative to values above 1. It excuses a value
            rounded up where float64 rounds down.
        idle: ``array gate`` for the arrays of `reference.LSTMWeights` that an answer with this mistake does not touch.
            It may be the only difference between two mistakes with the same numbers.
    """

    code: str
    name: str
    changes: Mapping[str, Any]
    wrong: frozenset[str]
    params: Mapping[str, Any] = field(default_factory=dict)
    quantum: float = 0.0
    idle: frozenset[str] = frozenset()

    def compatible(self, other: Mistake) -> bool:
        return self.changes.keys().isdisjoint(other.changes)


def merged(mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Merge the choices of several mistakes."""
    return {slot: choice for mistake in mistakes for slot, choice in mistake.changes.items()}


def replay(mistakes: Sequence[Mistake], case: Case, dtype: type[np.floating] = np.float64) -> Array:
    """Return the answer of a model with these mistakes, ``(batch, timesteps, units)``; NaN where not comparable."""
    changes = merged(mistakes)
    with np.errstate(all="ignore"):
        outputs = forward([Inputs.of(case, dtype).changed(changes)], [changes], dtype)
        answer: Array = finished(changes, outputs, case.x.astype(dtype))[0]
    return answer
