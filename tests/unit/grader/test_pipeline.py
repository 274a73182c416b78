"""A whole grade, from the file to the report, with the box's part played by `StudentClass`.

These tests start no process and load no TensorFlow: a grade takes about 30 ms. They see what `grade` asks of the box,
and what it makes of the answers.
"""

import dataclasses
import functools
import itertools
import logging
import time

import numpy as np
import pytest

from grader.assignment import Budget
from grader.diagnosis.exceptions import MODEL_AS_DATACLASS
from grader.diagnosis.missing_names import NO_ATTRIBUTE
from grader.diagnosis.mistakes import FOR_NAMES
from grader.diagnosis.weights import LAMBDA_IN_LOOP
from grader.errors import RunLost, SandboxClosed, SandboxStartFailed, SandboxUnavailable
from grader.formats.commands import COMMAND
from grader.pipeline import grade
from grader.report.model import Status
from grader.sandbox import Kind, Limits, Outcome
from grader.sandbox.protocol import encode
from grader.submission import Submission
from grader.task2.copying import LAYER_IN_LINE
from reference import ReferenceMismatch, ReferenceUnavailable
from reference.errors import ReferenceClosed
from reference.lstm.misconceptions import Mistake, Table, replay
from reference.lstm.misconceptions.table import PLACES
from tests.growth import assert_in_proportion
from tests.unit.grader.conftest import SEED
from tests.unit.grader.in_memory import InMemorySandbox
from tests.unit.grader.student_class import Asked, StudentClass, box, reading, request_of

#: A table without mistakes: building the real one takes seconds, and numerics/test_explanation.py looks at it.
KNOWN_MISTAKES = Table(np.empty((0, 2), np.int16), np.empty((PLACES, 0), np.float32), np.empty(0, np.float32))


class Answers:
    """The reference store, with the oracle's answers; `failure` is raised instead."""

    def __init__(self, cases, failure=None):
        self._cases, self._failure = cases, failure

    def load(self, specs, *, digest):
        if self._failure is not None:
            raise self._failure
        return self._cases

    def table(self, case):
        return KNOWN_MISTAKES


@pytest.fixture
def graded(assignment, cases):
    """Grade a file in this box, under an assignment with some keys changed."""

    def run(
        sandbox, content=b"class LSTM: ...", *, failure=None, progress=None, artefacts=None, beforehand=False, **changes
    ):
        return grade(
            Submission("lstm.py", content),
            assignment.model_copy(update=changes),
            seed=SEED,
            sandbox=sandbox,
            references=Answers(cases, failure),
            progress=progress,
            artefacts=artefacts,
            beforehand=beforehand,
        )

    return run


@pytest.fixture
def is_published(cases):
    """Return whether a question has the numbers that the assignment publishes."""
    return lambda asked: any(np.array_equal(asked.case.x, case.x) for case in cases)


def wrong(asked: Asked) -> np.ndarray:
    return np.zeros_like(asked.case.expected)


def kinds(sandbox):
    return [kind for kind, _, _ in sandbox.requests]


FEW = 2_000
#: For so much of something, a reader's answer and a class.
GROWING = {
    "numbers": lambda size: ({}, {"respond": lambda asked: np.zeros((2, size * 25), np.float32)}),
    "cells": lambda size: (
        {
            "cells": [{"index": each, "first_line": each, "last_line": each} for each in range(size)],
            "skipped": [{"index": each, "code": "not_needed", "params": {"line": 1}} for each in range(size)],
            "source": "x = 1\n" * size,
        },
        {"respond": wrong, "line": size},
    ),
    "failures": lambda size: (
        {"statements": [_statement(line) for line in range(1, size)]},
        {"respond": wrong, "events": [_failed(size - each) for each in range(100)]},
    ),
    "graphs": lambda size: ({"source": "@tf.function\n    array.read(0)\n" * size}, {"respond": wrong}),
    "attributes": lambda size: (
        {"source": "class LSTM(tf.keras.Model):\n    def __init__(self):\n" + "        self.late = 1\n" * size},
        {"respond": lambda asked: AttributeError("'LSTM' object has no attribute 'late'")},
    ),
}


