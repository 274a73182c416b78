"""Bodies of answers and of deliveries. The descriptions of their fields are part of the API's documentation."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

EXAMPLE_ID = "01ksvh1y8gk3v0q4m2z7c9x5ab"
#: How many things a list has.
Count = Annotated[int, BeforeValidator(len)]
#: Whether there is something.
Whether = Annotated[bool, BeforeValidator(bool)]


def address_of(template: str) -> BeforeValidator:
    """Make an address out of an id. A function of its own: pydantic refuses `str.format` itself under Python 3.13."""
    return BeforeValidator(lambda value: template.format(value))


def shows(description: str | None = None, *examples: object, of: str | None = None) -> Any:
    """Describe a field of an answer.

    Args:
        of: the attribute of the row, or a dotted path to it; None: the name of the field.
    """
    alias = AliasPath(*of.split(".")) if of else None
    return Field(description=description, examples=list(examples) or None, validation_alias=alias)


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    @classmethod
    def from_row(cls, row: object, **more: object) -> Self:
        """Fill the body with the attributes of a row, and with values that it lacks or names differently."""
        return cls.model_validate(_Row(row, more))


class _Row:
    def __init__(self, row: object, more: Mapping[str, object]) -> None:
        self.__dict__.update(more, _row=row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_row"], name)
