"""Reports of every kind, to be shown, compared and stored by tests."""

import re
from datetime import UTC, datetime
from typing import Any

from grader.assignment import load_assignments
from grader.checks.registry import not_run
from grader.report.model import (
    Advisory,
    AssignmentRef,
    CaseResult,
    Check,
    Diagnosis,
    Divergence,
    Environment,
    ErrorInfo,
    Extraction,
    Frame,
    NonFinite,
    Output,
    Receipt,
    Report,
    SkippedCell,
    Status,
    SubmissionRef,
    Timing,
)
from grader.report.reproduction import reproduction

ASSIGNMENT = load_assignments()["lstm-layer"]
SHA256 = "ab" * 32
#: A student's text with markup, a spreadsheet's formula, terminal colours, and characters that XML forbids.
HOSTILE = "=cmd|' /C calc'!A0 <script>alert(1)</script> ]]> &amp; {{ 7*7 }} \x1b[31mred\x00\u202e\uffff \"' </pre>"

#: The first number that differs, and how cases are compared.
PLACE: dict[str, Any] = {"batch": 0, "timestep": 0, "unit": 1, "expected": 0.25, "actual": 0.5}
COMPARISON: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-5, "nonfinite": NonFinite(nan=0, inf=0)}


def _check(id: str, points: float, max_points: float, code: str | None = None, **params: object) -> Check:
    status = "passed" if code is None else "failed"
    return Check(id=id, points=points, max_points=max_points, status=status, code=code, params=params)


def make_report(**changes: object) -> Report:
    """A failed submission; `changes` replace parts of it."""
    parts: dict[str, object] = {
        "status": Status.FAILED,
        "points": 10.0,
        "max_points": 100.0,
        "score": 0.1,
        "assignment": AssignmentRef(id=ASSIGNMENT.id, digest=ASSIGNMENT.digest),
        "submission": SubmissionRef(filename="LSTM.ipynb", sha256=SHA256, format="ipynb"),
        "checks": [
            _check("contract", 10, 10),
            _check("equivalence", 0, 50, "wrong_values", max_abs_error=0.4, **PLACE),
            _check("generalisation", 0, 20, "wrong_on_hidden_cases", categories=["other_shape", "larger_values"]),
            Check(id="statelessness", points=0, max_points=10, status="skipped", code="equivalence_not_earned"),
            Check(id="trainability", points=0, max_points=10, status="skipped", code="equivalence_not_earned"),
            _check("own_work", 0, 0),
        ],
        "cases": [
            CaseResult(
                id="exercise",
                visibility="public",
                category="exercise",
                shape=[2, 100, 32],
                max_abs_error=0.4,
                mean_abs_error=0.1,
                first_divergence=Divergence(**PLACE),
                errors_by_timestep=[0.1 + 0.003 * step for step in range(100)],
                errors_by_unit=[0.4 - 0.01 * unit for unit in range(32)],
                **COMPARISON,
            ),
            CaseResult(
                id="larger",
                visibility="hidden",
                category="larger_values",
                shape=None,
                max_abs_error=None,
                mean_abs_error=None,
                **COMPARISON,
            ),
        ],
        "diagnoses": [
            Diagnosis(code="gates_swapped_if", params={"gates": ["I", "F"]}, confidence="exact", residual=2e-7)
        ],
        "advisories": [Advisory(code="global_x_shape", params={"line": 4, "file": "cell 3"}, line=4)],
        "extraction": Extraction(
            cells_used=[2],
            cells_skipped=[SkippedCell(index=5, code="not_needed")],
            class_line=3,
            roles={"fcXI": "cell.fcXI"},
            roles_from="names",
        ),
        "environment": Environment(tensorflow="2.21.0", keras="3.15.1", keras_generation="3", device="cpu"),
        "timing": Timing(wall_seconds=2.19, cpu_seconds=1.7),
        "output": Output(stdout="hello\n", stderr=""),
        "reproduction": reproduction(ASSIGNMENT, "3", {}),
        "receipt": Receipt(
            submission_sha256=SHA256,
            assignment_digest=ASSIGNMENT.digest,
            grader_version="1.0.0",
            created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        ),
    }
    return Report.model_validate(parts | changes).sealed()


