"""The stored report: what it holds, and that its hash covers it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.checks.registry import not_run
from grader.report.finding import MAX_ITEMS, MAX_TEXT
from grader.report.model import AssignmentRef, Check, Diagnosis, Divergence, Receipt, Report, Status, SubmissionRef

DIGEST = "0" * 64


def _report(**changes) -> Report:
    parts = {
        "status": Status.FAILED,
        "points": 10.0,
        "max_points": 100.0,
        "score": 0.1,
        "assignment": AssignmentRef(id="lstm-layer", digest=DIGEST),
        "submission": SubmissionRef(filename="a.py", sha256=DIGEST, format="py"),
        "checks": not_run({"contract": 10}, "not_run"),
        "receipt": Receipt(
            submission_sha256=DIGEST,
            assignment_digest=DIGEST,
            grader_version="1",
            created_at=datetime(2020, 1, 2, tzinfo=UTC),
        ),
    }
    return Report.model_validate(parts | changes)


def test_a_sealed_report_carries_its_own_digest():
    report = _report().sealed()
    assert report.receipt.report_sha256 == report.digest()
    assert report.sealed() == report


def test_any_change_changes_the_digest():
    report = _report()
    assert report.digest() != report.model_copy(update={"points": 11.0}).digest()
    assert report.digest() != report.model_copy(update={"status": Status.PASSED}).digest()


def test_a_report_that_was_stored_is_the_same_report():
    report = _report(diagnoses=[Diagnosis(code="nan", confidence="exact")]).sealed()
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert Report.model_validate_json(report.model_dump_json()).digest() == report.receipt.report_sha256


@given(st.recursive(st.floats() | st.text() | st.none() | st.booleans(), lambda inner: st.lists(inner), max_leaves=8))
def test_params_with_any_numbers_make_a_report_that_can_be_sealed(value):
    check = Check(
        id="contract", points=0, max_points=10, status="failed", params={"value": value}, details={"x": value}
    )
    report = _report(checks=[check]).sealed()
    assert Report.model_validate_json(report.model_dump_json()).digest() == report.receipt.report_sha256


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_null(number):
    divergence = Divergence(batch=0, timestep=0, unit=0, expected=1.0, actual=number)
    assert divergence.actual is None
    assert Diagnosis(code="nan", confidence="exact", params={"a": [number, {"b": number}]}).params == {
        "a": [None, {"b": None}]
    }


def test_a_students_words_are_cut_to_a_readable_length():
    huge = {"text": "x" * 10**6, "list": ["y"] * 10**5, "names": {f"{n}{'z' * 5000}": n for n in range(1000)}}
    report = _report(diagnoses=[Diagnosis(code="nan", confidence="exact", params=huge)])
    params = report.diagnoses[0].params
    assert (len(params["text"]), len(params["list"])) == (MAX_TEXT, MAX_ITEMS)
    assert len(report.model_dump_json()) < 60_000


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="grade"):
        _report(grade=5)


def test_the_status_values_are_those_of_the_json():
    assert {str(status) for status in Status} == {
        "passed",
        "failed",
        "invalid_submission",
        "runtime_error",
        "time_limit",
        "memory_limit",
        "output_limit",
        "invalid_output",
        "internal_error",
    }
