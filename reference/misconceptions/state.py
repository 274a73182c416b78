"""Mistakes in what a step does with its gates: the update of c, the output h, and what goes on to the next step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from reference.misconceptions.computation import Array, Moment, sigmoid
from reference.misconceptions.mistake import Mistake

RECURRENCE = frozenset({"recurrence"})
Formula = Callable[[Moment], Array]
Change = Callable[[Array], Array]
#: The moment and the first h and c to the next step's h and c.
PassOn = Callable[[Moment, Array, Array], tuple[Array, Array]]


def state_mistakes() -> Iterator[Mistake]:
    yield from _passed_on()
    yield from _updates()
    yield from _outputs()
    yield from _kept()
    yield from _collected()
    yield from _other_cells()


def _wrong(parts: str) -> frozenset[str]:
    return frozenset("recurrence" if part == "r" else part for part in parts)


def _transposed(array: Array) -> Array:
    return array.swapaxes(-1, -2)


#: code, formula as the student would write it, the parts it spoils, and the formula.
UPDATES: tuple[tuple[str, str, str, Formula], ...] = (
    ("c_grouping", "c = f*(c + i*g)", "ir", lambda m: m.f * (m.c + m.i * m.g)),
    ("c_grouping", "c = i*(f*c + g)", "fr", lambda m: m.i * (m.f * m.c + m.g)),
    ("c_grouping", "c = (f*c + i)*g", "gr", lambda m: (m.f * m.c + m.i) * m.g),
    ("c_grouping", "c = f*(c + i)*g", "igr", lambda m: m.f * (m.c + m.i) * m.g),
    ("c_grouping", "c = (f + i)*(c + g)", "ifr", lambda m: (m.f + m.i) * (m.c + m.g)),
    ("c_grouping", "c = f*i*(c + g)", "ifr", lambda m: m.f * m.i * (m.c + m.g)),
    ("c_grouping", "c = f*(c + g)", "ir", lambda m: m.f * (m.c + m.g)),
    ("c_grouping", "c = i*(c + g)", "fr", lambda m: m.i * (m.c + m.g)),
    ("c_sign", "c = f*c - i*g", "ir", lambda m: m.f * m.c - m.i * m.g),
    ("c_sign", "c = i*g - f*c", "fr", lambda m: m.i * m.g - m.f * m.c),
    ("coupled_gate", "c = f*c + (1 - f)*g", "i", lambda m: m.f * m.c + (1 - m.f) * m.g),
    ("coupled_gate", "c = (1 - i)*c + i*g", "f", lambda m: (1 - m.i) * m.c + m.i * m.g),
    ("coupled_gate", "c = (1 - f)*c + f*g", "if", lambda m: (1 - m.f) * m.c + m.f * m.g),
    ("coupled_gate", "c = (1 - f)*c + i*g", "f", lambda m: (1 - m.f) * m.c + m.i * m.g),
    ("coupled_gate", "c = f*c + (1 - i)*g", "i", lambda m: m.f * m.c + (1 - m.i) * m.g),
    ("coupled_gate", "c = i*c + (1 - i)*g", "if", lambda m: m.i * m.c + (1 - m.i) * m.g),
    ("c_sum_not_product", "c = f + c + i*g", "fr", lambda m: m.f + m.c + m.i * m.g),
    ("c_sum_not_product", "c = f*c + i + g", "ir", lambda m: m.f * m.c + m.i + m.g),
    ("c_sum_not_product", "c = f + c + i + g", "ifr", lambda m: m.f + m.c + m.i + m.g),
    ("c_sum_not_product", "c = (f + c)*(i + g)", "ifr", lambda m: (m.f + m.c) * (m.i + m.g)),
    ("c_sum_not_product", "c = (f + c)*i*g", "fr", lambda m: (m.f + m.c) * m.i * m.g),
    ("c_sum_not_product", "c = f*c*(i + g)", "ir", lambda m: m.f * m.c * (m.i + m.g)),
    ("forget_term_missing", "c = i*g", "fr", lambda m: m.i * m.g),
    ("forget_term_missing", "c = c + i*g", "f", lambda m: m.c + m.i * m.g),
    ("forget_term_missing", "c = c + f*c + i*g", "f", lambda m: m.c + m.f * m.c + m.i * m.g),
    ("input_gate_missing", "c = f*c + g", "i", lambda m: m.f * m.c + m.g),
    ("input_gate_missing", "c = c + g", "if", lambda m: m.c + m.g),
    ("c_as_candidate", "c = f*c + i*c", "gr", lambda m: m.f * m.c + m.i * m.c),
    ("c_as_candidate", "c = f*g + i*g", "fr", lambda m: m.f * m.g + m.i * m.g),
    ("c_as_candidate", "c = f*g + i*c", "fgr", lambda m: m.f * m.g + m.i * m.c),
    ("hc_swapped", "c = f*h + i*g", "fr", lambda m: m.f * m.h + m.i * m.g),
    ("tanh_on_state", "c = f*tanh(c) + i*g", "r", lambda m: m.f * np.tanh(m.c) + m.i * m.g),
    ("double_activation", "c = f*c + i*tanh(g)", "g", lambda m: m.f * m.c + m.i * np.tanh(m.g)),
    ("extra_activation", "c = f*c + tanh(i*g)", "ir", lambda m: m.f * m.c + np.tanh(m.i * m.g)),
    ("peephole", "c = f*c + i*g*c", "gr", lambda m: m.f * m.c + m.i * m.g * m.c),
    (
        "matmul_instead_of_elementwise",
        "c = (f @ c.T) @ c + i*g",
        "fr",
        lambda m: m.f @ _transposed(m.c) @ m.c + m.i * m.g,
    ),
    (
        "matmul_instead_of_elementwise",
        "c = f*c + (i @ g.T) @ g",
        "ir",
        lambda m: m.f * m.c + m.i @ _transposed(m.g) @ m.g,
    ),
    (
        "matmul_instead_of_elementwise",
        "c = (f @ c.T) @ c + (i @ g.T) @ g",
        "ifr",
        lambda m: m.f @ _transposed(m.c) @ m.c + m.i @ _transposed(m.g) @ m.g,
    ),
    (
        "matmul_instead_of_elementwise",
        "c = f @ (f.T @ c) + i*g",
        "fr",
        lambda m: m.f @ (_transposed(m.f) @ m.c) + m.i * m.g,
    ),
    (
        "matmul_instead_of_elementwise",
        "c = f*c + i @ (i.T @ g)",
        "ir",
        lambda m: m.f * m.c + m.i @ (_transposed(m.i) @ m.g),
    ),
    (
        "matmul_instead_of_elementwise",
        "c = c @ (c.T @ f) + i*g",
        "fr",
        lambda m: m.c @ (_transposed(m.c) @ m.f) + m.i * m.g,
    ),
    (
        "matmul_instead_of_elementwise",
        "c = sum(f*c) + i*g",
        "fr",
        lambda m: (m.f * m.c).sum(-1, keepdims=True) + m.i * m.g,
    ),
    ("gates_swapped_co", "c = f*c + i*o, h = g*tanh(c)", "go", lambda m: m.f * m.c + m.i * m.o),
    ("gate_layers_mixed", "c = g*c + i*f", "fg", lambda m: m.g * m.c + m.i * m.f),
)


def _updates() -> Iterator[Mistake]:
    for code, name, parts, formula in UPDATES:
        changes: dict[str, Any] = {"update": formula}
        if code == "gates_swapped_co":
            changes["show"] = lambda m: m.g * np.tanh(m.new_c)
        yield Mistake(code, name, changes, _wrong(parts))


OUTPUTS: tuple[tuple[str, str, Formula], ...] = (
    ("no_tanh_output", "h = o*c", lambda m: m.o * m.new_c),
    ("sigmoid_output", "h = o*sigmoid(c)", lambda m: m.o * sigmoid(m.new_c)),
    ("double_tanh", "h = o*tanh(tanh(c))", lambda m: m.o * np.tanh(np.tanh(m.new_c))),
    ("tanh_of_product", "h = tanh(o*c)", lambda m: np.tanh(m.o * m.new_c)),
    ("extra_activation", "h = tanh(o*tanh(c))", lambda m: np.tanh(m.o * np.tanh(m.new_c))),
    ("extra_activation", "h = sigmoid(o*tanh(c))", lambda m: sigmoid(m.o * np.tanh(m.new_c))),
    ("extra_activation", "h = relu(o*tanh(c))", lambda m: np.maximum(m.o * np.tanh(m.new_c), 0.0)),
    ("output_gate_missing", "h = tanh(c)", lambda m: np.tanh(m.new_c)),
    ("output_gate_missing", "h = c", lambda m: m.new_c),
    ("old_c_in_output", "h = o*tanh(old c)", lambda m: m.o * np.tanh(m.c)),
    ("c_as_candidate", "h = o*tanh(g)", lambda m: m.o * np.tanh(m.g)),
    ("c_as_candidate", "h = o*g", lambda m: m.o * m.g),
    ("c_sum_not_product", "h = o + tanh(c)", lambda m: m.o + np.tanh(m.new_c)),
    ("coupled_gate", "h = (1 - o)*tanh(c)", lambda m: (1 - m.o) * np.tanh(m.new_c)),
    ("forget_term_missing", "h = o*tanh(i*g)", lambda m: m.o * np.tanh(m.i * m.g)),
    ("c_sign", "h = -o*tanh(c)", lambda m: -m.o * np.tanh(m.new_c)),
    ("matmul_instead_of_elementwise", "h = (o @ t.T) @ t", lambda m: _thrice(m.o, np.tanh(m.new_c))),
    ("matmul_instead_of_elementwise", "h = o @ (o.T @ t)", lambda m: m.o @ (_transposed(m.o) @ np.tanh(m.new_c))),
)


def _thrice(gate: Array, value: Array) -> Array:
    return gate @ _transposed(value) @ value


def _outputs() -> Iterator[Mistake]:
    for code, name, formula in OUTPUTS:
        yield Mistake(code, name, {"show": formula}, frozenset("o"))
    first_i = {"show": lambda m: m.i * np.tanh(m.new_c)}
    yield Mistake("gate_layers_mixed", "h = i*tanh(c)", first_i, frozenset("o"), {"gates": ["O", "I"]})
    first_f = {"show": lambda m: m.f * np.tanh(m.new_c)}
    yield Mistake("gate_layers_mixed", "h = f*tanh(c)", first_f, frozenset("o"), {"gates": ["O", "F"]})


def as_float16(array: Array) -> Array:
    return array.astype(np.float16).astype(array.dtype)


def as_bfloat16(array: Array) -> Array:
    """Rounded to 8 bits of mantissa, ties to even, as a cast to bfloat16 and back."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.where(np.isfinite(array), rounded.astype(np.uint32).view(np.float32), array).astype(array.dtype)


