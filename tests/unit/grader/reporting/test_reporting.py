"""Facts of a run in its report, beside the verdict."""

from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.report.messages import render
from grader.sandbox.events import Gradients
from tests.unit.grader.diagnosis.events import failed_event, raised_event


@pytest.mark.parametrize(
    ("cpu_seconds", "complete", "params"),
    [
        (14.04, True, {"seconds": 14.0, "limit_seconds": 20.0}),
        (9.9, True, None),
        (14.04, False, None),
    ],
    ids=["more than half of the limit", "less", "a run that did not end by itself"],
)
def test_an_answer_that_takes_most_of_its_time_is_called_slow(evidence_of, report_on, cpu_seconds, complete, params):
    evidence = evidence_of(lambda case: case.expected)
    outcome = evidence.execution.outcome.model_copy(update={"cpu_seconds": cpu_seconds})
    evidence = replace(evidence, execution=replace(evidence.execution, outcome=outcome, complete=complete))
    report = report_on(run_checks(evidence))
    slow = [advisory.params for advisory in report.advisories if advisory.code == "slow"]
    assert slow == ([params] if params else [])


def test_numbers_of_weights_that_were_never_copied_are_not_shown(evidence_of, report_on, cases):
    found = ["a.kernel (16, 32)", "b.kernel None"]
    report = report_on(run_checks(evidence_of(lambda case: np.cos(case.expected), parts={"roles": {}, "found": found})))
    check = next(check for check in report.checks if check.id == "equivalence")
    assert (check.code, check.params) == ("parts_not_found", {"found": found})
    assert {(case.max_abs_error, case.first_divergence) for case in report.cases} == {(None, None)}
    assert [case.shape for case in report.cases] == [list(case.expected.shape) for case in cases]


@pytest.mark.parametrize(
    ("respond", "found", "status"),
    [
        (lambda case: np.cos(case.expected), ["fcXI.kernel None", "fcHI.kernel None"], "skipped"),
        (lambda case: np.cos(case.expected), ["fcXI.kernel (16, 32)"], "passed"),
        (lambda case: case.expected * 0, ["fcXI.kernel (16, 32)"], "skipped"),
        (lambda case: (), ["fcXI.kernel (16, 32)"], "skipped"),
    ],
    ids=["no layer is used", "an answer", "a constant", "None"],
)
def test_nobodys_answer_is_not_called_own_work(evidence_of, report_on, cases, respond, found, status):
    kind = "tensor" if isinstance(respond(cases[0]), np.ndarray) else "NoneType"
    report = report_on(run_checks(evidence_of(respond, kind=kind, parts={"found": found})))
    assert next(check.status for check in report.checks if check.id == "own_work") == status


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({"untracked": {"self.p": "holder"}, "knows_none": True}, {"variant": "all", "holders": ["self.p"]}),
        ({"untracked": {"self.a": "variable", "self.b": "variable"}}, {"variables": ["self.a", "self.b"]}),
        (
            {"untracked": {"self.a": "variable", "self.c": "frozen"}, "more_untracked": True},
            {"variables": ["self.a", "…"]},
        ),
    ],
    ids=["all of them", "some", "a long list"],
)
def test_weights_that_keras_does_not_know_are_named(evidence_of, report_on, changes, params):
    report = report_on(run_checks(evidence_of(lambda case: case.expected, parts=changes)))
    assert [advisory.params for advisory in report.advisories if advisory.code == "untracked_weights"] == [params]


def test_a_tensor_that_is_out_of_scope_is_explained_without_tensorflows_words(evidence_of, report_on):
    message = "<tf.Tensor 'mul_2:0' shape=(2, 32)> is out of scope and cannot be used here. Use return values."
    first = evidence_of(raised=(raised_event(message, type="TypeError", phase="build", case=None, lines=()),))
    report = report_on(replace(run_checks(evidence_of(lambda case: case.expected)), instead_of=first))
    assert [(advisory.code, advisory.params) for advisory in report.advisories] == [
        ("keras_generation_used", {"generation": "3", "variant": "scope"})
    ]


