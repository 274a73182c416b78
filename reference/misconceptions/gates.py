"""Mistakes in the gates: how the two layers are put together, and what function follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from reference.misconceptions.computation import Array, sigmoid
from reference.misconceptions.inputs import letters
from reference.misconceptions.mistake import Mistake


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def linear(z: Array) -> Array:
    return z


Function = Callable[[Array], Array]

COMMON = ("tanh", "hard_sigmoid", "hard_sigmoid of Keras 2", "relu", "softmax")
FUNCTIONS: dict[str, Function] = {
    "tanh": np.tanh,
    "hard_sigmoid": lambda z: np.clip(z / 6.0 + 0.5, 0.0, 1.0),
    "hard_sigmoid of Keras 2": lambda z: np.clip(0.2 * z + 0.5, 0.0, 1.0),
    "relu": lambda z: np.maximum(z, 0.0),
    "relu6": lambda z: np.clip(z, 0.0, 6.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "leaky_relu of 0.3": lambda z: np.where(z > 0, z, 0.3 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0.0))),
    "softmax": _softmax,
    "softplus": lambda z: np.logaddexp(z, 0.0),
    "softsign": lambda z: z / (1.0 + np.abs(z)),
    "swish": lambda z: z * sigmoid(z),
    "gelu": lambda z: 0.5 * z * (1.0 + _erf(z / np.sqrt(2.0))),
    "exp": np.exp,
    "sin": np.sin,
    "1 - sigmoid": lambda z: sigmoid(-z),
    "hard_tanh": lambda z: np.clip(z, -1.0, 1.0),
    "step": lambda z: (z > 0).astype(z.dtype),
}


def _erf(z: Array) -> Array:
    """Abramowitz and Stegun 7.1.26 is not close enough to compare with: the series, and 1 far out."""
    z = np.clip(z, -5.0, 5.0)
    term, total = z, z
    for n in range(1, 80):
        term = -term * z * z / n
        total = total + term / (2 * n + 1)
    return np.asarray(2.0 / np.sqrt(np.pi) * total)


def gate_mistakes() -> Iterator[Mistake]:
    yield from _activations()
    yield from _candidate_activations()
    yield from _double_activations()
    yield from _sums()
    yield from _states_seen()


def _acts(gates: str, function: Function) -> dict[str, Any]:
    return {f"act.{gate}": function for gate in gates}


def _activations() -> Iterator[Mistake]:
    for gates in ("ifo", "i", "f", "o"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        for name, function in FUNCTIONS.items():
            changes, named = _acts(gates, function), {**params, "function": name}
            rare = name not in COMMON
            yield Mistake("wrong_gate_activation", f"{name} in {gates}", changes, wrong, named, rare=rare)
        yield Mistake("missing_gate_activation", f"no sigmoid in {gates}", _acts(gates, linear), wrong, params)


def _candidate_activations() -> Iterator[Mistake]:
    wrong = frozenset("g")
    for name, function in FUNCTIONS.items():
        if name != "tanh":
            changes, params = _acts("g", function), {"function": name}
            rare = name not in COMMON
            yield Mistake("wrong_candidate_activation", f"{name} in g", changes, wrong, params, rare=rare)
    yield Mistake("sigmoid_candidate", "sigmoid in g", _acts("g", sigmoid), wrong)
    yield Mistake("no_tanh_candidate", "no tanh in g", _acts("g", linear), wrong)


def _own(gate: str) -> Function:
    return np.tanh if gate == "g" else sigmoid


def _repeated(function: Function) -> Function:
    return lambda z: function(function(z))


def _each(function: Function, join: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda from_x, from_h, c: join(function(from_x), function(from_h))


def _first(function: Function) -> Callable[[Array, Array, Array], Array]:
    return lambda from_x, from_h, c: function(from_x) + from_h


def _double_activations() -> Iterator[Mistake]:
    """The activation once more: around the gate, or inside the layers (``Dense(..., activation=...)``)."""
    inner: dict[str, Function | None] = {
        "its own": None,
        "sigmoid": sigmoid,
        "tanh": np.tanh,
        "relu": FUNCTIONS["relu"],
    }
    for gates in ("ifgo", "ifo", "i", "f", "g", "o"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        twice = {f"act.{gate}": _repeated(_own(gate)) for gate in gates}
        yield Mistake("double_activation", f"activation twice in {gates}", twice, wrong, params)
        for name, function in inner.items():
            if function is None and len(gates) == 1:
                continue
            both = {f"sum.{gate}": _each(function or _own(gate), np.add) for gate in gates}
            x_only = {f"sum.{gate}": _first(function or _own(gate)) for gate in gates}
            rare = len(gates) == 1
            in_both, in_x = f"{name} in the layers of {gates}", f"{name} in the x layers of {gates}"
            yield Mistake("double_activation", in_both, both, wrong, params, rare=rare)
            yield Mistake("double_activation", in_x, x_only, wrong, params, rare=True)
        for name, joined in (("added", np.add), ("multiplied", np.multiply)):
            before = {f"sum.{gate}": _each(_own(gate), joined) for gate in gates} | _acts(gates, linear)
            code = "activation_before_sum" if name == "added" else "gate_product_not_sum"
            rare = name == "multiplied"
            yield Mistake(code, f"activations {name} in {gates}", before, wrong, params, rare=rare)
    swapped = {"act.g": lambda z: np.tanh(sigmoid(z))}
    yield Mistake("double_activation", "tanh of sigmoid in g", swapped, frozenset("g"), {"gates": ["C"]})
    for gates in ("ifo", "i", "f", "o"):
        mixed = {f"act.{gate}": lambda z: sigmoid(np.tanh(z)) for gate in gates}
        params = {"gates": letters(gates)}
        yield Mistake("double_activation", f"sigmoid of tanh in {gates}", mixed, frozenset(gates), params, rare=True)


def _sums() -> Iterator[Mistake]:
    for gates in ("ifgo", "ifo", "if", "i", "f", "g", "o"):
        changes = {f"sum.{gate}": lambda from_x, from_h, c: from_x * from_h for gate in gates}
        params = {"gates": letters(gates)}
        yield Mistake("gate_product_not_sum", f"product in {gates}", changes, frozenset(gates), params)
    for gates in ("ifgo", "ifo", "if", "i", "f", "g"):
        changes = {f"sum.{gate}": lambda from_x, from_h, c: from_x + from_h + c for gate in gates}
        yield Mistake("peephole", f"+ c in {gates}", changes, frozenset(gates), {"gates": letters(gates)})
    old = {"sum.o": lambda from_x, from_h, c: from_x + from_h + c}
    yield Mistake("peephole", "+ old c in o", old, frozenset("o"), {"gates": ["O"]})


def _states_seen() -> Iterator[Mistake]:
    for gates in ("ifgo", "ifo", "i", "f", "g", "o"):
        changes = {f"seen.{gate}": lambda h, c: c for gate in gates}
        params = {"gates": letters(gates)}
        yield Mistake("gates_use_c_not_h", f"c for h in {gates}", changes, frozenset(gates), params)
    for gates in ("ifgo", "ifo", "i", "f", "g", "o"):
        changes = {f"seen.{gate}": lambda h, c: h + c for gate in gates}
        params = {"gates": letters(gates)}
        yield Mistake("peephole", f"h + c in {gates}", changes, frozenset(gates), params, rare=len(gates) == 1)
    lates: dict[str, Function] = {"new c": linear, "tanh of new c": np.tanh}
    for name, late in lates.items():
        seen: dict[str, Any] = {"late_output": late, "seen.o": None}
        yield Mistake("gate_from_new_h", f"o sees {name}", seen, frozenset("o"), {"gates": ["O"]})