def _same(array: Array) -> Array:
    return array


def _passed(on_h: Change, on_c: Change) -> PassOn:
    """h and c are changed on their way to the next step."""
    return lambda m, h, c: (on_h(m.new_h), on_c(m.new_c))


def _cast_output(cast: Change) -> Formula:
    return lambda m: cast(m.o * np.tanh(m.new_c))


def _kept() -> Iterator[Mistake]:
    """What becomes of the new c before anything else uses it."""
    for low, high in ((-1, 1), (-0.5, 0.5), (-2, 2), (-3, 3), (0, 1), (0, np.inf)):
        clip = functools.partial(np.clip, a_min=low, a_max=high)
        params = {"low": float(low), "high": float(high) if np.isfinite(high) else None}
        rare = low not in (-1, 0)
        changes = {"keep": clip}
        yield Mistake("state_clipped", f"c within {low:g}..{high:g}", changes, RECURRENCE, params, rare=rare)
        later = {"pass_on": _passed(_same, clip)}
        name = f"c within {low:g}..{high:g} from step to step"
        yield Mistake("state_clipped", name, later, RECURRENCE, params, rare=rare)
    yield Mistake("tanh_on_state", "c = tanh(c)", {"keep": np.tanh}, RECURRENCE)
    bare: dict[str, Any] = {"keep": np.tanh, "show": lambda m: m.o * m.new_c}
    yield Mistake("tanh_on_state", "c = tanh(c), h = o*c", bare, RECURRENCE)
    yield Mistake("tanh_on_state", "c = sigmoid(c)", {"keep": sigmoid}, RECURRENCE)
    for factor in (0.5, 2.0):
        changes = {"keep": functools.partial(np.multiply, factor)}
        yield Mistake("scaled", f"c times {factor:g}", changes, RECURRENCE, {"factor": factor})
    for name, cast, quantum in (("float16", as_float16, 1e-3), ("bfloat16", as_bfloat16, 8e-3)):
        h_too = {"keep": cast, "show": _cast_output(cast)}
        yield Mistake("low_precision", f"h and c as {name}", h_too, RECURRENCE, {"dtype": name}, quantum)
        yield Mistake("low_precision", f"c as {name}", {"keep": cast}, RECURRENCE, {"dtype": name}, quantum)
        passed = {"pass_on": _passed(cast, cast)}
        yield Mistake("low_precision", f"{name} from step to step", passed, RECURRENCE, {"dtype": name}, quantum)
    for decimals in (1, 2, 3):
        changes = {"keep": functools.partial(np.round, decimals=decimals)}
        quantum = 10.0**-decimals
        yield Mistake("rounded", f"c to {decimals} decimals", changes, RECURRENCE, {"decimals": decimals}, quantum)
    mean: dict[str, Any] = {"keep": lambda c: np.broadcast_to(c.mean(-2, keepdims=True), c.shape)}
    yield Mistake("batch_mixed", "mean of c over the batch", mean, RECURRENCE)
    normal = {"keep": _layer_norm}
    yield Mistake("layer_norm", "layer norm of c", normal, RECURRENCE)


