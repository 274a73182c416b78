"""The stored report: what it holds, that its hash covers it, its published schema, and reading one back."""

import json

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from grader.report.finding import MAX_ITEMS, MAX_TEXT
from grader.report.messages import render
from grader.report.model import Check, Diagnosis, Divergence, Report, Status
from grader.report.schema import NotAReport, read_report, report_schema
from tests.unit.grader import make_reports
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


# --- its published schema, and reading one back ---


KINDS = sorted(make_reports.ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_every_report_fits_the_schema(kind: str) -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(render(make_reports.ALL[kind](), "ru"))


def test_the_schema_allows_keys_that_are_still_to_come() -> None:
    rendered = render(make_report(), "en")
    rendered["of_tomorrow"] = rendered["checks"][0]["of_tomorrow"] = 1
    jsonschema.validate(rendered, report_schema())


def test_the_schema_refuses_a_report_without_its_sentences() -> None:
    with pytest.raises(jsonschema.ValidationError, match="message"):
        jsonschema.validate(make_report().model_dump(mode="json"), report_schema())


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_read_back_as_it_was(kind: str) -> None:
    report = make_reports.ALL[kind]()
    rendered = render(report, "en")
    for data in (rendered, report.model_dump(mode="json"), {"id": "x", "job_status": "done", "report": rendered}):
        read = read_report(json.dumps(data))
        assert read == report
        assert read.digest() == report.receipt.report_sha256


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no object"),
        ("{}", "is missing"),
        ('{"checks": 5, "diagnoses": [1], "extraction": {"cells_skipped": null}}', "status: is missing"),
        ('{"report": null}', "is missing"),
    ],
    ids=["empty", "deep", "list", "no_keys", "wrong_types", "unfinished"],
)
def test_a_file_that_is_no_report_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(NotAReport, match=why):
        read_report(text)


KEYS = st.sampled_from(["report", "checks", "diagnoses", "extraction", "cells_skipped", "status"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_a_report_or_refused(data: object) -> None:
    with pytest.raises(NotAReport):
        read_report(json.dumps(data))
