"""Mistakes in the inputs: weights of another gate, biases, the input and the initial state."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.lstm.misconceptions.computation import Array, Inputs
from reference.lstm.misconceptions.mistake import RECURRENCE, Mistake
from reference.lstm.weights import DENSE_LETTERS, GATES

SWAPPED = {"if": "gates_swapped_if", "io": "gates_swapped_io", "fo": "gates_swapped_fo", "go": "gates_swapped_co"}


def letters(gates: Sequence[str]) -> list[str]:
    """Return gates by the exercise's names."""
    return [DENSE_LETTERS[gate] for gate in gates]


def input_mistakes() -> Iterator[Mistake]:
    yield from _gate_orders()
    yield from _layers_taken_twice()
    yield from _weights_missing()
    yield from _biases()
    yield from _input_order()
    yield from _initial_states()


X_LAYER, H_LAYER = ("kernel", "bias"), ("recurrent",)


LAYERS = (("x layer", X_LAYER), ("h layer", H_LAYER), ("layers", (*X_LAYER, *H_LAYER)), ("bias", ("bias",)))


def _mixed(arrays: Sequence[str], sources: Mapping[str, str], code: str, name: str) -> Mistake:
    """Give some gates the columns that belong to others: gate -> the gate whose columns it gets."""
    changes = {f"{array}_of.{gate}": source for array in arrays for gate, source in sources.items()}
    gates = sorted({*sources, *sources.values()}, key=GATES.index)
    return Mistake(code, name, changes, frozenset(sources), {"gates": letters(gates)})


def _gate_orders() -> Iterator[Mistake]:
    """Yield exchanges of gates' layers. Two exchanges at once are a pair of mistakes."""
    parts = (
        ("layers", (*X_LAYER, *H_LAYER)),
        ("x layers", X_LAYER),
        ("h layers", H_LAYER),
        ("x kernels", ("kernel",)),
        ("biases", ("bias",)),
    )
    for one, other in itertools.combinations(GATES, 2):
        for part, arrays in parts:
            code = SWAPPED.get(one + other, "gate_layers_mixed") if part == "layers" else "gate_layers_mixed"
            yield _mixed(arrays, {one: other, other: one}, code, f"{part} of {one} and {other} exchanged")
    for order in itertools.permutations(GATES):
        sources = {gate: source for gate, source in zip(GATES, order, strict=True) if gate != source}
        cycle = len(sources) == 3 or (len(sources) == 4 and all(sources[sources[gate]] != gate for gate in sources))
        if cycle:
            for part, arrays in parts[:3]:
                yield _mixed(
                    arrays,
                    sources,
                    "gate_layers_mixed",
                    f"{part} of {''.join(sources)} from {''.join(sources.values())}",
                )


def _layers_taken_twice() -> Iterator[Mistake]:
    """Yield gates that use another gate's layer, their own unused: a line copied and not changed."""
    for gate, other in itertools.permutations(GATES, 2):
        for part, arrays in LAYERS:
            mistake = _mixed(arrays, {gate: other}, "gate_layers_mixed", f"{gate} has the {part} of {other}")
            yield replace(mistake, params={"gates": letters([gate]), "taken": letters([other])})
    for other in GATES:
        sources = {gate: other for gate in GATES if gate != other}
        for part, arrays in LAYERS:
            mistake = _mixed(arrays, sources, "gate_layers_mixed", f"all have the {part} of {other}")
            yield replace(mistake, params={"gates": letters(list(sources)), "taken": letters([other])})


def _scaled(array: str, gates: Sequence[str], factor: float) -> dict[str, Any]:
    def change(gate: str) -> Callable[[Inputs], Inputs]:
        return lambda inputs: inputs.with_columns(array, gate, lambda values: factor * values)

    return {f"{array}.{gate}": change(gate) for gate in gates}


SUBSETS = ("i", "f", "g", "o", "ifgo", "ifo")


def _weights_missing() -> Iterator[Mistake]:
    for gates in SUBSETS:
        wrong, params = frozenset(gates), {"gates": letters(gates)}
        changes = _scaled("recurrent", gates, 0.0)
        lost = wrong | RECURRENCE if len(gates) == 4 else wrong
        idle = frozenset(f"recurrent_kernel {gate}" for gate in gates)
        yield Mistake("recurrent_missing", f"no h layer in {gates}", changes, lost, params, idle=idle)
        # Not in g: it would always be 0, and so would the answer.
        if "g" not in gates:
            changes = _scaled("kernel", gates, 0.0) | _scaled("bias", gates, 0.0)
            yield Mistake("x_not_used", f"no x layer in {gates}", changes, wrong, params)


def _biases() -> Iterator[Mistake]:
    for gates in ("".join(some) for count in range(1, 5) for some in itertools.combinations(GATES, count)):
        missing = _scaled("bias", gates, 0.0)
        yield Mistake("bias_missing", f"no bias in {gates}", missing, frozenset(gates), {"gates": letters(gates)})
    for gates in SUBSETS:
        twice = _scaled("bias", gates, 2.0)
        yield Mistake("bias_twice", f"bias twice in {gates}", twice, frozenset(gates), {"gates": letters(gates)})
    for added in (1.0, 0.5, 2.0, -1.0):
        changes = {"forget_bias": _with_forget_bias(added)}
        yield Mistake("forget_bias_extra", f"{added:+g} in f", changes, frozenset("f"), {"value": added})


def _with_forget_bias(added: float) -> Callable[[Inputs], Inputs]:
    return lambda inputs: inputs.with_columns("bias", "f", lambda values: values + added)


