"""Codes of a run's outcome, before any number is looked at."""

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.contract import contract
from grader.diagnosis.exceptions import exception_problem
from grader.diagnosis.outcomes import ending_problem, hard_coded_size, structural_problem
from grader.diagnosis.returned import output_problem
from grader.diagnosis.weights import other_number_of_weights
from grader.execution.answers import Answer
from grader.execution.reading import Reading
from grader.numerics.forms import STEPS, Form, Layout
from grader.report.finding import Finding, Remark
from grader.report.server_paths import clean, clean_message, without_server_paths
from grader.sandbox import Outcome, Use
from grader.sandbox.events import CaseOutput
from tests.unit.grader.diagnosis.events import raised_event

EXPECTED = (2, 100, 32)
READING = Reading(format="py", error=None)


def _output(shape=None, *, kind="tensor", dtype="float32", parts=None) -> CaseOutput:
    usual = {"event": "output", "case": "exercise", "call": 0, "reused": False}
    return CaseOutput(**usual, kind=kind, dtype=dtype, shape=shape, parts=parts)


# --- what the model returned ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "tuple", "parts": [[2, 100, 32], [2, 32]]}, "returns_tuple"),
        ({"kind": "list", "parts": [[2, 32]]}, "returns_list"),
        ({"kind": "dict", "parts": [[2, 32]]}, "returns_dict"),
        ({"kind": "NoneType", "parts": []}, "returns_none"),
        ({"kind": "KerasTensor"}, "wrong_kind"),
        ({"kind": "RaggedTensor", "parts": [[2, 100, 32]]}, "wrong_kind"),
        ({"shape": [2, 100, 32], "kind": "ndarray"}, "returns_numpy"),
        ({"shape": [2, 100, 32], "kind": "Equal"}, "returns_numpy"),
        ({"shape": [2, 100, 32], "dtype": "float64"}, "dtype_float64"),
        ({"shape": [2, 100, 32], "dtype": "float16"}, "wrong_dtype"),
    ],
    ids=str,
)
def test_a_value_of_another_kind_or_type_has_a_name(fields, code):
    assert output_problem(_output(**fields), EXPECTED).code == code


@pytest.mark.parametrize(
    ("kind", "variant"),
    [("coroutine", "async"), ("async_generator", "async"), ("generator", "generator"), ("KerasTensor", None)],
)
def test_an_object_that_async_or_yield_makes_leads_to_it(kind, variant):
    assert output_problem(_output(kind=kind), EXPECTED).params.get("variant") == variant


@pytest.mark.parametrize(
    ("shape", "code", "variant"),
    [
        ([2, 32], "returns_last_only", "no_time"),
        ([100, 2, 32], "time_major", None),
        ([2, 32, 100], "wrong_stack_axis", None),
        ([2, 99, 32], "missing_step", None),
        ([2, 50, 32], "step_two", None),
        ([2, 1, 32], "return_inside_loop", None),
        ([1, 100, 32], "batch_zero_only", "one"),
        ([2, 3200], "concat_not_stack", None),
        ([200, 1, 32], "concat_not_stack", None),
        ([2, 100, 32, 1], "extra_axis", None),
        ([1, 2, 100, 32], "extra_axis", None),
        ([], "wrong_shape", "scalar"),
        ([2, 7, 32], "wrong_shape", None),
        ([2, 0, 32], "wrong_shape", "no_steps"),
        ([2, 100, 8], "wrong_shape", "quarter"),
        ([2, 16, 32], "wrong_shape", "loop_features"),
        ([2, 2, 32], "wrong_shape", "loop_batch"),
        ([2, 101, 32], "wrong_shape", "one_more"),
        ([2, 100, 64], "wrong_shape", "two_states"),
        ([2, 100, 2, 32], "wrong_shape", "pairs"),
    ],
    ids=str,
)
def test_a_wrong_shape_says_what_it_shows(shape, code, variant):
    found = output_problem(_output(shape), EXPECTED, None, 16)
    assert (found.code, found.params.get("variant")) == (code, variant)


def test_every_second_of_an_odd_number_of_steps_is_known_too():
    assert output_problem(_output([2, 4, 32]), (2, 7, 32), None, 16).code == "step_two"


