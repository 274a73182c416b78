"""The ids that platforms give: of a client, of a deployment."""

import pytest
from pydantic import ValidationError

from app.actions.platforms import AddDeployment
from app.storage.models import PLATFORM_ID_LENGTH, LtiDeployment


def test_id_is_as_long_as_its_column() -> None:
    longest = "d" * PLATFORM_ID_LENGTH
    assert AddDeployment(deployment=longest).deployment == longest
    assert LtiDeployment.__table__.c.deployment_id.type.length == PLATFORM_ID_LENGTH


@pytest.mark.parametrize(
    ("id", "fault"),
    [("d" * 256, "string_too_long"), ("", "string_too_short"), (" ", "name"), ("a\nb", "name")],
    ids=["too long", "empty", "only a space", "two lines"],
)
def test_id_that_no_launch_brings_is_refused(id: str, fault: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AddDeployment(deployment=id)
    assert [error["type"] for error in refused.value.errors()] == [fault]
