"""Formulas from a student's code: a mistake where they are not the LSTM's, and nothing where they are no formulas."""

import ast
from dataclasses import replace

import numpy as np
import pytest

from grader.assignment import load_assignments
from grader.numerics.written_formulas import certain_formulas, written_mistake
from reference import draw
from reference.cell import Formula, Layers
from reference.drawing import random_for
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import RECURRENCE, replay

WRITTEN = {name: formula.text for name, formula in CELL.formulas.items()}
ENTRY = next(case for case in load_assignments()["lstm-layer"].cases if case.timesteps < 20)
CASE = draw(ENTRY.spec(), random_for(bytes(32), "drawn", ENTRY.id))


@pytest.mark.parametrize(
    ("formulas", "variant", "shown", "expected"),
    [
        ({"c_new": "(f * c) - (i * g)"}, "c", "c = f*c - i*ch", "c = f*c + i*ch"),
        ({"c_new": "f * c + i * g * -1.5"}, "c", "c = f*c + i*ch*-1.5", "c = f*c + i*ch"),
        ({"h_new": "o * relu(c_new) + c"}, "h", "h = o*relu(c) + c_old", "h = o*tanh(c)"),
        ({"c_new": "f * c + x_o * i"}, "c", "c = f*c + fcXO(x)*i", "c = f*c + i*ch"),
        (
            {"i": "sigmoid(relu(x_i) - h_f)"},
            "gate",
            "i = sigmoid(relu(fcXI(x)) - fcHF(h))",
            "i = sigmoid(fcXI(x) + fcHI(h))",
        ),
        (
            {"g": "tanh(x_g + h_g + c)", "h_new": "tanh(c_new / 2)"},
            "several",
            "ch = tanh(fcXC(x) + fcHC(h) + c); h = tanh(c/2)",
            "ch = tanh(fcXC(x) + fcHC(h)); h = o*tanh(c)",
        ),
    ],
)
def test_a_mistake_gives_the_numbers_of_its_formulas(
    formulas: dict[str, str], variant: str, shown: str, expected: str
) -> None:
    written = written_mistake({**WRITTEN, **formulas})
    assert written is not None
    mistake = written.mistake
    assert [mistake.params[name] for name in ("variant", "formula", "expected")] == [variant, shown, expected]
    changed = {
        name: Formula(ast.parse(text, mode="eval").body, {"relu": lambda z: np.maximum(z, 0.0)})
        for name, text in formulas.items()
    }
    weights = Layers(*(array.astype(np.float64) for array in vars(CASE.weights).values()))
    cell = replace(CELL, formulas={**CELL.formulas, **changed})
    np.testing.assert_allclose(replay([mistake], CASE), cell.forward(CASE.x.astype(np.float64), weights)["h_new"])


def test_a_gate_that_no_formula_uses_is_wrong() -> None:
    written = written_mistake({**WRITTEN, "c_new": "f * c + sigmoid(x_i) * g"})
    assert written is not None
    assert written.mistake.wrong == {"i", *RECURRENCE}


def test_equal_formulas_are_no_mistake_however_they_are_written() -> None:
    same = {"c_new": "tanh(h_g + x_g)*i + c*f", "h_new": "tanh(c_new) * (1*o)", "f": "1 / (1 + exp(-(h_f + x_f)))"}
    assert written_mistake({**WRITTEN, **same}) is None
    assert written_mistake({}) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "f +", "1 / 0", "9" * 400 + " * c", "__import__('os')", "f.T @ c", "f @ c", "c_new", "f ** c", "x[0]"),
        *("(" * 100 + "f" + ")" * 100, "lambda: f", "f if c else i", "unknown * c", "relu(f, c)", "'f'"),
        # Numbers alone are no array.
        *("1", "True", "f + softmax(1)"),
    ],
)
def test_other_texts_are_no_formulas(text: str) -> None:
    assert written_mistake({**WRITTEN, "c_new": text}) is None or text.strip("()") == "f"


@pytest.mark.parametrize(
    ("update", "is_certain"),
    [
        ("f * c + i * g * o", False),
        ("f * c + g", True),
        # It adds what the gate in doubt cannot undo.
        ("f * c + i * g + o", True),
        # A name may mislead.
        ("f * c + x_g * i", False),
    ],
)
def test_an_update_that_a_doubtful_gate_could_undo_needs_the_numbers(update: str, is_certain: bool) -> None:
    """Take a gate that has the layers of another one."""
    doubtful = {**WRITTEN, "i": "sigmoid(x_f + h_i)", "f": "sigmoid(x_f - h_f)", "c_new": update}
    assert certain_formulas(doubtful).keys() == WRITTEN.keys() - {"i"} - (set() if is_certain else {"c_new"})