def passed() -> Report:
    checks = [_check(id, points, points) for id, points in ASSIGNMENT.points.items()]
    return make_report(status="passed", points=100.0, score=1.0, checks=checks, diagnoses=[], advisories=[], cases=[])


def hostile() -> Report:
    """A report whose every text from the student is `HOSTILE`."""
    params = {"type": "ValueError", "message": HOSTILE, "line": 1, "file": HOSTILE}
    return make_report(
        status="runtime_error",
        submission=SubmissionRef(filename=HOSTILE, sha256=SHA256, format="ipynb"),
        diagnoses=[Diagnosis(code="raises_in_call", params=params, confidence="exact")],
        extraction=Extraction(
            cells_skipped=[SkippedCell(index=0, code="cell_failed", params=params)], roles={HOSTILE: HOSTILE}
        ),
        output=Output(stdout=HOSTILE, stderr=HOSTILE),
        error=ErrorInfo(type=HOSTILE, message=HOSTILE, traceback=[Frame(file=HOSTILE, line=1, code=HOSTILE)]),
    )


def invalid() -> Report:
    return make_report(
        status="invalid_submission",
        points=0.0,
        score=0.0,
        checks=not_run(ASSIGNMENT.points, "not_run"),
        cases=[],
        diagnoses=[Diagnosis(code="syntax_error", params={"line": 3, "message": "invalid syntax"}, confidence="exact")],
    )


def internal_error() -> Report:
    return make_report(
        status="internal_error",
        points=None,
        score=None,
        checks=not_run(ASSIGNMENT.points, "internal_error"),
        cases=[],
        diagnoses=[],
        error=ErrorInfo(type="SandboxStartFailed", message=""),
    )


ALL = {
    "failed": make_report,
    "passed": passed,
    "hostile": hostile,
    "invalid": invalid,
    "internal_error": internal_error,
}


#: What some program obeys, or shows otherwise than it is, wherever it stands.
ORDERS = [
    "\u202egpj.exe", "a\u2066b\u2069", "\u200e\u200f\u061c", "a\u200bd\u200c\u200dm\u2060i\ufeffn\xad", "\U000e0041",
    "\ufff0\U0001bca0\U0001d173",
    "a\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\uffa0b",
    "\x1b[31m\x1b]0;title\x07", "\x9b2J", "\x00\x08\x7f", "a\x0b\x0c\x1c\x85\u2028\u2029b", "\uffff", "##[error]no",
    "\n::error file=a::no", "\n  ::set-output name=grade::100", "::add-mask::x", "a ##vso[task.complete]",
    "##teamcity[buildStop]", "\r::warning::", "long words before it " * 20 + "::stop-commands::x",
]  # fmt: skip
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff"
    r"\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]|^\s*::|##\w*\[",
    re.MULTILINE,
)


def report_with(words: str) -> Report:
    """A report that holds these words wherever a student can put some."""
    params = {"type": words, "message": words, "line": 1, "what": words, "bases": [words]}
    return make_report(
        diagnoses=[Diagnosis(code="raises_in_call", params=params, confidence="exact")],
        submission=SubmissionRef(filename=f"{words}.ipynb", sha256="ab" * 32, format="ipynb"),
        error=ErrorInfo(type=words, message=words, traceback=[Frame(file=words, line=1, code=words)]),
        output=Output(stdout=words, stderr=words),
        advisories=[Advisory(code="write_outside", params=params, line=1)],
        extraction=Extraction(cells_skipped=[SkippedCell(index=0, code="cell_failed", params=params)]),
    )
