"""Checks that only say that they fail for the same reason as another one."""

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.report.finding import Finding
from grader.report.model import Diagnosis
from grader.reporting.consequences import with_causes
from grader.sandbox.events import Gradients
from reference.lstm.misconceptions import bank, replay


def _mistake(code):
    return next(mistake for mistake in bank() if mistake.code == code)


def _with_gradients(evidence, reach, *, first_timestep=0.1):
    gradients = Gradients(event="gradients", case="other_shape", reach=reach, first_timestep=first_timestep)
    return replace(evidence, understanding=replace(evidence.understanding, gradients=gradients))


def _checks(evidence):
    """Return the checks before and after causes are named, by their ids, and the codes of the diagnoses."""
    judgement = run_checks(evidence)
    diagnoses = diagnose(judgement)
    named = with_causes(judgement, diagnoses)
    before, after = ({check.id: check for check in checks} for checks in (judgement.checks, named))
    assert list(before) == list(after)
    return before, after, [diagnosis.code for diagnosis in diagnoses]


def _causes(evidence):
    _, checks, _ = _checks(evidence)
    return {id: check.params["follows_from"] for id, check in checks.items() if "follows_from" in check.params}


@pytest.fixture(scope="module")
def without_output_gate(evidence_of):
    """An answer without the output gate, of whose weights some get no gradient."""
    mistake = _mistake("output_gate_missing")
    evidence = evidence_of(lambda case: replay((mistake,), case))
    return lambda *unreached: _with_gradients(
        evidence, {"cell.fcXI.kernel (kernel I)": 0.5, **dict.fromkeys(unreached)}
    )


def test_other_inputs_are_wrong_for_the_same_reason(without_output_gate):
    assert _causes(without_output_gate()) == {"generalisation": "output_gate_missing"}


@pytest.mark.parametrize(
    ("unreached", "cause"),
    [
        ("cell.fcHI.kernel (recurrent_kernel I)", "return_inside_loop"),
        ("cell.fcXF.bias (bias F)", "return_inside_loop"),
        ("cell.fcXI.kernel (kernel I)", None),
    ],
)
def test_layers_of_later_steps_get_no_gradient_from_the_first_one(evidence_of, unreached, cause):
    evidence = evidence_of(lambda case: case.expected[:, :1])
    reach = {"cell.fcXO.kernel (kernel O)": 0.5, unreached: None}
    assert _causes(_with_gradients(evidence, reach)).get("trainability") == cause


def test_a_gate_that_is_not_used_gets_no_gradient(without_output_gate):
    evidence = without_output_gate("cell.fcXO.kernel (kernel O)", "cell.fcXO.bias (bias O)")
    assert _causes(evidence)["trainability"] == "output_gate_missing"


def test_a_gradient_that_is_missing_elsewhere_is_a_mistake_of_its_own(without_output_gate):
    evidence = without_output_gate("cell.fcXO.kernel (kernel O)", "cell.fcXF.kernel (kernel F)")
    assert "trainability" not in _causes(evidence)


def test_a_last_step_that_nothing_computes_gets_no_gradient(evidence_of):
    last = next(mistake for mistake in bank() if mistake.name == "zeros for the last step")
    evidence = evidence_of(lambda case: replay((last,), case))
    unreached = dict.fromkeys(["cell.fcXO.kernel (kernel O)", "cell.fcHF.kernel (recurrent_kernel F)"])
    assert _causes(_with_gradients(evidence, unreached, first_timestep=None))["trainability"] == "missing_step"


def test_without_a_diagnosis_the_exercises_own_input_is_to_be_corrected_first(evidence_of):
    evidence = evidence_of(
        lambda case: case.expected + np.linspace(0, 0.3, case.expected.size).reshape(case.expected.shape) ** 3
    )
    assert _causes(evidence)["generalisation"] == "equivalence"


def test_a_failure_on_other_inputs_alone_is_no_consequence(evidence_of):
    evidence = evidence_of(lambda case: case.expected + (case.spec.id != "exercise") * np.sin(case.expected * 9))
    assert "generalisation" not in _causes(evidence)


def test_effects_of_a_missing_step_are_not_laid_on_the_formulas(evidence_of):
    """The loop begins with the second step, and two gates are exchanged beside it."""
    late = next(mistake for mistake in bank() if mistake.name == "next x, the last twice")
    evidence = evidence_of(lambda case: replay((late, _mistake("gates_swapped_if")), case)[:, :-1])
    evidence = _with_gradients(evidence, {"cell.fcXO.kernel (kernel O)": 0.1}, first_timestep=None)
    _, checks, _ = _checks(evidence)
    causes = {id: (check.params.get("follows_from"), check.params.get("follows_also")) for id, check in checks.items()}
    assert causes["generalisation"] == ("missing_step", ["gates_swapped_if"])
    assert causes["trainability"] == ("missing_step", None)


def test_two_mistakes_are_both_named_as_the_cause(evidence_of):
    mistakes = _mistake("no_tanh_output"), _mistake("sigmoid_candidate")
    _, checks, _ = _checks(evidence_of(lambda case: replay(mistakes, case)))
    params = checks["generalisation"].params
    assert {params["follows_from"], *params["follows_also"]} == {"no_tanh_output", "sigmoid_candidate"}


def test_an_answer_that_changes_is_not_told_so_beside_the_reason(evidence_of):
    dropped = np.random.default_rng(3)
    evidence, again = (
        evidence_of(lambda case: case.expected * (dropped.random(case.expected.shape) > 0.2) / 0.8) for _ in range(2)
    )
    execution = replace(evidence.execution, repeats={"exercise": again.execution.answers["exercise"]})
    evidence = replace(evidence, execution=execution, understanding=replace(evidence.understanding, explanation=None))
    before, after, codes = _checks(evidence)
    assert codes == ["dropout_active"]
    assert before["equivalence"].params["changes"]
    assert "changes" not in after["equivalence"].params
    another = with_causes(run_checks(evidence), [Diagnosis.exact(Finding.of("gates_swapped_if"))])
    assert next(check for check in another if check.id == "equivalence").params["changes"]


@pytest.mark.parametrize(
    ("code", "unreached", "cause"),
    [
        ("c_not_updated", ["fcHF (recurrent_kernel F)", "fcXF (kernel F)", "fcXF (bias F)"], "c_not_updated"),
        ("c_not_updated", ["fcHI (recurrent_kernel I)"], None),
        ("rounded", ["fcHI (recurrent_kernel I)"], "rounded"),
    ],
    ids=["what the mistake multiplies by zero", "another gate", "what has no slope"],
)
def test_weights_that_a_mistake_makes_idle_get_no_gradient_for_that_reason(evidence_of, code, unreached, cause):
    mistake = _mistake(code)
    evidence = evidence_of(lambda case: replay((mistake,), case))
    evidence = _with_gradients(evidence, {"fcXI (kernel I)": 0.5, **dict.fromkeys(unreached)})
    assert _causes(evidence).get("trainability") == cause


def test_no_known_mistake_is_not_said_beside_one(evidence_of):
    evidence = evidence_of(lambda case: np.cos(case.expected))
    answer = evidence.execution.answers["exercise"]
    two = replace(answer, output=answer.output.model_copy(update={"kernels": 4, "recurrent_kernels": 12}))
    answers = {**evidence.execution.answers, "exercise": two}
    evidence = replace(evidence, execution=replace(evidence.execution, answers=answers))
    before, after, codes = _checks(evidence)
    assert codes == ["two_layers"]
    assert before["equivalence"].params["unexplained"]
    assert after["equivalence"].params.keys().isdisjoint({"unexplained", "wrong"})
