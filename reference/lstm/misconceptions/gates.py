"""Mistakes in the gates: the sum of the two layers, and the function applied to it."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from reference.cell import sigmoid
from reference.lstm.definition import CELL
from reference.lstm.misconceptions.computation import Array, Moment
from reference.lstm.misconceptions.inputs import letters
from reference.lstm.misconceptions.mistake import Mistake
from reference.lstm.weights import GATES


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def linear(z: Array) -> Array:
    return z


Function = Callable[[Array], Array]

FUNCTIONS: dict[str, Function] = {
    "tanh": np.tanh,
    "hard_sigmoid": lambda z: np.clip(z / 6.0 + 0.5, 0.0, 1.0),
    "hard_sigmoid of Keras 2": lambda z: np.clip(0.2 * z + 0.5, 0.0, 1.0),
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0.0))),
    "softmax": softmax,
    "softplus": lambda z: np.logaddexp(z, 0.0),
    "softsign": lambda z: z / (1.0 + np.abs(z)),
    "swish": lambda z: z * sigmoid(z),
    "sin": np.sin,
}


def _log_sigmoid(z: Array) -> Array:
    return -np.logaddexp(0.0, -z)


def _gelu(z: Array) -> Array:
    return np.asarray(z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2)


def _rough_gelu(z: Array) -> Array:
    return np.asarray(z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2)


#: Functions that may stand in a student's formula.
WRITABLE: dict[str, Function] = {
    **FUNCTIONS, "silu": FUNCTIONS["swish"], "exp": np.exp, "cos": np.cos,
    "sqrt": np.sqrt, "square": np.square, "abs": np.abs, "tan": np.tan, "atan": np.arctan, "arctan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "arcsinh": np.arcsinh, "log1p": np.log1p, "expm1": np.expm1,
    "sign": np.sign, "relu6": lambda z: np.clip(z, 0.0, 6.0), "log_sigmoid": _log_sigmoid, "logsigmoid": _log_sigmoid,
    "gelu": _gelu, "gelu(approximate=True)": _rough_gelu, "mish": lambda z: z * np.tanh(np.logaddexp(z, 0.0)),
    "hard_silu": lambda z: z * np.clip(z / 6.0 + 0.5, 0.0, 1.0),
}  # fmt: skip


def _clip_from(low: float) -> Function:
    return lambda z: np.clip(z, low, 1.0)


def gate_mistakes() -> Iterator[Mistake]:
    yield from _activations()
    yield from _candidate_activations()
    yield from _double_activations()
    yield from _sums()
    yield from _gates_that_see_other_states()
    slots = ("update", "show", "keep", "hold")
    changes = {"calls": _cut_anew, **dict.fromkeys(slots)}
    yield Mistake("reshape_not_transpose", "sums cut anew", changes, frozenset("ifgo"))


def _cut_anew(step: Any, z: Array, h: Array, c: Array) -> Moment:
    """Take a step with ``reshape(z, (4, batch, units))`` in place of the gates' columns."""
    total = z + h @ step.recurrent
    parts = total.reshape(len(total), len(GATES), *h.shape[-2:])
    i, f, g, o = (CELL.formulas[gate].activation(parts[:, place]) for place, gate in enumerate(GATES))
    moment = Moment(i, f, g, o, h, c, c_new=c, h_new=h)
    moment.c_new = CELL.formulas["c_new"](moment)
    moment.h_new = CELL.formulas["h_new"](moment)
    return moment


def _acts(gates: str, function: Function) -> dict[str, Any]:
    return {f"act.{gate}": function for gate in gates}