def _steps(name):
    return next(steps for steps in STEPS if name in (steps.code, steps.implied))


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("last_step", [2, 32], ("returns_last_only", None)),
        ("first_step", [2, 1, 32], ("return_inside_loop", None)),
        ("all_but_first", [2, 99, 32], ("missing_step", "first")),
        ("all_but_last", [2, 99, 32], ("missing_step", "last")),
        ("next x, the last twice", [2, 99, 32], ("missing_step", "late")),
        ("every_second_step", [2, 50, 32], ("step_two", "cut")),
        ("every second step, each twice", [2, 50, 32], ("step_two", None)),
        ("first_steps", [2, 50, 32], ("missing_step", "last_steps")),
        ("last_steps", [2, 97, 32], ("missing_step", "first_steps")),
        ("first_steps", [2, 16, 32], ("wrong_shape", "loop_features")),
        ("extra_first_step", [2, 101, 32], ("wrong_shape", "one_more")),
    ],
)
def test_steps_that_are_understood_say_which_are_missing(name, shape, told):
    form = Form(Layout(steps=_steps(name)))
    found = output_problem(_output(shape), EXPECTED, form, 16)
    assert (found.code, found.params.get("variant")) == told


@pytest.mark.parametrize("shape", [[6400], [200, 32], [2, 3200]])
def test_steps_joined_into_fewer_axes_are_no_swapped_axes(shape):
    form = Form(Layout(order=(1, 0, 2), joined=True))
    assert output_problem(_output(shape), EXPECTED, form, 16).code == "concat_not_stack"


def test_axes_of_an_answer_that_lacks_a_step_are_named_by_their_order():
    form = Form(Layout(order=(1, 0, 2), steps=_steps("all_but_last")))
    assert output_problem(_output([99, 2, 32]), EXPECTED, form, 16).code == "time_major"


@pytest.mark.parametrize(
    ("parts", "variant"),
    [
        ([[2, 32], [2, 32]], "states"),
        ([[2, 100, 32], [2, 32], [2, 32]], None),
        ([[100, 32], [2, 32], [2, 32]], None),
    ],
    ids=["the last h and c", "the sequence and the states", "one row of the sequence and the states"],
)
def test_a_tuple_of_last_states_is_told_from_one_that_holds_the_sequence(parts, variant):
    found = output_problem(_output(kind="tuple", parts=parts), EXPECTED)
    assert (found.code, found.params.get("variant")) == ("returns_tuple", variant)


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_message_loses_colours_paths_and_what_tensorflow_says_of_itself():
    node = "{{function_node __wrapped__StridedSlice_device_/job:localhost/device:CPU:0}}"
    path = "\x1b[31mNo file /srv/lib/python3.11/site-packages/keras/layer.py\x1b[0m"
    assert clean_message(f"{node} {path}\n") == "No file keras/layer.py"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/srv/venv/lib/python3.11/site-packages/keras/a.py", "keras/a.py"),
        ("in '/usr/lib/python3.12/json/decoder.py':", "in 'json/decoder.py':"),
        ("/opt/lstm/grader/runner/driver/program.py", "driver/program.py"),
        ("/tmp/lstm-grader-runs-ab12cd34/x7/submission.py, line 3", "submission.py, line 3"),
        ("file:///usr/lib/python3.11/os.py", "file:os.py"),
        ("/content/data/x.csv and /usr/lib/libc.so", "/content/data/x.csv and /usr/lib/libc.so"),
        ("a/b", "a/b"),
        ("/site-packages", "/site-packages"),
    ],
)
def test_paths_of_the_server_are_cut_and_others_stay(text, cleaned):
    assert without_server_paths(text) == cleaned