def test_an_error_of_the_other_keras_is_that_of_the_statement_that_failed_first(evidence_of, report_on):
    lacks = "module 'keras.layers' has no attribute 'AbstractRNNCell'"
    failed = failed_event(1, "AttributeError", lacks, binds=["Base"])
    follows = failed.model_copy(update={"line": 4, "message": "name 'Base' is not defined", "binds": ["Cell"]})
    raised = raised_event("name 'Cell' is not defined", type="NameError", phase="build", case=None, lines=())
    first = evidence_of(statements_failed=(failed, follows), raised=(raised,))
    report = report_on(replace(run_checks(evidence_of(lambda case: case.expected)), instead_of=first))
    assert [advisory.params for advisory in report.advisories] == [
        {"generation": "3", "type": "AttributeError", "message": lacks}
    ]


@pytest.mark.parametrize(
    ("reach", "untracked", "params"),
    [
        ({"a (kernel I)": None, "b (kernel F)": 0.0}, {"self.b": "frozen"}, {"variant": "all"}),
        ({"a (kernel I)": None, "b (kernel F)": 0.1}, {"self.b": "frozen"}, {"roles": ["a (kernel I)"]}),
        (
            {"a (kernel I)": None, "b (kernel F)": 0.1},
            {"self.a": "frozen"},
            {"roles": ["a (kernel I)"], "variant": "frozen"},
        ),
        ({"a (kernel I)": None}, {"self.a": "constant"}, {"variant": "constants", "weights": ["self.a"]}),
    ],
    ids=["all", "some", "not to be trained", "no variables"],
)
def test_weights_without_a_gradient_are_named_unless_it_is_all_of_them(
    evidence_of, report_on, reach, untracked, params
):
    evidence = evidence_of(lambda case: case.expected, parts={"untracked": untracked})
    gradients = Gradients(event="gradients", case="exercise", reach=reach, first_timestep=0.1)
    evidence = replace(evidence, understanding=replace(evidence.understanding, gradients=gradients))
    report = report_on(run_checks(evidence))
    assert [check.params for check in report.checks if check.code == "gradient_missing"] == [params]
    # It costs the points of the check, so nobody is told that it does not.
    assert report.advisories == []


USES_CELL = "class LSTM(tf.keras.Model):\n    def __init__(self, n):\n        self.cell = LSTMCell(n)\n"
UNREADABLE = {"index": 1, "code": "syntax_error", "params": {}}


@pytest.mark.parametrize(
    ("source", "skipped", "lost", "is_told"),
    [
        pytest.param(USES_CELL, [UNREADABLE], [], True, id="its cell cannot be read"),
        pytest.param(USES_CELL, [], [], False, id="the class alone"),
        pytest.param("class LSTMCell:\n    pass\n" + USES_CELL, [UNREADABLE], [], False, id="another cell"),
        pytest.param("from cells import LSTMCell\n" + USES_CELL, [], ["LSTMCell"], True, id="not there"),
        pytest.param("from cells import *\n" + USES_CELL, [], ["*"], True, id="a module that is not there"),
        pytest.param(USES_CELL.replace("LSTMCell", "Cell"), [UNREADABLE], [], False, id="a cell of its own"),
    ],
)
def test_a_student_graded_with_the_exercises_cell_is_told(evidence_of, report_on, source, skipped, lost, is_told):
    evidence = evidence_of(
        lambda case: case.expected,
        reading={"source": source, "skipped": skipped},
        statements_failed=(failed_event(1, "ImportError", "no cells", binds=lost),) if lost else (),
    )
    report = report_on(run_checks(evidence))
    remarks = [advisory for advisory in report.advisories if advisory.code == "supplied_cell"]
    expected = ("failed", 1) if lost else ("unread", None)
    assert [(each.params["variant"], each.line) for each in remarks] == ([expected] if is_told else [])
    if lost:
        (message,) = (each["message"] for each in render(report, "en")["advisories"] if each["code"] == "supplied_cell")
        assert "ImportError: no cells" in message
        assert "line 1" in message
