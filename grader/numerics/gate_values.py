"""The values that a gate must have had, computed from the answers where the rest of the cell is right.

Each answer is the h that the next step starts from, so the other three gates are known at every step, and c follows
from h and o.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import GATES, Case, split_gates
from reference.lstm.definition import CELL
from reference.lstm.oracle import cell_states

Array = NDArray[Any]
# Largest difference after a fit that is worth a replay; float32 answers give a gate to 1e-4 and better.
CLOSE = 1e-3
# A gate is imprecise after division by less than the first, or where it comes from a tanh of more than the second.
LEAST_DIVISOR, MOST_IN_TANH = 0.05, 2.1
FEWEST = 50
# A number this close to a short one stands for it.
SHORT = 1e-4


@dataclass(frozen=True)
class Steps:
    """All steps of a right cell, each started from the answer before; arrays ``(batch, timesteps, units)``."""

    from_x: Mapping[str, Array]
    from_h: Mapping[str, Array]
    gates: Mapping[str, Array]
    h: Array
    answer: Array

    @classmethod
    def of(cls, case: Case, answer: Array) -> Steps:
        weights = case.weights
        answer = answer.astype(np.float64)
        h = np.concatenate([np.zeros_like(answer[:, :1]), answer[:, :-1]], axis=1)
        from_x = split_gates(case.x.astype(np.float64) @ weights.kernel + weights.bias)
        from_h = split_gates(h @ weights.recurrent_kernel)
        gates = {gate: function_of(gate)(from_x[gate] + from_h[gate]) for gate in GATES}
        return cls(from_x, from_h, gates, h, answer)

    def c_from_answers(self) -> Array:
        """Compute the new c of every step, if o and the formula of h are right; NaN where it would be imprecise."""
        return _precise(CELL.formulas["h_new"].solved("c_new", self.answer, self.gates), MOST_IN_TANH)

    def c_from_gates(self) -> Array:
        return cell_states(self.gates)

    def h_from_gates(self) -> Array:
        return CELL.formulas["h_new"]({"o": self.gates["o"], "c_new": self.c_from_gates()})

    def gate(self, gate: str) -> Array:
        """Compute the values that a gate must have had, if all else is right; NaN where they would be imprecise."""
        if gate in CELL.formulas["h_new"].names:
            formula, result, states = CELL.formulas["h_new"], self.answer, {"c_new": self.c_from_gates()}
        else:
            formula, result = CELL.formulas["c_new"], self.c_from_answers()
            states = {"c": before(result)}
        values = {**self.gates, **states}
        divisor = np.abs(formula.slopes(values)[gate])
        return np.where(divisor >= LEAST_DIVISOR, formula.solved(gate, result, values), np.nan)


def first_answer(gates: Mapping[str, Array]) -> Array:
    """Return h after a step that begins with zeros, from its gates; f has no effect there."""
    nothing = np.zeros_like(gates["o"])
    c_new = CELL.formulas["c_new"]({"c": nothing, "f": nothing, **gates})
    return CELL.formulas["h_new"]({**gates, "c_new": c_new})


def function_of(gate: str) -> Callable[[Array], Array]:
    """Return the activation of a gate."""
    return CELL.formulas[gate].activation


def inverse(gate: str, value: Array) -> Array:
    """Return the sums that gave these values of a gate; NaN where they would be imprecise."""
    z = CELL.formulas[gate].solved(f"x_{gate}", value, {f"h_{gate}": np.zeros(1)})
    return _precise(z, MOST_IN_TANH if gate == "g" else 2 * MOST_IN_TANH)


def _precise(z: Array, most: float) -> Array:
    return np.where(np.abs(z) <= most, z, np.nan)


def before(c: Array) -> Array:
    """Return the state that each step started from."""
    return np.concatenate([np.zeros_like(c[:, :1]), c[:, :-1]], axis=1)


def agree(one: Array, other: Array) -> bool:
    """Return whether two arrays agree nearly everywhere both are known: values at an edge may be far off."""
    known = np.isfinite(one) & np.isfinite(other)
    return bool(known.sum() >= FEWEST and (np.abs(one - other)[known] <= CLOSE).mean() >= 0.99)


def fitted_line(values: list[Array], result: Array) -> tuple[float, ...]:
    """Fit factors and a constant that make the result from the values, by least squares."""
    known = np.isfinite([*values, result]).all(axis=0)
    columns = np.stack([*(value[known] for value in values), np.ones(known.sum())], axis=1)
    found = np.linalg.lstsq(columns, result[known], rcond=None)[0]
    return tuple(short(float(number)) for number in found)


def middle(values: Array) -> float:
    """Return the median of the known values; NaN where there is none."""
    known = values[np.isfinite(values)]
    return short(float(np.median(known))) if len(known) else np.nan


def short(number: float) -> float:
    """Return the short number close by that was meant, if any: 0.5 for 0.500003."""
    if not np.isfinite(number):
        return number
    short = float(f"{number:.3g}")
    return short if abs(short - number) <= SHORT * max(1.0, abs(number)) else number


def digits(numbers: list[float]) -> int:
    return sum(len(f"{number:g}") for number in numbers)