def _statement(line: int) -> dict[str, object]:
    return {"first_line": line, "last_line": line, "cell": 0, "run": True, "reason": "class"}


def _failed(line: int) -> dict[str, object]:
    failed = {"event": "statement_failed", "line": line, "raised_at": line, "code": "cell_failed", "type": "NameError"}
    return failed | {"message": "name 'y' is not defined /a:" * 250, "binds": ["b" * 390] * 100}


@pytest.mark.parametrize("name", GROWING)
def test_a_grade_takes_time_in_proportion_to_what_is_said(graded, name):
    @functools.cache
    def prepared(size: int) -> InMemorySandbox:
        changes, behaviour = GROWING[name](size)
        run = functools.cache(StudentClass(**behaviour).run)
        sandbox = box(dict.fromkeys([Kind.KERAS2, Kind.KERAS3], run), reading(**changes))
        graded(sandbox)  # The class's own work is kept, and does not count.
        return sandbox

    def seconds(size: int) -> float:
        sandbox = prepared(size)
        before = time.process_time()
        graded(sandbox)
        return time.process_time() - before

    assert_in_proportion(seconds, FEW)


@pytest.mark.parametrize(
    ("searched", "repeated"),
    [
        (NO_ATTRIBUTE, "a" * 8),
        (LAYER_IN_LINE, "a" * 8),
        (LAMBDA_IN_LOOP, "lambda " * 6),
        (FOR_NAMES, "for a " * 2),
        (MODEL_AS_DATACLASS, "@" + ".dataclass" * 15),
        (COMMAND, "\n" * 8),
    ],
)
def test_searching_a_text_made_to_be_slow_takes_time_in_proportion(searched, repeated):
    def seconds(size: int) -> float:
        text = f"{repeated[:1]}{repeated[1:] * size}\n"
        before = time.process_time()
        list(searched.finditer(text))
        return time.process_time() - before

    assert_in_proportion(seconds, 1000)


def check(report, name):
    return next(each for each in report.checks if each.id == name)


def earned(report):
    return {each.id: each.points for each in report.checks if each.points}


def codes(report):
    return [diagnosis.code for diagnosis in report.diagnoses]


# --- one run is enough ------------------------------------------------------------------------------------------------


def test_a_right_class_is_asked_in_one_run_and_earns_everything(graded):
    sandbox, stages = StudentClass().sandbox(), []
    report = graded(sandbox, progress=stages.append)
    assert (report.status, report.points, codes(report)) == (Status.PASSED, 100, [])
    assert kinds(sandbox) == [Kind.READER, Kind.KERAS3]
    assert stages == ["reading", "reference", "running", "checking"]
    assert list(report.timing.phases) == ["reading", "reference", "call", "checking"]


def test_the_box_is_told_no_answer_and_no_name_of_a_case(graded, cases):
    sandbox = StudentClass().sandbox()
    graded(sandbox)
    sent, arrays = request_of(sandbox, run=0)
    assert not {case.spec.id for case in cases} & {question["id"] for question in sent["questions"]}
    held = [array.tobytes() for array in arrays.values()]
    assert not [case.spec.id for case in cases if case.expected.tobytes() in held]
    assert [case.spec.id for case in cases if case.x.tobytes() in held] == ["exercise", "larger_values"]


def test_a_wrong_hidden_case_costs_the_points_of_hidden_cases(graded, cases):
    hidden = next(case for case in cases if case.spec.category == "larger_values")
    report = graded(StudentClass(lambda asked: asked.case.expected * (asked.case.x.shape != hidden.x.shape)).sandbox())
    assert earned(report) == {"contract": 10, "equivalence": 50, "statelessness": 10, "trainability": 10}
    assert check(report, "generalisation").params["categories"] == ["larger_values"]
    assert [case.id for case in report.cases if case.max_abs_error] == [hidden.spec.id]


