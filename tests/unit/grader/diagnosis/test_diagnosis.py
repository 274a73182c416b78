"""Diagnoses of a judged answer: which cause comes first, and what is told beside it."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.numerics.changing_answers import explain_changing
from grader.numerics.explanation import explain
from grader.numerics.forms import Items
from grader.reporting.consequences import with_causes
from grader.sandbox import Outcome
from grader.sandbox.events import Constructed, MisshapenWeight
from reference import lstm_forward
from reference.lstm.misconceptions import Mistake, bank, replay
from tests.unit.grader.diagnosis.events import raised_event

NAMED = {mistake.name: mistake for mistake in bank()}


@functools.cache
def _making(*names):
    """Answer with mistakes of the bank."""
    return lambda case: replay([NAMED[name] for name in names], case)


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
    mixed = raised_event(
        "Shapes of all inputs must match: values[0].shape = [2,8] != values[5].shape", case="other_shape"
    )
    for signs in ({"repeats": {"exercise": longer}}, {"raised": (mixed,)}):
        [only] = _diagnosed(replace(evidence, execution=replace(evidence.execution, **signs)))
        assert (only.code, only.params["variant"]) == ("state_kept_between_calls", "list")


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


@pytest.mark.parametrize("respond", [_making("layers of i and f exchanged"), None], ids=["wrong numbers", "an error"])
def test_a_layer_in_place_of_a_model_is_told_after_what_costs_more(evidence_of, class_found, respond):
    layer = class_found.model_copy(update={"is_model": False, "bases": ["submission.LSTM", "keras.layers.Layer"]})
    raised = () if respond else (raised_event(type="NameError"),)
    codes = _codes(evidence_of(respond, class_found=layer, raised=raised))
    assert codes == ["gates_swapped_if" if respond else "name_error", "wrong_base_class"]


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


ODD_INPUT = MisshapenWeight(gate="I", path="cell.fcHI", shape=[2, 32], expected=[32, 32])
NOTHING = {"kernel": "IFCO", "recurrent_kernel": "IFCO"}
UNUSED = ["cell.kernel None", "cell.fcXO.kernel None", "cell.fcXI.kernel (16, 32)"]


def _unit_by_unit(gate):
    return {f"w_{gate}": "16, 32", f"u_{gate}": "32,", f"b_{gate}": "32,"}


@pytest.mark.parametrize(
    ("parts", "code", "params"),
    [
        ({"misshapen": [ONE_UNIT]}, "misshapen", {"weights": ["cell.fcXI (I): (16, 1) → (16, 32)"]}),
        (
            {"misshapen": [ODD_INPUT]},
            "misshapen",
            {"weights": ["cell.fcHI (I): (2, 32) → (32, 32)"], "variant": "input"},
        ),
        (
            {"without_weights": {"kernel": "O", "recurrent_kernel": "FO"}},
            "missing",
            {"kernel": ["O"], "recurrent_kernel": ["F", "O"]},
        ),
        ({"without_weights": NOTHING, "found": []}, "missing", {"variant": "none"}),
        # Not the cell that holds the layer.
        (
            {"without_weights": {"kernel": "O"}, "found": UNUSED},
            "missing",
            {"unused": ["cell.fcXO"], "variant": "unused"},
        ),
        (
            {"found": ["x1.kernel (16, 32)", "x2.kernel (16, 96)", "one.kernel (32, 32)"]},
            "missing",
            {"layer": "one", "variant": "one_h"},
        ),
        ({"found": ["one.kernel (16, 32)", "wide.kernel (32, 128)"]}, "missing", {"layer": "one", "variant": "one_x"}),
        ({"found": ["one.kernel (48, 32)"]}, "missing", {"layer": "one", "variant": "one"}),
        # Weights of which each takes the h of one unit.
        (
            {
                "without_weights": {"recurrent_kernel": "IFCO"},
                "found": [f"{name} ({shape})" for gate in "ifgo" for name, shape in _unit_by_unit(gate).items()],
            },
            "missing",
            {"vectors": ["u_i", "u_f", "u_g", "u_o"], "variant": "vectors"},
        ),
        (
            {"found": ["wx.kernel (16, 128)", "wx.bias (128,)", "u (128,)"]},
            "missing",
            {"vectors": ["u"], "variant": "vectors"},
        ),
        (
            {
                "without_weights": {"recurrent_kernel": "IFCO"},
                "found": ["x (16, 128)", "a (32,)", "b (32,)", "c (32,)", "d (32,)", "e (32,)", "h (4, 32, 32)"],
            },
            "missing",
            {"recurrent_kernel": ["I", "F", "C", "O"]},
        ),
    ],
)
def test_weights_that_do_not_fit_or_are_missing_are_named(evidence_of, parts, code, params):
    assert _params(evidence_of(_odd, parts=parts)) == {f"gate_weights_{code}": params}


def test_an_h_that_meets_a_vector_is_not_called_lost(evidence_of):
    parts = {"found": ["wx.kernel (16, 128)", "wx.bias (128,)", "u (128,)"]}
    assert [*_params(evidence_of(_making("h stays"), parts=parts))] == ["gate_weights_missing"]


@pytest.mark.parametrize(
    ("name", "gate", "found", "params"),
    [
        ("c = i*(c + g)", "F", ["fcXF.kernel None"], {"unused": ["fcXF"], "variant": "unused"}),
        ("c = f*(c + g)", "I", ["fcXI.kernel None"], {"unused": ["fcXI"], "variant": "unused"}),
        ("c = f*(c + g)", "I", [], {"kernel": ["I"], "recurrent_kernel": ["I"]}),
    ],
)
def test_a_gate_without_layers_of_its_own_comes_before_a_formula_with_its_numbers(
    evidence_of, name, gate, found, params
):
    parts = {"without_weights": {"kernel": gate, "recurrent_kernel": gate}, "found": [*found, "a.kernel (16, 32)"]}
    evidence = evidence_of(_making(name), parts=parts)
    assert _params(evidence) == {"gate_weights_missing": params}


@pytest.mark.parametrize(("bias", "variant"), [("b (32,)", "shared"), ("b (128,)", "weights")])
def test_one_bias_that_the_gates_share_is_told_from_one_that_is_not_added(evidence_of, bias, variant):
    told = _params(evidence_of(_making("no bias in ifgo"), parts={"found": [bias]}))
    assert told["bias_missing"]["variant"] == variant


@pytest.mark.parametrize(
    ("used", "code"), [((8, 8), "two_layers"), ((0, 4), "input_transformed"), ((4, 4), None), ((0, 0), None)]
)
def test_weights_that_a_call_with_one_step_does_not_show_are_counted_in_the_answer(evidence_of, used, code):
    evidence = evidence_of(_odd, parts={"found": ["x.kernel (16, 128)", "h.kernel (32, 128)"]})
    answers = dict(evidence.execution.answers)
    exercise = answers[evidence.exercise]
    counts = dict(zip(("kernels", "recurrent_kernels"), used, strict=True))
    answers[evidence.exercise] = replace(exercise, output=exercise.output.model_copy(update=counts))
    evidence = replace(evidence, execution=replace(evidence.execution, answers=answers))
    assert list(_params(evidence)) == ([code] if code else [])


def test_an_odd_treatment_in_the_code_has_a_name_where_no_numbers_give_one(evidence_of):
    for words, code in (
        ({"step_input": "div"}, "input_transformed"),
        ({"passed_on": "add", "update_c": "usual add mul"}, "residual"),
        # The added term is the bias of a layer.
        ({"passed_on": "matmul", "collected": "add", "update_c": "usual add mul"}, "extra_dense"),
        # The sum may be in an update that was not recognised, or was taken for another line.
        ({"passed_on": "add"}, None),
        ({"passed_on": "add", "update_c": "odd add"}, None),
        ({"passed_on": "add", "collected": "h"}, "residual"),
        ({"passed_on": "add", "collected": "h", "update_c": "odd add div"}, None),
        ({"passed_on": "mul", "update_c": "usual add mul"}, "scaled"),
        ({"passed_on": "sort", "update_c": "usual add mul"}, "extra_operation"),
        ({"update_c": "odd add mul", "update_h": "odd either mod"}, "extra_operation"),
        ({"update_h": "odd either mod"}, None),
        ({"collected": "h where"}, "extra_operation"),
        ({"collected": "h", "returned": "softmax"}, "extra_operation"),
        ({"initial_state": "random"}, "state_init_random"),
        ({"initial_state": "from_x"}, "state_init_not_zero"),
        ({"activation": "softmax"}, "wrong_gate_activation"),
        ({"passed_on": "third"}, "third_state"),
        ({"line": "short"}, "low_precision"),
        ({"returned": "no_loop"}, "no_loop"),
        ({"step_input": "transpose"}, None),
        ({"returned": "apply"}, None),
    ):
        place = {"gate": "F" if "activation" in words else None, "first_line": 3, "last_line": 3}
        parts = [{"part": part, "what": word.split(), **place} for part, word in words.items()]
        for respond, found in ((_odd, code), (_making("c collected"), "returns_c")):
            told = _diagnosed(evidence_of(respond, reading={"parts": parts}))
            assert [(each.code, each.confidence == "exact") for each in told] == (
                [(found, respond is not _odd)] if found else []
            )


USUAL_H = {"part": "update_h", "what": ["usual", "mul", "tanh"], "gate": None, "first_line": 9, "last_line": 9}
ONE_MINUS = {**USUAL_H, "part": "update_c", "what": ["odd", "mul", "sub"]}
AFTER_LOOP = {**USUAL_H, "part": "returned", "what": ["answer"]}
SEES_C = {**USUAL_H, "part": "sum", "what": ["sees_c"], "gate": "O"}
NARROW = [MisshapenWeight(gate=gate, path=gate, shape=[16, 31], expected=[16, 32]) for gate in "IFCO"]
TWO_CELLS = [f"{cell}.{part} ({rows}, 128)" for cell in "ab" for part, rows in (("x.kernel", 16), ("h.kernel", 32))]
LETTER = {"name": "х", "looks_like": "x", "line": 3}
WIDE = Constructed(event="constructed", arguments=["n=32"], defaults={"layers": 3, "n": 64})


def _unlike(case):
    """The answer to another input."""
    other = np.random.default_rng(case.spec.seed + 1).normal(size=case.x.shape)
    return lstm_forward(other.astype(np.float32), case.weights).h


ITSELF = """class LSTM(tf.keras.Model):
    def {}(self, x):
        y = self(x)
