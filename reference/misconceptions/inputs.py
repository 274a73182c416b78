"""Mistakes in what goes in: weights of another gate, biases, the input and the initial state."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.misconceptions.computation import Array, Inputs, sigmoid
from reference.misconceptions.mistake import Mistake
from reference.weights import DENSE_LETTERS, GATES

SWAPPED = {"if": "gates_swapped_if", "io": "gates_swapped_io", "fo": "gates_swapped_fo", "go": "gates_swapped_co"}
ORDERS = {"kernel_order": "kernel", "recurrent_order": "recurrent", "bias_order": "bias"}
RECURRENCE = frozenset({"recurrence"})


def letters(gates: Sequence[str]) -> list[str]:
    """Gates as the exercise calls them."""
    return [DENSE_LETTERS[gate] for gate in gates]


def input_mistakes() -> Iterator[Mistake]:
    yield from _gate_orders()
    yield from _layers_taken_twice()
    yield from _weights_missing()
    yield from _biases()
    yield from _input_values()
    yield from _input_order()
    yield from _initial_states()


def _ordered(array: str, sources: str) -> Callable[[Inputs], Inputs]:
    """Gate number k gets the columns of ``sources[k]``."""

    def change(inputs: Inputs) -> Inputs:
        values = getattr(inputs, array)
        return replace(inputs, **{array: np.concatenate([values[..., inputs.columns(g)] for g in sources], axis=-1)})

    return change


def _mixed(slots: Sequence[str], sources: str, code: str, name: str) -> Mistake:
    changed = [gate for gate, source in zip(GATES, sources, strict=True) if gate != source]
    changes = {slot: _ordered(ORDERS[slot], sources) for slot in slots}
    return Mistake(code, name, changes, frozenset(changed), {"gates": letters(changed)})


X_LAYER, H_LAYER = ("kernel_order", "bias_order"), ("recurrent_order",)


def _gate_orders() -> Iterator[Mistake]:
    """The layers of two or more gates exchanged, as a whole or in part."""
    right = "".join(GATES)
    for order in itertools.permutations(GATES):
        sources = "".join(order)
        changed = "".join(gate for gate, source in zip(GATES, order, strict=True) if gate != source)
        if not changed:
            continue
        code = SWAPPED.get(changed, "gate_layers_mixed")
        whole = _mixed((*X_LAYER, *H_LAYER), sources, code, f"gates {right} as {sources}")
        yield replace(whole, rare=len(changed) > 2)
        if len(changed) == 2:
            for part, slots in (
                ("x layers", X_LAYER),
                ("h layers", H_LAYER),
                ("x kernels", ("kernel_order",)),
                ("biases", ("bias_order",)),
            ):
                yield _mixed(slots, sources, "gate_layers_mixed", f"{part} {right} as {sources}")


def _layers_taken_twice() -> Iterator[Mistake]:
    """A gate computed with another gate's layer, its own unused: what copying a line and not changing it gives."""
    for gate, other in itertools.permutations(GATES, 2):
        sources = "".join(other if each == gate else each for each in GATES)
        for part, slots in (("x layer", X_LAYER), ("h layer", H_LAYER), ("layers", (*X_LAYER, *H_LAYER))):
            mistake = _mixed(slots, sources, "gate_layers_mixed", f"{gate} has the {part} of {other}")
            yield replace(mistake, params={"gates": letters((gate, other))})


def _scaled(array: str, gates: Sequence[str], factor: float, added: float = 0.0) -> dict[str, Any]:
    def change(gate: str) -> Callable[[Inputs], Inputs]:
        return lambda inputs: inputs.with_columns(array, gate, lambda values: factor * values + added)

    return {f"{array}.{gate}": change(gate) for gate in gates}


SUBSETS = ("i", "f", "g", "o", "ifgo", "ifo")