@pytest.mark.parametrize("student", [StudentClass(again=True), StudentClass(answers=0)], ids=["twice", "never"])
def test_a_run_that_answers_a_question_twice_or_never_is_forged_and_nothing_of_it_counts(graded, student):
    report = graded(student.sandbox(), keras="3")
    assert (report.status, report.points, codes(report)) == (Status.INVALID_OUTPUT, 0, ["forged_result"])
    assert report.is_held


def test_lines_of_a_notebook_are_those_of_its_cells(graded):
    cells = [{"index": 1, "first_line": 1, "last_line": 2}, {"index": 4, "first_line": 3, "last_line": 5}]
    read = reading(format="ipynb", source="import numpy as np\n\nclass LSTM:\n    a = 1\n    b = 1 / 0", cells=cells)
    raises = StudentClass(raises=ZeroDivisionError("division by zero"), line=5)
    report = graded(box({Kind.KERAS3: raises.run, Kind.KERAS2: raises.run}, read))
    assert [frame.model_dump() for frame in report.error.traceback] == [
        {"file": "cell 5", "line": 3, "code": "b = 1 / 0"}
    ]
    [diagnosis] = report.diagnoses
    assert (diagnosis.params["file"], diagnosis.params["line"]) == ("cell 5", 3)


# --- a second run answers what the first leaves open ------------------------------------------------------------------


def test_weights_without_names_are_settled_by_their_numbers_in_a_second_run(graded):
    right = 17
    student = StudentClass(lambda asked: asked.case.expected + 0.1 * (asked.candidate - right), candidates=24)
    sandbox = student.sandbox()
    report = graded(sandbox)
    assert kinds(sandbox) == [Kind.READER, Kind.KERAS3, Kind.KERAS3]
    assert [request_of(sandbox, run)[0]["candidate"] for run in (0, 1)] == [None, right]
    assert (report.points, report.extraction.roles_from) == (100, "numbers")


def test_a_model_that_is_right_only_when_fresh_keeps_something_between_calls(graded):
    student = StudentClass(lambda asked: asked.case.expected + (0.1 if asked.reused and not asked.second else 0))
    sandbox = student.sandbox()
    report = graded(sandbox)
    again, _ = request_of(sandbox, run=1)
    assert len(again["questions"]) == 8
    assert all(question["fresh"] for question in again["questions"])
    assert not again["probes"]
    assert check(report, "statelessness").code == "state_kept_between_calls"
    assert earned(report) == {"contract": 10, "equivalence": 50, "generalisation": 20, "trainability": 10}


@pytest.mark.parametrize("part", range(8))
def test_a_model_that_is_wrong_on_some_numbers_keeps_nothing_between_calls(graded, part):
    student = StudentClass(lambda asked: asked.case.expected + (int(8 * asked.case.x.sum()) % 8 == part))
    report = graded(student.sandbox())
    assert "state_kept_between_calls" not in {each.code for each in (*report.checks, *report.diagnoses)}


def test_answers_that_an_earlier_run_passes_on_are_worth_nothing_to_a_fresh_model(graded, is_published):
    passed_on = []

    def respond(asked):
        x = asked.case.x
        # One right answer of a fresh model is enough to ask others again.
        is_smallest = x.shape[:2] == (5, 3)
        is_known = is_smallest or is_published(asked) or any(np.array_equal(x, each) for each in passed_on)
        passed_on.append(x)
        return asked.case.expected * is_known

    sandbox = StudentClass(respond).sandbox()
    report = graded(sandbox)
    assert check(report, "equivalence").code == "known_by_heart"
    assert earned(report) == {"contract": 10}


def test_published_numbers_known_by_heart_earn_nothing(graded, is_published):
    sandbox = StudentClass(lambda asked: asked.case.expected * is_published(asked)).sandbox()
    report = graded(sandbox)
    assert check(report, "equivalence").code == "known_by_heart"
    assert earned(report) == {"contract": 10}


