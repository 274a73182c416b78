"""The bounds of requests: of courses, a student's work, regrades, platforms. Pages have words for each fault."""

import pytest
from pydantic import ValidationError

from app.actions.courses import MakeCourse
from app.actions.platforms import AddDeployment
from app.actions.regrades import BeginRegrade
from app.actions.work import AdjustGrade, CommentOnWork, DecideAttempt, ExtendWork
from app.storage.models import PLATFORM_ID_LENGTH, LtiDeployment

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
        (ExtendWork, {"more_attempts": -1, "reason": "x"}, "greater_than_equal"),
        (ExtendWork, {"due": 0, "reason": "x"}, "moment"),
        (CommentOnWork, {"text": "x" * 2001}, "string_too_long"),
        (CommentOnWork, {"text": "a\0b"}, "nul"),
        (DecideAttempt, {"decision": "perhaps", "reason": "x"}, "enum"),
        (AddDeployment, {"deployment": "d" * (PLATFORM_ID_LENGTH + 1)}, "string_too_long"),
        (AddDeployment, {"deployment": ""}, "string_too_short"),
        (AddDeployment, {"deployment": " "}, "name"),
        (AddDeployment, {"deployment": "a\nb"}, "name"),
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
def test_request_that_says_too_little_or_too_much_is_refused(model, values, fault):
    with pytest.raises(ValidationError) as refused:
        model.model_validate(values)
    assert [each["type"] for each in refused.value.errors()] == [fault]


def test_id_of_a_deployment_is_as_long_as_its_column():
    longest = "d" * PLATFORM_ID_LENGTH
    assert AddDeployment(deployment=longest).deployment == longest
    assert LtiDeployment.__table__.c.deployment_id.type.length == PLATFORM_ID_LENGTH
