"""One mistake: what it is called, the choices it makes, and what it leaves right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.cases import Case
from reference.misconceptions.computation import Array, Inputs, finished, forward

RECURRENCE = frozenset({"recurrence"})
#: What an answer consists of: the four gates and what carries them from step to step.
PARTS = ("i", "f", "g", "o", "recurrence")


@dataclass(frozen=True)
class Mistake:
    """A wrong-on-purpose choice or several that belong together.

    Args:
        code: of the report.
        name: says which of the mistakes with this code it is; unique in the bank.
        changes: slot of `computation` -> choice.
        wrong: the `PARTS` that it spoils.
        params: of the report's code.
        quantum: for what rounds: the step of the rounding, relative to values above 1. Rounding up where float64 rounds
            down is no difference then.
        idle: ``array gate`` for the arrays of `reference.LSTMWeights` that an answer with this mistake does not touch.
            Of two mistakes with the same numbers it may be what tells them apart.
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
    """The choices of several mistakes."""
    return {slot: choice for mistake in mistakes for slot, choice in mistake.changes.items()}


def replay(mistakes: Sequence[Mistake], case: Case, dtype: type[np.floating] = np.float64) -> Array:
    """What a model with these mistakes answers, ``(batch, timesteps, units)``; NaN where that cannot be compared."""
    changes = merged(mistakes)
    with np.errstate(all="ignore"):
        outputs = forward([Inputs.of(case, dtype).changed(changes)], [changes], dtype)
        answer: Array = finished(changes, outputs, case.x.astype(dtype))[0]
    return answer