def test_published_numbers_of_a_known_mistake_earn_nothing_for_the_parts_it_leaves_right(graded, is_published):
    sandbox = StudentClass(lambda asked: asked.case.expected[:, ::-1] if is_published(asked) else np.nan).sandbox()
    assert earned(graded(sandbox)) == {"contract": 10}


def test_a_kept_memory_that_is_zero_at_the_published_numbers_costs_no_gate_its_points(graded, is_published):
    kept = itertools.cycle(np.linspace(0.3, 0.9, 7))

    def respond(asked):
        c = 0.0 if is_published(asked) and not asked.second else next(kept)
        start = {"initial_c": lambda inputs: dataclasses.replace(inputs, c=np.full_like(inputs.c, c))}
        return replay([Mistake("", "", start, frozenset())], asked.case)

    report = graded(StudentClass(respond).sandbox())
    assert report.diagnoses[0].code == "state_kept_between_calls"
    assert earned(report)["equivalence"] == 20


def test_a_class_that_takes_only_the_exercises_number_of_steps_is_asked_new_numbers_of_that_many(graded, cases):
    steps = cases[0].x.shape[1]
    sandbox = StudentClass(
        lambda asked: asked.case.expected if asked.case.x.shape[1] == steps else IndexError("out of bounds")
    ).sandbox()
    report = graded(sandbox)
    [asked], arrays = request_of(sandbox, run=1)[0]["questions"], request_of(sandbox, run=1)[1]
    assert arrays[f"{asked['id']}/x"].shape == cases[0].x.shape
    assert not np.array_equal(arrays[f"{asked['id']}/x"], cases[0].x)
    assert earned(report)["equivalence"] == 50


# --- Keras 2 ----------------------------------------------------------------------------------------------------------

RAISES = StudentClass(raises=AttributeError("module 'keras' has no attribute 'engine'"))


def test_auto_grades_under_keras_2_a_class_that_raises_under_keras_3(graded):
    sandbox, stages = RAISES.sandbox(under_keras2=StudentClass()), []
    report = graded(sandbox, keras="auto", progress=stages.append)
    assert (report.points, kinds(sandbox)[1:]) == (100, [Kind.KERAS3, Kind.KERAS2])
    assert "running_keras2" in stages
    assert report.error is None
    assert [advisory.code for advisory in report.advisories] == ["keras_generation_used"]


def test_auto_keeps_the_run_under_keras_3_where_keras_2_earns_no_more(graded):
    report = graded(RAISES.sandbox(under_keras2=StudentClass(found=False)), keras="auto")
    assert (report.status, report.error.type) == (Status.RUNTIME_ERROR, "AttributeError")
    assert [place.line for place in report.source.places] == [2]


@pytest.mark.parametrize(("keras", "kind"), [("3", Kind.KERAS3), ("2", Kind.KERAS2)])
def test_an_assignment_may_ask_for_one_keras_only(graded, keras, kind):
    sandbox = RAISES.sandbox()
    assert graded(sandbox, keras=keras).status == Status.RUNTIME_ERROR
    assert kinds(sandbox) == [Kind.READER, kind]


CRASHES = StudentClass(events=[{**_failed(1), "type": "ModuleNotFoundError"}], answers=0, ended={"exit_code": -11})


@pytest.mark.parametrize(
    ("student", "points"), [(StudentClass(wrong), 10), (CRASHES, 0)], ids=["wrong numbers", "an import, and a crash"]
)
def test_failure_that_is_not_the_generations_is_not_tried_under_keras_2(graded, student, points):
    sandbox = student.sandbox(under_keras2=StudentClass())
    assert graded(sandbox, keras="auto").points == points
    assert Kind.KERAS2 not in kinds(sandbox)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_run_that_a_limit_ends_is_named_after_the_limit_and_keeps_its_answers(graded):
    report = graded(StudentClass(ended={"killed_for": "memory"}, answers=5).sandbox())
    assert (report.status, codes(report)) == (Status.MEMORY_LIMIT, ["memory"])
    assert 0 < len([case for case in report.cases if case.max_abs_error == 0]) < len(report.cases)


