"""The published schema of a report, and reading one back."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.report.messages import render
from grader.report.schema import NotAReport, read_report, report_schema
from tests.unit.grader import make_reports

KINDS = sorted(make_reports.ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_every_report_fits_the_schema(kind: str) -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(render(make_reports.ALL[kind](), "ru"))


def test_the_schema_allows_keys_that_are_still_to_come() -> None:
    rendered = render(make_reports.make_report(), "en")
    rendered["of_tomorrow"] = rendered["checks"][0]["of_tomorrow"] = 1
    jsonschema.validate(rendered, report_schema())


def test_the_schema_refuses_a_report_without_its_sentences() -> None:
    with pytest.raises(jsonschema.ValidationError, match="message"):
        jsonschema.validate(make_reports.make_report().model_dump(mode="json"), report_schema())


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
