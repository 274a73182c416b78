"""What is said about what a submission reached for, and that honest reaching costs nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.checks.registry import run_checks
from grader.diagnosis import diagnose
from grader.outcomes import structural_problem
from grader.reaching import behind, worth_a_look
from grader.sandbox.protocol import Attempt, Raised, StatementFailed


def _attempt(code="network", *, line=5, what="socket.connect"):
    return Attempt(event="attempt", code=code, what=what, line=line)


def _raised(line=5, phase="call"):
    return Raised(
        event="raised", phase=phase, case="exercise", type="OSError", bases=[], message="refused", lines=[2, line]
    )


def _tried(evidence, *attempts, **changes):
    return replace(evidence, execution=replace(evidence.execution, attempts=attempts, **changes))


def _codes(evidence, cases):
    run_checks(evidence)
    return [diagnosis.code for diagnosis in diagnose(evidence, cases)]


@pytest.mark.parametrize(
    ("attempts", "code"),
    [
        ([(_attempt(), "call")], "network"),
        ([(_attempt("env_read"), "call"), (_attempt("subprocess"), "call")], "subprocess"),
        ([(_attempt("write_outside", what="/tmp/.keras"), "call")], "network"),
        ([(_attempt("reads_files", what="/srv/x.npy"), "call")], "reads_files"),
        ([(_attempt(line=4), "call")], None),
        ([(_attempt(), "import")], None),
    ],
    ids=[
        "on the line",
        "settings are asked for first",
        "the folder for downloads",
        "a file",
        "another line",
        "another phase",
    ],
)
def test_what_was_tried_on_the_line_that_raised_is_behind_it(evidence_of, attempts, code):
    found = behind(_raised(), _tried(evidence_of(), *attempts).execution)
    assert (found and found[0]) == code


def test_a_class_that_a_refused_statement_was_to_make_says_so(evidence_of, class_found):
    failed = [
        StatementFailed(event="statement_failed", line=line, code="cell_failed", type="OSError", message="no")
        for line in (3, 8)
    ]
    evidence = _tried(
        evidence_of(),
        (_attempt("reads_files", line=9, what="/data/lstm.txt"), "import"),
        statements_failed=tuple(failed),
        class_found=class_found.model_copy(update={"found": False}),
    )
    assert structural_problem(evidence.execution, evidence.reading) == (
        "reads_files",
        {"what": "/data/lstm.txt", "line": 9},
    )


def test_a_worthless_answer_is_named_after_what_it_was_looked_for_with(evidence_of, cases):
    evidence = _tried(evidence_of(lambda case: case.expected * 0), (_attempt("gc_reference"), "call"))
    assert _codes(evidence, cases) == ["gc_reference", "constant_output"]


def test_numbers_that_a_mistake_explains_are_named_after_the_mistake(evidence_of, cases):
    evidence = _tried(evidence_of(lambda case: case.expected[:, ::-1]), (_attempt(), "call"))
    assert _codes(evidence, cases)[0] == "time_reversed"


def test_beside_a_right_answer_it_is_for_the_teacher_alone(evidence_of, cases):
    evidence = _tried(
        evidence_of(lambda case: case.expected),
        (_attempt(), "call"),
        (_attempt("subprocess", line=1), "import"),
        (_attempt("env_read"), "build"),
        (_attempt("write_outside", line=2, what="/tmp/x"), "import"),
        patched=("numpy.abs",),
    )
    assert _codes(evidence, cases) == []
    told = [(code, line) for code, _, line in worth_a_look(evidence.execution)]
    assert told == [("monkeypatch", None), ("network", 5), ("write_outside", 2)]
