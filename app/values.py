"""Numbers and moments of JSON, as requests may send them and the rules of a course keep them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

WRITTEN_OUT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _written_out(value: object) -> object:
    """Raises: ValueError: it is a number, which pydantic would read as seconds and the document does not mention."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and WRITTEN_OUT.match(value)):
        raise PydanticCustomError("moment", "expected a moment with its time zone, such as 2026-09-01T00:00:00Z")
    return value


def _within(moment: datetime) -> datetime:
    """Convert to UTC, within the range of the databases; moments further away mean the same."""
    return min(max(moment, EARLIEST), LATEST).astimezone(UTC)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_within)]
# With `strict=True` before it, an integer of JSON Schema: 5.0 is one, "5" and true are none.
WHOLE = BeforeValidator(_whole)
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Percent = Annotated[Number, Field(ge=0, le=100)]