def _layer_norm(array: Array) -> Array:
    centred = array - array.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt(array.var(-1, keepdims=True) + 1e-3))


def _collected() -> Iterator[Mistake]:
    for code, name, formula in (
        ("returns_c", "c collected", lambda m: m.new_c),
        ("returns_c", "tanh(c) collected", lambda m: np.tanh(m.new_c)),
        ("off_by_one", "old h collected", lambda m: m.h),
        ("residual", "h + c collected", lambda m: m.new_h + m.new_c),
        ("residual", "h + old h collected", lambda m: m.new_h + m.h),
    ):
        yield Mistake(code, name, {"collect": formula}, RECURRENCE)


PASSED_ON: tuple[tuple[str, str, PassOn], ...] = (
    ("hc_swapped", "cell(x, c, h)", lambda m, h, c: (m.new_c, m.new_h)),
    ("hc_swapped", "c = h from step to step", lambda m, h, c: (m.new_h, m.new_h)),
    ("hc_swapped", "h = c from step to step", lambda m, h, c: (m.new_c, m.new_c)),
    ("h_not_updated", "h stays", lambda m, h, c: (h, m.new_c)),
    ("c_not_updated", "c stays", lambda m, h, c: (m.new_h, c)),
    ("state_reset_each_step", "h and c stay", lambda m, h, c: (h, c)),
    ("batch_mixed", "mean of h over the batch", lambda m, h, c: (_batch_mean(m.new_h), m.new_c)),
    ("batch_mixed", "means of h and c", lambda m, h, c: (_batch_mean(m.new_h), _batch_mean(m.new_c))),
    ("batch_mixed", "rows moved on", lambda m, h, c: (np.roll(m.new_h, 1, -2), np.roll(m.new_c, 1, -2))),
    ("batch_zero_only", "state of the first row", lambda m, h, c: (_first_row(m.new_h), _first_row(m.new_c))),
    ("scaled", "h halved from step to step", lambda m, h, c: (0.5 * m.new_h, m.new_c)),
    ("residual", "h + old h from step to step", lambda m, h, c: (m.new_h + m.h, m.new_c)),
    ("extra_activation", "tanh(h) from step to step", lambda m, h, c: (np.tanh(m.new_h), m.new_c)),
    ("tanh_on_state", "tanh(c) from step to step, h too", lambda m, h, c: (np.tanh(m.new_h), np.tanh(m.new_c))),
    ("c_sign", "-h from step to step", lambda m, h, c: (-m.new_h, m.new_c)),
)