def on_x(change: Callable[[Array], Array]) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, x=change(inputs.x))


def _at_steps(steps: Callable[[int], Sequence[int]]) -> Callable[[Inputs], Inputs]:
    """Take x at other steps; a step of -1 before the first is zeros."""

    def change(x: Array) -> Array:
        padded = np.concatenate([x, np.zeros_like(x[:, :1])], axis=1)
        return padded[:, [step if step >= 0 else x.shape[1] for step in steps(x.shape[1])]]

    return on_x(change)


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


#: The x of a step, as a student would write it, from all of ``(batch, timesteps, features)``.
MIXED_STEPS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("x[:, 0] + ... + x[:, t]", lambda x: x.cumsum(1)),
    ("(x[:, 0] + ... + x[:, t]) / (t + 1)", lambda x: x.cumsum(1) / np.arange(1, x.shape[1] + 1)[:, None]),
    ("reduce_mean(x, axis=1)", lambda x: np.broadcast_to(x.mean(1, keepdims=True), x.shape)),
    ("reduce_sum(x, axis=1)", lambda x: np.broadcast_to(x.sum(1, keepdims=True), x.shape)),
    ("x[:, t] + x[:, t - 1]", lambda x: x + _previous(x)),
    ("x[:, t] - x[:, t - 1]", lambda x: x - _previous(x)),
    ("(x[:, t] + x[:, t - 1]) / 2", lambda x: (x + _previous(x)) / 2),
)


def _previous(x: Array) -> Array:
    return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def _as_batch(inputs: Inputs) -> Inputs:
    rows = inputs.x.shape[1]
    states = {name: np.repeat(getattr(inputs, name)[:1], rows, axis=0) for name in ("h", "c")}
    return replace(inputs, x=inputs.x.swapaxes(0, 1), **states)


def _one_after_another(inputs: Inputs) -> Inputs:
    x = inputs.x.reshape(1, -1, inputs.x.shape[-1])
    return replace(inputs, x=x, h=inputs.h[:1], c=inputs.c[:1])


def _row_after_row(inputs: Inputs) -> Inputs:
    return _one_after_another(replace(inputs, x=inputs.x.swapaxes(0, 1)))


def _rows_apart(y: Array, x: Array) -> Array:
    return y.reshape(len(y), x.shape[1], len(x), -1).swapaxes(1, 2)


def _input_order() -> Iterator[Mistake]:
    for code, name, steps in INPUT_STEPS:
        slot = "x_time" if code == "time_reversed" else "x_step"
        yield Mistake(code, name, {slot: _at_steps(steps)}, RECURRENCE)

    for formula, mix in MIXED_STEPS:
        params = {"variant": "steps", "formula": formula}
        yield Mistake("input_transformed", f"{formula} for x[:, t]", {"x_step": on_x(mix)}, RECURRENCE, params)

    def cut_anew(x: Array) -> Array:
        return x.reshape(x.shape[1], x.shape[0], x.shape[2]).swapaxes(0, 1)

    yield Mistake("reshape_not_transpose", "x cut anew", {"x_time": on_x(cut_anew)}, RECURRENCE)
    back = {"layout": lambda y, x: y.swapaxes(1, 2)}
    yield Mistake("loops_over_batch", "state along the batch", {"x_time": _as_batch, **back}, RECURRENCE)
    carried = {"x_time": _one_after_another, "layout": lambda y, x: y.reshape(len(y), *x.shape[:2], -1)}
    yield Mistake("batch_mixed", "each row from the state of the one before", carried, RECURRENCE)
    handed_on = {"x_time": _row_after_row, "layout": _rows_apart}
    yield Mistake("batch_mixed", "each row from the state of the one before in every step", handed_on, RECURRENCE)
    for code, name, change in (
        ("batch_zero_only", "first row for all", lambda x: np.repeat(x[:1], len(x), axis=0)),
        ("batch_zero_only", "last row for all", lambda x: np.repeat(x[-1:], len(x), axis=0)),
        ("batch_mixed", "mean row for all", lambda x: np.repeat(x.mean(0, keepdims=True), len(x), axis=0)),
        ("batch_mixed", "rows backwards", lambda x: x[::-1]),
        ("batch_mixed", "less the mean row", lambda x: x - x.mean(0, keepdims=True)),
    ):
        yield Mistake(code, name, {"x_batch": on_x(change)}, RECURRENCE)


def _initial_states() -> Iterator[Mistake]:
    def filled(state: str, value: float) -> Callable[[Inputs], Inputs]:
        return lambda inputs: replace(inputs, **{state: np.full_like(getattr(inputs, state), value)})

    for value in (1.0, 0.01, 0.1, 0.5, -1.0):
        code = "state_init_ones" if value == 1.0 else "state_init_not_zero"
        for states in ("h", "c", "hc"):
            changes = {f"initial_{state}": filled(state, value) for state in states}
            params = {"state": ", ".join(states), "value": value}
            yield Mistake(code, f"{states} starts at {value:g}", changes, RECURRENCE, params)
    first = {"initial_h": lambda inputs: replace(inputs, h=_first_input(inputs))}
    yield Mistake("state_init_not_zero", "h starts as x", first, RECURRENCE, {"state": "h"})


def _first_input(inputs: Inputs) -> Array:
    """Return x of step 0, repeated or cut to the number of units."""
    return np.resize(inputs.x[:, 0].T, (inputs.units, inputs.x.shape[0])).T