def test_all_runs_of_a_submission_share_one_budget(graded):
    slow = StudentClass(raises=RuntimeError("no"), ended={"cpu_seconds": 8.0, "wall_seconds": 9.0})
    late = StudentClass(raises=RuntimeError("no"), ended={"killed_for": "cpu", "cpu_seconds": 2.0})
    sandbox = slow.sandbox(under_keras2=late)
    graded(sandbox, limits=Limits(cpu_seconds=8), budget=Budget(cpu_seconds=10))
    granted = [limits.cpu_seconds for kind, _, limits in sandbox.requests if kind is not Kind.READER]
    assert granted == [8, 2]


# --- files that cannot be read ----------------------------------------------------------------------------------------


def test_a_file_that_is_no_code_is_never_run(graded):
    error = {"code": "syntax_error", "params": {"message": "invalid syntax"}, "line": 2}
    sandbox = box({}, reading(format="py", error=error, advisories=[{"code": "network", "line": 3}]))
    report = graded(sandbox)
    assert (report.status, report.points, codes(report)) == (Status.INVALID_SUBMISSION, 0, ["syntax_error"])
    assert [(advisory.code, advisory.line) for advisory in report.advisories] == [("network", 3)]
    assert kinds(sandbox) == [Kind.READER]


def broken_off(ending):
    answered = reading()
    return answered.model_copy(update={**ending, "result": answered.result[:-1]})


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(broken_off({"killed_for": "cpu"}), id="takes too long to parse"),
        pytest.param(broken_off({"exit_code": -11}), id="crashes the parser"),
        pytest.param(Outcome(result=b"\0\0"), id="makes the parser send garbage"),
        pytest.param(reading(format="exe"), id="makes the parser lie"),
    ],
)
def test_a_file_that_breaks_its_reader_is_the_students_and_never_run(graded, outcome):
    report = graded(box({}, outcome))
    assert (report.status, codes(report)) == (Status.INVALID_SUBMISSION, ["too_complex"])


@pytest.mark.parametrize("ending", [{"killed_for": "cpu"}, {"exit_code": -11}, {}], ids=["killed", "crashed", "ends"])
def test_a_reader_that_ends_while_it_makes_the_source_costs_nothing_but_the_source(graded, ending):
    answered, kept = reading(format="py", error={"code": "empty_file", "params": {}, "line": None}), {}
    whole = encode({"cells": [{"index": 0, "lines": [{"text": "a", "runs": [["", 1]]}]}]})
    for source, is_kept in ((whole, not ending), (whole[:-1], False), (encode({"cells": 7}), False)):
        outcome = answered.model_copy(update={**ending, "result": answered.result + source})
        report = graded(box({}, outcome), artefacts=kept.__setitem__)
        assert (report.status, codes(report)) == (Status.INVALID_SUBMISSION, ["empty_file"])
        assert (report.source.artefact in kept) == is_kept


def test_a_file_that_is_too_large_never_comes_to_the_box(graded, assignment):
    sandbox = box({})
    report = graded(sandbox, b"#" * (assignment.upload.upload_bytes + 1))
    assert (codes(report), sandbox.requests) == (["file_too_large"], [])


@pytest.mark.parametrize(("choices", "code"), [(None, "no_file"), (("a.py", "b.py"), "several_files")])
def test_a_folder_without_one_answer_never_comes_to_the_box(graded, assignment, cases, choices, code):
    sandbox = box({})
    submission = Submission("handed in", b"", choices)
    report = grade(submission, assignment, seed=SEED, sandbox=sandbox, references=Answers(cases, None))
    assert (report.status, codes(report), sandbox.requests) == (Status.INVALID_SUBMISSION, [code], [])


# --- our own failure --------------------------------------------------------------------------------------------------


def raising(exc):
    def run(request):
        raise exc

    return run


