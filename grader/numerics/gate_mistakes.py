"""Mistakes inside a gate, made from numbers that were fitted."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from grader.numerics.gate_values import Array, function_of
from reference.cell import sigmoid
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import Mistake
from reference.lstm.misconceptions.computation import Moment
from reference.lstm.misconceptions.treatments import norm
from reference.lstm.weights import DENSE_LETTERS

# Factors nearer to 1, and constants nearer to 0, are rounding.
LEAST_CHANGE = 1e-3
#: Gate -> the variant that tells of a factor of its product in the update of c.
PRODUCTS = {"f": "kept", "i": "written", "g": "written"}


def _params_of(gate: str, **params: Any) -> dict[str, Any]:
    return {"gates": [DENSE_LETTERS[gate]], **params}


def outside(gate: str, factor: float, constant: float, least: float = LEAST_CHANGE) -> Mistake:
    """Make the mistake of a gate's value that is multiplied, or has something added.

    Args:
        least: changes no larger than this are rounding.
    """
    function = function_of(gate)
    if abs(factor) <= least:
        variant = {"variant": "constant", "value": constant}
        factor = 0.0
    elif abs(constant) <= least:
        # Only the products of f and c, and of i and ch, are visible.
        variant, constant = {"variant": PRODUCTS.get(gate, "factor"), "value": factor}, 0.0
    elif abs(factor - 1) <= least:
        variant, factor = {"variant": "added", "value": constant}, 1.0
    else:
        variant = {"variant": "line", "value": factor, "added": constant}
    changes = {f"act.{gate}": lambda z: factor * function(z) + constant}
    name = f"{factor:g} {gate} + {constant:g}"
    params = variant if variant["variant"] in PRODUCTS.values() else _params_of(gate, **variant)
    return Mistake("gate_arithmetic", name, changes, frozenset(gate), params)


def inside(gate: str, of_x: float, of_h: float, added: float) -> Mistake:
    """Make the mistake of a gate's sum in which a term is multiplied, or something is added."""
    plain = [abs(of_x - 1) <= LEAST_CHANGE, abs(of_h - 1) <= LEAST_CHANGE, abs(added) <= LEAST_CHANGE]
    of_x, of_h = (1.0 if plain[0] else of_x), (1.0 if plain[1] else of_h)
    added = 0.0 if plain[2] else added
    code, params = "gate_arithmetic", _params_of(gate, variant="inside")
    if gate == "f" and plain == [True, True, False]:
        code, params = "forget_bias_extra", {"value": added}
    elif plain == [True, True, False]:
        params = _params_of(gate, variant="inside_added", value=added)
    elif plain[2] and abs(of_x - of_h) <= LEAST_CHANGE:
        of_h = of_x
        params = _params_of(gate, variant="inside_factor", value=of_x)
    elif plain[2] and plain[1]:
        params = _params_of(gate, variant="x_factor", value=of_x)
    elif plain[2] and plain[0]:
        params = _params_of(gate, variant="h_factor", value=of_h)
    changes = {f"sum.{gate}": lambda from_x, from_h, c: of_x * from_x + of_h * from_h + added}
    return Mistake(code, f"{of_x:g} x + {of_h:g} h + {added:g} in {gate}", changes, frozenset(gate), params)


def activated(gate: str, function: Callable[[Array], Array], variant: str, params: dict[str, Any]) -> Mistake:
    """Make the mistake of another activation."""
    changes = {f"act.{gate}": function}
    named = _params_of(gate, variant=variant, **params)
    return Mistake("gate_arithmetic", f"{variant} {params} of {gate}", changes, frozenset(gate), named)


def _of_norm(gate: str, epsilon: float) -> Callable[[Array], Array]:
    return lambda z: function_of(gate)(norm(z, epsilon))


def normalised(gates: str, epsilon: float) -> Mistake:
    """Make layer norm on the sums of these gates."""
    changes = {f"act.{gate}": _of_norm(gate, epsilon) for gate in gates}
    params = {"gates": [DENSE_LETTERS[gate] for gate in gates], "variant": "gates"}
    return Mistake("layer_norm", f"layer norm, epsilon {epsilon:g}, in {gates}", changes, frozenset(gates), params)


HeardValue = Callable[[Moment], Array]


def _gate_itself(name: str) -> HeardValue:
    return lambda moment: np.asarray(getattr(moment, name))


def _part_of_h(name: str) -> HeardValue:
    return lambda moment: np.asarray(getattr(moment, name) * moment.h)


#: Values that an h layer may get instead of h.
HEARD_VALUES: dict[str, HeardValue] = {
    "tanh(h)": lambda moment: np.tanh(moment.h),
    "sigmoid(h)": lambda moment: sigmoid(moment.h),
    **{shown: _gate_itself(gate) for gate, shown in (("i", "i"), ("f", "f"), ("g", "ch"), ("o", "o"))},
    **{f"{gate}*h": _part_of_h(gate) for gate in "ifo"},
}


def with_gate(
    code: str, name: str, gate: str, value: Callable[[Moment, Array, Array], Array], params: dict[str, Any]
) -> Mistake:
    """Make the mistake of a gate that has another value.

    Args:
        value: makes it of the moment with all right gates, what the layer for x gives, and the kernel for h.
    """

    def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
        moment: Moment = step(z, h, c)
        columns = step.columns(gate)
        setattr(moment, gate, value(moment, z[..., columns], step.recurrent[..., columns]))
        moment.c_new = CELL.formulas["c_new"](moment)
        moment.h_new = CELL.formulas["h_new"](moment)
        return moment

    changes = {"calls": call, "update": None, "show": None, "keep": None, "hold": None}
    return Mistake(code, name, changes, frozenset(gate), params)


def hears(gate: str, heard: str, choose: HeardValue) -> Mistake:
    """Make the mistake of an h layer that gets another value than h."""

    def value(moment: Moment, from_x: Array, kernel: Array) -> Array:
        return function_of(gate)(from_x + choose(moment) @ kernel)

    params = _params_of(gate, heard=heard)
    return with_gate("gate_hears_other", f"{heard} for h in {gate}", gate, value, params)


#: Gate, sum, number -> the gate's value then; keyed by the variant for the message.
FOR_ALL: dict[str, Callable[[str, Array, float], Array]] = {
    "limits_inside": lambda gate, z, number: function_of(gate)(np.clip(z, -number, number)),
    "inside_factor": lambda gate, z, number: function_of(gate)(number * z),
    "inside_added": lambda gate, z, number: function_of(gate)(z + number),
    "factor": lambda gate, z, number: number * function_of(gate)(z),
}


def _changed(changed: Callable[[str, Array, float], Array], gate: str, number: float, z: Array) -> Array:
    return changed(gate, z, number)


def in_all(gates: str, variant: str, changed: Callable[[str, Array, float], Array], number: float) -> Mistake:
    """Make the mistake of one number in all of these gates."""
    changes = {f"act.{gate}": partial(_changed, changed, gate, number) for gate in gates}
    numbers = {"low": -number, "high": number} if variant == "limits_inside" else {"value": number}
    params = {"gates": [DENSE_LETTERS[gate] for gate in gates], "variant": variant, **numbers}
    return Mistake("gate_arithmetic", f"{variant} {number:g} in {gates}", changes, frozenset(gates), params)
