"""Which code names what happened, before any number is looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grader.formats.view import clean
from grader.outcomes import (
    ending_problem,
    exception_problem,
    hard_coded_size,
    is_out_of_memory,
    output_problem,
    structural_problem,
    too_many_weights,
)
from grader.sandbox import Outcome
from grader.sandbox.protocol import CaseOutput, Raised, StatementFailed
from grader.server_paths import clean_message, without_server_paths

EXPECTED = (2, 100, 32)


def _output(shape, *, kind="tensor", dtype="float32", parts=None) -> CaseOutput:
    return CaseOutput(
        event="output",
        case="exercise",
        call=0,
        reused=False,
        fired=[],
        fired_global=False,
        kind=kind,
        dtype=dtype,
        shape=shape,
        parts=parts,
    )


def _raised(message="", *, type="ValueError", bases=(), phase="call", lines=(5,), in_init=False) -> Raised:
    return Raised(
        event="raised",
        phase=phase,
        case="exercise",
        type=type,
        bases=list(bases),
        message=message,
        lines=list(lines),
        in_init=in_init,
    )


# --- what the model returned ------------------------------------------------------------------------------------------


def test_a_float32_tensor_of_the_right_shape_is_no_problem():
    assert output_problem(_output([2, 100, 32]), EXPECTED) is None


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (_output(None, kind="tuple", dtype=None, parts=[[2, 100, 32], [2, 32]]), "returns_tuple"),
        (_output(None, kind="list", dtype=None, parts=[[2, 32]]), "returns_list"),
        (_output(None, kind="dict", dtype=None, parts=[[2, 32]]), "returns_dict"),
        (_output(None, kind="NoneType", dtype=None, parts=[]), "returns_none"),
        (_output([2, 32]), "returns_last_only"),
        (_output([100, 2, 32]), "time_major"),
        (_output([2, 32, 100]), "wrong_stack_axis"),
        (_output([2, 99, 32]), "missing_step"),
        (_output([2, 1, 32]), "return_inside_loop"),
        (_output([2, 3200]), "concat_not_stack"),
        (_output([2, 100, 31]), "wrong_shape"),
        (_output([]), "wrong_shape"),
        (_output([2, 100, 32], kind="ndarray"), "returns_numpy"),
        (_output([2, 100, 32], kind="Equal"), "returns_numpy"),
        (_output([2, 100, 32], dtype="float64"), "dtype_float64"),
        (_output([2, 100, 32], dtype="float16"), "wrong_dtype"),
        (_output(None, kind="KerasTensor", dtype=None), "wrong_kind"),
        (_output([2, 100, 32, 1]), "extra_axis"),
        (_output([1, 2, 100, 32]), "extra_axis"),
        (_output(None, kind="RaggedTensor", dtype=None, parts=[[2, 100, 32]]), "wrong_kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_returned_has_a_name(output, code):
    assert output_problem(output, EXPECTED)[0] == code


# --- exceptions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (_raised("LSTMCell.call() missing 1 required positional argument: 'c'", type="TypeError"), "missing_argument"),
        (_raised("missing a required argument: 'h'", type="TypeError", lines=[]), "call_signature"),
        (_raised("LSTM.__init__() missing 1 required positional argument: 'n'", type="TypeError"), "init_signature"),
        (_raised(type="NotImplementedError"), "not_implemented"),
        (_raised(type="Mine", bases=["NotImplementedError"]), "not_implemented"),
        (_raised(type="RecursionError"), "recursion"),
        (_raised(type="InputUnavailable", bases=["EOFError"]), "input_call"),
        (_raised("'EagerTensor' object does not support item assignment", type="TypeError"), "tensor_item_assignment"),
        (_raised("module 'tensorflow' has no attribute 'placeholder'", type="AttributeError"), "tf1_api"),
        (_raised("No module named 'torch'", type="ModuleNotFoundError", bases=["ImportError"]), "missing_package"),
        (_raised("name 'hsize' is not defined", type="NameError"), "name_error"),
        (_raised("'LSTM' object has no attribute 'step'", type="AttributeError"), "attribute_error"),
        (_raised("0", type="SystemExit"), "exits"),
        (_raised("can't start new thread", type="RuntimeError"), "too_many_threads"),
        (_raised("shapes do not fit"), "raises_in_call"),
        (_raised("no", phase="build", in_init=True), "raises_in_init"),
        (_raised("No module named 'lstm_solution'", type="ModuleNotFoundError"), "imports_solution"),
        (_raised("No module named 'appdirs'", type="ModuleNotFoundError"), "missing_package"),
        (_raised("[Errno 2] No such file or directory: 'w.npy'", type="FileNotFoundError"), "reads_files"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_exception_has_a_name(raised, code):
    assert exception_problem(raised)[0] == code


@pytest.mark.parametrize(
    "raised",
    [
        _raised(type="MemoryError"),
        _raised(type="_ArrayMemoryError", bases=["MemoryError"]),
        _raised("OOM when allocating tensor", type="ResourceExhaustedError"),
        _raised("std::bad_alloc", type="InternalError"),
    ],
    ids=lambda raised: raised.type,
)
def test_memory_that_ran_out_is_recognised(raised):
    assert is_out_of_memory(raised)


def test_a_message_loses_colours_and_paths_of_the_server():
    message = "\x1b[31mNo file /home/anna/venv/lib/python3.11/site-packages/keras/layer.py\x1b[0m"
    cleaned = clean_message(message)
    assert "layer.py" in cleaned
    assert "\x1b" not in cleaned
    assert "/home" not in cleaned
    assert "site-packages" not in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("/srv/venv/lib/python3.11/site-packages/keras/a.py", "keras/a.py"),
        ("in '/usr/lib/python3.12/json/decoder.py':", "in 'json/decoder.py':"),
        ("/opt/lstm/grader/runner/driver.py", "driver.py"),
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
    exception_problem(_raised(text[:8000]))
    assert "\x00" not in clean(clean_message(text))


# --- the class --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"found": False, "is_class": False}, "no_lstm_class"),
        ({"is_class": False, "kind": "function"}, "lstm_not_class"),
        ({"is_model": False, "bases": ["submission.LSTM", "tensorflow.Module"]}, "wrong_base_class"),
        ({"has_call": False}, "no_call_method"),
        ({"is_stub": True}, "not_implemented"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_the_class_has_a_name(evidence_of, class_found, changes, code):
    execution = replace(evidence_of().execution, class_found=class_found.model_copy(update=changes))
    assert structural_problem(execution)[0] == code


def test_a_right_class_has_no_structural_problem(evidence_of):
    assert structural_problem(evidence_of().execution) is None


@pytest.mark.parametrize(
    ("kernels", "recurrent_kernels", "problem"),
    [
        (4, 4, None),
        (4, 5, None),  # a Dense layer on the way out
        (8, 8, None),  # two cells beside each other
        (4, 12, ("two_layers", {"layers": 2})),
        (4, 20, ("two_layers", {"layers": 3})),
        (400, 400, ("cell_per_step", {"cells": 100})),
    ],
)
def test_more_weights_than_one_cell_needs_say_what_the_model_is(kernels, recurrent_kernels, problem):
    output = _output([2, 100, 32]).model_copy(update={"kernels": kernels, "recurrent_kernels": recurrent_kernels})
    assert too_many_weights(output, 100) == problem


def test_a_class_that_another_file_was_to_bring_is_no_missing_package(evidence_of, class_found):
    failed = StatementFailed(
        event="statement_failed",
        line=2,
        code="cell_failed",
        type="ModuleNotFoundError",
        message="No module named 'layers'",
    )
    execution = replace(
        evidence_of().execution,
        class_found=class_found.model_copy(update={"found": False}),
        statements_failed=(failed,),
    )
    assert structural_problem(execution, 2) == ("imports_solution", {"module": "layers", "line": 2})
    assert structural_problem(execution, 9) == ("missing_package", {"package": "layers"})


def test_a_class_that_needs_a_missing_package_is_told_which(evidence_of, class_found):
    failed = StatementFailed(
        event="statement_failed", line=1, code="cell_failed", type="ImportError", message="No module named 'torch'"
    )
    absent = class_found.model_copy(update={"found": False, "is_class": False})
    execution = replace(evidence_of().execution, class_found=absent, statements_failed=(failed,))
    assert structural_problem(execution) == ("missing_package", {"package": "torch"})


# --- the end of the run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"outcome": Outcome(result=b"", killed_for="cpu")}, "time_limit", "timeout"),
        ({"outcome": Outcome(result=b"", killed_for="wall")}, "time_limit", "timeout"),
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
def test_how_a_run_ended_has_a_status_and_a_code(evidence_of, changes, status, code):
    found, (named, _) = ending_problem(replace(evidence_of().execution, **changes))
    assert (found, named) == (status, code)


def test_a_run_that_came_to_its_own_end_has_no_ending_problem(evidence_of):
    assert ending_problem(evidence_of().execution) is None


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "code"),
    [((5, 3, 32), "hardcoded_units"), ((5, 100, 11), "hardcoded_length"), ((2, 3, 11), "hardcoded_batch")],
)
def test_a_size_of_the_exercise_in_the_answer_to_another_case_is_hard_coded(evidence_of, assignment, shape, code):
    evidence = evidence_of(lambda case: np.zeros(shape) if case.spec.id == "other_shape" else case.expected)
    wrong = [case for case in assignment.cases if case.id == "other_shape"]
    assert hard_coded_size(evidence.execution, assignment.cases[0], wrong) == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("slice index 3 of dimension 1 out of bounds. [Op:StridedSlice]", "hardcoded_length"),
        ("index 3 is out of bounds for axis 0 with size 3", "hardcoded_length"),
        ("slice index 2 of dimension 1 out of bounds. [Op:StridedSlice]", None),
        ("slice index 5 of dimension 0 out of bounds. [Op:StridedSlice]", None),
    ],
    ids=["the first step too many", "as NumPy says it", "another index", "a batch that is larger than the exercise's"],
)
def test_who_reads_past_the_end_of_a_shorter_case_counts_the_steps_of_the_exercise(
    evidence_of, assignment, message, code
):
    raised = _raised(message, type="InvalidArgumentError").model_copy(update={"case": "other_shape"})
    execution = replace(evidence_of(lambda case: case.expected).execution, answers={}, raised=(raised,))
    wrong = [case for case in assignment.cases if case.id == "other_shape"]
    assert hard_coded_size(execution, assignment.cases[0], wrong) == code


def test_no_size_is_named_when_nothing_says_so(evidence_of, assignment):
    evidence = evidence_of(lambda case: case.expected)
    assert hard_coded_size(evidence.execution, assignment.cases[0], assignment.cases[1:]) is None


def test_a_message_begins_with_what_tensorflow_has_to_say():
    message = (
        "{{function_node __wrapped__StridedSlice_device_/job:localhost/device:CPU:0}} slice index 3 out of bounds."
    )
    assert clean_message(message) == "slice index 3 out of bounds."
