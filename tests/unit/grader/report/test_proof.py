"""The proof as it is shown: words, the curve, the map, for every kind of number."""

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from grader.formats import write_report
from grader.report import artefacts
from grader.report.messages import LANGUAGES, render
from grader.report.model import Check, Diagnosis
from grader.report.proof.calculation import RIGHT, calculation
from grader.report.proof.cells import LOST, MOST_CELLS, map_of, numbers_csv
from grader.report.proof.curve import HEIGHT, draw
from grader.report.proof.presentation import MOST_ROWS, proofs
from grader.report.proof.step import WorkedStep
from tests.unit.grader.make_reports import make_report

KERAS = {"h_before": 0.0, "c_before": 0.5, "i": 0.4, "f": 0.25, "g": -0.5, "o": 0.8, "c": -0.075, "h": -0.0598877,
         "answer": -0.0598877}  # fmt: skip
STEP = WorkedStep(
    batch=0, timestep=3, unit=1, keras=KERAS, actual=-0.1,
    named=KERAS | {"i": 0.6, "c": -0.175, "h": -0.138598, "answer": -0.138598}, begins="gates", wrong=["i"],
    formulas=RIGHT,
)  # fmt: skip
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def shown(value: float | None) -> str:
    return "NaN" if value is None else f"{value:g}"


def reported(actual: np.ndarray, named: np.ndarray | None = None, step: WorkedStep | None = None):
    expected = np.sin(np.arange(actual.size, dtype=np.float32)).reshape(actual.shape) / 2
    name, content = artefacts.pack(actual, expected, named, step)
    report = make_report()
    cases = [report.cases[0].model_copy(update={"arrays": name}), *report.cases[1:]]
    return make_report(cases=cases), {name: content}


def proof_of(actual: np.ndarray, named: np.ndarray | None = None, step: WorkedStep | None = None, language: str = "en"):
    report, stored = reported(actual, named, step)
    (proof,) = proofs(render(report, language), language, stored)
    return proof


def test_calculation_is_written_with_symbols_numbers_and_result():
    assert calculation("c", RIGHT["c"], KERAS, shown) == "c[t] = f·c[t−1] + i·g = 0.25·0.5 + 0.4·(-0.5) = -0.075"
    assert calculation("h", RIGHT["h"], KERAS, shown) == "h[t] = o·tanh(c[t]) = 0.8·tanh(-0.075) = -0.0598877"
    assert calculation("c", "f*(c + i*g)", KERAS, shown).startswith(
        "c[t] = f·(c[t−1] + i·g) = 0.25·(0.5 + 0.4·(-0.5)) ="
    )
    assert calculation("h", "o*tanh(old c)", KERAS, shown).startswith("h[t] = o·tanh(c[t−1]) = 0.8·tanh(0.5) =")
    assert calculation("c", None, KERAS, shown) == "c[t] = -0.075"
    assert calculation("h", "o*c", KERAS | {"c": None}, shown) == "h[t] = o·c[t] = 0.8·(NaN) = -0.0598877"


def test_step_is_told_in_words_first():
    wrong = np.ones((2, 10, 4), np.float32)
    work = proof_of(wrong, wrong, STEP).work
    assert work.sentences[0] == "The first wrong timestep is 3; take unit 1 of sequence 0 there (counting from 0)."
    assert work.sentences[1].endswith("these values change: i.")
    assert "−0.1386 where Keras has −0.0599, and your class returned −0.1000" in work.sentences[2]
    assert [row.symbol for row in work.rows if row.is_wrong] == ["i", "c[t]", "h[t]"]
    assert [whose for whose, _ in work.calculations] == ["Keras", "this mistake"] * 2


def test_without_a_known_mistake_the_numbers_of_keras_are_there_and_the_next_thing_to_try():
    alone = STEP.model_copy(update={"named": None, "begins": None, "wrong": [], "formulas": {}})
    work = proof_of(np.ones((2, 10, 4), np.float32), None, alone).work
    assert not work.has_named
    assert work.yours == "−0.1000"
    assert "Print the same quantities" in work.sentences[-1]
    assert {row.named for row in work.rows} == {None}


def test_arrays_stored_before_there_were_proofs_show_what_they_have():
    for actual in (np.ones((2, 10, 4)), np.full((2, 10, 4), np.nan)):
        proof = proof_of(actual.astype(np.float32))
        assert not proof.has_named
        assert [row.symbol for row in proof.work.rows] == ["h[t]"]
        assert proof.work.calculations == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_number_that_is_not_finite_is_called_neither_nan_nor_infinity(value):
    actual = np.full((2, 10, 4), value, np.float32)
    alone = STEP.model_copy(update={"named": None, "begins": None, "wrong": [], "formulas": {}, "actual": None})
    for work in (proof_of(actual).work, proof_of(actual, None, alone).work):
        assert work.yours == "NaN or infinity"
        assert "your class returned NaN or infinity" in work.sentences[-1]


