"""Mistakes that are tried alone, where no other explains the numbers: too rare for the table with all pairs."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from reference.lstm.misconceptions.computation import Array, Moment
from reference.lstm.misconceptions.gates import FUNCTIONS, WRITABLE, Function
from reference.lstm.misconceptions.inputs import letters, on_x
from reference.lstm.misconceptions.loop import PASSED
from reference.lstm.misconceptions.mistake import RECURRENCE, Mistake
from reference.lstm.misconceptions.treatments import STATES, in_places, norm
from reference.lstm.weights import GATES


def _standardised(array: Array, eps: float) -> Array:
    return np.asarray((array - array.mean(-1, keepdims=True)) / (array.std(-1, keepdims=True) + eps))


#: Gates that get something else in place of h together.
SETS = ("ifgo", "ifo", *"ifgo", "if", "io", "fo")
#: What they get, as a student would write it.
OTHER_H: dict[str, Function] = {
    "h[:, ::-1]": lambda h: h[..., ::-1],
    "roll(h, 1, axis=1)": lambda h: np.roll(h, 1, -1),
    "roll(h, -1, axis=1)": lambda h: np.roll(h, -1, -1),
    "reduce_mean(h, axis=1)": lambda h: np.broadcast_to(h.mean(-1, keepdims=True), h.shape),
    "reduce_sum(h, axis=1)": lambda h: np.broadcast_to(h.sum(-1, keepdims=True), h.shape),
    "reduce_max(h, axis=1)": lambda h: np.broadcast_to(h.max(-1, keepdims=True), h.shape),
    "abs(h)": np.abs,
    "-h": np.negative,
    "square(h)": np.square,
    "relu(h)": FUNCTIONS["relu"],
    "softmax(h)": FUNCTIONS["softmax"],
}

#: Functions in the place of another; of two names for one, the first.
NAMES = {function: name for name, function in reversed(WRITABLE.items()) if name != "tanh"}
#: Layers of normalisation that start as they are, and the same by hand.
NORMED: dict[str, Function] = {
    **{f"layer norm, epsilon {eps:g},": partial(norm, eps=eps) for eps in (1e-5, 1e-6, 1e-8)},
    **{f"standardised with {eps:g}": partial(_standardised, eps=eps) for eps in (1e-5, 1e-6, 1e-7, 1e-8)},
    "less its mean": lambda a: a - a.mean(-1, keepdims=True),
}


@cache
def rare() -> tuple[Mistake, ...]:
    """Return the mistakes; the likelier of two that give the same numbers comes first."""
    return tuple(mistake for family in (_other_h, _products, _functions, _of_states, _inputs) for mistake in family())


def sometimes() -> Iterator[Mistake]:
    """Yield mistakes that are made in some steps alone, and have another name in all."""
    for states in ("hc", "h", "c"):
        changes: dict[str, Any] = {f"pass_{state}": PASSED[f"first {state}"] for state in states}
        params = {"variant": "again", "state": ", ".join(states)}
        yield Mistake("state_reset_each_step", f"{states} are zeros again", changes, RECURRENCE, params)
    changes = {"pass_h": PASSED["old h"], "pass_c": PASSED["old c"], "collect": PASSED["old h"]}
    yield Mistake("h_not_updated", "h and c stay as they are", changes, RECURRENCE, {"variant": "skipped"})


def _other_h() -> Iterator[Mistake]:
    for gates in ("".join(some) for count in (4, 3, 2, 1) for some in combinations(GATES, count)):
        seen: dict[str, Any] = {f"seen.{gate}": lambda h, c, older_h: older_h for gate in gates}
        params = {"gates": letters(gates), "variant": "older"}
        yield Mistake("gate_hears_other", f"h of two steps ago in {gates}", seen, frozenset(gates), params)
    older = {"formula": "c[t] = f*c[t-2] + i*ch", "variant": "c"}
    yield Mistake("other_formula", "c of two steps ago", {"calls": _with_older_c}, RECURRENCE | {"f"}, older)
    for heard, other in OTHER_H.items():
        passed_on = {"heard": heard, "variant": "passed_on"}
        changes: dict[str, Any] = {"pass_h": lambda m, h, c, other=other: other(m.h_new)}
        yield Mistake("gate_hears_other", f"{heard} from step to step", changes, RECURRENCE, passed_on)
        for gates in SETS[1:]:
            seen = {f"seen.{gate}": lambda h, c, older_h, other=other: other(h) for gate in gates}
            params = {"gates": letters(gates), "heard": heard}
            yield Mistake("gate_hears_other", f"{heard} for h in {gates}", seen, frozenset(gates), params)


def _with_older_c(step: Any, z: Array, h: Array, c: Array) -> Moment:
    """Choose the slot ``calls``: f keeps the memory that the step before began with."""
    moment: Moment = step(z, h, step.older_c)
    moment.c = c
    return moment


def _products() -> Iterator[Mistake]:
    """Yield products of the layers in all gates, and products to which the bias is added."""
    product, apart = (lambda x, h, bias: (x + bias) * h), (lambda x, h, bias: x * h + bias)
    for name, gates, total in (("product", "ifgo", product), *(("product + bias", some, apart) for some in SETS[:2])):
        changes = {"calls": _with_sums(gates, total), **dict.fromkeys(("update", "show", "keep", "hold"))}
        params = {"gates": letters(gates)}
        yield Mistake("gate_product_not_sum", f"{name} in {gates}", changes, frozenset(gates), params)


def _with_sums(gates: str, total: Callable[[Array, Array, Array], Array]) -> Callable[..., Moment]:
    """Return a choice of the slot ``calls``: some gates have other sums, made of their parts of x, h and the bias."""

    def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
        heard, sums = h @ step.recurrent, z.copy()
        for columns in map(step.columns, gates):
            bias, of_h = step.bias[..., columns], heard[..., columns]
            sums[..., columns] = total(z[..., columns] - bias, of_h, bias) - of_h
        moment: Moment = step(sums, h, c)
        return moment

    return call


def _functions() -> Iterator[Mistake]:
    for function, name in NAMES.items():
        shown: dict[str, Any] = {"show": lambda m, function=function: m.o * function(m.c_new)}
        both = {"function": name, "variant": "both"}
        changes = {"act.g": function, **shown}
        yield Mistake("wrong_candidate_activation", f"{name} for both tanh", changes, frozenset("go"), both)
        yield Mistake(
            "no_tanh_output", f"{name} of c in h", shown, frozenset("o"), {"function": name, "variant": "other"}
        )
        if name not in FUNCTIONS:
            named = {"function": name}
            yield Mistake("wrong_candidate_activation", f"{name} in g", {"act.g": function}, frozenset("g"), named)
        for gates in ("ifo", "i", "f", "o", "if", "io", "fo") if name not in FUNCTIONS else ("if", "io", "fo"):
            acts, of_gates = {f"act.{gate}": function for gate in gates}, {"gates": letters(gates), "function": name}
            yield Mistake("wrong_gate_activation", f"{name} in {gates}", acts, frozenset(gates), of_gates)


def _of_states() -> Iterator[Mistake]:
    for what, normed in NORMED.items():
        yield from in_places("layer_norm", f"{what} of", normed, STATES)
    for function, name in NAMES.items():
        yield from in_places("extra_activation", f"{name} of", function, STATES, {"function": name})
    for name, other in OTHER_H.items():
        if "axis=1" in name or "::" in name:
            formula = name.replace("h", "c", 1)
            named = {"formula": formula, "variant": "next_c"}
            changes = {"pass_c": lambda m, h, c, other=other: other(m.c_new)}
            yield Mistake("other_formula", f"{formula} from step to step", changes, RECURRENCE, named)


def _inputs() -> Iterator[Mistake]:
    def first_alone(x: Array) -> Array:
        return np.concatenate([x[:, :1], (x[:, 1:] + x[:, :-1]) / 2], axis=1)

    formula = "(x[:, t] + x[:, t - 1]) / 2"
    params = {"variant": "steps", "formula": formula}
    yield Mistake("input_transformed", f"{formula}, the first alone", {"x_step": on_x(first_alone)}, RECURRENCE, params)
