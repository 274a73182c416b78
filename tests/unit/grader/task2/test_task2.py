"""Task 2 judged without a box: a notebook is a function that shows what it makes of two answers."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from grader.execution.reading import Reading, Statement, Use
from grader.sandbox import Outcome
from grader.sandbox.events import ModelCall, NotebookOutput, StatementFailed
from grader.task2.comparing import judge_comparison
from grader.task2.copying import PARTS, best_pair, judge_copying
from grader.task2.differences import shows_numbers
from grader.task2.runs import NotebookRun
from tests.growth import assert_in_proportion
from tests.unit.grader.diagnosis.events import failed_event

FEATURES, UNITS = 3, 4
SHAPES = {"kernel": (FEATURES, 4 * UNITS), "recurrent_kernel": (UNITS, 4 * UNITS), "bias": (4 * UNITS,)}
RNG = np.random.default_rng(3)
KERAS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
FRESH = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
STUDENT_MODEL, KERAS_MODEL = 0, 1
# The statements of every notebook here: call Keras, call the student's, copy, call both again, compare.
COPY, SHOW = 2, 5


def _use(statement, **facts):
    defaults = {"sides": ["keras", "student"], "shape_only": False, "equality": False, "assigns_attribute": False}
    defaults["reads_weights"] = False
    return Use(statement=statement, **(defaults | facts))


def _reading(source="", **facts):
    statements = [Statement(first_line=n + 1, last_line=n + 1, cell=0, run=False, reason="") for n in range(8)]
    uses = [_use(n, **(facts if n == SHOW else {})) for n in range(8)]
    return Reading(format="py", error=None, source=source, statements=statements, uses=uses)


def _call(number, side, statement, moment, input_id="x"):
    model = STUDENT_MODEL if side == "student" else KERAS_MODEL
    return ModelCall(
        event="called", call=number, model=model, side=side, statement=statement, moment=moment, input=input_id
    )


def _shown(value, statement=SHOW, via="print"):
    if isinstance(value, str):
        return NotebookOutput(event="shown", statement=statement, via=via, kind="text", size=0, values=[], text=value)
    array = np.asarray(value)
    kind = "array" if array.size > 1 else "bool" if array.dtype == bool else "number"
    values = [float(item) for item in array.ravel()[:32]]
    return NotebookOutput(
        event="shown", statement=statement, via=via, kind=kind, size=array.size, values=values, text=""
    )


# --- copying ---


def _copied(student, keras=KERAS, *, fresh=FRESH, **facts):
    calls = (_call(0, "keras", 0, 0), _call(1, "student", 1, 0), _call(2, "student", 4, 1))
    return NotebookRun(
        _reading(**facts),
        Outcome(result=b""),
        calls=calls,
        moments=({STUDENT_MODEL: fresh, KERAS_MODEL: KERAS}, {STUDENT_MODEL: student, KERAS_MODEL: keras}),
        changed_by=(1, COPY),
    )


def _gates(array, order):
    return np.concatenate([KERAS[array][..., k * UNITS : (k + 1) * UNITS] for k in order], axis=-1)


def _columns(order):
    return KERAS["kernel"][:, order]


def test_equal_weights_are_copied_in_either_direction():
    verdict = judge_copying(_copied(KERAS))
    assert (verdict.earned, verdict.details["parts_right"]) == (1.0, len(PARTS))
    assert judge_copying(_copied(FRESH, FRESH)).earned


def test_weights_that_training_changed_afterwards_were_copied_all_the_same():
    run = _copied(KERAS)
    trained = {name: array + 0.5 for name, array in KERAS.items()}
    later = (*run.moments, {STUDENT_MODEL: trained, KERAS_MODEL: KERAS})
    assert judge_copying(replace(run, moments=later, changed_by=(1, COPY, 6))).earned


@pytest.mark.parametrize(
    ("code", "layers", "wrong"),
    [
        pytest.param("t2_slices_mixed", ["fcXF", "fcXC"], {"kernel": _gates("kernel", (0, 2, 1, 3))}, id="gates"),
        pytest.param(
            "t2_slices_mixed",
            ["fcHI", "fcHF"],
            {"recurrent_kernel": _gates("recurrent_kernel", (1, 0, 2, 3))},
            id="recurrent_gates",
        ),
        pytest.param(
            "t2_slices_wrong", ["fcXF"], {"kernel": _columns([*range(4), *range(5, 9), *range(8, 16)])}, id="border"
        ),
        pytest.param(
            "t2_slices_wrong",
            ["fcXI", "fcXF", "fcXC", "fcXO"],
            {"kernel": _columns(np.arange(16).reshape(4, 4).T.ravel())},
            id="strided",
        ),
        pytest.param(
            "t2_bias_not_copied", ["fcXI", "fcXF", "fcXC", "fcXO"], {"bias": FRESH["bias"] * np.nan}, id="no_bias"
        ),
        pytest.param(
            "t2_recurrent_not_copied",
            ["fcHI", "fcHF", "fcHC", "fcHO"],
            {"recurrent_kernel": FRESH["recurrent_kernel"]},
            id="recurrent",
        ),
        pytest.param(
            "weights_wrong",
            [f"fc{kind}{gate}" for kind in "XH" for gate in "IFC"],
            {name: np.where(np.arange(4 * UNITS) < 3 * UNITS, FRESH[name], KERAS[name]) for name in KERAS},
            id="one_gate_copied",
        ),
        pytest.param(
            "weights_wrong", ["fcXI"], {"kernel": KERAS["kernel"] * np.repeat([2, 1, 1, 1], UNITS)}, id="scaled"
        ),
    ],
)
def test_a_mistake_in_copying_names_itself_and_the_layers(code, layers, wrong):
    verdict = judge_copying(_copied(KERAS | {name: np.float32(array) for name, array in wrong.items()}))
    assert (verdict.earned, verdict.code, verdict.finding.params["layers"]) == (0.0, code, layers)


def test_nothing_copied_is_not_found_and_a_replaced_attribute_is_said_to_be_one():
    assert judge_copying(_copied(FRESH)).code == "weights_not_copied"
    assert judge_copying(_copied(FRESH, assigns_attribute=True)).code == "t2_attr_assign"


COPYING = "def copy_weights():\n\n    cell.fcXI.set_weights([W])\n"


@pytest.mark.parametrize(
    ("source", "function"),
    [
        (COPYING, "copy_weights"),
        (COPYING.replace("set_weights(", "kernel.assign("), "copy_weights"),
        (COPYING.replace("copy_weights():", "copy_weights(\n    model,\n) -> None:"), "copy_weights"),
        (f"{COPYING}copy_weights()\n", None),
        (f"{COPYING}run = copy_weights\n", None),
        ("def show():\n    print(y)\ncell.fcXI.set_weights([W])\n", None),
    ],
    ids=["set_weights", "assign", "parameters", "called", "under another name", "another function"],
)
def test_a_function_that_would_copy_and_is_never_called_is_named(source, function):
    run = replace(_copied(FRESH), reading=_reading(source))
    assert judge_copying(run).finding.params.get("function") == function
    assert not function or judge_copying(replace(run, moments=())).finding.params["function"] == function


def _constant(array, value=0.1):
    return np.full_like(array, value)


NOT_COPIED = {
    "constants": ({name: _constant(array) for name, array in KERAS.items()}, FRESH),
    "zeros": ({name: _constant(array, 0.0) for name, array in KERAS.items()}, FRESH),
    "the same in every gate": ({name: np.tile(_gates(name, (0,)), 4) for name in SHAPES}, FRESH),
    "new numbers for both": ({name: array + 1 for name, array in KERAS.items()}, FRESH),
    "the bias alone": ({**FRESH, "bias": KERAS["bias"]}, FRESH),
}


@pytest.mark.parametrize("name", NOT_COPIED)
def test_equal_weights_that_neither_model_had_before_are_not_copied(name):
    student, fresh = NOT_COPIED[name]
    keras = KERAS if name == "the bias alone" else student
    verdict = judge_copying(_copied(student, keras, fresh=fresh))
    assert (verdict.code, verdict.details["parts_right"]) == ("weights_not_copied", 0)


def test_constants_stay_uncopied_when_something_else_changes():
    run, both = _copied(NOT_COPIED["constants"][0]), NOT_COPIED["new numbers for both"][0]
    moments = (*run.moments[:1], {0: both, 1: both}, {0: {**both, "bias": KERAS["bias"]}, 1: both})
    assert judge_copying(replace(run, moments=moments, changed_by=(1, COPY, 6))).code == "weights_not_copied"


def test_biases_of_zeros_count_beside_copied_kernels():
    zeros = {"bias": _constant(KERAS["bias"], 0.0)}
    assert judge_copying(_copied(FRESH | zeros, FRESH | zeros, fresh=FRESH | zeros)).earned


def test_a_layer_of_one_unit_and_one_feature_can_be_copied():
    keras = {name: RNG.normal(size=(1, 4)) for name in ("kernel", "recurrent_kernel")} | {"bias": RNG.normal(size=4)}
    run = _copied(keras, keras, fresh={name: array + 1 for name, array in keras.items()})
    before, after = run.moments
    assert judge_copying(replace(run, moments=(before | {KERAS_MODEL: keras}, after))).earned


def test_square_kernels_can_be_mixed_up_and_are_named():
    square = {"kernel": RNG.normal(size=(4, 16)), "recurrent_kernel": RNG.normal(size=(4, 16)), "bias": np.ones(16)}
    keras = {name: array.astype(np.float32) for name, array in square.items()}
    mixed = {**keras, "kernel": keras["recurrent_kernel"], "recurrent_kernel": keras["kernel"]}
    assert judge_copying(_copied(mixed, keras, fresh=mixed)).code == "t2_kernels_mixed"


@pytest.mark.parametrize(
    ("message", "source", "code"),
    [
        ("property 'kernel' of 'Dense' object has no setter", "", "t2_attr_assign"),
        ("'Dense' object has no attribute 'kernel'", "", "t2_before_build"),
        ("layer 'dense' with a weight list of length 2, but the layer was expecting 0 weights", "", "t2_before_build"),
        (
            "The shape of the target variable and of the target value must match. Received: (3, 4) and (4, 4)",
            "cell.fcXI.kernel.assign(lstm.weights[1][:, :4])",
            "t2_kernels_mixed",
        ),
        (
            "Cannot assign value to variable: The shape (3, 4), and the assigned shape (3, 5) are incompatible.",
            "cell.fcXI.kernel.assign(lstm.weights[0][:, :5])",
            "t2_slices_wrong",
        ),
        # More digits than Python reads.
        (f"The shapes ({'3' * 5000}, 4) and (4, 4) differ.", "cell.fcXI.set_weights(w)", "t2_slices_wrong"),
        ("name 'lstmmy' is not defined", "", "copying_failed"),
        # Not a line that copies.
        ("Incompatible shapes: (2, 4) and (3, 4)", "y = gate(x) + h", "copying_failed"),
        ("property 'layers' of 'LSTM' object has no setter", "class LSTM(Model): layers = []", "copying_failed"),
        ("list index out of range", "class LSTM(Model): first = x[2]", "copying_failed"),
    ],
)
def test_a_copying_statement_that_fails_says_why(message, source, code):
    run = _copied(FRESH)
    failed = {0: failed_event(1, "ValueError", message)}
    verdict = judge_copying(replace(run, reading=_reading(source), failed=failed))
    assert (verdict.code, verdict.finding.params["line"]) == (code, 1)
    assert verdict.finding.params.get("layers", ["fcXI"]) == ["fcXI"]


# --- comparing ---

Y = RNG.normal(size=(2, 5, UNITS)).astype(np.float32)
PATTERN = np.array([1.1, -0.15, -0.15, -0.15, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1], np.float32)
RAMP = np.array([0.6, 1.4, 0.8, 1.2], np.float32)
ROUNDED = Y + np.float32(2e-7) * RNG.choice([-1, 1], Y.shape).astype(np.float32)

Notebook = Callable[..., list[NotebookOutput]]


def _judged(
    notebook: Notebook,
    *,
    copies=True,
    calls_after=True,
    at_once=False,
    other_model=False,
    other_input=False,
    error=0.0,
    **facts,
):
    """The finding on a notebook that calls Keras, its own model, copies, calls both again (or not), and shows.

    Args:
        at_once: the models are called after the copying only, in the statement that shows.
        other_model: the answer ``b`` is that of another model, made after the copying.
    """

    def ask(spoils=None):
        calls = [_call(0, "keras", 0, 0), _call(1, "student", 1, 0)]
        if calls_after:
            input_id = "z" if other_input else "x"
            calls += [_call(2, "keras", 3, 1 if copies else 0), _call(3, "student", 4, 1 if copies else 0, input_id)]
        if at_once:
            calls = [call.model_copy(update={"statement": SHOW}) for call in calls[2:]]
        if other_model:
            calls[1] = calls[1].model_copy(update={"model": 2, "statement": SHOW - 1})
        answers = {}
        for call in calls:
            copied = call.moment == 1 or not copies
            answer = Y if call.side == "keras" else ROUNDED + error if copied else Y + np.float32(0.4)
            spoil = (spoils or {}).get(call.call, {})
            by = spoil.get("by")
            answer = np.array(Y if by == "keras" else answer)
            if by is not None:
                places = (np.indices(Y.shape).sum(axis=0) % 2 == (by == "pattern")) | spoil.get("everywhere", False)
                numbers = np.resize(PATTERN if by == "pattern" else RAMP, places.sum())
                answer[places] += np.float32(spoil["amount"]) * numbers
            answers[call.call] = answer
        old_keras, old, keras, own = (answers.get(number) for number in range(4))
        failed: dict[int, StatementFailed] = {}
        shown: list[NotebookOutput] = []
        try:
            shown += notebook(old_keras, old, old_keras if keras is None else keras, old if own is None else own)
        except (AssertionError, ValueError) as exc:
            shown += [_shown(f"{type(exc).__name__}: {exc}", via="raised")]
            failed[SHOW] = failed_event(SHOW + 1, type(exc).__name__, str(exc))
        moments = ({0: FRESH, 1: KERAS}, {0: KERAS, 1: KERAS})
        return NotebookRun(
            _reading(**facts),
            Outcome(result=b""),
            complete=True,
            calls=tuple(calls),
            moments=moments if copies else moments[:1],
            changed_by=(1, COPY) if copies else (1,),
            outputs=tuple(shown),
            failed=failed,
        )

    clean = ask()
    return judge_comparison(clean, best_pair(clean), ask)


def _passes(claim):
    assert claim
    return []


def _shows_an_old_answer_and_fails(_a, b, y, z):
    yield _shown(b, statement=COPY - 1)
    yield _shown(np.abs(y - z[:, -1]).max())


NOISE = np.random.default_rng(1)
REAL = {
    "max_abs": lambda a, b, y, z: [_shown(np.abs(y - z).max())],
    "median_abs": lambda a, b, y, z: [_shown(np.median(np.abs(y - z)))],
    "mse": lambda a, b, y, z: [_shown(f"MSE = {((y - z) ** 2).mean():.3e}")],
    "norm": lambda a, b, y, z: [_shown("норма"), _shown(np.linalg.norm(y - z))],
    "relative": lambda a, b, y, z: [_shown(np.max(np.abs(y - z) / np.abs(z)))],
    "correlation": lambda a, b, y, z: [_shown(np.corrcoef(y.ravel(), z.ravel()))],
    "log": lambda a, b, y, z: [_shown(np.log10(np.abs(y - z).max() + 1e-12))],
    "allclose": lambda a, b, y, z: [_shown(np.allclose(y, z, atol=1e-5))],
    "verdict_in_words": lambda a, b, y, z: [_shown("совпали" if np.allclose(y, z, atol=1e-5) else "нет")],
    "assert": lambda a, b, y, z: _passes(np.abs(y - z).max() < 1e-5),
    "difference": lambda a, b, y, z: [_shown(y - z)],
    "last_step": lambda a, b, y, z: [_shown(np.abs(y[:, -1] - z[:, -1]).max())],
    "a_few_by_eye": lambda a, b, y, z: [_shown(f"{y[0, 0, :2]} {z[0, 0, :2]}")],
    "cosine": lambda a, b, y, z: [_shown(np.sum(y * z) / np.linalg.norm(y) / np.linalg.norm(z))],
    "share_of_close_ones": lambda a, b, y, z: [_shown(np.isclose(y, z, atol=1e-5).mean())],
    "table_by_eye": lambda a, b, y, z: [_shown(np.stack([y[0], z[0]]).ravel()[:32])],
    "sum_beside_a_verdict": lambda a, b, y, z: [_shown(y.sum() + z.sum()), _shown(np.allclose(y, z, atol=1e-5))],
    "by_eye": lambda a, b, y, z: [_shown(y), _shown(z)],
    "by_eye_old_keras": lambda a, b, y, z: [_shown(a[0, 0]), _shown(z[0, 0])],
    "plot": lambda a, b, y, z: [_shown(y[0], via="call"), _shown(z[0], via="call")],
    "bound_only": lambda a, b, y, z: [_shown(np.abs(y - z).max(), via="bound")],
    "old_keras": lambda a, b, y, z: [_shown(np.abs(a - z).max())],
    "both_ends": lambda a, b, y, z: [_shown((y - z).max()), _shown((y - z).min())],
    "both_ends_in_words": lambda a, b, y, z: [_shown(f"от {(y - z).min():.3e} до {(y - z).max():.3e}")],
    "noise_beside_it": lambda a, b, y, z: [_shown(f"{NOISE.random():.4f} s, {np.abs(y - z).max():.2e}")],
    "signed_beside_a_right_one": lambda a, b, y, z: [_shown((y - z).mean()), _shown(np.abs(y - z).max())],
}


@pytest.mark.parametrize("notebook", REAL.values(), ids=REAL.keys())
def test_a_real_comparison_passes(notebook):
    assert _judged(notebook).earned


FALSE = {
    "t2_faked-literal": (lambda a, b, y, z: [_shown(0.0)], {"sides": []}),
    "t2_faked-words": (lambda a, b, y, z: [_shown("max diff 1.2e-07")], {"sides": []}),
    "t2_faked-function": (lambda a, b, y, z: [_shown(min(1.2e-7, np.abs(y - z).max() + 1e-6))], {}),
    "t2_self_compare-keras": (lambda a, b, y, z: [_shown(np.abs(a - y).max())], {"sides": ["keras"]}),
    "t2_self_compare-same": (lambda a, b, y, z: [_shown(np.abs(z - z).max())], {"sides": ["student"]}),
    "t2_no_abs-mean": (lambda a, b, y, z: [_shown((y - z).mean())], {}),
    "t2_no_abs-mean_reversed": (lambda a, b, y, z: [_shown((z - y).mean())], {}),
    "t2_no_abs-abs_of_mean": (lambda a, b, y, z: [_shown(abs((y - z).mean()))], {}),
    "t2_no_abs-sum": (lambda a, b, y, z: [_shown(f"{(y - z).sum()}")], {}),
    "t2_no_abs-max": (lambda a, b, y, z: [_shown((y - z).max())], {}),
    "t2_no_abs-max_twice": (lambda a, b, y, z: [_shown((y - z).max()), _shown((y[0] - z[0]).max())], {}),
    "t2_no_abs-max_and_mean": (lambda a, b, y, z: [_shown((y - z).max()), _shown((y - z).mean())], {}),
    "t2_no_abs-max_reversed": (lambda a, b, y, z: [_shown((z - y).max())], {}),
    "t2_no_abs-verdict": (lambda a, b, y, z: [_shown(bool((y - z).max() < 1e-5))], {}),
    "t2_no_abs-verdict_reversed": (lambda a, b, y, z: [_shown(bool((z - y).max() < 1e-5))], {}),
    "t2_no_abs-min": (lambda a, b, y, z: [_shown((y - z).min())], {}),
    "t2_part_only-element": (lambda a, b, y, z: [_shown(abs(y[0, 1, 2] - z[0, 1, 2]))], {}),
    "t2_part_only-element_by_eye": (lambda a, b, y, z: [_shown(y[0, 0, 0]), _shown(z[0, 0, 0])], {}),
    "t2_part_only-element_equal": (lambda a, b, y, z: [_shown(y[0, 0, 0] == z[0, 0, 0])], {"equality": True}),
    "t2_part_only-element_in_words": (lambda a, b, y, z: [_shown(f"{y[1, 0, 0]} {z[1, 0, 0]}")], {}),
    "t2_part_only-smallest": (lambda a, b, y, z: [_shown(np.abs(y - z).min())], {}),
    "t2_part_only-any": (lambda a, b, y, z: [_shown(bool(np.isclose(y, z, atol=1e-5).any()))], {}),
    "t2_part_only-smallest_and_element": (
        lambda a, b, y, z: [_shown(np.abs(y - z).min()), _shown(abs(y[0, 1, 2] - z[0, 1, 2]))],
        {},
    ),
    "t2_no_difference-sum": (lambda a, b, y, z: [_shown(np.abs(y).sum() + np.abs(z).sum())], {}),
    "t2_no_difference-product": (lambda a, b, y, z: [_shown(f"{(y * z).sum()}")], {}),
    "t2_no_difference-array": (lambda a, b, y, z: [_shown(y + z)], {}),
    "t2_no_difference-largest": (lambda a, b, y, z: [_shown(max(y.max(), z.max()) + y[0].max() + z[0].max())], {}),
    "t2_shape_only-verdict": (lambda a, b, y, z: [_shown(y.shape == z.shape)], {"shape_only": True}),
    "t2_exact_equality-verdict": (lambda a, b, y, z: [_shown(bool((y == z).all()))], {"equality": True}),
    "t2_exact_equality-count": (lambda a, b, y, z: [_shown(int((y == z).sum()))], {"equality": True}),
    "t2_exact_equality-assert": (lambda a, b, y, z: _passes((y == z).all()), {"equality": True}),
    "t2_stale_output-old": (lambda a, b, y, z: [_shown(np.abs(y - b).max())], {}),
    "t2_shape_only-assert": (lambda a, b, y, z: _passes(y.shape == z[:, -1].shape), {"shape_only": True}),
    "comparison_failed-shapes": (lambda a, b, y, z: [_shown(np.abs(y - z[:, -1]).max())], {}),
    "comparison_failed-at_once": (lambda a, b, y, z: [_shown(np.abs(y - z[:, -1]).max())], {"at_once": True}),
    "comparison_failed-after_an_old_answer": (_shows_an_old_answer_and_fails, {}),
    "comparison_not_found-shapes_of_one": (lambda a, b, y, z: [_shown(z - z[:, -1])], {"sides": ["student"]}),
    "comparison_not_found-copying": (lambda a, b, y, z: [_shown(y - z[:, -1])], {"reads_weights": True}),
    "comparison_not_found-nothing": (lambda a, b, y, z: [], {}),
    "comparison_not_found-weights": (lambda a, b, y, z: [_shown(0.0)], {"reads_weights": True}),
    "comparison_not_found-own": (lambda a, b, y, z: [_shown(z)], {"sides": ["student"]}),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_comparison_that_is_none_is_named(name):
    notebook, facts = FALSE[name]
    assert _judged(notebook, **facts).code == name.partition("-")[0]


def test_a_result_that_reads_both_answers_is_not_called_typed_in():
    for sides, variant in ((["keras", "student"], "coarse"), ([], None)):
        verdict = _judged(lambda a, b, y, z: [_shown(bool(np.allclose(y, z, atol=9)))], sides=sides)
        assert (verdict.code, verdict.finding.params.get("variant")) == ("t2_faked", variant)


def test_a_comparison_before_the_copying_does_not_count():
    before = _judged(lambda a, b, y, z: [_shown(np.abs(a - b).max(), statement=COPY - 1)], calls_after=False)
    after = _judged(lambda a, b, y, z: [_shown(np.abs(a - b).max())], calls_after=False)
    assert (before.code, after.code) == ("t2_compare_before_copy", "t2_stale_output")


@pytest.mark.parametrize("compare", [lambda y, b: np.abs(y - b).max(), lambda y, b: bool(np.allclose(y, b, atol=1e-5))])
@pytest.mark.parametrize("other_model", [True, False])
def test_an_answer_of_a_model_that_the_copying_does_not_use_is_no_old_one(compare, other_model):
    verdict = _judged(lambda a, b, y, z: [_shown(compare(y, b))], other_model=other_model, sides=["keras", "student"])
    assert verdict.code == "t2_stale_output"
    assert verdict.finding.params.get("variant") == ("other_model" if other_model else None)


@pytest.mark.parametrize(("format", "cells", "is_shown"), [
    ("ipynb", [0, 0], False), ("ipynb", [0, 1], True), ("py", [0, 0], True),
])  # fmt: skip
def test_a_value_is_shown_only_at_the_end_of_its_cell(format, cells, is_shown):
    statements = [
        Statement(first_line=n, last_line=n, cell=cell, run=False, reason="") for n, cell in enumerate(cells, 1)
    ]
    reading = Reading(format=format, error=None, statements=statements)
    run = NotebookRun(reading, Outcome(result=b""), outputs=(_shown(Y, statement=0, via="value"),))
    assert shows_numbers(run, {(0, "value", 0)}) is is_shown


def test_a_comparison_counts_though_nothing_was_copied():
    assert _judged(REAL["max_abs"], copies=False).earned


@pytest.mark.parametrize("name", ["t2_no_abs-mean", "t2_no_abs-max", "t2_no_abs-max_reversed", "t2_no_abs-sum"])
def test_a_signed_measure_is_one_where_the_answers_differ_too(name):
    notebook, facts = FALSE[name]
    wrong = np.random.default_rng(1).normal(scale=0.05, size=Y.shape).astype(np.float32)
    assert _judged(notebook, error=wrong, **facts).code == "t2_no_abs"
    assert _judged(REAL["max_abs"], error=wrong).earned


def test_rounded_numbers_may_be_compared_exactly():
    def notebook(a, b, y, z):
        return [_shown(bool((np.round(y, 3) == np.round(np.float32(z), 3)).all()) or np.abs(y - z).max() < 1e-6)]

    assert _judged(notebook, equality=True).earned


def test_different_inputs_are_named():
    wrong = np.float32(0.1)
    assert _judged(REAL["max_abs"], other_input=True, error=wrong).code == "t2_different_inputs"
    assert _judged(REAL["max_abs"], other_input=True).earned


@pytest.mark.parametrize(
    "forged",
    [
        {"kernel": np.float32(1), "recurrent_kernel": np.float32(1)},
        {"kernel": np.ones((1, 4 * UNITS)), "recurrent_kernel": np.ones((1, 4))},
        {name: KERAS[name][..., 1:] for name in KERAS},
        {name: KERAS[name][..., :0] for name in KERAS},
        {"kernel": KERAS["kernel"], "bias": KERAS["bias"]},
        KERAS | {"bias": np.ones(3)},
    ],
    ids=["numbers", "other units", "no four gates", "nothing", "half of them", "another bias"],
)
def test_arrays_that_are_no_layer_are_not_copied(forged):
    without_bias = {name: KERAS[name] for name in ("kernel", "recurrent_kernel")}
    for fresh, student, keras in [(forged, forged, forged), (FRESH, forged, KERAS), (FRESH, without_bias, KERAS)]:
        assert not judge_copying(_copied(student, keras, fresh=fresh)).earned


def test_models_that_stay_as_they_are_cost_little_time():
    def seconds(moments):
        sides = [("student", "keras")[number % 2] for number in range(40)]
        run = NotebookRun(
            _reading(),
            Outcome(result=b""),
            calls=tuple(_call(n, side, SHOW, 0).model_copy(update={"model": n}) for n, side in enumerate(sides)),
            moments=tuple(dict.fromkeys(range(39), KERAS) | {39: dict(KERAS)} for _ in range(moments)),
            changed_by=(COPY,) * moments,
        )
        before = time.process_time()
        best_pair(run)
        return time.process_time() - before

    assert assert_in_proportion(seconds, 25)[-1] < 2


def test_many_calls_of_models_with_large_weights_take_time_in_proportion():
    def seconds(size):
        shapes = {"kernel": (2, 8000 * size), "recurrent_kernel": (2, 8000 * size), "bias": (8000 * size,)}
        weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
        run = NotebookRun(
            _reading(),
            Outcome(result=b""),
            calls=tuple(_call(n, ("student", "keras")[n % 2], SHOW, 0) for n in range(size)),
            moments=({STUDENT_MODEL: weights, KERAS_MODEL: weights},),
            changed_by=(COPY,),
        )
        pair = best_pair(run)
        before = time.process_time()
        judge_comparison(run, pair, lambda _: run)
        return time.process_time() - before

    assert_in_proportion(seconds, 40)
