"""The proof's numbers: those of the oracle, of the mistake and of the student, and of no hidden case."""

import re

import numpy as np
import pytest
import safetensors.numpy

from grader.assignment import Tolerance
from grader.checks.registry import run_checks
from grader.formats import View, write_report
from grader.numerics.explanation import Explanation
from grader.report import artefacts
from grader.report.proof.calculation import calculation
from grader.report.proof.presentation import proofs
from grader.report.proof.step import QUANTITIES, position_to_show
from grader.reporting.proof import proof_of
from reference import Case, lstm_forward
from reference.lstm.misconceptions import Mistake, bank, replay

NAMED = {mistake.name: mistake for mistake in bank()}
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.fixture(scope="module")
def short(cases: tuple[Case, ...]) -> Case:
    return next(case for case in cases if case.spec.id == "other_seed")


def _proof(case: Case, *mistakes: Mistake):
    answer = replay(mistakes, case).astype(np.float32)
    return proof_of(answer, case, Explanation(mistakes, 0.0, frozenset()), Tolerance(**CLOSE))


def test_numbers_of_keras_are_those_of_the_oracle(short):
    _, step = _proof(short, NAMED["c = f*(c + i*g)"])
    trace = lstm_forward(short.x, short.weights)
    for name, array in (*trace.gates.items(), ("c", trace.c), ("h", trace.h)):
        assert step.keras[name] == pytest.approx(float(array[step.position]), abs=1e-12)
    keras = step.keras
    assert keras["f"] * keras["c_before"] + keras["i"] * keras["g"] == pytest.approx(keras["c"], abs=1e-12)
    assert keras["o"] * np.tanh(keras["c"]) == pytest.approx(keras["h"], abs=1e-12)


def test_mistakes_of_the_bank_have_a_step_whose_calculations_add_up(short):
    worked = 0
    for mistake in bank()[::2]:
        named, step = _proof(short, mistake)
        if step is None or step.named is None:
            continue
        worked += 1
        assert step.begins is not None, mistake.name
        assert list(step.named) == list(step.keras) == list(QUANTITIES)
        if step.actual is None:
            assert step.named["answer"] is None  # NaN both
            continue
        assert step.named["answer"] == pytest.approx(step.actual, abs=1e-4)
        assert float(named[step.position]) == step.named["answer"]
        for state, formula in step.formulas.items():
            written = calculation(state, formula, step.named, lambda value: repr(float(value)))
            filled, result = written.split(" = ")[-2:]
            functions = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: max(z, 0.0),
                         "softsign": lambda z: z / (1 + abs(z)), "clip": lambda z: min(max(z, -1.0), 1.0)}  # fmt: skip
            value = eval(filled.replace("·", "*").replace("−", "-"), functions)
            assert value == pytest.approx(float(result), abs=1e-4), (mistake.name, written)
    assert worked > 0.9 * len(bank()) / 2


@pytest.mark.parametrize(
    ("name", "begins", "wrong"),
    [
        ("h starts at 1", "before", ["h_before"]),
        ("c, h = cell(x, h, c)", "answer", ["answer"]),
        ("h stays", "before", ["h_before"]),
        ("h = o*c", "h", ["h"]),
        ("c = f*c + g", "c", ["c"]),
        ("bias twice in f", "gates", ["f"]),
        ("tanh(c) collected", "answer", ["answer"]),
    ],
)
def test_step_says_where_it_parts_from_the_right_one(short, name, begins, wrong):
    _, step = _proof(short, NAMED[name])
    assert (step.begins, step.wrong) == (begins, wrong)


@pytest.mark.parametrize("name", ["h = tanh(g)", "every second step, each twice"])
def test_mistakes_with_insides_of_another_kind_give_their_answer_alone(short, name):
    named, step = _proof(short, NAMED[name])
    assert named is not None
    assert step.named is None
    assert not step.formulas


def test_mistake_that_does_not_give_the_numbers_is_not_shown_beside_them(short):
    wrong = Explanation((NAMED["h = o*c"],), 0.0, frozenset())
    named, step = proof_of(np.cos(short.expected), short, wrong, Tolerance(**CLOSE))
    assert named is None
    assert step.named is None
    assert set(step.keras) == set(QUANTITIES)


def test_place_is_of_the_first_wrong_timestep_and_the_unit_that_differs_most():
    expected = np.zeros((2, 6, 3), np.float32)
    actual = expected.copy()
    actual[0, 2, 0] = 0.1
    actual[1, 2:, 2] = 0.05
    actual[1, 5, 2] = 0.9
    actual[0, 4, 1] = 5.0
    assert position_to_show(actual, expected, **CLOSE) == (1, 2, 2)
    actual[0, 3, 0] = np.nan
    assert position_to_show(actual, expected, **CLOSE) == (0, 2, 0)
    assert position_to_show(expected, expected, **CLOSE) is None


def test_named_mistake_is_kept_beside_the_arrays_of_the_public_case_alone(evidence_of, report_on):
    mistake, kept = NAMED["c = f*c + g"], {}
    report = report_on(run_checks(evidence_of(lambda case: replay([mistake], case))), kept)
    assert [case.id for case in report.cases if case.arrays] == ["exercise"]
    content = kept[report.cases[0].arrays]
    arrays = artefacts.unpack(content)
    np.testing.assert_allclose(arrays.named, arrays.actual, atol=1e-6)
    assert len(content) < 4 * arrays.actual.nbytes
    (proof,) = proofs(View.of(report, "en").report, "en", kept)
    assert proof.has_named
    assert proof.work.has_named


def test_page_and_artefacts_hold_nothing_of_hidden_cases(evidence_of, report_on, cases):
    kept: dict[str, bytes] = {}
    report = report_on(run_checks(evidence_of(lambda case: replay([NAMED["h = o*c"]], case))), kept)
    page = write_report(report, "html", "en", kept)
    text = f"{page} {report.model_dump_json()}"
    written = set(re.findall(r"\d+\.\d{3,}", text))
    content = kept[report.cases[0].arrays]
    assert set(safetensors.numpy.load(content)) == {"actual", "expected", "named", "step"}
    np.testing.assert_array_equal(artefacts.unpack(content).expected, cases[0].expected)
    for case in cases[1:]:
        assert case.spec.visibility == "hidden"
        assert not re.search(rf"(?<![\w.]){case.spec.seed}(?![\w.])", text)
        for array in (case.x, case.expected, case.weights.kernel, case.weights.recurrent_kernel, case.weights.bias):
            assert array.tobytes()[:16] not in content
            values = {f"{abs(value):.6g}" for value in array.ravel().tolist()}
            # Some of thousands of numbers with six digits agree by chance.
            assert len(values & written) < 0.1 * len(values)
