"""Mistakes in a step's use of its gates: the update of c and the output h."""

import ast
import re
from collections.abc import Callable, Iterator

import numpy as np

from reference.cell import Array, Formula
from reference.lstm.misconceptions.mistake import Mistake


def state_mistakes() -> Iterator[Mistake]:
    yield from _updates()
    yield from _outputs()


def _wrong(parts: str) -> frozenset[str]:
    return frozenset("recurrence" if part == "r" else part for part in parts)


#: Functions in formulas of students, beside those of the definition.
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda c: np.maximum(c, 0.0),
    "softsign": lambda c: c / (1.0 + np.abs(c)),
    "clip": lambda c: np.clip(c, -1.0, 1.0),
    "sum": lambda c: c.sum(-1, keepdims=True),
}


def parse_formula(text: str) -> Formula:
    """Return a formula, ``c = f*(c + i*g)`` or ``h = o*tanh(c)``, in which c is its value at that point.

    In a formula of h, ``old c`` is its value before the step; ``t`` is ``tanh(c)``.
    """
    state, _, right = text.partition(" = ")
    names = {"c": "c_new", "old": "c"} if state == "h" else {}
    right = re.sub(r"\bt\b", "tanh(c)", right.replace("old c", "old"))
    node = ast.parse(right, mode="eval").body
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            each.id = names.get(each.id, each.id)
    return Formula(node, FUNCTIONS)


#: code, formula as the student would write it, and the parts it spoils.
UPDATES: tuple[tuple[str, str, str], ...] = (
    ("c_grouping", "c = f*(c + i*g)", "ir"),
    ("c_grouping", "c = i*(f*c + g)", "fr"),
    ("c_grouping", "c = (f*c + i)*g", "gr"),
    ("c_grouping", "c = f*(c + i)*g", "igr"),
    ("c_grouping", "c = (f + i)*(c + g)", "ifr"),
    ("c_grouping", "c = f*i*(c + g)", "ifr"),
    ("c_grouping", "c = f*c*i + g", "ir"),
    ("c_grouping", "c = f*(c + g)", "ir"),
    ("c_grouping", "c = i*(c + g)", "fr"),
    ("c_grouping", "c = f*i*g", "ifr"),
    ("c_sign", "c = f*c - i*g", "ir"),
    ("c_sign", "c = i*g - f*c", "fr"),
    ("coupled_gate", "c = f*c + (1 - f)*g", "i"),
    ("coupled_gate", "c = (1 - i)*c + i*g", "f"),
    ("coupled_gate", "c = (1 - f)*c + f*g", "if"),
    ("coupled_gate", "c = (1 - f)*c + i*g", "f"),
    ("coupled_gate", "c = f*c + (1 - i)*g", "i"),
    ("coupled_gate", "c = i*c + (1 - i)*g", "if"),
    ("c_sum_not_product", "c = f + c + i*g", "fr"),
    ("c_sum_not_product", "c = f*c + i + g", "ir"),
    ("c_sum_not_product", "c = f + c + i + g", "ifr"),
    ("c_sum_not_product", "c = (f + c)*(i + g)", "ifr"),
    ("c_sum_not_product", "c = (f + c)*i*g", "fr"),
    ("c_sum_not_product", "c = f + i*g", "fr"),
    ("c_sum_not_product", "c = f + i + g", "ifr"),
    ("c_sum_not_product", "c = f*(i + g)", "ifr"),
    ("other_formula", "c = (f*c + i*g)/(f + i)", "ifr"),
    ("other_formula", "c = f*c + i*g*o", "ir"),
    ("other_formula", "c = f*c*o + i*g", "fr"),
    ("other_formula", "c = o*(f*c + i*g)", "ifr"),
    ("other_formula", "c = f*c + i*g + h", "r"),
    ("other_formula", "c = f*c + i*(g + h)", "ir"),
    ("other_formula", "c = g*c + i*f", "ifgr"),
    ("forget_term_missing", "c = i*g", "fr"),
    ("forget_term_missing", "c = c + i*g", "f"),
    ("input_gate_missing", "c = f*c + g", "i"),
    ("input_gate_missing", "c = c + g", "if"),
    ("c_as_candidate", "c = f*c + i*c + g", "ir"),
    ("c_as_candidate", "c = f*g + i*g", "fr"),
    ("hc_swapped", "c = f*h + i*g", "fr"),
    ("tanh_on_state", "c = f*tanh(c) + i*g", "r"),
    ("extra_activation", "c = f*c + tanh(i*g)", "ir"),
    ("extra_activation", "c = f*sigmoid(c) + i*g", "r"),
    ("extra_activation", "c = f*c + i*sigmoid(g)", "gr"),
    ("matmul_instead_of_elementwise", "c = (f @ c.T) @ c + i*g", "fr"),
    ("matmul_instead_of_elementwise", "c = f*c + (i @ g.T) @ g", "ir"),
    ("matmul_instead_of_elementwise", "c = (f @ c.T) @ c + (i @ g.T) @ g", "ifr"),
    ("matmul_instead_of_elementwise", "c = f @ (f.T @ c) + i*g", "fr"),
    ("matmul_instead_of_elementwise", "c = f*c + i @ (i.T @ g)", "ir"),
    ("matmul_instead_of_elementwise", "c = c @ (c.T @ f) + i*g", "fr"),
    ("matmul_instead_of_elementwise", "c = sum(f*c) + i*g", "fr"),
    ("matmul_instead_of_elementwise", "c = f*c + sum(i*g)", "ir"),
)


