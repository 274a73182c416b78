"""Mistakes that are tried alone, where no other explains the numbers: too rare for the table with all pairs."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import combinations, permutations
from typing import Any

import numpy as np

from reference.cell import sigmoid
from reference.lstm.definition import CELL
from reference.lstm.misconceptions.computation import Array, Inputs, Moment
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
#: The same, made of both states.
OF_BOTH_STATES: dict[str, Callable[[Array, Array], Array]] = {
    "h - c": np.subtract,
    "c - h": lambda h, c: c - h,
    "h*c": np.multiply,
    "(h + c) / 2": lambda h, c: (h + c) / 2,
    "tanh(c)": lambda h, c: np.tanh(c),
}

#: Values of all h so far, ``(variants, batch, timesteps, units)``.
OF_ALL_H: dict[str, Function] = {
    "(h[0] + ... + h[t]) / (t + 1)": lambda hs: hs.mean(axis=2),
    "max(h[0], ..., h[t])": lambda hs: hs.max(axis=2),
    "min(h[0], ..., h[t])": lambda hs: hs.min(axis=2),
}
#: The same with the zeros that a loop may begin with.
FROM_ZERO: dict[str, Function] = {
    "max(0, h[0], ..., h[t])": lambda hs: np.maximum(hs.max(axis=2), 0.0),
    "min(0, h[0], ..., h[t])": lambda hs: np.minimum(hs.min(axis=2), 0.0),
}
#: Functions in the place of another; of two names for one, the first.
NAMES = {function: name for name, function in reversed(WRITABLE.items()) if name != "tanh"}


def _averaged(axis: int, z: Array) -> Array:
    return np.broadcast_to(sigmoid(z).mean(axis - 2, keepdims=True), z.shape)


#: A gate that is one number for all sequences, or for all units, as a student would write it.
AVERAGED: dict[str, Function] = {
    **{f"reduce_mean(sigmoid(z), axis={axis})": partial(_averaged, axis) for axis in (0, 1)},
    "sigmoid(z[:, :1])": lambda z: np.broadcast_to(sigmoid(z[..., :1]), z.shape),
}
#: Layers of normalisation that start as they are, and the same by hand.
NORMED: dict[str, Function] = {
    **{f"layer norm, epsilon {eps:g},": partial(norm, eps=eps) for eps in (1e-3, 1e-5, 1e-6, 1e-8)},
    **{f"standardised with {eps:g}": partial(_standardised, eps=eps) for eps in (1e-5, 1e-6, 1e-7, 1e-8)},
    "less its mean": lambda a: a - a.mean(-1, keepdims=True),
}


def _over_rows(function: Function, array: Array) -> Array:
    return function(array.swapaxes(-1, -2)).swapaxes(-1, -2)


@cache
def rare() -> tuple[Mistake, ...]:
    """Return the mistakes; the likelier of two that give the same numbers comes first."""
    families = (_other_h, _of_all_h, _products, _together, _functions, _of_states, _inputs)
    return tuple(mistake for family in families for mistake in family())


def sometimes() -> Iterator[Mistake]:
    """Yield mistakes that are made in some steps alone, and have another name in all."""
    for states in ("hc", "h", "c"):
        changes: dict[str, Any] = {f"pass_{state}": PASSED[f"first {state}"] for state in states}
        params = {"variant": "again", "state": ", ".join(states)}
        yield Mistake("state_reset_each_step", f"{states} are zeros again", changes, RECURRENCE, params)
    changes = {"pass_h": PASSED["old h"], "pass_c": PASSED["old c"], "collect": PASSED["old h"]}
    yield Mistake("h_not_updated", "h and c stay as they are", changes, RECURRENCE, {"variant": "skipped"})


def at_zero_steps() -> Iterator[Mistake]:
    """Yield treatments of steps whose x is all zeros, as a mask would give them; in words of a report."""
    changes: dict[str, Any] = {f"pass_{state}": PASSED[f"old {state}"] for state in "hc"}
    kept, answer = changes | {"collect": PASSED["old h"]}, {"collect": PASSED["first h"]}
    yield Mistake("zero_steps", "h and c are kept", kept, RECURRENCE, {"variant": "kept"})
    for states, shown in (("hc", answer), ("h", answer), ("hc", {}), ("h", {}), ("c", {})):
        changes = {f"pass_{state}": PASSED[f"first {state}"] for state in states} | shown
        params = {"variant": "reset", "state": ", ".join(states)}
        yield Mistake("zero_steps", f"{states} reset, answer {bool(shown)}", changes, RECURRENCE, params)
    yield Mistake("zero_steps", "zeros in the answer", answer, RECURRENCE, {"variant": "answer"})
    for name, changes in (("the last h", kept), ("zeros", answer)):
        yield Mistake("zero_steps", f"{name} from the first one on", changes, RECURRENCE, {"variant": "stops"})


def _other_h() -> Iterator[Mistake]:
    for gates in ("".join(some) for count in (4, 3, 2, 1) for some in combinations(GATES, count)):
        yield _heard("", gates, lambda h, c, older_h: older_h, variant="older")
    older = {"formula": "c[t] = f*c[t-2] + i*ch", "variant": "c"}
    yield Mistake("other_formula", "c of two steps ago", {"calls": _with_older_c}, RECURRENCE | {"f"}, older)
    for heard, other in OTHER_H.items():
        passed_on = {"heard": heard, "variant": "passed_on"}
        changes: dict[str, Any] = {"pass_h": lambda m, h, c, other=other: other(m.h_new)}
        yield Mistake("gate_hears_other", f"{heard} from step to step", changes, RECURRENCE, passed_on)
        for gates in SETS[1:]:
            yield _heard(heard, gates, lambda h, c, older_h, other=other: other(h))
    for heard, both in OF_BOTH_STATES.items():
        for gates in SETS:
            yield _heard(heard, gates, lambda h, c, older_h, both=both: both(h, c))
    inner = [*((gates, gates) for gates in SETS), *permutations(GATES, 2)]
    for gates, layers in inner:
        heard = ", ".join(f"fcH{letter}(h)" for letter in letters(layers))
        changes = {f"recurrent.{gate}": _after_layer(layer, gate) for gate, layer in zip(gates, layers, strict=True)}
        params = {"gates": letters(gates), "heard": heard}
        yield Mistake("gate_hears_other", f"{heard} for h in {gates}", changes, frozenset(gates), params)


def _of_all_h() -> Iterator[Mistake]:
    """Yield values of all h so far, passed on or collected in the place of the newest."""
    for formula, reduced in OF_ALL_H.items():
        params = {"heard": formula, "variant": "passed_on"}
        changes: dict[str, Any] = {"calls": partial(_with_all_h, reduced)}
        yield Mistake("gate_hears_other", f"{formula} from step to step", changes, RECURRENCE, params)
    for formula, accumulated in {**OF_ALL_H, **FROM_ZERO}.items():
        changes = {"out_time": partial(_accumulated, accumulated)}
        params = {"formula": formula, "variant": "answer"}
        yield Mistake("other_formula", f"{formula} collected", changes, RECURRENCE, params)


def _with_all_h(reduced: Function, step: Any, z: Array, h: Array, c: Array) -> Moment:
    """Choose the slot ``calls``, once all h so far are made into one."""
    moment: Moment = step(z, reduced(step.shown) if step.shown.shape[2] else h, c)
    return moment


def _accumulated(reduced: Function, y: Array, _x: Array) -> Array:
    return np.stack([reduced(y[:, :, : t + 1]) for t in range(y.shape[2])], axis=2)


def _heard(heard: str, gates: str, choose: Callable[..., Array], **params: str) -> Mistake:
    seen = {f"seen.{gate}": choose for gate in gates}
    # All of them get what is passed on.
    wrong = RECURRENCE if len(gates) == len(GATES) else frozenset(gates)
    named = {"gates": letters(gates), **(params or {"heard": heard})}
    return Mistake("gate_hears_other", f"{heard or 'h of two steps ago'} for h in {gates}", seen, wrong, named)


def _after_layer(layer: str, gate: str) -> Callable[[Inputs], Inputs]:
    """Return a choice of the slot ``recurrent``: the layer of a gate gets what another, or itself, makes of h."""

    def change(inputs: Inputs) -> Inputs:
        first = inputs.recurrent[..., inputs.columns(layer)]
        return inputs.with_columns("recurrent", gate, lambda second: first @ second)

    return change


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


def _together() -> Iterator[Mistake]:
    """Yield functions over the sums, or the values, of several gates."""
    for gates in ("ifgo", "ifo", "if"):
        listed = f"[{', '.join('ch' if gate == 'g' else gate for gate in gates)}]"
        for shown, function in (
            (f"softmax(stack({listed}), axis=0)", partial(_softmax_over, (0,))),
            (f"softmax(concat({listed}, axis=1))", partial(_softmax_over, (0, -1))),
        ):
            yield _together_in(gates, shown, function)
    for gates in ("ifo", "if"):
        yield _together_in(gates, f"sigmoid(z) / ({' + '.join(gates)})", _shares)


def _softmax_over(axes: tuple[int, ...], sums: Array) -> Array:
    exponentials = np.exp(sums - sums.max(axis=axes, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=axes, keepdims=True))


def _shares(sums: Array) -> Array:
    return np.asarray(sigmoid(sums) / sigmoid(sums).sum(axis=0))


def _together_in(gates: str, shown: str, function: Function) -> Mistake:
    """Make the mistake of gates (not the candidate) whose values depend on each other's sums."""
    wrong = gates.replace("g", "")

    def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
        moment: Moment = step(z, h, c)
        sums = z + h @ step.recurrent
        values = function(np.stack([sums[..., step.columns(gate)] for gate in gates]))
        for gate in wrong:
            setattr(moment, gate, values[gates.index(gate)])
        moment.c_new = CELL.formulas["c_new"](moment)
        moment.h_new = CELL.formulas["h_new"](moment)
        return moment

    changes = {"calls": call, **dict.fromkeys(("update", "show", "keep", "hold"))}
    params = {"gates": letters(wrong), "function": shown}
    return Mistake("wrong_gate_activation", f"{shown} in {gates}", changes, frozenset(wrong), params)


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
    for function, name in [*NAMES.items(), *((function, name) for name, function in AVERAGED.items())]:
        for gates in ("ifo", "i", "f", "o", "if", "io", "fo") if name not in FUNCTIONS else ("if", "io", "fo"):
            acts, of_gates = {f"act.{gate}": function for gate in gates}, {"gates": letters(gates), "function": name}
            yield Mistake("wrong_gate_activation", f"{name} in {gates}", acts, frozenset(gates), of_gates)


def _of_states() -> Iterator[Mistake]:
    for what, normed in NORMED.items():
        yield from in_places("layer_norm", f"{what} of", normed, STATES)
        yield from in_places("layer_norm", f"{what} over the rows of", partial(_over_rows, normed), STATES)
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