@settings(max_examples=10)
@given(
    st.sampled_from(LANGUAGES),
    arrays.arrays(np.float32, st.sampled_from([(2, 3, 4), (1, 1, 1), (2, 30, 3)]), elements=FLOATS),
)
def test_any_numbers_can_be_shown(language, actual):
    report, stored = reported(actual, actual)
    for proof in proofs(render(report, language), language, stored):
        for line in proof.curve.lines:
            places = [float(point.split(",")[1]) for piece in line.pieces for point in piece.split()]
            assert all(0 <= place <= HEIGHT for place in [*places, line.label])
        assert "?" not in proof.text
    html = write_report(report, "html", language, stored)
    assert not re.search(r"\b(inf|nan)\b", "".join(re.findall(r'(?:points|cx|cy|x1|y1|d)="([^"]*)"', html)))


def test_lines_are_labelled_apart_and_a_line_that_goes_far_is_cut():
    keras = np.linspace(0, 0.5, 10)
    curve = draw(keras, keras + 0.001, keras + 0.001, 1)
    labels = sorted(line.label for line in curve.lines)
    assert [line.id for line in curve.lines] == ["keras", "yours", "named"]
    assert min(np.diff(labels)) >= 15
    assert not curve.is_cut
    assert draw(keras, keras * 1e30, None, 1).is_cut


def test_gaps_of_a_curve_are_marked():
    yours = np.array([0.0, np.nan, 0.2, np.inf, np.nan, 0.1])
    curve = draw(np.zeros(6), yours, None, 1)
    assert len(curve.lines[1].pieces) == 3
    assert (curve.wrong, curve.not_finite) == (20.0, (20.0, 60.0, 80.0))


def test_text_says_what_the_curve_shows():
    actual = np.zeros((2, 10, 4), np.float32)
    proof = proof_of(actual, actual)
    assert f"of {proof.steps} timesteps are beyond the tolerance" in proof.text
    assert "a difference of" in proof.text
    assert "It lies on yours" in proof.text
    assert "It lies on yours" not in proof_of(actual).text


def test_table_of_a_long_curve_ends():
    proof = proof_of(np.ones((1, MOST_ROWS + 50, 2), np.float32))
    assert (len(proof.numbers), proof.steps) == (MOST_ROWS, MOST_ROWS + 50)


def kept(actual: np.ndarray) -> artefacts.CaseArrays:
    return artefacts.CaseArrays(actual, np.zeros_like(actual), actual)


def test_map_has_every_cell_once_and_says_the_same_unit_by_unit():
    actual = np.zeros((2, 10, 4), np.float32)
    actual[1, 5:, 2] = 0.5
    actual[0, 9, 3] = np.nan
    cells = map_of(kept(actual), atol=1e-5, rtol=1e-5)
    lengths = {level: sum(int(n) for n in re.findall(r"h(\d+)", path)) for level, path in cells.paths}
    assert lengths == {0: 34, 4: 5, LOST: 1}
    assert [(each.wrong_steps, each.first_wrong) for each in cells.by_unit] == [(0, None), (0, None), (5, 5), (1, 9)]
    assert cells.by_unit[3].largest is None


def test_map_of_very_many_cells_is_left_to_the_table():
    many = np.zeros((1, MOST_CELLS, 2), np.float32)
    cells = map_of(kept(many), atol=1e-5, rtol=1e-5)
    assert cells.paths == ()
    assert len(cells.by_unit) == 2


def test_download_has_every_number():
    actual = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    rows = list(csv.DictReader(io.StringIO(numbers_csv(kept(actual)))))
    assert len(rows) == actual.size
    assert rows[13] == {"sequence": "1", "timestep": "0", "unit": "1", "keras": "0", "yours": "13", "mistake": "13"}


@pytest.mark.parametrize(("mistakes", "named"), [(1, "this mistake"), (2, "these two mistakes")])
def test_two_mistakes_at_once_are_called_two_wherever_they_are_named(mistakes: int, named: str):
    wrong = np.ones((2, 10, 4), np.float32)
    report, stored = reported(wrong, wrong, STEP)
    codes = ["gates_swapped_if", "scaled"][:mistakes]
    exact = [Diagnosis(code=code, params={}, confidence="exact", residual=0.0) for code in codes]
    report = report.model_copy(update={"diagnoses": exact})
    (proof,) = proofs(render(report, "en"), "en", stored)
    assert f"A class with {named} gives" in proof.text
    assert f"With {named} these values change" in proof.work.sentences[1]
    assert ("this mistake" in write_report(report, "html", "en", stored)) == (mistakes == 1)


def test_numbers_of_a_built_in_layer_prove_nothing():
    wrong = np.ones((2, 10, 4), np.float32)
    report, stored = reported(wrong)
    own_work = Check(id="own_work", points=0, max_points=0, status="failed", code="uses_builtin_lstm")
    report = report.model_copy(update={"checks": [*report.checks, own_work]})
    assert proofs(render(report, "en"), "en", stored) == []
