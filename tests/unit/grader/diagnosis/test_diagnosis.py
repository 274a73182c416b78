"""Diagnoses by numbers, on answers that a wrong forward pass gives without any box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.numerics.explanation import explain
from grader.numerics.forms import Items
from grader.reporting.consequences import with_causes
from grader.sandbox.events import Constructed, MisshapenWeight, Raised
from reference import GATES, LSTMWeights, lstm_forward
from reference.lstm.misconceptions import Mistake, bank, replay


def _reordered(case, order):
    units = case.weights.units
    columns = np.concatenate([np.arange(units) + GATES.index(gate) * units for gate in order])
    weights = LSTMWeights(
        case.weights.kernel[:, columns], case.weights.recurrent_kernel[:, columns], case.weights.bias[columns]
    )
    return lstm_forward(case.x, weights).h


def _no_bias(case):
    weights = LSTMWeights(case.weights.kernel, case.weights.recurrent_kernel, np.zeros_like(case.weights.bias))
    return lstm_forward(case.x, weights).h


MISTAKES = {
    "gates_swapped_if": lambda case: _reordered(case, "figo"),
    "gates_swapped_io": lambda case: _reordered(case, "ofgi"),
    "gates_swapped_fo": lambda case: _reordered(case, "iogf"),
    "gates_swapped_co": lambda case: _reordered(case, "ifog"),
    "bias_missing": _no_bias,
    "returns_c": lambda case: lstm_forward(case.x, case.weights).c,
    "time_reversed": lambda case: lstm_forward(case.x, case.weights).h[:, ::-1],
    "x_not_used": lambda case: lstm_forward(case.x * 0, case.weights).h,
    "batch_zero_only": lambda case: lstm_forward(np.repeat(case.x[:1], len(case.x), 0), case.weights).h,
    "constant_output": lambda case: case.expected * 0,
    "nan": lambda case: case.expected * np.nan,
}


def _diagnosed(evidence, cases):
    return diagnose(run_checks(evidence))


@pytest.mark.parametrize("code", MISTAKES)
def test_a_known_mistake_names_itself(evidence_of, cases, code):
    [first, *_] = _diagnosed(evidence_of(MISTAKES[code]), cases)
    assert (first.code, first.confidence) == (code, "exact")


def test_an_axis_along_which_nothing_changes_is_no_second_state(evidence_of, cases):
    def of_pairs(case):
        return np.stack([case.expected, lstm_forward(case.x, case.weights).c], axis=2)

    def repeated(case):
        return np.repeat(case.expected[:, :, None], len(case.x), axis=2)

    for respond, variant in ((of_pairs, "pairs"), (repeated, "repeated")):
        evidence = evidence_of(respond)
        [first, *_] = _diagnosed(evidence, cases)
        assert (first.code, first.params["variant"]) == ("wrong_shape", variant)
        checks = {check.id: check for check in run_checks(evidence).checks}
        assert checks["contract"].params["variant"] == variant
        assert checks["equivalence"].params["form"] == ["stacked" if variant == "pairs" else "repeated"]
        assert all(evidence.understanding.right_numbers(case.spec.id) for case in cases)


def test_outputs_that_a_second_call_adds_to_are_kept_and_nothing_else_is_said(evidence_of, cases):
    evidence = evidence_of(
        lambda case: np.concatenate([case.x[:, :2, :1] * np.ones(case.weights.units), case.expected], 1)
    )
    first = evidence.execution.answers["exercise"]
    longer = replace(first, array=np.concatenate([first.array, first.array], axis=1))
    execution = replace(evidence.execution, repeats={"exercise": longer})
    [only] = _diagnosed(replace(evidence, execution=execution), cases)
    assert (only.code, only.params["variant"]) == ("state_kept_between_calls", "list")


@pytest.mark.parametrize("code", sorted(set(MISTAKES) - {"constant_output", "nan"}))
def test_float32_rounding_does_not_hide_a_mistake(evidence_of, cases, code):
    noise = np.random.default_rng(5)

    def respond(case):
        answer = MISTAKES[code](case)
        return answer + noise.uniform(-3e-7, 3e-7, answer.shape)

    [first, *_] = _diagnosed(evidence_of(respond), cases)
    assert first.code == code
    assert first.residual < 1e-6
    assert first.runner_up is None or first.runner_up.distance > 1e-3


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda case: np.cos(case.expected), id="no mistake of the list"),
        pytest.param(lambda case: case.expected + 1e-3 * np.sign(case.expected), id="nearly right"),
        pytest.param(lambda case: np.random.default_rng(1).normal(size=case.expected.shape), id="noise"),
        pytest.param(
            lambda case: _reordered(case, "figo") if case.spec.id == "exercise" else case.expected * 2,
            id="a known mistake on one case only",
        ),
        pytest.param(lambda case: np.where(case.expected > 0, np.inf, case.expected), id="infinity"),
    ],
)
def test_a_mistake_that_matches_nothing_on_all_cases_is_not_guessed(evidence_of, cases, respond):
    assert [d for d in _diagnosed(evidence_of(respond), cases) if d.confidence == "exact"] == []


def test_a_right_answer_has_no_exact_diagnosis(evidence_of, cases):
    evidence = evidence_of(lambda case: case.expected)
    assert [d for d in _diagnosed(evidence, cases) if d.confidence == "exact"] == []


def test_reading_the_global_x_is_named_with_its_line(evidence_of, cases):
    other = np.random.default_rng(3)
    evidence = evidence_of(
        lambda case: lstm_forward(other.normal(size=case.x.shape).astype(np.float32), case.weights).h,
        reading={"global_x": [{"line": 7, "shape_only": False}]},
    )
    [first, *_] = _diagnosed(evidence, cases)
    assert (first.code, first.params) == ("global_x", {"line": 7})


def test_an_odd_letter_is_named_before_any_number(evidence_of, cases):
    letter = {"name": "х", "looks_like": "x", "line": 3}
    evidence = evidence_of(MISTAKES["returns_c"], reading={"homoglyphs": [letter]})
    assert [d.code for d in _diagnosed(evidence, cases)][:1] == ["cyrillic_homoglyph"]


def test_no_code_is_given_twice(evidence_of, cases):
    for respond in MISTAKES.values():
        codes = [diagnosis.code for diagnosis in _diagnosed(evidence_of(respond), cases)]
        assert len(codes) == len(set(codes))


def test_a_run_without_any_answer_fails_no_check_that_it_never_reached(evidence_of):
    evidence = evidence_of()
    raised = Raised(event="raised", phase="call", case="exercise", type="NameError", bases=[], message="", lines=[5])
    evidence = replace(evidence, execution=replace(evidence.execution, raised=[raised]))
    checks = [check for check in run_checks(evidence).checks if check.id != "own_work"]
    assert {(check.status, check.code) for check in checks} == {("skipped", "not_run")}


# As integers, answers between -1 and 1 are all zeros.
ROUNDING = [mistake for mistake in bank() if mistake.quantum and mistake.code != "int_cast"]


@pytest.mark.parametrize("mistake", ROUNDING, ids=[mistake.name for mistake in ROUNDING])
def test_rounding_is_named(cases, table, mistake):
    answers = {case.spec.id: replay([mistake], case).astype(np.float32) for case in cases}
    found = explain(answers, cases, lambda case: table)
    assert mistake.code in {found.mistakes[0].code, *found.also}


def test_an_unknown_mistake_is_not_compared_with_all_that_rounding_may_hide(cases, table, monkeypatch):
    replayed = []
    monkeypatch.setattr("grader.numerics.case_answers.replay", lambda *args: replayed.append(args) or replay(*args))
    odd = Mistake("", "odd", {"act.i": lambda z: 1 / (1 + np.exp(-z - 0.3 * np.sin(3 * z)))}, frozenset("i"))
    answers = {case.spec.id: replay([odd], case).astype(np.float32) for case in cases}
    assert explain(answers, cases, lambda case: table) is None
    assert len(replayed) < 400


# --- what the run tells of the weights, of sizes and of chance --------------------------------------------------------


def _with_parts(evidence, **changes):
    execution = evidence.execution
    return replace(evidence, execution=replace(execution, parts=execution.parts.model_copy(update=changes)))


def _odd(case):
    """An answer that no known mistake explains."""
    return case.expected * 0.5 + np.sin(np.arange(case.expected.size)).reshape(case.expected.shape)


ONE_UNIT = MisshapenWeight(gate="I", path="cell.fcXI", shape=[16, 1], expected=[16, 32])


def test_gates_with_weights_of_another_shape_are_listed_with_both_shapes(evidence_of, cases):
    found = _diagnosed(_with_parts(evidence_of(_odd), misshapen=[ONE_UNIT]), cases)
    told = {diagnosis.code: diagnosis.params for diagnosis in found}
    assert told["gate_weights_misshapen"] == {"weights": ["cell.fcXI (I): (16, 1) → (16, 32)"]}


def test_layers_that_get_an_input_of_another_width_are_told_from_narrow_ones(evidence_of, cases):
    odd_input = MisshapenWeight(gate="I", path="cell.fcHI", shape=[2, 32], expected=[32, 32])
    found = _diagnosed(_with_parts(evidence_of(_odd), misshapen=[odd_input]), cases)
    told = {diagnosis.code: diagnosis.params for diagnosis in found}
    assert told["gate_weights_misshapen"]["variant"] == "input"


def test_a_width_that_the_answer_shows_is_not_told_of_every_layer_too(evidence_of, cases):
    narrow = [MisshapenWeight(gate=gate, path=gate, shape=[16, 31], expected=[16, 32]) for gate in "IFCO"]
    evidence = evidence_of(lambda case: _odd(case)[..., :-1])
    assert [d.code for d in _diagnosed(_with_parts(evidence, misshapen=narrow), cases)] == ["wrong_shape"]


def test_missing_weights_of_an_answer_of_another_form_are_not_guessed_at(evidence_of, cases):
    """A loop that is not entered while the model is built has made no weights."""
    evidence = evidence_of(lambda case: (Items(_odd(case)[None, :, 1:], ("[0]",)),), kind="list")
    evidence = _with_parts(evidence, without_weights={"kernel": "IFCO", "recurrent_kernel": "IFCO"})
    assert [d.code for d in _diagnosed(evidence, cases)] == ["returns_list"]


def test_an_odd_treatment_in_the_code_has_a_name_where_no_numbers_give_one(evidence_of, cases):
    for part, word, code in (
        ("step_input", "div", "input_transformed"),
        ("passed_on", "add", "residual"),
        ("initial_state", "random", "state_init_random"),
        ("step_input", "transpose", None),
        ("returned", "apply", None),
    ):
        part = {"part": part, "gate": None, "first_line": 3, "last_line": 3, "what": [word]}
        for respond, found in ((_odd, code), (MISTAKES["returns_c"], "returns_c")):
            told = _diagnosed(evidence_of(respond, reading={"parts": [part]}), cases)
            assert [(each.code, each.confidence == "exact") for each in told] == (
                [(found, respond is not _odd)] if found else []
            )


def test_gates_without_weights_are_named(evidence_of, cases):
    evidence = _with_parts(evidence_of(_odd), without_weights={"kernel": "O", "recurrent_kernel": "FO"})
    told = {diagnosis.code: diagnosis.params for diagnosis in _diagnosed(evidence, cases)}
    assert told["gate_weights_missing"] == {"kernel": ["O"], "recurrent_kernel": ["F", "O"]}


def test_layers_that_are_never_called_are_named_and_not_the_cell_that_holds_them(evidence_of, cases):
    found = ["cell.kernel None", "cell.fcXO.kernel None", "cell.fcXI.kernel (16, 32)"]
    evidence = _with_parts(evidence_of(_odd), without_weights={"kernel": "O"}, found=found)
    told = {diagnosis.code: diagnosis.params for diagnosis in _diagnosed(evidence, cases)}
    assert told["gate_weights_missing"] == {"unused": ["cell.fcXO"], "variant": "unused"}


@pytest.mark.parametrize(
    ("found", "variant"),
    [
        (["x1.kernel (16, 32)", "x2.kernel (16, 96)", "one.kernel (32, 32)"], "one_h"),
        (["one.kernel (16, 32)", "wide.kernel (32, 128)"], "one_x"),
        (["one.kernel (48, 32)"], "one"),
        (["x.kernel (16, 128)", "h.kernel (32, 128)"], None),
    ],
)
def test_a_layer_that_all_gates_share_is_named(evidence_of, cases, found, variant):
    told = {each.code: each.params for each in _diagnosed(_with_parts(evidence_of(_odd), found=found), cases)}
    assert told == ({"gate_weights_missing": {"layer": "one", "variant": variant}} if variant else {})


def test_the_weights_of_two_cells_are_told_where_nothing_else_is(evidence_of, cases):
    found = [f"{cell}.{part} ({rows}, 128)" for cell in "ab" for part, rows in (("x.kernel", 16), ("h.kernel", 32))]
    told = _diagnosed(_with_parts(evidence_of(_odd), found=found), cases)
    assert [(each.code, each.confidence) for each in told] == [("two_layers", "likely")]
    told = _diagnosed(_with_parts(evidence_of(MISTAKES["returns_c"]), found=found), cases)
    assert [each.code for each in told] == ["returns_c"]


def test_odd_weights_of_a_right_or_explained_answer_are_nobodys_business(evidence_of, cases):
    for respond in (lambda case: case.expected, MISTAKES["returns_c"]):
        evidence = _with_parts(evidence_of(respond), misshapen=[ONE_UNIT], without_weights={"kernel": "O"})
        codes = {diagnosis.code for diagnosis in _diagnosed(evidence, cases)}
        assert codes.isdisjoint({"gate_weights_misshapen", "gate_weights_missing"})


def test_a_class_that_answers_another_batch_only_has_its_batch_hard_coded(evidence_of, cases):
    evidence = evidence_of()
    evidence = replace(evidence, execution=replace(evidence.execution, hard_coded={"batch": 10}))
    [first, *_] = diagnose(run_checks(evidence))
    assert (first.code, first.params) == ("hardcoded_batch", {"works": 10, "needed": 2})


def test_a_class_without_call_is_not_told_that_it_is_empty_too(evidence_of, cases, class_found):
    raised = Raised(
        event="raised", phase="build", case="exercise", type="NotImplementedError", bases=["RuntimeError"],
        message="Model LSTM does not have a `call()` method implemented.", lines=[],
    )  # fmt: skip
    evidence = evidence_of()
    found = class_found.model_copy(update={"has_call": False})
    evidence = replace(evidence, execution=replace(evidence.execution, raised=(raised,), class_found=found))
    assert [diagnosis.code for diagnosis in diagnose(run_checks(evidence))] == ["no_call_method"]


def test_a_layer_that_one_gate_lacks_is_not_called_missing_everywhere(evidence_of, cases):
    mistake = next(m for m in bank() if m.name == "no h layer in f")
    [first, *_] = _diagnosed(evidence_of(lambda case: replay([mistake], case)), cases)
    assert (first.code, first.params) == ("recurrent_missing", {"gates": ["F"], "variant": "gates"})


def test_a_loop_that_runs_past_the_last_step_is_told_which_step_is_not_there(evidence_of, cases):
    raised = Raised(
        event="raised",
        phase="build",
        case="exercise",
        type="InvalidArgumentError",
        bases=[],
        message="slice index 100 of dimension 1 out of bounds. [Op:StridedSlice]",
        lines=[3],
    )
    evidence = evidence_of()
    evidence = replace(evidence, execution=replace(evidence.execution, raised=(raised,)))
    [found] = diagnose(run_checks(evidence))
    assert (found.code, found.params) == ("past_the_end", {"index": 100, "last": 99, "line": 3})


@pytest.mark.parametrize(
    ("message", "variant"),
    [
        ("Incompatible shapes: [100,32] vs. [2,32]", "batch_loop"),
        ("Incompatible shapes: [2,100,32] vs. [2,32]", "all_steps"),
        ("Incompatible shapes: [2,31] vs. [2,32]", "shapes"),
    ],
)
def test_sizes_in_a_message_show_what_met_what(evidence_of, cases, message, variant):
    raised = Raised(
        event="raised",
        phase="build",
        case="exercise",
        type="InvalidArgumentError",
        bases=[],
        message=message,
        lines=[3],
    )
    evidence = evidence_of()
    evidence = replace(evidence, execution=replace(evidence.execution, raised=(raised,)))
    assert [diagnosis.params["variant"] for diagnosis in diagnose(run_checks(evidence))] == [variant]


def test_a_size_that_is_fixed_is_told_beside_a_mistake_that_is_understood(evidence_of, cases):
    evidence = evidence_of(MISTAKES["gates_swapped_if"])
    raised = Raised(
        event="raised", phase="build", case="other_shape", type="ValueError", bases=[],
        message="Incompatible shapes: [5,8] vs. [2,8]", lines=[3],
    )  # fmt: skip
    answers = {id: answer for id, answer in evidence.execution.answers.items() if id != "other_shape"}
    execution = replace(evidence.execution, answers=answers, raised=(raised,))
    found = _diagnosed(replace(evidence, execution=execution), cases)
    assert [diagnosis.code for diagnosis in found] == ["gates_swapped_if", "hardcoded_batch"]


def test_a_list_with_other_steps_too_is_not_called_a_return_in_the_loop(evidence_of, cases):
    evidence = evidence_of(lambda case: (Items(case.expected.swapaxes(0, 1)[:-1], ("[0]",)),), kind="list")
    assert [d.code for d in _diagnosed(evidence, cases)] == ["returns_list"]


def test_a_model_without_any_weight_is_told_so(evidence_of, cases):
    nothing = {"kernel": "IFCO", "recurrent_kernel": "IFCO"}
    evidence = _with_parts(evidence_of(_odd), without_weights=nothing, found=[])
    told = {diagnosis.code: diagnosis.params for diagnosis in _diagnosed(evidence, cases)}
    assert told["gate_weights_missing"] == {"variant": "none"}


def test_gates_that_do_not_fit_are_the_reason_and_nothing_else_is_suspected(evidence_of, cases):
    evidence = _with_parts(evidence_of(_odd), misshapen=[ONE_UNIT])
    [equivalence] = [check for check in run_checks(evidence).checks if check.id == "equivalence"]
    assert {"wrong", "unexplained"}.isdisjoint(equivalence.params)


def test_whole_numbers_are_not_called_constant_too(evidence_of, cases):
    evidence = evidence_of(lambda case: case.expected * 0, dtype="int32")
    judgement = run_checks(evidence)
    checks = with_causes(judgement, diagnoses := diagnose(judgement))
    assert [(diagnosis.code, diagnosis.params["variant"]) for diagnosis in diagnoses] == [("wrong_dtype", "integers")]
    causes = {check.id: check.params.get("follows_from") for check in checks}
    assert causes["equivalence"] == causes["generalisation"] == "wrong_dtype"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (slice(1, None), ("missing_step", "first")),
        (slice(None, -1), ("missing_step", "last")),
        (slice(None, None, 2), ("step_two", "cut")),
    ],
    ids=str,
)
def test_a_tuple_that_lacks_steps_is_told_both(evidence_of, cases, steps, told):
    evidence = evidence_of(lambda case: (Items(case.expected[None, :, steps], ("[0]",)),), kind="tuple")
    first, second = _diagnosed(evidence, cases)
    assert (first.code, second.code, second.params["variant"]) == ("returns_tuple", *told)


@pytest.mark.parametrize("found", [["a.kernel (16, 96)", "b.kernel (32, 96)"], ["a.kernel (16, 32)"]], ids=str)
def test_weights_of_three_gates_are_those_of_a_gru(evidence_of, cases, found):
    evidence = _with_parts(evidence_of(_odd), roles={}, found=found)
    codes = {diagnosis.code for diagnosis in _diagnosed(evidence, cases)}
    assert ("gru" in codes) == (len(found) == 2)


def test_a_width_that_is_a_default_of_the_constructor_is_told(evidence_of, cases):
    evidence = evidence_of(lambda case: np.zeros((*case.expected.shape[:2], 64)))
    constructed = Constructed(event="constructed", arguments=["n=32"], defaults={"layers": 3, "n": 64})
    evidence = replace(evidence, execution=replace(evidence.execution, constructed=constructed))
    [first, *_] = diagnose(run_checks(evidence))
    assert (first.code, first.params["default_of"], first.params["width"]) == ("wrong_shape", "n", 64)


@pytest.mark.parametrize(("dropped", "codes"), [(True, ["dropout_active"]), (False, ["state_kept_between_calls"])])
def test_answers_that_change_have_dropout_where_zeros_do_and_else_a_kept_state(evidence_of, cases, dropped, codes):
    evidence = evidence_of(_odd)
    answer = evidence.execution.answers["exercise"]
    random = np.random.default_rng(4)
    calls = [
        replace(answer, array=answer.array * (random.random(answer.array.shape) > 0.3 if dropped else random.random()))
        for _ in range(2)
    ]
    execution = replace(
        evidence.execution,
        answers=evidence.execution.answers | {"exercise": calls[0]},
        repeats={"exercise": calls[1]},
    )
    understanding = replace(evidence.understanding, explanation=None)
    evidence = replace(evidence, execution=execution, understanding=understanding)
    assert [diagnosis.code for diagnosis in diagnose(run_checks(evidence))] == codes