# Each of them takes an expression that starts over at every character hours.
HOSTILE_TEXTS = {
    "slashes": "/",
    "folders": "/a",
    "escapes": "\x1b[",
    "an endless escape": "0;",
    "Pythons": "/lib/python3.1",
    "packages": "/site-packages",
    "half a folder of runs": "/lstm-grader-",
    "folders of runs": "/lstm-grader-a/b",
    "control characters": "\x00",
    "reversed text": "\u202e",
    "half a message": "missing 1 required positional argument: 'a",
    "half a module": "No module named 'a.",
}


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_cleaning_a_megabyte_of_anything_takes_one_look_at_each_character(text):
    """A test that ends says so."""
    text = "\x1b[/lstm-grader-" + text * (2**20 // len(text))
    without_server_paths(text)
    exception_problem(raised_event(text[:8000]))
    assert "\x00" not in clean(clean_message(text))


# --- the class --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"found": False, "is_class": False}, "no_lstm_class"),
        ({"is_class": False, "kind": "function"}, "lstm_not_class"),
        ({"is_model": False, "bases": ["submission.LSTM", "tensorflow.Module"]}, "wrong_base_class"),
        ({"has_call": False}, "no_call_method"),
        ({"is_model": False, "bases": ["submission.LSTM", "keras.layers.Layer"], "has_call": False}, "no_call_method"),
        ({"is_stub": True}, "not_implemented"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_of_the_class_have_a_name(evidence_of, class_found, changes, code):
    evidence = evidence_of(class_found=class_found.model_copy(update=changes))
    assert structural_problem(evidence.execution, READING).code == contract(evidence).code == code


@pytest.mark.parametrize(
    ("source", "params"),
    [
        ("class LSTM:\n    pass\n\n\ndef call(self, x):\n    pass\n", {"variant": "outside", "line": 5}),
        ("class LSTM:\n    pass\n\n\nasync def call (x):\n    pass\n", {"variant": "outside", "line": 5}),
        ("class LSTM:\n    def __init__(self):\n        def call(x): pass\n", {"variant": "outside", "line": 3}),
        ("class LSTM:\n    def callback(self): pass\n\n\ndef calls(x): pass\n", {}),
    ],
    ids=["outside", "async", "in a method", "other names"],
)
def test_a_call_that_stands_outside_the_class_is_found(evidence_of, class_found, source, params):
    execution = evidence_of(class_found=class_found.model_copy(update={"has_call": False})).execution
    reading = READING.model_copy(update={"source": source, "class_line": 1})
    assert structural_problem(execution, reading) == Finding.of("no_call_method", params)


def test_an_unwritten_class_that_replaces_another_is_told_so(evidence_of, class_found):
    execution = evidence_of(class_found=class_found.model_copy(update={"is_stub": True})).execution
    several = Remark(code="several_classes", params={"count": 2}, line=7)
    reading = READING.model_copy(update={"class_line": 7, "advisories": [several]})
    assert structural_problem(execution, reading) == Finding.of("not_implemented", line=7, count=2)


@pytest.mark.parametrize(
    ("line", "output", "is_unwritten"),
    [
        ("...", {"kind": "list", "parts": []}, True),
        ("h = ...  # TODO", {"kind": "NoneType", "parts": []}, True),
        ("...", {"kind": "list", "parts": [[2, 32]]}, False),
        ("...", {"shape": [2, 100, 32]}, False),
        ("h = x[..., 0]", {"kind": "list", "parts": []}, False),
    ],
)
def test_dots_in_a_class_that_gives_nothing_are_what_is_not_written(evidence_of, line, output, is_unwritten):
    execution = evidence_of(answers={"exercise": Answer(_output(**output), None)}).execution
    reading = Reading(format="py", error=None, source=f"class LSTM:\n    {line}\n", class_line=1)
    assert structural_problem(execution, reading) == (Finding.of("not_implemented", line=2) if is_unwritten else None)


@pytest.mark.parametrize(
    ("line", "bases", "params"),
    [
        ("class LSTM(tf.keras.layers.Layer):", ["submission.LSTM", "keras.src.layers.layer.Layer"],
         {"base": "tf.keras.layers.Layer", "variant": "layer"}),
        ("class LSTM( Layer ):", ["submission.LSTM", "tf_keras.src.engine.base_layer.Layer"],
         {"base": "Layer", "variant": "layer"}),
        ("class LSTM:", ["submission.LSTM", "builtins.object"], {"base": "object", "variant": "none"}),
        ("class LSTM(Base):", ["submission.LSTM", "submission.Base", "builtins.object"], {"base": "Base"}),
        ("LSTM = type('LSTM', (Base,), {})", ["submission.LSTM", "submission.Base", "builtins.object"],
         {"base": "Base"}),
    ],
    ids=["a layer", "an imported layer", "none", "one of the student's own", "made without a class statement"],
)  # fmt: skip
def test_a_wrong_base_class_is_named_in_the_students_own_words(evidence_of, class_found, line, bases, params):
    found = class_found.model_copy(update={"is_model": False, "bases": bases})
    execution = evidence_of(class_found=found).execution
    reading = READING.model_copy(update={"source": f"import tensorflow as tf\n{line}\n", "class_line": 2})
    assert structural_problem(execution, reading) == Finding.of("wrong_base_class", params)


@pytest.mark.parametrize(
    ("kernels", "recurrent_kernels", "problem"),
    [
        (4, 4, None),
        (4, 5, None),  # a Dense layer on the way out
        (8, 8, None),  # two cells beside each other
        (4, 12, Finding.of("two_layers", layers=2)),
        (4, 20, Finding.of("two_layers", layers=3)),
        (400, 400, Finding.of("cell_per_step", cells=100)),
    ],
)
def test_more_weights_than_one_cell_needs_say_what_the_model_is(kernels, recurrent_kernels, problem):
    output = _output([2, 100, 32]).model_copy(update={"kernels": kernels, "recurrent_kernels": recurrent_kernels})
    assert other_number_of_weights(output, 100) == problem


# --- the end of the run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"outcome": Outcome(result=b"", killed_for="cpu")}, "time_limit", "timeout"),
        ({"outcome": Outcome(result=b"", killed_for="wall")}, "time_limit", "timeout"),
        ({"outcome": Outcome(result=b"", killed_for="budget", earlier=Use(50.0, 90.0))}, "time_limit", "timeout"),
        ({"outcome": Outcome(result=b"", killed_for="memory")}, "memory_limit", "memory"),
        ({"outcome": Outcome(result=b"", killed_for="output")}, "output_limit", "output_flood"),
        ({"outcome": Outcome(result=b"", killed_for="disk")}, "output_limit", "disk_full"),
        ({"outcome": Outcome(result=b"", killed_for="threads")}, "runtime_error", "too_many_threads"),
        (
            {"complete": False, "outcome": Outcome(result=b"", exit_code=-6, stderr=b"pthread_create() failed")},
            "runtime_error",
            "too_many_threads",
        ),
        ({"garbled": "no frame"}, "invalid_output", "invalid_output"),
        ({"complete": False}, "runtime_error", "exits"),
        ({"complete": False, "outcome": Outcome(result=b"", exit_code=-11)}, "runtime_error", "crash"),
        (
            {"complete": False, "outcome": Outcome(result=b"", exit_code=-6, stderr=b"std::bad_alloc")},
            "memory_limit",
            "memory",
        ),
        # A limit is what a person can act on: it says more than the bytes that were cut off by it.
        ({"garbled": "cut off", "outcome": Outcome(result=b"", killed_for="output")}, "output_limit", "output_flood"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_end_of_a_run_has_a_status_and_a_code(evidence_of, changes, status, code):
    found, finding = ending_problem(evidence_of(**changes).execution)
    assert (found, finding.code) == (status, code)


def test_a_run_that_answered_some_inputs_in_time_is_called_slow_and_not_endless(evidence_of, cases):
    smallest = min(cases, key=lambda case: case.expected.size).spec
    outcome = Outcome(result=b"", killed_for="cpu", cpu_seconds=20.04)
    evidence = evidence_of(
        lambda case: case.expected if case.spec.timesteps <= smallest.timesteps else None, outcome=outcome
    )
    _, finding = ending_problem(evidence.execution)
    assert finding.params == {"variant": "slow", "cpu_seconds": 20.0, "timesteps": smallest.timesteps}


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def other_shape(assignment):
    """The case of another shape, as a list of those that are wrong."""
    return [case for case in assignment.cases if case.id == "other_shape"]


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        *(((5, 3, 32), "hardcoded_units"), ((5, 100, 11), "hardcoded_length"), ((2, 3, 11), "hardcoded_batch")),
        *(((5, 3, 64), None), ((5, 60, 11), None), ((4, 3, 11), None)),
    ],
)
def test_a_size_of_the_exercise_in_the_answer_to_another_case_is_hard_coded(evidence_of, other_shape, shape, code):
    evidence = evidence_of(lambda case: np.zeros(shape) if case.spec.id == "other_shape" else case.expected)
    assert hard_coded_size(evidence, other_shape) == (Finding.of(code) if code else None)


def test_a_size_that_a_cell_outside_the_model_keeps_leads_to_that_cell(evidence_of, other_shape):
    outside = {"untracked": {"cell": "holder"}, "knows_none": True}
    evidence = evidence_of(lambda case: case.expected[..., :32].repeat(4, -1)[..., :32], parts=outside)
    assert hard_coded_size(evidence, other_shape) == Finding.of("hardcoded_units", variant="holder", holders=["cell"])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("slice index 3 of dimension 1 out of bounds. [Op:StridedSlice]", "hardcoded_length"),
        ("index 3 is out of bounds for axis 0 with size 3", "hardcoded_length"),
        ("slice index 2 of dimension 1 out of bounds. [Op:StridedSlice]", None),
        ("slice index 5 of dimension 0 out of bounds. [Op:StridedSlice]", None),
        (f"index {'3' * 5000} is out of bounds for axis 0 with size 3", None),
    ],
    ids=[
        "the first step too many",
        "as NumPy says it",
        "another index",
        "a batch that is larger than the exercise's",
        "more digits than Python reads",
    ],
)
def test_a_class_that_reads_past_a_shorter_cases_end_counts_the_steps_of_the_exercise(
    evidence_of, other_shape, message, code
):
    raised = raised_event(message, type="InvalidArgumentError", case="other_shape")
    evidence = evidence_of(lambda case: case.expected, answers={}, raised=(raised,))
    assert hard_coded_size(evidence, other_shape) == (Finding.of(code) if code else None)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("x = tf.reshape(x, (batch, length, 16))", "hardcoded_features"),
        ("x = tf.reshape(x, (-1, SEQ_LEN, n))", "hardcoded_length"),
        ("x = tf.reshape(x, (batch, 160, n.16))", None),
        ("x = tf.reshape(x, (batch, 2, n))", None),
    ],
)
def test_a_line_that_fails_elsewhere_may_hold_a_size_of_the_exercise(evidence_of, other_shape, line, code):
    reading = Reading(format="py", error=None, source=f"class LSTM:\n    {line}\n")
    message = "Input to reshape is a tensor with 60 values, but the requested shape has 240"
    raised = raised_event(message, type="InvalidArgumentError", lines=(2,), case="other_shape")
    evidence = evidence_of(lambda case: case.expected, answers={}, raised=(raised,))
    assert hard_coded_size(replace(evidence, reading=reading), other_shape) == (Finding.of(code) if code else None)


