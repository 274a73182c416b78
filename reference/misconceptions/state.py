"""Mistakes in a step's use of its gates: the update of c and the output h."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from reference.misconceptions.computation import Array, Moment
from reference.misconceptions.mistake import Mistake
from reference.oracle import sigmoid

Formula = Callable[[Moment], Array]


def state_mistakes() -> Iterator[Mistake]:
    yield from _updates()
    yield from _outputs()


def _wrong(parts: str) -> frozenset[str]:
    return frozenset("recurrence" if part == "r" else part for part in parts)


def _transposed(array: Array) -> Array:
    return array.swapaxes(-1, -2)


#: code, formula as the student would write it, the parts it spoils, and the formula as a function.
UPDATES: tuple[tuple[str, str, str, Formula], ...] = (
    ("c_grouping", "c = f*(c + i*g)", "ir", lambda m: m.f * (m.c + m.i * m.g)),
    ("c_grouping", "c = i*(f*c + g)", "fr", lambda m: m.i * (m.f * m.c + m.g)),
    ("c_grouping", "c = (f*c + i)*g", "gr", lambda m: (m.f * m.c + m.i) * m.g),
    ("c_grouping", "c = f*(c + i)*g", "igr", lambda m: m.f * (m.c + m.i) * m.g),
    ("c_grouping", "c = (f + i)*(c + g)", "ifr", lambda m: (m.f + m.i) * (m.c + m.g)),
    ("c_grouping", "c = f*i*(c + g)", "ifr", lambda m: m.f * m.i * (m.c + m.g)),
    ("c_grouping", "c = f*c*i + g", "ir", lambda m: m.f * m.c * m.i + m.g),
    ("c_grouping", "c = f*(c + g)", "ir", lambda m: m.f * (m.c + m.g)),
    ("c_grouping", "c = i*(c + g)", "fr", lambda m: m.i * (m.c + m.g)),
    ("c_grouping", "c = f*i*g", "ifr", lambda m: m.f * m.i * m.g),
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
    ("c_sum_not_product", "c = f + i*g", "fr", lambda m: m.f + m.i * m.g),
    ("c_sum_not_product", "c = f + i + g", "ifr", lambda m: m.f + m.i + m.g),
    ("c_sum_not_product", "c = f*(i + g)", "ifr", lambda m: m.f * (m.i + m.g)),
    ("other_formula", "c = (f*c + i*g)/(f + i)", "ifr", lambda m: (m.f * m.c + m.i * m.g) / (m.f + m.i)),
    ("other_formula", "c = f*c + i*g*o", "ir", lambda m: m.f * m.c + m.i * m.g * m.o),
    ("other_formula", "c = f*c*o + i*g", "fr", lambda m: m.f * m.c * m.o + m.i * m.g),
    ("other_formula", "c = o*(f*c + i*g)", "ifr", lambda m: m.o * (m.f * m.c + m.i * m.g)),
    ("other_formula", "c = f*c + i*g + h", "r", lambda m: m.f * m.c + m.i * m.g + m.h),
    ("other_formula", "c = f*c + i*(g + h)", "ir", lambda m: m.f * m.c + m.i * (m.g + m.h)),
    ("other_formula", "c = g*c + i*f", "ifgr", lambda m: m.g * m.c + m.i * m.f),
    ("forget_term_missing", "c = i*g", "fr", lambda m: m.i * m.g),
    ("forget_term_missing", "c = c + i*g", "f", lambda m: m.c + m.i * m.g),
    ("forget_term_missing", "c = c + f*c + i*g", "f", lambda m: m.c + m.f * m.c + m.i * m.g),
    ("input_gate_missing", "c = f*c + g", "i", lambda m: m.f * m.c + m.g),
    ("input_gate_missing", "c = c + g", "if", lambda m: m.c + m.g),
    ("c_as_candidate", "c = f*c + i*c + g", "ir", lambda m: m.f * m.c + m.i * m.c + m.g),
    ("c_as_candidate", "c = f*g + i*g", "fr", lambda m: m.f * m.g + m.i * m.g),
    ("hc_swapped", "c = f*h + i*g", "fr", lambda m: m.f * m.h + m.i * m.g),
    ("tanh_on_state", "c = f*tanh(c) + i*g", "r", lambda m: m.f * np.tanh(m.c) + m.i * m.g),
    ("extra_activation", "c = f*c + tanh(i*g)", "ir", lambda m: m.f * m.c + np.tanh(m.i * m.g)),
    ("extra_activation", "c = f*sigmoid(c) + i*g", "r", lambda m: m.f * sigmoid(m.c) + m.i * m.g),
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
)


def _formula(code: str, name: str) -> dict[str, str]:
    """Return the parameters of a formula that has no name of its own."""
    return {"formula": name, "variant": name[0]} if code == "other_formula" else {}


def _updates() -> Iterator[Mistake]:
    for code, name, parts, formula in UPDATES:
        idle = frozenset({"kernel f"} if name == "c = i*g" else ())
        yield Mistake(code, name, {"update": formula}, _wrong(parts), _formula(code, name), idle=idle)


OUTPUTS: tuple[tuple[str, str, Formula], ...] = (
    ("no_tanh_output", "h = o*c", lambda m: m.o * m.new_c),
    ("sigmoid_output", "h = o*sigmoid(c)", lambda m: m.o * sigmoid(m.new_c)),
    ("sigmoid_output", "h = sigmoid(o*c)", lambda m: sigmoid(m.o * m.new_c)),
    ("no_tanh_output", "h = o", lambda m: m.o),
    ("no_tanh_output", "h = o*relu(c)", lambda m: m.o * np.maximum(m.new_c, 0.0)),
    ("no_tanh_output", "h = o*softsign(c)", lambda m: m.o * m.new_c / (1.0 + np.abs(m.new_c))),
    ("double_tanh", "h = o*tanh(tanh(c))", lambda m: m.o * np.tanh(np.tanh(m.new_c))),
    ("tanh_of_product", "h = tanh(o*c)", lambda m: np.tanh(m.o * m.new_c)),
    ("output_gate_missing", "h = tanh(c)", lambda m: np.tanh(m.new_c)),
    ("output_gate_missing", "h = c", lambda m: m.new_c),
    ("old_c_in_output", "h = o*tanh(old c)", lambda m: m.o * np.tanh(m.c)),
    ("c_as_candidate", "h = o*tanh(g)", lambda m: m.o * np.tanh(m.g)),
    ("c_as_candidate", "h = o*g", lambda m: m.o * m.g),
    ("c_sum_not_product", "h = o + tanh(c)", lambda m: m.o + np.tanh(m.new_c)),
    ("c_sum_not_product", "h = o - tanh(c)", lambda m: m.o - np.tanh(m.new_c)),
    ("other_formula", "h = o*i*tanh(c)", lambda m: m.o * m.i * np.tanh(m.new_c)),
    ("other_formula", "h = o*f*tanh(c)", lambda m: m.o * m.f * np.tanh(m.new_c)),
    ("other_formula", "h = o*g*tanh(c)", lambda m: m.o * m.g * np.tanh(m.new_c)),
    ("other_formula", "h = o*c*tanh(c)", lambda m: m.o * m.new_c * np.tanh(m.new_c)),
    ("other_formula", "h = o*tanh(c + h)", lambda m: m.o * np.tanh(m.new_c + m.h)),
    ("other_formula", "h = o*tanh(c) + c", lambda m: m.o * np.tanh(m.new_c) + m.new_c),
    ("other_formula", "h = o*tanh(c*i)", lambda m: m.o * np.tanh(m.new_c * m.i)),
    ("no_tanh_output", "h = o*clip(c)", lambda m: m.o * np.clip(m.new_c, -1.0, 1.0)),
    ("coupled_gate", "h = (1 - o)*tanh(c)", lambda m: (1 - m.o) * np.tanh(m.new_c)),
    ("matmul_instead_of_elementwise", "h = (o @ t.T) @ t", lambda m: _thrice(m.o, np.tanh(m.new_c))),
    ("matmul_instead_of_elementwise", "h = o @ (o.T @ t)", lambda m: m.o @ (_transposed(m.o) @ np.tanh(m.new_c))),
)


def _thrice(gate: Array, value: Array) -> Array:
    return gate @ _transposed(value) @ value


def _outputs() -> Iterator[Mistake]:
    for code, name, formula in OUTPUTS:
        # The same as ``c = g``, which leaves o right.
        wrong = _wrong("r") if name == "h = o*tanh(g)" else frozenset("o")
        yield Mistake(code, name, {"show": formula}, wrong, _formula(code, name))
    # The names of g and o exchanged, so their activations as well as their layers.
    exchanged: dict[str, Any] = {"update": lambda m: m.f * m.c + m.i * m.o, "show": lambda m: m.g * np.tanh(m.new_c)}
    yield Mistake("gates_swapped_co", "c = f*c + i*o, h = g*tanh(c)", exchanged, _wrong("go"))
