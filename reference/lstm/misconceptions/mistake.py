"""One mistake: its name, its choices, and the parts that it leaves right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.cases import Case
from reference.lstm.misconceptions.computation import Array, At, Inputs, Moment, apply_after, forward
from reference.lstm.weights import GATES

RECURRENCE = frozenset({"recurrence"})
#: Parts of an answer: the four gates and the recurrence that carries them from step to step.
PARTS = (*GATES, "recurrence")


@dataclass(frozen=True)
class Mistake:
    """A wrong-on-purpose choice, or several that belong together.

    Args:
        code: the code that the report gives.
        name: tells apart the mistakes with this code; unique in the bank.
        changes: slot of `computation` -> choice.
        wrong: the `PARTS` that it spoils.
        params: the parameters of that code.
        quantum: for mistakes that round: the step of the rounding, relative to values above 1. It excuses a value
            rounded up where float64 rounds down.
        idle: ``array gate`` for the arrays of `reference.LSTMWeights` that an answer with this mistake does not touch.
            It may be the only difference between two mistakes with the same numbers.
        at: the steps in which it is made; None: all.
    """

    code: str
    name: str
    changes: Mapping[str, Any]
    wrong: frozenset[str]
    params: Mapping[str, Any] = field(default_factory=dict)
    quantum: float = 0.0
    idle: frozenset[str] = frozenset()
    at: At | None = None

    def compatible(self, other: Mistake) -> bool:
        # Two shifts by one timestep are not a shift by one.
        shift_twice = self.code == other.code == "off_by_one"
        return self.changes.keys().isdisjoint(other.changes) and not shift_twice


def merge_changes(mistakes: Sequence[Mistake]) -> dict[str, Any]:
    """Merge the choices of several mistakes."""
    return {slot: choice for mistake in mistakes for slot, choice in mistake.changes.items()}


def replay(mistakes: Sequence[Mistake], case: Case, dtype: type[np.floating] = np.float64) -> Array:
    """Return the answer of a model with these mistakes, ``(batch, timesteps, units)``; NaN where not comparable."""
    changes = merge_changes(mistakes)
    with np.errstate(all="ignore"):
        outputs = forward([Inputs.of(case, dtype).with_changes(changes)], [changes], dtype, only=_only(mistakes))
        answer: Array = apply_after(changes, outputs, case.x.astype(dtype))[0]
    return answer


def _only(mistakes: Sequence[Mistake]) -> tuple[At, list[dict[str, Any]]] | None:
    """Return the steps in which mistakes are made that are made in some alone, and the choices elsewhere."""
    at = next((mistake.at for mistake in mistakes if mistake.at is not None), None)
    if at is None:
        return None
    return at, [merge_changes([mistake for mistake in mistakes if mistake.at is None])]


#: Names of the values that a step uses and gives, and the attributes of a `Moment` that hold them. ``h`` and ``c``
#: are the new ones.
QUANTITIES_OF_STEP = {
    "c_before": "c", "h_before": "h", "i": "i", "f": "f", "g": "g", "o": "o", "c": "c_new", "h": "h_new",
}  # fmt: skip


def trace_steps(mistakes: Sequence[Mistake], case: Case) -> dict[str, Array]:
    """Return the values that a model with these mistakes computes in every step, named as in `QUANTITIES_OF_STEP`.

    Returns:
        Arrays ``(batch, timesteps, units)``. None at all for another kind of cell, and for a loop over something
        else than the case's steps: their insides have nothing to be compared with.
    """
    changes, moments = merge_changes(mistakes), list[Moment]()
    if changes.get("calls") is not None:
        return {}
    with np.errstate(all="ignore"):
        forward([Inputs.of(case).with_changes(changes)], [changes], watch=moments.append, only=_only(mistakes))
    if len(moments) != case.spec.timesteps or moments[0].h_new.shape[1:] != case.expected[:, 0].shape:
        return {}
    return {
        name: np.stack([getattr(moment, place)[0] for moment in moments], axis=1)
        for name, place in QUANTITIES_OF_STEP.items()
    }