def _formula(code: str, name: str) -> dict[str, object]:
    """Return the parameters of a formula that has no name of its own. The exercise calls the candidate ch."""
    if code != "other_formula":
        return {}
    used = [state for state in ("h", "c") if re.search(rf"\b{state}\b", name.partition("=")[2])]
    old_states = {"old_states": used} if name[0] == "c" else {}
    return {"formula": re.sub(r"\bg\b", "ch", name), "variant": name[0], **old_states}


def _updates() -> Iterator[Mistake]:
    for code, name, parts in UPDATES:
        idle = frozenset({"kernel f"} if name == "c = i*g" else ())
        yield Mistake(code, name, {"update": parse_formula(name)}, _wrong(parts), _formula(code, name), idle=idle)


OUTPUTS: tuple[tuple[str, str], ...] = (
    ("no_tanh_output", "h = o*c"),
    ("sigmoid_output", "h = o*sigmoid(c)"),
    ("sigmoid_output", "h = sigmoid(o*c)"),
    ("no_tanh_output", "h = o"),
    ("no_tanh_output", "h = o*relu(c)"),
    ("no_tanh_output", "h = o*softsign(c)"),
    ("double_tanh", "h = o*tanh(tanh(c))"),
    ("tanh_of_product", "h = tanh(o*c)"),
    ("output_gate_missing", "h = tanh(c)"),
    ("output_gate_missing", "h = c"),
    ("old_c_in_output", "h = o*tanh(old c)"),
    ("c_as_candidate", "h = o*tanh(g)"),
    ("c_as_candidate", "h = o*g"),
    ("c_sum_not_product", "h = o + tanh(c)"),
    ("c_sum_not_product", "h = o - tanh(c)"),
    ("other_formula", "h = o*c*tanh(c)"),
    ("other_formula", "h = o*tanh(c + h)"),
    ("other_formula", "h = o*tanh(c) + c"),
    ("other_formula", "h = o*tanh(c*i)"),
    ("no_tanh_output", "h = o*clip(c)"),
    ("coupled_gate", "h = (1 - o)*tanh(c)"),
    ("matmul_instead_of_elementwise", "h = (o @ t.T) @ t"),
    ("matmul_instead_of_elementwise", "h = o @ (o.T @ t)"),
)


def _outputs() -> Iterator[Mistake]:
    for code, name in OUTPUTS:
        # The same as ``c = g``, which leaves o right.
        wrong = _wrong("r") if name == "h = o*tanh(g)" else frozenset("o")
        yield Mistake(code, name, {"show": parse_formula(name)}, wrong, _formula(code, name))
    # The names of g and o exchanged, so their activations as well as their layers.
    exchanged = {"update": parse_formula("c = f*c + i*o"), "show": parse_formula("h = g*tanh(c)")}
    yield Mistake("gates_swapped_co", "c = f*c + i*o, h = g*tanh(c)", exchanged, _wrong("go"))
