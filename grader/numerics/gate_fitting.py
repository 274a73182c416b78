"""Mistakes inside a gate or a state that contain a number, or that use another value instead of h.

Where the rest is right, one gate can be computed from the answers (`grader.numerics.gate_values`). Its values are then
compared with those of its layers. As in `grader.numerics.fitting`, a fit is a suspicion; the caller replays it before
believing it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from operator import add, mul
from typing import Any

import numpy as np

from grader.numerics.fitting import named_factor
from grader.numerics.gate_mistakes import (
    FOR_ALL,
    HEARD_VALUES,
    LEAST_CHANGE,
    activated,
    hears,
    in_all,
    inside,
    normalised,
    outside,
)
from grader.numerics.gate_values import (
    CLOSE,
    FEWEST,
    Array,
    Steps,
    agree,
    before,
    digits,
    first_answer,
    fitted_line,
    function_of,
    inverse,
    middle,
    short,
)
from reference import GATES, Case, split_gates
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import RECURRENCE, Mistake
from reference.lstm.misconceptions.computation import Inputs, Moment
from reference.lstm.misconceptions.treatments import norm

Suspect = tuple[Mistake, ...]
FEWEST_AT_LIMIT = 5
EPSILONS = (1e-3, 1e-5, 1e-6)
LEAST_FACTOR = 1e-4
#: Gates that show in the first step -> the sets of gates that may have one number in common; f shows later.
SETS = {"igo": ("ifgo",), "io": ("ifo", "io"), "i": ("if",), "o": ("fo",)}
#: Factors that depend on the number of units.
LAWS: dict[str, Callable[[int], float]] = {
    "1 / sqrt(units)": lambda units: units**-0.5,
    "1 / units": lambda units: 1 / units,
    "sqrt(units)": lambda units: units**0.5,
}
# Candidates for a number in all gates.
TRIED = np.concatenate([-np.geomspace(10, 0.05, 24), [0.0], np.geomspace(0.05, 10, 24)])


def suspects(case: Case, answer: Array) -> Iterator[Suspect]:
    """Yield suspects for the answer to one case, the more likely kinds first.

    Args:
        case: a case with many steps: the exercise's own.
        answer: ``(batch, timesteps, units)``, the same at every call.
    """
    with np.errstate(all="ignore"):
        steps = Steps.of(case, answer)
        found = [*_of_states(case, steps), *(each for gate in GATES for each in _of_gate(steps, gate, case))]
        found += [*_of_several_gates(steps), *_of_layers(steps, case)]
    yield from ((mistake,) for mistake in found)


def _of_states(case: Case, steps: Steps) -> Iterator[Mistake]:
    c = steps.c_from_answers()
    c_new = CELL.formulas["c_new"]({**steps.gates, "c": before(c)})
    h_new = steps.h_from_gates()
    for place, slot, made, is_now in (
        ("c", "keep", c_new, c),
        ("h", "hold", h_new, steps.answer),
        ("answer", "values", case.expected.astype(np.float64), steps.answer),
    ):
        known = is_now[np.isfinite(is_now)]
        if len(known) < FEWEST:
            continue
        low, high = short(float(known.min())), short(float(known.max()))
        if agree(np.clip(made, low, high), is_now) and not agree(made, is_now):
            params = {"low": low, "high": high, "of": [place]}
            changes = {slot: partial(_clipped, low, high)}
            yield Mistake("state_clipped", f"{low:g}..{high:g} of {place}", changes, RECURRENCE, params)
        factor = middle(is_now / made)
        if place != "answer" and abs(factor - 1) > LEAST_FACTOR and agree(factor * made, is_now):
            code, params = named_factor(factor, place)
            yield Mistake(code, f"{factor:g} times {place}", {slot: partial(mul, factor)}, RECURRENCE, params)
        constant = middle(is_now - made)
        if place != "answer" and abs(constant) > LEAST_CHANGE and agree(made + constant, is_now):
            params = {"value": constant, "of": [place]}
            yield Mistake(
                "epsilon_added", f"{place} + {constant:g}", {slot: partial(add, constant)}, RECURRENCE, params
            )


def _clipped(low: float, high: float, value: Array, _x: Array | None = None) -> Array:
    return np.clip(value, low, high)


def _of_gate(steps: Steps, gate: str, case: Case) -> Iterator[Mistake]:
    value = steps.gate(gate)
    if np.isfinite(value).sum() < FEWEST:
        return
    function = function_of(gate)
    from_x, from_h, right = steps.from_x[gate], steps.from_h[gate], steps.gates[gate]
    z = from_x + from_h
    if agree(right, value):
        return  # it is right
    factor, constant = fitted_line([right], value)
    if agree(factor * right + constant, value):
        yield outside(gate, factor, constant)
    inner = inverse(gate, value)
    of_x, of_h, added = fitted_line([from_x, from_h], inner)
    if agree(function(of_x * from_x + of_h * from_h + added), value):
        yield inside(gate, of_x, of_h, added)
    power = middle(np.log(np.abs(value)) / np.log(np.abs(right)))
    power = 2.0 if gate == "g" else power
    if np.isfinite(power) and agree(right**power, value):
        yield activated(gate, lambda z: function(z) ** power, "power", {"value": power})
    yield from _limited(gate, z, inner, value)
    if agree(np.round(right), value):
        yield activated(gate, lambda z: np.round(function(z)), "rounded", {})
    for epsilon in EPSILONS:
        if agree(function(norm(z, epsilon)), value):
            yield normalised(gate, epsilon)
    kernel = split_gates(case.weights.recurrent_kernel)[gate]
    for heard, choose in HEARD_VALUES.items():
        i, f, g, o = (steps.gates[each] for each in GATES)
        moment = Moment(i, f, g, o, h=steps.h, c=steps.h, c_new=steps.h, h_new=steps.h)
        if agree(function(from_x + choose(moment) @ kernel), value):
            yield hears(gate, heard, choose)


def _limited(gate: str, z: Array, inner: Array, value: Array) -> Iterator[Mistake]:
    """Find limits on the sum, or on its activation, which is equivalent."""
    function, known = function_of(gate), inner[np.isfinite(inner)]
    if len(known) < FEWEST:
        return
    low, high = float(known.min()), float(known.max())
    if not agree(function(np.clip(z, low, high)), value):
        return
    # Many values lie at a limit; without a limit, only one lies at the end.
    low = low if (np.abs(known - low) <= CLOSE).sum() >= FEWEST_AT_LIMIT else -np.inf
    high = high if (np.abs(known - high) <= CLOSE).sum() >= FEWEST_AT_LIMIT else np.inf
    inside = [short(limit) for limit in (low, high)]
    outside = [short(float(function(np.asarray(limit)))) for limit in (low, high)]
    # The student's own limits have fewer digits than their activations.
    if np.isfinite(inside).all() and digits(inside) < digits(outside):
        params = {"low": inside[0], "high": inside[1]}
        yield activated(gate, lambda z: function(np.clip(z, inside[0], inside[1])), "limits_inside", params)
    else:
        params = {"low": outside[0], "high": outside[1]}
        yield activated(gate, lambda z: np.clip(function(z), outside[0], outside[1]), "limits", params)


NEUTRAL = {"inside_factor": 1.0, "inside_added": 0.0, "factor": 1.0, "limits_inside": np.inf}
#: Changes of a gate by a number above 0.
POSITIVE = frozenset({"factor", "limits_inside"})


def _of_several_gates(steps: Steps) -> Iterator[Mistake]:
    """Find one number for several gates from the first step alone: h and c are 0 before it."""
    z = {gate: steps.from_x[gate][:, 0] for gate in GATES}
    right = {gate: values[:, 0] for gate, values in steps.gates.items()}
    first = steps.answer[:, 0]

    def answered(gates: str, changed: Callable[[str, Array], Array]) -> Array:
        return first_answer({gate: changed(gate, z[gate]) if gate in gates else right[gate] for gate in "igo"})

    for shown, sets in SETS.items():
        for variant, changed in FOR_ALL.items():

            def off(number: float, gates: str = shown, changed: Any = changed) -> float:
                return float(np.abs(answered(gates, lambda gate, z: changed(gate, z, number)) - first).max())

            # A factor with the other sign gives i and o, and so h, the same values.
            number = _nearest(off, TRIED[TRIED > 0] if variant in POSITIVE else TRIED)
            if number is not None and abs(number - NEUTRAL[variant]) > LEAST_CHANGE:
                yield from (in_all(gates, variant, changed, number) for gates in sets)
        for epsilon in EPSILONS:

            def normed(gate: str, z: Array, epsilon: float = epsilon) -> Array:
                return function_of(gate)(norm(z, epsilon))

            if agree(answered(shown, normed), first):
                yield from (normalised(gates, epsilon) for gates in sets)


def _of_layers(steps: Steps, case: Case) -> Iterator[Mistake]:
    """Find a factor of x, of all biases or of all layers for h, from the first step in which it shows.

    BatchNormalization multiplies x so, without training.
    """
    bias = {gate: columns.astype(np.float64) for gate, columns in split_gates(case.weights.bias).items()}
    old_c = before(steps.c_from_gates())

    def answered(step: int, of_x: float = 1.0, of_bias: float = 1.0, of_h: float = 1.0) -> Array:
        sums = {
            gate: of_x * (steps.from_x[gate][:, step] - bias[gate])
            + of_bias * bias[gate]
            + of_h * steps.from_h[gate][:, step]
            for gate in GATES
        }
        values = {"c": old_c[:, step], **{gate: function_of(gate)(z) for gate, z in sums.items()}}
        return CELL.formulas["h_new"]({**values, "c_new": CELL.formulas["c_new"](values)})

    for step, name in ((0, "of_x"), (0, "of_bias"), (1, "of_h")):

        def off(factor: float, step: int = step, name: str = name) -> float:
            return float(np.abs(answered(step, **{name: factor}) - steps.answer[:, step]).max())

        factor = _nearest(off, TRIED)
        if factor is not None and abs(factor - 1) > LEAST_FACTOR:
            yield _layers_scaled(name, factor, case.spec.units)


def _layers_scaled(name: str, factor: float, units: int) -> Mistake:
    if name == "of_x":
        code, params = named_factor(factor, "x")
        code = "input_transformed" if code == "scaled" else code
        changes = {"x_values": lambda inputs: replace(inputs, x=factor * inputs.x)}
        return Mistake(code, f"{factor:g} times x", changes, frozenset("ifgo"), params)
    if name == "of_bias":
        changes = {"bias.i": lambda inputs: replace(inputs, bias=factor * inputs.bias)}
        params = {"variant": "bias_factor", "value": factor}
        return Mistake("gate_arithmetic", f"{factor:g} times the biases", changes, frozenset("ifgo"), params)
    of_units = next((law for law, of in LAWS.items() if abs(of(units) - factor) <= CLOSE / 10), None)

    def scaled(inputs: Inputs) -> Inputs:
        return replace(inputs, recurrent=inputs.recurrent * (LAWS[of_units](inputs.units) if of_units else factor))

    changes = {"recurrent.i": scaled}
    params = {"variant": "h_scaled", "value": of_units or factor}
    return Mistake("gate_arithmetic", f"{factor:g} times the layers for h", changes, RECURRENCE, params)


def _nearest(off: Callable[[float], float], tried: Array) -> float | None:
    """Find the number that makes a difference vanish: the best of a row, refined between its neighbours."""
    best = int(np.argmin([off(float(number)) for number in tried]))
    low, high = float(tried[max(0, best - 1)]), float(tried[min(len(tried) - 1, best + 1)])
    ends = max(off(low), off(high))
    for tries in range(40):
        # Near a number that fits, the difference shrinks as the distance does.
        if tries == 10 and off((low + high) / 2) > ends / 10:
            return None
        third = (high - low) / 3
        low, high = (low, high - third) if off(low + third) <= off(high - third) else (low + third, high)
    number = short((low + high) / 2)
    return number if off(number) <= CLOSE / 10 else None
