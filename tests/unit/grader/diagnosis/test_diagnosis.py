"""Diagnoses of a judged answer: which cause comes first, and what is told beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.numerics.changing_answers import explain_changing
from grader.numerics.explanation import explain
from grader.numerics.forms import Items
from grader.reporting.consequences import with_causes
from grader.sandbox.events import Constructed, MisshapenWeight
from reference import lstm_forward
from reference.lstm.misconceptions import Mistake, bank, replay
from tests.unit.grader.diagnosis.events import raised_event

NAMED = {mistake.name: mistake for mistake in bank()}


def _making(name):
    """Answer with a mistake of the bank."""
    return lambda case: replay([NAMED[name]], case)


def _diagnosed(evidence):
    return diagnose(run_checks(evidence))


def _codes(evidence):
    return [diagnosis.code for diagnosis in _diagnosed(evidence)]


def _params(evidence):
    return {diagnosis.code: diagnosis.params for diagnosis in _diagnosed(evidence)}


# reporting/test_consistency.py has a mistake of each code.
def test_float32_rounding_does_not_hide_a_mistake(evidence_of):
    noise = np.random.default_rng(5)
    [first, *_] = _diagnosed(
        evidence_of(
            lambda case: _making("layers of i and f exchanged")(case) + noise.uniform(-3e-7, 3e-7, case.expected.shape)
        )
    )
    assert (first.code, first.confidence) == ("gates_swapped_if", "exact")
    assert first.residual < 1e-6
    assert first.runner_up is None or first.runner_up.distance > 1e-3


def test_an_axis_along_which_nothing_changes_is_no_second_state(evidence_of, cases):
    def of_pairs(case):
        return np.stack([case.expected, lstm_forward(case.x, case.weights).c], axis=2)

    def repeated(case):
        return np.repeat(case.expected[:, :, None], len(case.x), axis=2)

    for respond, variant in ((of_pairs, "pairs"), (repeated, "repeated")):
        evidence = evidence_of(respond)
        [first, *_] = _diagnosed(evidence)
        assert (first.code, first.params["variant"]) == ("wrong_shape", variant)
        checks = {check.id: check for check in run_checks(evidence).checks}
        assert checks["contract"].params["variant"] == variant
        assert checks["equivalence"].params["form"] == ["stacked" if variant == "pairs" else "repeated"]
        assert all(evidence.understanding.right_numbers(case.spec.id) for case in cases)


def test_outputs_that_a_second_call_adds_to_are_kept_and_nothing_else_is_said(evidence_of):
    evidence = evidence_of(
        lambda case: np.concatenate([case.x[:, :2, :1] * np.ones(case.weights.units), case.expected], 1)
    )
    first = evidence.execution.answers["exercise"]
    longer = replace(first, array=np.concatenate([first.array, first.array], axis=1))
    execution = replace(evidence.execution, repeats={"exercise": longer})
    [only] = _diagnosed(replace(evidence, execution=execution))
    assert (only.code, only.params["variant"]) == ("state_kept_between_calls", "list")


@pytest.mark.parametrize(("factor", "code"), [(0, "constant_output"), (np.nan, "nan")])
def test_an_answer_that_says_nothing_is_named(evidence_of, factor, code):
    [first, *_] = _diagnosed(evidence_of(lambda case: case.expected * factor))
    assert (first.code, first.confidence) == (code, "exact")


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda case: case.expected, id="right"),
        pytest.param(lambda case: np.cos(case.expected), id="no mistake of the list"),
        pytest.param(lambda case: case.expected + 1e-3 * np.sign(case.expected), id="nearly right"),
        pytest.param(
            lambda case: case.expected[:, ::-1] if case.spec.id == "exercise" else case.expected * 2,
            id="a known mistake on one case only",
        ),
        pytest.param(lambda case: np.where(case.expected > 0, np.inf, case.expected), id="infinity"),
    ],
)
def test_a_mistake_that_matches_nothing_on_all_cases_is_not_guessed(evidence_of, respond):
    assert [d for d in _diagnosed(evidence_of(respond)) if d.confidence == "exact"] == []


def test_reading_the_global_x_is_named_with_its_line(evidence_of):
    other = np.random.default_rng(3)
    evidence = evidence_of(
        lambda case: lstm_forward(other.normal(size=case.x.shape).astype(np.float32), case.weights).h,
        reading={"global_x": [{"line": 7, "shape_only": False}]},
    )
    [first, *_] = _diagnosed(evidence)
    assert (first.code, first.params) == ("global_x", {"line": 7})


def test_an_odd_letter_is_named_before_any_number(evidence_of):
    letter = {"name": "х", "looks_like": "x", "line": 3}
    assert _codes(evidence_of(_making("c collected"), reading={"homoglyphs": [letter]}))[0] == "cyrillic_homoglyph"


def test_a_run_without_any_answer_fails_no_check_that_it_never_reached(evidence_of):
    evidence = evidence_of(raised=(raised_event(type="NameError"),))
    checks = [check for check in run_checks(evidence).checks if check.id != "own_work"]
    assert {(check.status, check.code) for check in checks} == {("skipped", "not_run")}


def test_an_unknown_mistake_is_not_compared_with_all_that_rounding_may_hide(cases, table, monkeypatch):
    replayed = []
    monkeypatch.setattr("grader.numerics.case_answers.replay", lambda *args: replayed.append(args) or replay(*args))
    odd = Mistake("", "odd", {"act.i": lambda z: 1 / (1 + np.exp(-z - 0.3 * np.sin(3 * z)))}, frozenset("i"))
    answers = {case.spec.id: replay([odd], case).astype(np.float32) for case in cases}
    assert explain(answers, cases, lambda case: table) is None
    assert len(replayed) < 400


# --- what the run tells of the weights, of sizes and of chance --------------------------------------------------------


def _odd(case):
    """An answer that no known mistake explains."""
    return case.expected * 0.5 + np.sin(np.arange(case.expected.size)).reshape(case.expected.shape)


ONE_UNIT = MisshapenWeight(gate="I", path="cell.fcXI", shape=[16, 1], expected=[16, 32])
SOME = {"kernel": "O", "recurrent_kernel": "FO"}
NOTHING = {"kernel": "IFCO", "recurrent_kernel": "IFCO"}


def test_gates_with_weights_of_another_shape_are_listed_with_both_shapes(evidence_of):
    params = _params(evidence_of(_odd, parts={"misshapen": [ONE_UNIT]}))
    assert params["gate_weights_misshapen"] == {"weights": ["cell.fcXI (I): (16, 1) → (16, 32)"]}


def test_layers_that_get_an_input_of_another_width_are_told_from_narrow_ones(evidence_of):
    odd_input = MisshapenWeight(gate="I", path="cell.fcHI", shape=[2, 32], expected=[32, 32])
    params = _params(evidence_of(_odd, parts={"misshapen": [odd_input]}))
    assert params["gate_weights_misshapen"]["variant"] == "input"


def test_a_width_that_the_answer_shows_is_not_told_of_every_layer_too(evidence_of):
    narrow = [MisshapenWeight(gate=gate, path=gate, shape=[16, 31], expected=[16, 32]) for gate in "IFCO"]
    assert _codes(evidence_of(lambda case: _odd(case)[..., :-1], parts={"misshapen": narrow})) == ["wrong_shape"]


def test_missing_weights_of_an_answer_of_another_form_are_not_guessed_at(evidence_of):
    """A loop that is not entered while the model is built has made no weights."""
    evidence = evidence_of(
        lambda case: (Items(_odd(case)[None, :, 1:], ("[0]",)),), kind="list", parts={"without_weights": NOTHING}
    )
    assert _codes(evidence) == ["returns_list"]


def test_an_odd_treatment_in_the_code_has_a_name_where_no_numbers_give_one(evidence_of):
    for part, word, code in (
        ("step_input", "div", "input_transformed"),
        ("passed_on", "add", "residual"),
        ("initial_state", "random", "state_init_random"),
        ("step_input", "transpose", None),
        ("returned", "apply", None),
    ):
        part = {"part": part, "gate": None, "first_line": 3, "last_line": 3, "what": [word]}
        for respond, found in ((_odd, code), (_making("c collected"), "returns_c")):
            told = _diagnosed(evidence_of(respond, reading={"parts": [part]}))
            assert [(each.code, each.confidence == "exact") for each in told] == (
                [(found, respond is not _odd)] if found else []
            )


@pytest.mark.parametrize(
    ("parts", "params"),
    [
        ({"without_weights": SOME}, {"kernel": ["O"], "recurrent_kernel": ["F", "O"]}),
        ({"without_weights": NOTHING, "found": []}, {"variant": "none"}),
    ],
    ids=["some", "all"],
)
def test_gates_without_weights_are_named(evidence_of, parts, params):
    assert _params(evidence_of(_odd, parts=parts))["gate_weights_missing"] == params


def test_layers_that_are_never_called_are_named_and_not_the_cell_that_holds_them(evidence_of):
    found = ["cell.kernel None", "cell.fcXO.kernel None", "cell.fcXI.kernel (16, 32)"]
    params = _params(evidence_of(_odd, parts={"without_weights": {"kernel": "O"}, "found": found}))
    assert params["gate_weights_missing"] == {"unused": ["cell.fcXO"], "variant": "unused"}


@pytest.mark.parametrize(
    ("found", "variant"),
    [
        (["x1.kernel (16, 32)", "x2.kernel (16, 96)", "one.kernel (32, 32)"], "one_h"),
        (["one.kernel (16, 32)", "wide.kernel (32, 128)"], "one_x"),
        (["one.kernel (48, 32)"], "one"),
        (["x.kernel (16, 128)", "h.kernel (32, 128)"], None),
    ],
)
def test_a_layer_that_all_gates_share_is_named(evidence_of, found, variant):
    params = _params(evidence_of(_odd, parts={"found": found}))
    assert params == ({"gate_weights_missing": {"layer": "one", "variant": variant}} if variant else {})


def test_the_weights_of_two_cells_are_told_where_nothing_else_is(evidence_of):
    found = [f"{cell}.{part} ({rows}, 128)" for cell in "ab" for part, rows in (("x.kernel", 16), ("h.kernel", 32))]
    told = _diagnosed(evidence_of(_odd, parts={"found": found}))
    assert [(each.code, each.confidence) for each in told] == [("two_layers", "likely")]
    assert _codes(evidence_of(_making("c collected"), parts={"found": found})) == ["returns_c"]


@pytest.mark.parametrize("respond", [lambda case: case.expected, _making("c collected")], ids=["right", "explained"])
def test_odd_weights_of_a_right_or_explained_answer_are_nobodys_business(evidence_of, respond):
    evidence = evidence_of(respond, parts={"misshapen": [ONE_UNIT], "without_weights": {"kernel": "O"}})
    assert {"gate_weights_misshapen", "gate_weights_missing"}.isdisjoint(_codes(evidence))


def test_gates_that_do_not_fit_are_the_reason_and_nothing_else_is_suspected(evidence_of):
    checks = run_checks(evidence_of(_odd, parts={"misshapen": [ONE_UNIT]})).checks
    [equivalence] = [check for check in checks if check.id == "equivalence"]
    assert {"wrong", "unexplained"}.isdisjoint(equivalence.params)


@pytest.mark.parametrize("found", [["a.kernel (16, 96)", "b.kernel (32, 96)"], ["a.kernel (16, 32)"]], ids=str)
def test_weights_of_three_gates_are_those_of_a_gru(evidence_of, found):
    assert ("gru" in _codes(evidence_of(_odd, parts={"roles": {}, "found": found}))) == (len(found) == 2)


def test_a_class_that_answers_another_batch_only_has_its_batch_hard_coded(evidence_of):
    [first, *_] = _diagnosed(evidence_of(hard_coded={"batch": 10}))
    assert (first.code, first.params) == ("hardcoded_batch", {"works": 10, "needed": 2})


def test_a_class_without_call_is_not_told_that_it_is_empty_too(evidence_of, class_found):
    message = "Model LSTM does not have a `call()` method implemented."
    raised = raised_event(message, type="NotImplementedError", bases=["RuntimeError"], phase="build", lines=())
    found = class_found.model_copy(update={"has_call": False})
    assert _codes(evidence_of(raised=(raised,), class_found=found)) == ["no_call_method"]


def test_a_layer_that_one_gate_lacks_is_not_called_missing_everywhere(evidence_of):
    [first, *_] = _diagnosed(evidence_of(_making("no h layer in f")))
    assert (first.code, first.params) == ("recurrent_missing", {"gates": ["F"], "variant": "gates"})


def test_a_loop_that_runs_past_the_last_step_is_told_which_step_is_not_there(evidence_of):
    message = "slice index 100 of dimension 1 out of bounds. [Op:StridedSlice]"
    raised = raised_event(message, type="InvalidArgumentError", phase="build", lines=(3,))
    assert _params(evidence_of(raised=(raised,))) == {"past_the_end": {"index": 100, "last": 99, "line": 3}}


@pytest.mark.parametrize(
    ("message", "variant"),
    [
        ("Incompatible shapes: [100,32] vs. [2,32]", "batch_loop"),
        ("Incompatible shapes: [2,100,32] vs. [2,32]", "all_steps"),
        ("Incompatible shapes: [2,31] vs. [2,32]", "shapes"),
    ],
)
def test_sizes_in_a_message_show_what_met_what(evidence_of, message, variant):
    raised = raised_event(message, type="InvalidArgumentError", phase="build", lines=(3,))
    assert [params["variant"] for params in _params(evidence_of(raised=(raised,))).values()] == [variant]


def test_a_size_that_is_fixed_is_told_beside_a_mistake_that_is_understood(evidence_of):
    evidence = evidence_of(_making("layers of i and f exchanged"))
    raised = raised_event("Incompatible shapes: [5,8] vs. [2,8]", phase="build", lines=(3,), case="other_shape")
    answers = {id: answer for id, answer in evidence.execution.answers.items() if id != "other_shape"}
    execution = replace(evidence.execution, answers=answers, raised=(raised,))
    assert _codes(replace(evidence, execution=execution)) == ["gates_swapped_if", "hardcoded_batch"]


def test_a_list_with_other_steps_too_is_not_called_a_return_in_the_loop(evidence_of):
    evidence = evidence_of(lambda case: (Items(case.expected.swapaxes(0, 1)[:-1], ("[0]",)),), kind="list")
    assert _codes(evidence) == ["returns_list"]


def test_whole_numbers_are_not_called_constant_too(evidence_of):
    judgement = run_checks(evidence_of(lambda case: case.expected * 0, dtype="int32"))
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
def test_a_tuple_that_lacks_steps_is_told_both(evidence_of, steps, told):
    evidence = evidence_of(lambda case: (Items(case.expected[None, :, steps], ("[0]",)),), kind="tuple")
    first, second = _diagnosed(evidence)
    assert (first.code, second.code, second.params["variant"]) == ("returns_tuple", *told)


@pytest.mark.parametrize(
    ("source", "code"), [("h = self.h", "state_kept_between_calls"), ("h = tf.random.normal(n)", "state_init_random")]
)
def test_another_start_at_each_call_is_random_only_where_something_is(evidence_of, source, code):
    def started(case, h):
        start = {"initial_h": lambda inputs: replace(inputs, h=np.full_like(inputs.h, h))}
        return replay([Mistake("", "", start, frozenset())], case).astype(np.float32)

    evidence = evidence_of(lambda case: started(case, 0.3), reading={"source": source})
    answer = evidence.execution.answers["exercise"]
    second = replace(answer, array=started(evidence.execution.cases[0], 0.2))
    execution = replace(evidence.execution, repeats={"exercise": second})
    understanding = replace(
        evidence.understanding,
        explanation=explain_changing(
            {id: each.content for id, each in execution.answers.items()}, {"exercise": second.content}, execution.cases
        ),
    )
    assert _codes(replace(evidence, execution=execution, understanding=understanding)) == [code]


def test_a_width_that_is_a_default_of_the_constructor_is_told(evidence_of):
    constructed = Constructed(event="constructed", arguments=["n=32"], defaults={"layers": 3, "n": 64})
    evidence = evidence_of(lambda case: np.zeros((*case.expected.shape[:2], 64)), constructed=constructed)
    [first, *_] = _diagnosed(evidence)
    assert (first.code, first.params["default_of"], first.params["width"]) == ("wrong_shape", "n", 64)


@pytest.mark.parametrize(("dropped", "code"), [(True, "dropout_active"), (False, "state_kept_between_calls")])
def test_answers_that_change_have_dropout_where_zeros_do_and_else_a_kept_state(evidence_of, dropped, code):
    evidence = evidence_of(_odd)
    answer = evidence.execution.answers["exercise"]
    random = np.random.default_rng(4)
    first, second = (
        replace(answer, array=answer.array * (random.random(answer.array.shape) > 0.3 if dropped else random.random()))
        for _ in range(2)
    )
    answers = evidence.execution.answers | {"exercise": first}
    execution = replace(evidence.execution, answers=answers, repeats={"exercise": second})
    understanding = replace(evidence.understanding, explanation=None)
    assert _codes(replace(evidence, execution=execution, understanding=understanding)) == [code]