@pytest.mark.parametrize(
    "exc",
    [RunLost("no core"), SandboxStartFailed("no start"), SandboxUnavailable("no Landlock"), SandboxClosed("closed")],
    ids=repr,
)
@pytest.mark.parametrize("kind", [Kind.READER, Kind.KERAS3, Kind.KERAS2])
def test_a_box_that_fails_is_never_the_students_zero(graded, exc, kind):
    runs = {Kind.KERAS3: RAISES.run, Kind.KERAS2: StudentClass().run}
    report = graded(box(runs | {kind: raising(exc)}))
    assert (report.status, report.points, report.score) == (Status.INTERNAL_ERROR, None, None)
    assert (report.error.type, report.error.message) == (type(exc).__name__, "")
    assert {each.code for each in report.checks} == {"internal_error"}


@pytest.mark.parametrize("failure", [ReferenceMismatch("they differ"), ReferenceUnavailable("no Keras")], ids=repr)
def test_answers_that_are_missing_are_our_failure(graded, failure):
    sandbox = StudentClass().sandbox()
    report = graded(sandbox, failure=failure)
    assert (report.status, report.points) == (Status.INTERNAL_ERROR, None)
    assert kinds(sandbox) == [Kind.READER]


@pytest.mark.parametrize("closed", [SandboxClosed("closed"), ReferenceClosed("closed")], ids=repr)
def test_a_grade_that_our_own_stop_ends_is_no_error_in_the_log(graded, caplog, closed):
    with caplog.at_level(logging.INFO, "grader"):
        graded(StudentClass().sandbox(), failure=closed)
    assert [(each.message, each.levelname) for each in caplog.records] == [("grading_ended", "INFO")]


@pytest.mark.parametrize(
    "student",
    [
        StudentClass(),
        StudentClass(wrong),
        StudentClass(lambda asked: asked.case.expected[:, -1]),
        StudentClass(wrong, candidates=3),
        StudentClass(lambda asked: ValueError("no")),
        StudentClass(built_in=[{"name": "keras.layers.LSTM", "line": 2}]),
    ],
    ids=["right", "wrong", "another shape", "unclear weights", "raises", "built in"],
)
def test_a_check_beforehand_asks_only_what_is_published_of_the_exercise(graded, cases, student):
    sandbox = student.sandbox()
    graded(sandbox, beforehand=True)
    runs = len(kinds(sandbox)) - 1
    assert runs
    for run in range(runs):
        body, arrays = request_of(sandbox, run)
        assert body["probes"] == []
        for question in body["questions"]:
            given = [arrays[f"{question['id']}/{name}"] for name in ("x", "kernel", "recurrent_kernel", "bias")]
            exercise = cases[0]
            published = [exercise.x, *vars(exercise.weights).values()]
            assert all(map(np.array_equal, given, published))


def test_a_check_beforehand_gives_no_points_and_says_nothing_of_other_inputs(graded, assignment, cases):
    def right_for_the_exercise(asked: Asked) -> np.ndarray:
        return asked.case.expected if asked.case.x.shape == cases[0].x.shape else wrong(asked)

    sandbox = StudentClass(right_for_the_exercise).sandbox()
    report = graded(sandbox, beforehand=True)
    assert (report.status, report.points, report.max_points, report.score) == (Status.PASSED, None, 0, None)
    assert {check.id: check.max_points for check in report.checks} == dict.fromkeys(
        ("contract", "equivalence", "own_work"), 0
    )
    assert [case.id for case in report.cases] == [assignment.cases[0].id]
    assert [advisory.code for advisory in report.advisories] == ["check_only"]
    assert report.receipt.assignment_digest == assignment.digest
    assert report.receipt.report_sha256 == report.digest()


@pytest.mark.parametrize("content", ["unreadable", "missing"])
def test_a_check_of_a_file_that_does_not_run_is_said_to_be_one(graded, content):
    unread = reading(error={"code": "syntax_error", "line": 1, "params": {"message": "invalid syntax"}})
    sandbox = StudentClass(found=False).sandbox() if content == "missing" else box({}, unread)
    report = graded(sandbox, beforehand=True)
    assert (report.status, report.points) == (Status.INVALID_SUBMISSION, None)
    assert report.advisories[0].code == "check_only"