def _weights_missing() -> Iterator[Mistake]:
    for gates in SUBSETS:
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        changes = _scaled("recurrent", gates, 0.0)
        lost = wrong | RECURRENCE if len(gates) == 4 else wrong
        yield Mistake("recurrent_missing", f"no h layer in {gates}", changes, lost, params)
        if len(gates) < 4:
            changes = _scaled("kernel", gates, 0.0) | _scaled("bias", gates, 0.0)
            yield Mistake("x_not_used", f"no x layer in {gates}", changes, wrong, params)


def _biases() -> Iterator[Mistake]:
    for gates in SUBSETS:
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        yield Mistake("bias_missing", f"no bias in {gates}", _scaled("bias", gates, 0.0), wrong, params)
        yield Mistake("bias_twice", f"bias twice in {gates}", _scaled("bias", gates, 2.0), wrong, params)
    for added in (1.0, 0.5, 2.0, -1.0):
        changes = _scaled("bias", "f", 1.0, added)
        yield Mistake("forget_bias_extra", f"{added:+g} in f", changes, frozenset("f"), {"value": added})


def _on_x(change: Callable[[Array], Array]) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, x=change(inputs.x))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _standardised(x: Array, axis: int | tuple[int, ...]) -> Array:
    return np.asarray((x - x.mean(axis=axis, keepdims=True)) / x.std(axis=axis, keepdims=True))


COMMON_INPUT_VALUES = ("tanh", "sigmoid", "relu", "minus", "twice", "of 255", "standardised")
INPUT_VALUES: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0.0),
    "abs": np.abs,
    "square": np.square,
    "softmax": _softmax,
    "minus": np.negative,
    "twice": lambda x: 2.0 * x,
    "half": lambda x: 0.5 * x,
    "tenth": lambda x: 0.1 * x,
    "of 255": lambda x: x / 255.0,
    "clipped": lambda x: np.clip(x, -1.0, 1.0),
    "clipped to 0..1": lambda x: np.clip(x, 0.0, 1.0),
    "unit length": lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
    "features reversed": lambda x: x[..., ::-1],
    "standardised": lambda x: _standardised(x, (0, 1, 2)),
    "standardised over features": lambda x: _standardised(x, 2),
    "layer norm": lambda x: (x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-3),
    "centred": lambda x: x - x.mean(axis=2, keepdims=True),
    "less the mean": lambda x: x - x.mean(),
    "min-max": lambda x: (x - x.min()) / (x.max() - x.min()),
    "of the largest": lambda x: x / np.abs(x).max(),
    "plus 1": lambda x: x + 1.0,
    "sin": np.sin,
    "exp": np.exp,
}


def _rounding(decimals: int) -> Callable[[Array], Array]:
    return lambda x: np.asarray(np.round(x, decimals))


def _input_values() -> Iterator[Mistake]:
    everything = frozenset("ifgo")
    for name, change in INPUT_VALUES.items():
        rare = name not in COMMON_INPUT_VALUES
        yield Mistake("input_transformed", f"x {name}", {"x_values": _on_x(change)}, everything, rare=rare)
    yield Mistake("x_not_used", "x is 0", {"x_values": _on_x(np.zeros_like)}, everything)
    yield Mistake("x_not_used", "x is 1", {"x_values": _on_x(np.ones_like)}, everything)
    yield Mistake("int_cast", "x as integers", {"x_values": _on_x(np.trunc)}, everything)
    yield Mistake("rounded", "x rounded", {"x_values": _on_x(np.round)}, everything)
    for decimals in (1, 2):
        rounded = _on_x(_rounding(decimals))
        yield Mistake("rounded", f"x to {decimals} decimals", {"x_values": rounded}, everything)
    half = _on_x(lambda x: x.astype(np.float16).astype(x.dtype))
    yield Mistake("low_precision", "x as float16", {"x_values": half}, everything)


def _taken(steps: Callable[[int], Sequence[int]]) -> Callable[[Inputs], Inputs]:
    """x at other steps; a step of -1 before the first is zeros."""

    def change(x: Array) -> Array:
        padded = np.concatenate([x, np.zeros_like(x[:, :1])], axis=1)
        return padded[:, [step if step >= 0 else x.shape[1] for step in steps(x.shape[1])]]

    return _on_x(change)