@pytest.mark.parametrize(
    ("shape", "variant"),
    [("[2, 3, 16]", "signature"), ("shape=(BATCH_SIZE, None, 16)", "signature"), ("[None, None, 16]", None)],
)
def test_a_size_that_the_input_signature_fixes_leads_to_the_signature(evidence_of, other_shape, shape, variant):
    signature = f"@tf.function(input_signature=[tf.TensorSpec({shape}, tf.float32)])"
    source = f"class LSTM:\n    {signature}\n    def call(self, x):\n        h = tf.zeros((2, 8))\n"
    raised = raised_event("Incompatible shapes: [5,8] vs. [2,8]", lines=(4,), case="other_shape")
    evidence = evidence_of(lambda case: case.expected, answers={}, raised=(raised,))
    reading = Reading(format="py", error=None, source=source, class_line=1)
    found = hard_coded_size(replace(evidence, reading=reading), other_shape)
    assert (found.code, found.params.get("variant")) == ("hardcoded_batch", variant)


@pytest.mark.parametrize(("signature", "variant"), [("self", "no_parameter"), ("self, h_size", None)])
def test_a_constructor_without_a_parameter_for_the_units_is_told_so(evidence_of, other_shape, signature, variant):
    evidence = evidence_of(lambda c: np.zeros((5, 3, 32)) if c.spec.id == "other_shape" else c.expected)
    source = f"class LSTMCell:\n    def __init__(self):\n        pass\nclass LSTM:\n    def __init__({signature}):\n"
    reading = Reading(format="py", error=None, source=source, class_line=4)
    found = hard_coded_size(replace(evidence, reading=reading), other_shape)
    assert found.params.get("variant") == variant
