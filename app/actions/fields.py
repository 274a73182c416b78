"""The fields of requests for actions: their limits, once for the API's bodies, the pages' forms and the commands.

Each error has a type for which pages have words (``fault.<type>``): the types of pydantic, as `app.http.fields` reads
them, and those that are raised here.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Any, ClassVar, LiteralString, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from app.bodies import EXAMPLE_ID
from app.courses.course import time_zone_of, time_zones
from app.errors import StudentInvalid
from app.mail import addresses
from app.storage.models import ID_ALPHABET, ID_LENGTH
from app.submissions.uploads import STUDENT_CHARACTERS, check_student
from app.values import Number

#: Limits of a text from one person to another, and of an adjustment.
WORDS_CHARACTERS, MOST_POINTS = 2000, 100_000
ID = re.compile(f"[{ID_ALPHABET}]{{{ID_LENGTH}}}")

Schema = dict[str, Any]


class ActionRequest(BaseModel):
    """The request for an action. A misspelt key is refused: ignored, it could turn a filter into "everything".

    Attributes:
        examples: for the OpenAPI document.
        exactly_one, at_least_one: the fields of which so many must be given, that is, differ from their default.
        miscounted: the type of the error otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    examples: ClassVar[Sequence[Schema]] = ()
    exactly_one: ClassVar[Sequence[str]] = ()
    at_least_one: ClassVar[Sequence[str]] = ()
    miscounted: ClassVar[LiteralString] = "required"

    @model_validator(mode="after")
    def _are_counted(self) -> Self:
        names = self.exactly_one or self.at_least_one
        given = sum(getattr(self, name) != type(self).model_fields[name].default for name in names)
        about = {"field": names[0], "names": ", ".join(names)} if names else {}
        if self.exactly_one and given != 1:
            raise PydanticCustomError(self.miscounted, "expected exactly one of: {names}", about)
        if self.at_least_one and not given:
            raise PydanticCustomError(self.miscounted, "expected at least one of: {names}", about)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.examples:
            schema["examples"] = list(cls.examples)
        if names := cls.exactly_one or cls.at_least_one:
            defaults = {name: cls.model_fields[name].default for name in names}
            given = [
                has_property(name, None if default is None else not_({"const": default}))
                for name, default in defaults.items()
            ]
            none, pairs = not_(one_of(*given)), [both(*pair) for pair in combinations(given, 2)]
            schema["not"] = one_of(none, *pairs) if cls.exactly_one else none
        return schema

    def set_values(self) -> dict[str, Any]:
        """Return the fields that the request names, as the database keeps them."""
        return self.model_dump(mode="json", exclude_unset=True)


# Rules about several properties are written with `not`: for `anyOf` or `oneOf` at the top of a schema, client
# generators make one class per branch, without the properties.


def has_property(name: str, value: Schema | None = None) -> Schema:
    """Return a schema: the property is present, and matches `value`, or is at least not null."""
    return {"required": [name], "properties": {name: value or not_({"type": "null"})}}


def not_(schema: Schema) -> Schema:
    return {"not": schema}


def one_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def both(*schemas: Schema) -> Schema:
    return {"allOf": list(schemas)}


def _name(value: str) -> str:
    try:
        return check_student(value)
    except StudentInvalid as exc:
        raise PydanticCustomError("name", "expected printable characters, such as a name") from exc


def _email(address: str) -> str:
    if addresses.address_of(address) is None:
        raise PydanticCustomError("email", "expected an address such as ivanov@example.org")
    return addresses.comparable(address)


def _time_zone(name: str) -> str:
    """Find the zone by its name, or by a city."""
    name = time_zone_of(name)
    if name not in time_zones():
        raise PydanticCustomError("time_zone", "expected a name of the IANA time zone database, such as Europe/Moscow")
    return name


def _words(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("required", "expected some words, not only spaces")
    if "\0" in text:
        # PostgreSQL cannot store it.
        raise PydanticCustomError("nul", "expected words without the character NUL")
    return text


class Language(StrEnum):
    EN = "en"
    RU = "ru"


#: For the OpenAPI document: characters not allowed in a name, and names of spaces only; the same for words.
NO_NAME: Schema = one_of({"pattern": r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"}, {"pattern": r"^\s*$"})
NO_WORDS: Schema = one_of({"pattern": r"\x00"}, {"pattern": r"^\s*$"})


def text_field(most: int, *examples: str, never: Schema = NO_NAME) -> Any:
    """Describe a text of at most so many characters, which `never` does not match."""
    return Field(min_length=1, max_length=most, examples=list(examples) or None, json_schema_extra=not_(never))


#: A name of a student or of anything else.
Name = Annotated[str, text_field(STUDENT_CHARACTERS), AfterValidator(_name)]
#: A group of a course.
Group = Annotated[str, text_field(100, "БПМИ201"), AfterValidator(_name)]
#: A place where somebody works, for their own list.
Where = Annotated[str, text_field(60, "Jupyter"), AfterValidator(_name)]
Email = Annotated[
    str,
    Field(
        max_length=addresses.CHARACTERS,
        examples=["ivanov@example.org"],
        json_schema_extra={"pattern": f"^{addresses.ADDRESS.pattern}$"},
    ),
    AfterValidator(_email),
]
#: A text from one person to another, with several lines.
Words = Annotated[str, text_field(WORDS_CHARACTERS, never=NO_WORDS), AfterValidator(_words)]
# No pattern can list the existing names, so there are examples.
TimeZone = Annotated[
    str,
    Field(
        max_length=64,
        description="a name of the IANA database, in which dates are shown and moved",
        examples=["Europe/Moscow", "UTC"],
    ),
    AfterValidator(_time_zone),
]
#: The points for an assignment or a check.
Points = Annotated[Number, Field(ge=0.01, le=MOST_POINTS)]
Id = Annotated[str, Field(pattern=f"^{ID.pattern}$", examples=[EXAMPLE_ID])]
#: The id of an assignment, which its file has.
AssignmentKey = Annotated[str, Field(pattern="^[a-z0-9-]{1,64}$")]
