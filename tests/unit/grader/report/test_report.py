"""The stored report: what it holds, and that its hash covers it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.report.finding import MAX_ITEMS, MAX_TEXT
from grader.report.model import Check, Diagnosis, Divergence, Report, Status
from tests.unit.grader.make_reports import make_report


def test_sealed_report_carries_its_own_digest_through_the_store():
    report = make_report()
    assert report.receipt.report_sha256 == report.digest()
    assert report.sealed() == report
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_any_change_changes_the_digest():
    report = make_report()
    for change in ({"points": 11.0}, {"status": Status.PASSED}):
        assert report.digest() != report.model_copy(update=change).digest()


@given(
    st.recursive(
        st.floats() | st.integers() | st.text() | st.none() | st.booleans(),
        lambda inner: st.lists(inner),
        max_leaves=8,
    )
)
@example(2**53)
@example(-(10**400))
def test_params_with_any_numbers_make_a_report_that_can_be_sealed(value):
    check = Check(
        id="contract", points=0, max_points=10, status="failed", params={"value": value}, details={"x": value}
    )
    report = make_report(checks=[check])
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
    report = make_report(diagnoses=[Diagnosis(code="nan", confidence="exact", params=huge)])
    params = report.diagnoses[0].params
    assert (len(params["text"]), len(params["list"])) == (MAX_TEXT, MAX_ITEMS)
    assert len(report.model_dump_json()) < 60_000


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="grade"):
        make_report(grade=5)