def _batch_mean(array: Array) -> Array:
    return np.broadcast_to(array.mean(-2, keepdims=True), array.shape)


def _first_row(array: Array) -> Array:
    return np.broadcast_to(array[..., :1, :], array.shape)


def _passed_on() -> Iterator[Mistake]:
    for code, name, choice in PASSED_ON:
        yield Mistake(code, name, {"pass_on": choice}, RECURRENCE)
    returned = {"pass_on": PASSED_ON[0][2], "collect": _new_c}
    yield Mistake("hc_swapped", "c, h = cell(x, h, c)", returned, RECURRENCE)
    for name, call in (
        ("h first, then c with the new h", _h_then_c),
        ("c first, then h with the new c", _c_then_h),
        ("twice in a row", _twice),
        ("twice, the first one collected", _twice_first_collected),
    ):
        yield Mistake("cell_called_twice", name, {"calls": call}, RECURRENCE)


def _new_c(moment: Moment) -> Array:
    return moment.new_c


def _h_then_c(step: Any, z: Array, x: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, x, h, c)
    first.new_c = step(z, x, first.new_h, c).new_c
    return first


def _c_then_h(step: Any, z: Array, x: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, x, h, c)
    first.new_h = step(z, x, h, first.new_c).new_h
    return first


def _twice(step: Any, z: Array, x: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, x, h, c)
    second: Moment = step(z, x, first.new_h, first.new_c)
    second.h, second.c = h, c
    return second