def _activations() -> Iterator[Mistake]:
    for gates in ("ifo", "i", "f", "o", "if", "io", "fo"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        for name, function in {**FUNCTIONS, "clip_by_value": _clip_from(0.0)}.items() if len(gates) != 2 else ():
            named = {**params, "function": name}
            yield Mistake("wrong_gate_activation", f"{name} in {gates}", _acts(gates, function), wrong, named)
        yield Mistake("missing_gate_activation", f"no sigmoid in {gates}", _acts(gates, linear), wrong, params)
    # exp(z) for exp(-z) in a hand-written sigmoid. In one gate alone it is 1 - that gate, which `state` has.
    mirrored, named = _acts("ifo", lambda z: sigmoid(-z)), {"gates": letters("ifo"), "function": "1 - sigmoid"}
    yield Mistake("wrong_gate_activation", "1 - sigmoid in ifo", mirrored, frozenset("ifo"), named)


def _candidate_activations() -> Iterator[Mistake]:
    wrong = frozenset("g")
    for name, function in FUNCTIONS.items():
        if name != "tanh":
            changes, params = _acts("g", function), {"function": name}
            yield Mistake("wrong_candidate_activation", f"{name} in g", changes, wrong, params)
    for low in (-1.0, 0.0):
        clipped = _acts("g", _clip_from(low))
        yield Mistake("wrong_candidate_activation", f"{low:g}..1 in g", clipped, wrong, {"function": "clip_by_value"})
    yield Mistake("sigmoid_candidate", "sigmoid in g", _acts("g", sigmoid), wrong)
    yield Mistake("no_tanh_candidate", "no tanh in g", _acts("g", linear), wrong)


def _own(gate: str) -> Function:
    return CELL.formulas[gate].activation


def _repeated(function: Function) -> Function:
    return lambda z: function(function(z))


def _each(function: Function, join: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda from_x, from_h, c: join(function(from_x), function(from_h))


def _first(function: Function) -> Callable[[Array, Array, Array], Array]:
    return lambda from_x, from_h, c: function(from_x) + from_h


def _second(function: Function) -> Callable[[Array, Array, Array], Array]:
    return lambda from_x, from_h, c: from_x + function(from_h)


def _bias_outside(function: Function) -> Callable[[Array, Array], Array]:
    return lambda z, bias: function(z - bias) + bias


def _double_activations() -> Iterator[Mistake]:
    """Yield the activation applied twice: around the gate, or inside the layers (``Dense(..., activation=...)``)."""
    inner = {"its own": None, "sigmoid": sigmoid, "tanh": np.tanh, "relu": FUNCTIONS["relu"]}
    for gates in ("ifgo", "ifo", "i", "f", "g", "o"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        twice = {f"act.{gate}": _repeated(_own(gate)) for gate in gates}
        yield Mistake("double_activation", f"activation twice in {gates}", twice, wrong, params)
        for name, function in inner.items():
            if (function is not None and len(gates) == 1) or (name == "sigmoid" and "g" not in gates):
                continue
            both = {f"sum.{gate}": _each(function or _own(gate), np.add) for gate in gates}
            x_only = {f"sum.{gate}": _first(function or _own(gate)) for gate in gates}
            h_only = {f"sum.{gate}": _second(function or _own(gate)) for gate in gates}
            yield Mistake("double_activation", f"{name} in the layers of {gates}", both, wrong, params)
            yield Mistake("double_activation", f"{name} in the x layers of {gates}", x_only, wrong, params)
            yield Mistake("double_activation", f"{name} in the h layers of {gates}", h_only, wrong, params)
        before = {f"sum.{gate}": _each(_own(gate), np.add) for gate in gates} | _acts(gates, linear)
        yield Mistake("activation_before_sum", f"activations added in {gates}", before, wrong, params)
        # A bracket that closes before the plus.
        for layer, part in (("x", _first), ("h", _second)):
            alone = {f"sum.{gate}": part(_own(gate)) for gate in gates} | _acts(gates, linear)
            name = f"activation of {layer} alone in {gates}"
            yield Mistake("activation_before_sum", name, alone, wrong, {**params, "variant": "one"})
        # The sum without the bias, which is added to the result.
        apart = {f"apart.{gate}": _bias_outside(_own(gate)) for gate in gates}
        yield Mistake(
            "activation_before_sum",
            f"bias outside the activation in {gates}",
            apart | dict.fromkeys(_acts(gates, linear)),
            wrong,
            {**params, "variant": "bias"},
        )
    for gates in ("ifo", "i", "f", "o"):
        mixed = {"sigmoid of tanh": lambda z: sigmoid(np.tanh(z)), "tanh of sigmoid": lambda z: np.tanh(sigmoid(z))}
        for name, act in mixed.items():
            changes, params = _acts(gates, act), {"gates": letters(gates)}
            yield Mistake("double_activation", f"{name} in {gates}", changes, frozenset(gates), params)
    swapped = _acts("g", lambda z: np.tanh(sigmoid(z)))
    yield Mistake("double_activation", "tanh of sigmoid in g", swapped, frozenset("g"), {"gates": letters("g")})


def _sums() -> Iterator[Mistake]:
    # Not in g: it would always be 0.
    for gates in ("ifo", "if", "i", "f", "o"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        products = {f"sum.{gate}": lambda from_x, from_h, c: from_x * from_h for gate in gates}
        yield Mistake("gate_product_not_sum", f"product in {gates}", products, wrong, params)
        multiplied = {f"sum.{gate}": _each(sigmoid, np.multiply) for gate in gates} | _acts(gates, linear)
        yield Mistake("gate_product_not_sum", f"activations multiplied in {gates}", multiplied, wrong, params)
    yield from _peepholes("+ c", _with_c, ("ifgo", "g"))


def _with_c(from_x: Array, from_h: Array, c: Array) -> Array:
    return from_x + from_h + c


def _peepholes(name: str, total: Callable[[Array, Array, Array], Array], others: Sequence[str]) -> Iterator[Mistake]:
    """Yield peepholes: any of i, f and o see c, and o either the old one or the new one."""
    late: dict[str, Any] = {"late_output": lambda m: (m.h, m.c_new), "seen.o": None}
    for gates in (*others, *("".join(some) for count in (3, 2, 1) for some in itertools.combinations("ifo", count))):
        changes: dict[str, Any] = {f"sum.{gate}": total for gate in gates}
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        yield Mistake("peephole", f"{name} in {gates}", changes, wrong, params)
        if "o" in gates and "g" not in gates:
            yield Mistake("peephole", f"{name} in {gates}, new c in o", changes | late, wrong, params)


def _gates_that_see_other_states() -> Iterator[Mistake]:
    for gates in ("ifgo", "ifo", "i", "f", "g", "o"):
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        instead = {f"seen.{gate}": lambda h, c, older_h: c for gate in gates}
        yield Mistake("gates_use_c_not_h", f"c for h in {gates}", instead, wrong, params)
        also = {f"seen.{gate}": lambda h, c, older_h: h + c for gate in gates}
        yield Mistake("peephole", f"h + c in {gates}", also, wrong, params)
    lates: dict[str, Function] = {"new c": linear, "tanh of new c": np.tanh}
    for name, late in lates.items():
        seen: dict[str, Any] = {"late_output": lambda m, late=late: (late(m.c_new), m.c), "seen.o": None}
        yield Mistake("gate_from_new_h", f"o sees {name}", seen, frozenset("o"), {"gates": letters("o")})