INPUT_STEPS: tuple[tuple[str, str, Callable[[int], Sequence[int]]], ...] = (
    ("time_reversed", "x backwards", lambda n: range(n - 1, -1, -1)),
    ("off_by_one", "next x, the last twice", lambda n: [min(t + 1, n - 1) for t in range(n)]),
    ("off_by_one", "next x, then zeros", lambda n: [t + 1 if t + 1 < n else -1 for t in range(n)]),
    ("off_by_one", "next x, then the first", lambda n: [(t + 1) % n for t in range(n)]),
    ("off_by_one", "previous x, first the last", lambda n: [(t - 1) % n for t in range(n)]),
    ("off_by_one", "previous x, first zeros", lambda n: [t - 1 for t in range(n)]),
    ("off_by_one", "previous x, the first twice", lambda n: [max(t - 1, 0) for t in range(n)]),
    ("always_first_step", "x of step 0", lambda n: [0] * n),
    ("always_same_step", "x of the last step", lambda n: [n - 1] * n),
    ("always_same_step", "x of step 1", lambda n: [1] * n),
    ("step_two", "x of even steps, each twice", lambda n: [t - t % 2 for t in range(n)]),
    ("step_two", "x of even steps, cyclic", lambda n: [2 * t % n for t in range(n)]),
)


def _as_batch(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x.swapaxes(0, 1))


def _input_order() -> Iterator[Mistake]:
    for code, name, steps in INPUT_STEPS:
        yield Mistake(code, name, {"x_time": _taken(steps)}, RECURRENCE)

    def cut_anew(x: Array) -> Array:
        return x.reshape(x.shape[1], x.shape[0], x.shape[2]).swapaxes(0, 1)

    yield Mistake("reshape_not_transpose", "x cut anew", {"x_time": _on_x(cut_anew)}, RECURRENCE)
    back = {"layout": lambda y, x: y.swapaxes(1, 2)}
    yield Mistake("loops_over_batch", "state along the batch", {"x_time": _as_batch, **back}, RECURRENCE)
    for code, name, change in (
        ("batch_zero_only", "first row for all", lambda x: np.repeat(x[:1], len(x), axis=0)),
        ("batch_zero_only", "last row for all", lambda x: np.repeat(x[-1:], len(x), axis=0)),
        ("batch_mixed", "mean row for all", lambda x: np.repeat(x.mean(0, keepdims=True), len(x), axis=0)),
        ("batch_mixed", "rows backwards", lambda x: x[::-1]),
        ("batch_mixed", "less the mean row", lambda x: x - x.mean(0, keepdims=True)),
    ):
        yield Mistake(code, name, {"x_batch": _on_x(change)}, RECURRENCE)


def _initial_states() -> Iterator[Mistake]:
    def filled(state: str, value: float) -> Callable[[Inputs], Inputs]:
        return lambda inputs: replace(inputs, **{state: np.full_like(getattr(inputs, state), value)})

    for value in (1.0, 0.01, 0.1, 0.5, -1.0):
        code = "state_init_ones" if value == 1.0 else "state_init_not_zero"
        for states in ("h", "c", "hc"):
            changes = {f"initial_{state}": filled(state, value) for state in states}
            params = {"state": ", ".join(states), "value": value}
            rare = value in (0.5, -1.0)
            yield Mistake(code, f"{states} starts at {value:g}", changes, RECURRENCE, params, rare=rare)
    first = {"initial_h": lambda inputs: replace(inputs, h=_first_input(inputs))}
    yield Mistake("state_init_not_zero", "h starts as x", first, RECURRENCE, {"state": "h"})


def _first_input(inputs: Inputs) -> Array:
    """x of step 0, repeated or cut to the number of units."""
    return np.resize(inputs.x[:, 0].T, (inputs.units, inputs.x.shape[0])).T