def _twice_first_collected(step: Any, z: Array, x: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, x, h, c)
    first.new_c = step(z, x, first.new_h, first.new_c).new_c
    return first


def _other_cells() -> Iterator[Mistake]:
    """Another cell under the name of an LSTM."""

    def gru(update: str, reset: str, keeps_old: bool, reset_inside: bool) -> Any:
        def call(step: Any, z: Array, x: Array, h: Array, c: Array) -> Moment:
            moment: Moment = step(z, x, h, c)
            share, scaled = getattr(moment, update), getattr(moment, reset)
            units = h.shape[-1]
            kernel = step._recurrent[..., 2 * units : 3 * units]
            through = (scaled * h) @ kernel if reset_inside else scaled * (h @ kernel)
            candidate = np.tanh(z[..., 2 * units : 3 * units] + through)
            old = share if keeps_old else 1 - share
            moment.new_h, moment.new_c = old * h + (1 - old) * candidate, c
            return moment

        return call

    everything = frozenset({"o", "recurrence", "f", "i", "g"})
    for update, reset in (("i", "f"), ("f", "i"), ("i", "o"), ("f", "o"), ("o", "f"), ("o", "i")):
        for keeps_old in (True, False):
            for inside in (True, False):
                name = f"GRU: update {update}, reset {reset}, z{'' if keeps_old else '-'}, r{'' if inside else '+'}"
                yield _cell("gru", name, gru(update, reset, keeps_old, inside), everything)
    yield _cell("simple_rnn", "h = tanh(g)", lambda step, z, x, h, c: _simple(step(z, x, h, c)), everything)
    bare = {"update": lambda m: m.c, "show": lambda m: m.g}
    yield Mistake("simple_rnn", "h = g", bare, everything - {"g"})


def _simple(moment: Moment) -> Moment:
    moment.new_h, moment.new_c = np.tanh(moment.g), moment.c
    return moment


def _cell(code: str, name: str, call: Any, wrong: frozenset[str]) -> Mistake:
    changes = {"calls": call, "update": None, "show": None}
    return Mistake(code, name, changes, wrong, rare=code == "gru")
