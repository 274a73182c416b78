"""Mistakes inside a gate or a state that contain a number, or that use another value instead of h.

Where the rest is right, one gate can be computed from the answers: each answer is the h that the next step starts from,
so the other three gates are known at every step, and c follows from h and o. The gate's values are then compared with
those of its layers. As in `grader.numerics.fitting`, a fit is a suspicion; the caller replays it before believing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import GATES, Case, split_gates
from reference.misconceptions import RECURRENCE, Mistake
from reference.misconceptions.computation import Moment
from reference.oracle import sigmoid
from reference.weights import DENSE_LETTERS

Array = NDArray[Any]
Suspect = tuple[Mistake, ...]

# Largest difference after a fit that is worth a replay; float32 answers give a gate to 1e-4 and better.
CLOSE = 1e-3
# Factors nearer to 1, and constants nearer to 0, are rounding.
LEAST_CHANGE = 1e-3
# A gate is imprecise after division by less than the first, or after inverting a tanh above the second.
LEAST_DIVISOR, MOST_OF_ONE = 0.05, 0.97
FEWEST = 50
FEWEST_AT_LIMIT = 5
# A number this close to a short one stands for it.
SHORT = 1e-4
EPSILONS = (1e-3, 1e-5, 1e-6)
SETS = ("ifgo", "ifo")
# Candidates for a number in all gates.
TRIED = np.concatenate([-np.geomspace(10, 0.05, 24), [0.0], np.geomspace(0.05, 10, 24)])


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
        share = self.answer / self.gates["o"]
        return np.arctanh(np.where(np.abs(share) <= MOST_OF_ONE, share, np.nan))

    def c_from_gates(self) -> Array:
        written = self.gates["i"] * self.gates["g"]
        c = np.zeros_like(written)
        for t in range(c.shape[1]):
            c[:, t] = written[:, t] + (self.gates["f"][:, t] * c[:, t - 1] if t else 0.0)
        return c

    def gate(self, gate: str) -> Array:
        """Compute the values that a gate must have had, if all else is right; NaN where they would be imprecise."""
        if gate == "o":
            return self._divided(self.answer, np.tanh(self.c_from_gates()))
        c = self.c_from_answers()
        before = _before(c)
        i, f, g = (self.gates[each] for each in "ifg")
        if gate == "f":
            return self._divided(c - i * g, before)
        return self._divided(c - f * before, g if gate == "i" else i)

    def _divided(self, value: Array, divisor: Array) -> Array:
        return value / np.where(np.abs(divisor) >= LEAST_DIVISOR, divisor, np.nan)


def function_of(gate: str) -> Callable[[Array], Array]:
    return np.tanh if gate == "g" else sigmoid


def _inverse(gate: str, value: Array) -> Array:
    share = value if gate == "g" else 2.0 * value - 1.0
    inner = np.arctanh(np.where(np.abs(share) <= MOST_OF_ONE, share, np.nan))
    return inner if gate == "g" else 2.0 * inner


def _before(c: Array) -> Array:
    return np.concatenate([np.zeros_like(c[:, :1]), c[:, :-1]], axis=1)


def suspects(case: Case, answer: Array) -> Iterator[Suspect]:
    """Yield suspects for the answer to one case, the more likely kinds first.

    Args:
        case: a case with many steps: the exercise's own.
        answer: ``(batch, timesteps, units)``, the same at every call.
    """
    with np.errstate(all="ignore"):
        steps = Steps.of(case, answer)
        found = [*_of_states(case, steps), *(each for gate in GATES for each in _of_gate(steps, gate, case))]
        found += _of_all_gates(steps)
    yield from ((mistake,) for mistake in found)


# --- c, h and the answer --------------------------------------------------------------------------------------------


def _of_states(case: Case, steps: Steps) -> Iterator[Mistake]:
    c = steps.c_from_answers()
    new_c = steps.gates["f"] * _before(c) + steps.gates["i"] * steps.gates["g"]
    new_h = steps.gates["o"] * np.tanh(steps.c_from_gates())
    for place, slot, made, is_now in (
        ("c", "keep", new_c, c),
        ("h", "hold", new_h, steps.answer),
        ("answer", "values", case.expected.astype(np.float64), steps.answer),
    ):
        known = is_now[np.isfinite(is_now)]
        if len(known) < FEWEST:
            continue
        low, high = _short(float(known.min())), _short(float(known.max()))
        if _agree(np.clip(made, low, high), is_now) and not _agree(made, is_now):
            params = {"low": low, "high": high, "of": [place]}
            changes = {slot: partial(_clipped, low, high)}
            yield Mistake("state_clipped", f"{low:g}..{high:g} of {place}", changes, RECURRENCE, params)
        factor = _middle(is_now / made)
        if place != "answer" and abs(factor - 1) > LEAST_CHANGE and _agree(factor * made, is_now):
            params = {"factor": factor, "of": [place]}
            yield Mistake("scaled", f"{factor:g} times {place}", {slot: partial(mul, factor)}, RECURRENCE, params)


def _clipped(low: float, high: float, value: Array, _x: Array | None = None) -> Array:
    return np.clip(value, low, high)


# --- one gate -------------------------------------------------------------------------------------------------------


def _of_gate(steps: Steps, gate: str, case: Case) -> Iterator[Mistake]:
    value = steps.gate(gate)
    if np.isfinite(value).sum() < FEWEST:
        return
    function = function_of(gate)
    from_x, from_h, right = steps.from_x[gate], steps.from_h[gate], steps.gates[gate]
    z = from_x + from_h
    if _agree(right, value):
        return  # it is right
    factor, constant = _line([right], value)
    if _agree(factor * right + constant, value):
        yield _outside(gate, factor, constant)
    inner = _inverse(gate, value)
    of_x, of_h, added = _line([from_x, from_h], inner)
    if _agree(function(of_x * from_x + of_h * from_h + added), value):
        yield _inside(gate, of_x, of_h, added)
    power = _middle(np.log(np.abs(value)) / np.log(np.abs(right)))
    power = 2.0 if gate == "g" else power
    if np.isfinite(power) and _agree(right**power, value):
        yield _activated(gate, lambda z: function(z) ** power, "power", {"value": power})
    yield from _limited(gate, z, inner, value)
    if _agree(np.round(right), value):
        yield _activated(gate, lambda z: np.round(function(z)), "rounded", {})
    for epsilon in EPSILONS:
        if _agree(function(_norm(z, epsilon)), value):
            yield _normalised(gate, epsilon)
    kernel = split_gates(case.weights.recurrent_kernel)[gate]
    for heard, choose in HEARD.items():
        i, f, g, o = (steps.gates[each] for each in GATES)
        moment = Moment(i, f, g, o, h=steps.h, c=steps.h, new_c=steps.h, new_h=steps.h)
        if _agree(function(from_x + choose(moment) @ kernel), value):
            yield _hears(gate, heard, choose)


def _named(gate: str, **params: Any) -> dict[str, Any]:
    return {"gates": [DENSE_LETTERS[gate]], **params}


def _outside(gate: str, factor: float, constant: float) -> Mistake:
    function = function_of(gate)
    if abs(factor) <= LEAST_CHANGE:
        variant = {"variant": "constant", "value": constant}
        factor = 0.0
    elif abs(constant) <= LEAST_CHANGE:
        # Only the product of i and ch is visible.
        variant, constant = {"variant": "written" if gate in "ig" else "factor", "value": factor}, 0.0
    elif abs(factor - 1) <= LEAST_CHANGE:
        variant, factor = {"variant": "added", "value": constant}, 1.0
    else:
        variant = {"variant": "line", "value": factor, "added": constant}
    changes = {f"act.{gate}": lambda z: factor * function(z) + constant}
    name = f"{factor:g} {gate} + {constant:g}"
    params = variant if variant["variant"] == "written" else _named(gate, **variant)
    return Mistake("gate_arithmetic", name, changes, frozenset(gate), params)


def _inside(gate: str, of_x: float, of_h: float, added: float) -> Mistake:
    plain = [abs(of_x - 1) <= LEAST_CHANGE, abs(of_h - 1) <= LEAST_CHANGE, abs(added) <= LEAST_CHANGE]
    of_x, of_h = (1.0 if plain[0] else of_x), (1.0 if plain[1] else of_h)
    added = 0.0 if plain[2] else added
    code, params = "gate_arithmetic", _named(gate, variant="inside")
    if gate == "f" and plain == [True, True, False]:
        code, params = "forget_bias_extra", {"value": added}
    elif plain == [True, True, False]:
        params = _named(gate, variant="inside_added", value=added)
    elif plain[2] and abs(of_x - of_h) <= LEAST_CHANGE:
        of_h = of_x
        params = _named(gate, variant="inside_factor", value=of_x)
    elif plain[2] and plain[1]:
        params = _named(gate, variant="x_factor", value=of_x)
    elif plain[2] and plain[0]:
        params = _named(gate, variant="h_factor", value=of_h)
    changes = {f"sum.{gate}": lambda from_x, from_h, c: of_x * from_x + of_h * from_h + added}
    return Mistake(code, f"{of_x:g} x + {of_h:g} h + {added:g} in {gate}", changes, frozenset(gate), params)


def _activated(gate: str, function: Callable[[Array], Array], variant: str, params: dict[str, Any]) -> Mistake:
    changes = {f"act.{gate}": function}
    named = _named(gate, variant=variant, **params)
    return Mistake("gate_arithmetic", f"{variant} {params} of {gate}", changes, frozenset(gate), named)


def _limited(gate: str, z: Array, inner: Array, value: Array) -> Iterator[Mistake]:
    """Find limits on the sum, or on its activation, which is equivalent."""
    function, known = function_of(gate), inner[np.isfinite(inner)]
    if len(known) < FEWEST:
        return
    low, high = float(known.min()), float(known.max())
    if not _agree(function(np.clip(z, low, high)), value):
        return
    # Many values lie at a limit; without a limit, only one lies at the end.
    low = low if (np.abs(known - low) <= CLOSE).sum() >= FEWEST_AT_LIMIT else -np.inf
    high = high if (np.abs(known - high) <= CLOSE).sum() >= FEWEST_AT_LIMIT else np.inf
    inside = [_short(limit) for limit in (low, high)]
    outside = [_short(float(function(np.asarray(limit)))) for limit in (low, high)]
    # The student's own limits have fewer digits than their activations.
    if np.isfinite(inside).all() and _digits(inside) < _digits(outside):
        params = {"low": inside[0], "high": inside[1]}
        yield _activated(gate, lambda z: function(np.clip(z, inside[0], inside[1])), "limits_inside", params)
    else:
        params = {"low": outside[0], "high": outside[1]}
        yield _activated(gate, lambda z: np.clip(function(z), outside[0], outside[1]), "limits", params)


def _norm(z: Array, epsilon: float) -> Array:
    return np.asarray((z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + epsilon))


def _of_norm(gate: str, epsilon: float) -> Callable[[Array], Array]:
    return lambda z: function_of(gate)(_norm(z, epsilon))


def _normalised(gates: str, epsilon: float) -> Mistake:
    changes = {f"act.{gate}": _of_norm(gate, epsilon) for gate in gates}
    params = {"gates": [DENSE_LETTERS[gate] for gate in gates], "variant": "gates"}
    return Mistake("layer_norm", f"layer norm, epsilon {epsilon:g}, in {gates}", changes, frozenset(gates), params)


Heard = Callable[[Moment], Array]


def _gate_itself(name: str) -> Heard:
    return lambda moment: np.asarray(getattr(moment, name))


def _part_of_h(name: str) -> Heard:
    return lambda moment: np.asarray(getattr(moment, name) * moment.h)


#: Values that an h layer may get instead of h.
HEARD: dict[str, Heard] = {
    "tanh(h)": lambda moment: np.tanh(moment.h),
    "sigmoid(h)": lambda moment: sigmoid(moment.h),
    **{shown: _gate_itself(gate) for gate, shown in (("i", "i"), ("f", "f"), ("g", "ch"), ("o", "o"))},
    **{f"{gate}*h": _part_of_h(gate) for gate in "ifo"},
}


def _hears(gate: str, heard: str, choose: Heard) -> Mistake:
    function = function_of(gate)

    def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
        moment: Moment = step(z, h, c)
        columns = step.columns(gate)
        total = z[..., columns] + choose(moment) @ step.recurrent[..., columns]
        setattr(moment, gate, function(total))
        moment.new_c = moment.f * moment.c + moment.i * moment.g
        moment.new_h = moment.o * np.tanh(moment.new_c)
        return moment

    params = _named(gate, heard=heard)
    changes = {"calls": call, "update": None, "show": None, "keep": None, "hold": None}
    return Mistake("gate_hears_other", f"{heard} for h in {gate}", changes, frozenset(gate), params)


# --- the same in all gates ------------------------------------------------------------------------------------------

#: Gate, sum, number -> the gate's value then; keyed by the variant for the message.
FOR_ALL: dict[str, Callable[[str, Array, float], Array]] = {
    "inside_factor": lambda gate, z, number: function_of(gate)(number * z),
    "inside_added": lambda gate, z, number: function_of(gate)(z + number),
    "factor": lambda gate, z, number: number * function_of(gate)(z),
}
NEUTRAL = {"inside_factor": 1.0, "inside_added": 0.0, "factor": 1.0}


def _of_all_gates(steps: Steps) -> Iterator[Mistake]:
    """Find one number for all gates from the first step alone: h and c are 0 before it."""
    z = {gate: steps.from_x[gate][:, 0] for gate in GATES}
    first = steps.answer[:, 0]

    def answered(gates: str, changed: Callable[[str, Array], Array]) -> Array:
        i, g, o = (changed(gate, z[gate]) if gate in gates else function_of(gate)(z[gate]) for gate in "igo")
        return np.asarray(o * np.tanh(i * g))

    for gates in SETS:
        for variant, changed in FOR_ALL.items():

            def off(number: float, gates: str = gates, changed: Any = changed) -> float:
                return float(np.abs(answered(gates, lambda gate, z: changed(gate, z, number)) - first).max())

            # A factor with the other sign gives i and o, and so h, the same values.
            number = _nearest(off, TRIED[TRIED > 0] if variant == "factor" else TRIED)
            if number is not None and abs(number - NEUTRAL[variant]) > LEAST_CHANGE:
                yield _in_all(gates, variant, changed, number)
        for epsilon in EPSILONS:

            def normed(gate: str, z: Array, epsilon: float = epsilon) -> Array:
                return function_of(gate)(_norm(z, epsilon))

            if _agree(answered(gates, normed), first):
                yield _normalised(gates, epsilon)


def _changed(changed: Callable[[str, Array, float], Array], gate: str, number: float, z: Array) -> Array:
    return changed(gate, z, number)


def _in_all(gates: str, variant: str, changed: Callable[[str, Array, float], Array], number: float) -> Mistake:
    changes = {f"act.{gate}": partial(_changed, changed, gate, number) for gate in gates}
    params = {"gates": [DENSE_LETTERS[gate] for gate in gates], "variant": variant, "value": number}
    return Mistake("gate_arithmetic", f"{variant} {number:g} in {gates}", changes, frozenset(gates), params)


def _nearest(off: Callable[[float], float], tried: Array) -> float | None:
    """Find the number that makes a difference vanish: the best of a row, refined between its neighbours."""
    best = int(np.argmin([off(float(number)) for number in tried]))
    low, high = float(tried[max(0, best - 1)]), float(tried[min(len(tried) - 1, best + 1)])
    for _ in range(40):
        third = (high - low) / 3
        low, high = (low, high - third) if off(low + third) < off(high - third) else (low + third, high)
    number = _short((low + high) / 2)
    return number if off(number) <= CLOSE / 10 else None


# --- numbers --------------------------------------------------------------------------------------------------------


def _agree(one: Array, other: Array) -> bool:
    """Return whether two arrays agree nearly everywhere both are known: values at an edge may be far off."""
    known = np.isfinite(one) & np.isfinite(other)
    return bool(known.sum() >= FEWEST and (np.abs(one - other)[known] <= CLOSE).mean() >= 0.99)


def _line(values: list[Array], result: Array) -> tuple[float, ...]:
    """Fit factors and a constant that make the result from the values, by least squares."""
    known = np.isfinite(result)
    columns = np.stack([*(value[known] for value in values), np.ones(known.sum())], axis=1)
    found = np.linalg.lstsq(columns, result[known], rcond=None)[0]
    return tuple(_short(float(number)) for number in found)


def _middle(values: Array) -> float:
    known = values[np.isfinite(values)]
    return _short(float(np.median(known))) if len(known) else np.nan


def _short(number: float) -> float:
    """Return the short number close by that was meant, if any: 0.5 for 0.500003."""
    if not np.isfinite(number):
        return number
    short = float(f"{number:.3g}")
    return short if abs(short - number) <= SHORT * max(1.0, abs(number)) else number


def _digits(numbers: list[float]) -> int:
    return sum(len(f"{number:g}") for number in numbers)