"""
OUT_OF_TIME = Outcome(result=b"", killed_for="cpu", cpu_seconds=20.0)


def _fails(message, lines=(3,), type="InvalidArgumentError"):
    return {"raised": (raised_event(message, type=type, phase="build", lines=lines),)}


@pytest.mark.parametrize(
    ("respond", "run", "told"),
    [
        (lambda case: 0 * case.expected, {}, {"constant_output": {}}),
        (lambda case: np.nan * case.expected, {}, {"nan": {}}),
        (_unlike, {"reading": {"global_x": [{"line": 7, "shape_only": False}]}}, {"global_x": {"line": 7}}),
        # Before any number.
        (_making("c collected"), {"reading": {"homoglyphs": [LETTER]}}, {"cyrillic_homoglyph": {"line": 3}}),
        # A formula in the code says more than that all numbers are equal.
        (
            lambda case: 0 * case.expected,
            {"reading": {"formulas": {"g": "tanh(x_g * h_g)"}}},
            {"other_formula": {"variant": "read"}, "constant_output": {}},
        ),
        # The answer shows the width, which is not told of every layer too; or it is a default of the constructor.
        (lambda case: _odd(case)[..., :-1], {"parts": {"misshapen": NARROW}}, {"wrong_shape": {}}),
        (
            lambda case: np.zeros((*case.expected.shape[:2], 64)),
            {"constructed": WIDE},
            {"wrong_shape": {"default_of": "n", "width": 64}},
        ),
        (
            lambda case: case.expected[..., :5],
            {"parts": {"found": ["out.kernel (32, 5)", "out.bias (5,)", "x.kernel (16, 128)"]}},
            {"wrong_shape": {"last_weight": "out.kernel", "width": 5}},
        ),
        (
            lambda case: case.expected[:, -1, :5],
            {"parts": {"found": ["out.kernel (32, 5)", "x.kernel (16, 128)"]}},
            {"wrong_shape": {"last_weight": "out.kernel", "width": 5}},
        ),
        # The weights are as wide: nothing is joined to h.
        (
            lambda case: np.repeat(_odd(case), 2, axis=2),
            {"parts": {"found": ["i.kernel (80, 64)", "i.bias (64,)", "f.kernel (80, 64)"]}},
            {"wrong_shape": {"variant": "cell_as_wide", "width": 64}},
        ),
        # A loop that is not entered while the model is built has made no weights.
        (
            lambda case: (Items(_odd(case)[None, :, 1:], ("[0]",)),),
            {"kind": "list", "parts": {"without_weights": NOTHING}},
            {"returns_list": {}},
        ),
        # With other steps too, it is no return in the loop.
        (
            lambda case: (Items(case.expected.swapaxes(0, 1)[:-1], ("[0]",)),),
            {"kind": "list"},
            {"returns_list": {}},
        ),
        # A second output in each step, and an x that kept its axis of time.
        (lambda case: np.repeat(case.expected, 2, axis=1), {}, {"wrong_shape": {"variant": "among_others"}}),
        (
            lambda case: np.repeat(case.expected, case.spec.batch, axis=1),
            {},
            {"wrong_shape": {"variant": "kept_axis"}},
        ),
        # A shape alone does not put the return into the loop.
        (lambda case: _odd(case)[:, :1], {}, {"return_inside_loop": {}}),
        (
            lambda case: _odd(case)[:, :1],
            {"reading": {"parts": [AFTER_LOOP]}},
            {"returns_last_only": {"variant": "no_time"}},
        ),
        # Layers of a cell with fewer gates are named after any.
        (
            _making("layers of f and g exchanged", "h = tanh(g)"),
            {"parts": {"without_weights": {"kernel": "ICO", "recurrent_kernel": "ICO"}}},
            {"simple_rnn": {}},
        ),
        (_odd, {"parts": {"found": TWO_CELLS}}, {"two_layers": {}}),
        (_making("c collected"), {"parts": {"found": TWO_CELLS}}, {"returns_c": {}}),
        (_odd, {"parts": {"found": ["x.kernel (16, 128)", "h.kernel (32, 128)"]}}, {}),
        (_odd, {"parts": {"roles": {}, "found": ["a.kernel (16, 96)", "b.kernel (32, 96)"]}}, {"gru": {}}),
        (_odd, {"parts": {"roles": {}, "found": [f"{gate}.kernel (48, 32)" for gate in "abc"]}}, {"gru": {}}),
        (
            _odd,
            {"parts": {"roles": {}, "found": ["a.kernel (80, 128)"]}, "reading": {"parts": [SEES_C]}},
            {"peephole": {}},
        ),
        # An h that is o*tanh(c) is none of a GRU.
        (
            _odd,
            {"parts": {"roles": {}, "found": ["a.kernel (48, 96)"]}, "reading": {"parts": [USUAL_H]}},
            {},
        ),
        (
            _odd,
            {"parts": {"roles": {}, "found": ["a.kernel (48, 96)"]}, "reading": {"parts": [USUAL_H, ONE_MINUS]}},
            {"coupled_gate": {}},
        ),
        # Odd weights of a right or explained answer are nobody's business.
        (lambda case: case.expected, {"parts": {"misshapen": [ONE_UNIT], "without_weights": {"kernel": "O"}}}, {}),
        (
            _making("c collected"),
            {"parts": {"misshapen": [ONE_UNIT], "without_weights": {"kernel": "O"}}},
            {"returns_c": {}},
        ),
        (
            lambda case: np.concatenate([0 * case.expected[:, :1], case.expected[:, 1:]], axis=1),
            {},
            {"off_by_one": {"variant": "zeros", "steps": "first"}},
        ),
        (
            lambda case: _making("h and c stay")(case)[:, -1:],
            {},
            {"returns_last_only": {}, "state_reset_each_step": {"variant": "last"}},
        ),
        (_making("h stays"), {}, {"h_not_updated": {}}),
        (_making("h stays"), {"parts": {"without_weights": {"recurrent_kernel": "ICO"}}}, {"recurrent_missing": {}}),
        (_making("no h layer in f"), {}, {"recurrent_missing": {"gates": ["F"], "variant": "gates"}}),
        (None, {"hard_coded": {"batch": 10}}, {"hardcoded_batch": {"works": 10, "needed": 2}}),
        (
            None,
            _fails("slice index 100 of dimension 1 out of bounds. [Op:StridedSlice]"),
            {"past_the_end": {"index": 100, "last": 99, "line": 3}},
        ),
        (None, {"outcome": OUT_OF_TIME}, {"timeout": {"cpu_seconds": 20.0}}),
        (None, {"outcome": OUT_OF_TIME, "reading": {"source": ITSELF.format("call")}}, {"recursion": {"line": 3}}),
        (None, {"outcome": OUT_OF_TIME, "reading": {"source": ITSELF.format("train_step")}}, {"timeout": {}}),
        # It took all the time.
        (None, {"outcome": OUT_OF_TIME, **_fails("too deep", type="RecursionError")}, {"recursion": {"line": 3}}),
        (None, _fails("Incompatible shapes: [100,32] vs. [2,32]"), {"raises_in_call": {"variant": "batch_loop"}}),
        (
            None,
            _fails("Matrix size-incompatible: In[0]: [2,16], In[1]: [100,128]"),
            {"raises_in_call": {"variant": "kernel_rows"}},
        ),
        (
            None,
            _fails("Matrix size-incompatible: In[0]: [32,16], In[1]: [2,16]"),
            {"raises_in_call": {"variant": "weights_first"}},
        ),
        (
            None,
            _fails("Matrix size-incompatible: In[0]: [2,32], In[1]: [100,128]"),
            {"raises_in_call": {"variant": "shapes"}},
        ),
        (None, _fails("Incompatible shapes: [2,100,32] vs. [2,32]"), {"raises_in_call": {"variant": "all_steps"}}),
        # h and c of shape (units, batch), x of one step of shape (features, batch).
        (
            None,
            {"parts": {"misshapen": [ODD_INPUT]}, **_fails("Incompatible shapes: [2,32] vs. [32,32]")},
            {"raises_in_call": {"variant": "rows_units"}},
        ),
        (
            None,
            _fails("Matrix size-incompatible: In[0]: [32,2], In[1]: [32,128]"),
            {"raises_in_call": {"variant": "rows_units"}},
        ),
        (
            None,
            {"parts": {"misshapen": [ODD_INPUT]}, **_fails("Incompatible shapes: [16,32] vs. [2,32]")},
            {"raises_in_call": {"variant": "rows_features"}},
        ),
        (
            None,
            {
                "reading": {"source": "hs = tf.scan(step, x)\n\nz = x_t @ self.W\n"},
                **_fails("Matrix size-incompatible: In[0]: [4,32], In[1]: [16,128]", lines=[1, 3]),
            },
            {"raises_in_call": {"variant": "scan"}},
        ),
        (
            None,
            _fails("Incompatible shapes: [2,31] vs. [2,32]"),
            {"raises_in_call": {"variant": "shapes", "sizes": ["batch = 2", "units = 32"]}},
        ),
    ],
)
def test_the_cause_that_says_most_comes_first(evidence_of, respond, run, told):
    diagnosed = _diagnosed(evidence_of(respond, **run))
    assert [diagnosis.code for diagnosis in diagnosed] == list(told)
    for diagnosis in diagnosed:
        assert told[diagnosis.code].items() <= diagnosis.params.items()


def test_time_alone_does_not_prove_that_a_layer_calls_itself(evidence_of):
    [told] = _diagnosed(evidence_of(None, outcome=OUT_OF_TIME, reading={"source": ITSELF.format("call")}))
    assert (told.code, told.confidence) == ("recursion", "likely")


def test_gates_that_do_not_fit_are_the_reason_and_nothing_else_is_suspected(evidence_of):
    checks = run_checks(evidence_of(_odd, parts={"misshapen": [ONE_UNIT]})).checks
    [equivalence] = [check for check in checks if check.id == "equivalence"]
    assert {"wrong", "unexplained"}.isdisjoint(equivalence.params)


def test_a_class_without_call_is_not_told_that_it_is_empty_too(evidence_of, class_found):
    message = "Model LSTM does not have a `call()` method implemented."
    raised = raised_event(message, type="NotImplementedError", bases=["RuntimeError"], phase="build", lines=())
    found = class_found.model_copy(update={"has_call": False})
    assert _codes(evidence_of(raised=(raised,), class_found=found)) == ["no_call_method"]


def test_a_size_that_is_fixed_is_told_beside_a_mistake_that_is_understood(evidence_of):
    evidence = evidence_of(_making("layers of i and f exchanged"))
    raised = raised_event("Incompatible shapes: [5,8] vs. [2,8]", phase="build", lines=(3,), case="other_shape")
    answers = {id: answer for id, answer in evidence.execution.answers.items() if id != "other_shape"}
    execution = replace(evidence.execution, answers=answers, raised=(raised,))
    assert _codes(replace(evidence, execution=execution)) == ["gates_swapped_if", "hardcoded_batch"]


def test_a_state_that_goes_on_from_question_to_question_is_told_where_nothing_is_answered_twice(evidence_of):
    """A class that keeps its h and c for all models answers questions of one batch size alone."""
    ended = {}

    def going_on(case):
        if (case.spec.batch, case.spec.units) != (2, 32):
            return None
        h, c = next(reversed(ended.values())) if ended else (0.3, 0.1)
        changes = {"initial_h": lambda inputs: replace(inputs, h=inputs.h + h)}
        changes["initial_c"] = lambda inputs: replace(inputs, c=inputs.c + c)
        start = Mistake("", "another start", changes, frozenset())
        answer, memory = (replay(more, case) for more in ([start], [start, NAMED["c collected"]]))
        ended[case.spec.id] = answer[:, -1], memory[:, -1]
        return answer.astype(np.float32)

    evidence = evidence_of(going_on, parts={"states": ["h"]})
    assert [each.code for each in evidence.understanding.explanation.mistakes] == ["state_kept_between_calls"]
    first, *_ = _diagnosed(evidence)
    assert (first.code, first.params["variables"]) == ("state_kept_between_calls", ["h"])


def test_an_exception_that_the_code_catches_is_named_where_no_mistake_explains_the_numbers(evidence_of):
    for answer, codes in (
        (_making("layers of i and f exchanged"), ["gates_swapped_if"]),
        (lambda case: case.expected * 0, ["raises_in_call", "constant_output"]),
    ):
        evidence = evidence_of(answer)
        execution = replace(evidence.execution, caught=(raised_event("Incompatible shapes: [5,8] vs. [2,8]"),))
        assert _codes(replace(evidence, execution=execution)) == codes
    for raised in (
        raised_event("nothing known"),
        raised_event("'LSTM' object has no attribute 'start'", type="AttributeError"),  # Its code has such advice, too.
    ):
        execution = replace(execution, caught=(raised,))
        first = diagnose(run_checks(replace(evidence, execution=execution)))[0]
        assert first.params["variant"] == "caught"  # The call would not fail in the notebook.


def test_a_list_stays_empty_because_of_the_exception_that_was_caught(evidence_of):
    evidence = evidence_of(raised=(raised_event("list index out of range", type="IndexError", lines=(2,)),))
    lines = "for x in xs: pass\nreturn tf.stack(out, axis=1)"
    reading = evidence.reading.model_copy(update={"source": lines})
    caught = raised_event("'LSTM' object has no attribute 'Wgx'", type="AttributeError", lines=(1,))
    execution = replace(evidence.execution, caught=(caught,), answers={})
    assert _codes(replace(evidence, reading=reading)) == ["raises_in_call"]
    judgement = run_checks(replace(evidence, reading=reading, execution=execution))
    first, second = diagnose(judgement)[0], diagnose(judgement)[-1]
    assert (first.params["line"], first.params["type"]) == (1, "AttributeError")
    assert first == second


@pytest.mark.parametrize(("source", "variant"), [
    ("for act in acts:\n    gates.append(lambda z: act(z))", "late"),
    ("for act in acts:\n    gates.append(lambda z, act=act: act(z))", None),
    ("for act in acts:\n    gates.append(lambda z: tf.sigmoid(z))", None),
])  # fmt: skip
def test_functions_that_look_up_their_activation_late_are_named_as_the_cause(evidence_of, source, variant):
    evidence = evidence_of(_making("sigmoid in g"))
    reading = evidence.reading.model_copy(update={"source": source})
    judgement = run_checks(replace(evidence, reading=reading))
    assert [(each.code, each.params.get("variant")) for each in diagnose(judgement)] == [("sigmoid_candidate", variant)]


def test_numbers_with_a_known_cause_are_not_searched_for_another(evidence_of):
    for answer, variant in ((_making("sigmoid in g"), "explained"), (lambda case: np.cos(case.expected), "first_step")):
        found = run_checks(evidence_of(answer)).verdicts["equivalence"].finding
        assert (found.code, found.params["variant"]) == ("wrong_values", variant)


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


@pytest.mark.parametrize(
    ("dropped", "parts", "code"),
    [
        (True, [], "dropout_active"),
        (False, [], "state_kept_between_calls"),
        (False, [{**USUAL_H, "part": "line", "what": ["random"]}], "dropout_active"),
    ],
)
def test_answers_that_change_have_something_random_or_a_kept_state(evidence_of, dropped, parts, code):
    evidence = evidence_of(_odd, reading={"parts": parts})
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


def test_a_right_answer_that_changes_at_the_second_call_has_a_kept_state(evidence_of):
    evidence = evidence_of(lambda case: case.expected)
    answer = evidence.execution.answers["exercise"]
    execution = replace(evidence.execution, repeats={"exercise": replace(answer, array=answer.array + 0.1)})
    assert _codes(replace(evidence, execution=execution)) == ["state_kept_between_calls"]
