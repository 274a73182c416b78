"""The bounds of requests about courses, a student's work and regrades. Pages have words for each of these faults."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.actions.courses import MakeCourse
from app.actions.fields import ActionRequest
from app.actions.regrades import BeginRegrade
from app.actions.work import AdjustGrade, CommentOnWork, DecideAttempt, ExtendWork

ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"


@pytest.mark.parametrize(
    ("model", "values", "fault"),
    [
        (MakeCourse, {}, "missing"),
        (MakeCourse, {"title": " "}, "name"),
        (MakeCourse, {"title": "x", "time_zone": "Nowhere"}, "time_zone"),
        (MakeCourse, {"title": "x", "language": "de"}, "enum"),
        (MakeCourse, {"title": "x", "retention_days": 0}, "greater_than_equal"),
        (AdjustGrade, {"reason": "x"}, "required"),
        (AdjustGrade, {"delta": 1.0, "value": 1.0, "reason": "x"}, "required"),
        (AdjustGrade, {"delta": 1.0}, "missing"),
        (AdjustGrade, {"delta": 1.0, "reason": " "}, "required"),
        (AdjustGrade, {"delta": -100_001.0, "reason": "x"}, "greater_than_equal"),
        (AdjustGrade, {"value": -1.0, "reason": "x"}, "greater_than_equal"),
        (AdjustGrade, {"delta": 1.0, "reason": "x", "replaces": "x"}, "string_pattern_mismatch"),
        (ExtendWork, {"reason": "x"}, "extension_empty"),
        (ExtendWork, {"more_attempts": 1001, "reason": "x"}, "less_than_equal"),
        (ExtendWork, {"due": 0, "reason": "x"}, "moment"),
        (CommentOnWork, {"text": "x" * 2001}, "string_too_long"),
        (CommentOnWork, {"text": "a\0b"}, "nul"),
        (DecideAttempt, {"decision": "perhaps", "reason": "x"}, "enum"),
        (BeginRegrade, {}, "required"),
        (BeginRegrade, {"submissions": []}, "too_short"),
        (BeginRegrade, {"submissions": ["x"]}, "string_pattern_mismatch"),
        (BeginRegrade, {"submissions": [ID], "filter": {"student": "x"}}, "required"),
        (BeginRegrade, {"filter": {"studnet": "ivanov"}}, "extra_forbidden"),
        (BeginRegrade, {"all": False}, "required"),
        (BeginRegrade, {"all": 1}, "bool_type"),
        (BeginRegrade, {"all": True, "filter": {"student": "ivanov"}}, "required"),
        (BeginRegrade, {"filter": {}}, "required"),
        (BeginRegrade, {"filter": {"student": None}}, "required"),
    ],
)
def test_request_that_says_too_little_or_too_much_is_refused(
    model: type[ActionRequest], values: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(values)
    assert [each["type"] for each in refused.value.errors()] == [fault]
