"""Reads our forms as requests for actions, and names each fault at its field in the words of the page."""

import contextlib
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from math import inf, isfinite
from secrets import token_urlsafe
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo

from fastapi import Request
from pydantic import AwareDatetime, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.actions.fields import NO_NAME
from app.courses.course import read_moment
from app.errors import AppError, FieldsWrong, FormExpired, IdempotencyKeyReused
from app.http.auth.proof import FORM_FIELD, mask, unmask
from app.http.forms import WORDS, field_errors, refusal_context
from app.http.texts import language_of
from app.texts import text
from app.values import EARLIEST, LATEST

Asked = TypeVar("Asked", bound=BaseModel)

KEY_FIELD = "form_key"
KEY_BYTES = 32
#: Numbers as people type them: with a comma, with spaces, with the minus of our own pages.
AS_PYTHON = str.maketrans({",": ".", " ": None, "\N{MINUS SIGN}": "-"})


class Fields:
    """The texts of a form, and their faults: by name, the id of a text ``fault.<id>`` and its parameters."""

    def __init__(self, typed: dict[str, str]) -> None:
        self.typed = typed
        self.faults: dict[str, tuple[str, Mapping[str, object]]] = {}

    def read(
        self,
        model: type[Asked],
        *,
        names: Mapping[str, str] | None = None,
        zone: ZoneInfo | None = None,
        stored: Mapping[str, datetime | None] | None = None,
        filled_only: bool = False,
        context: Mapping[str, object] | None = None,
        **more: object,
    ) -> Asked:
        """Read the form as the request of an action.

        An empty field becomes null if it may, is left out if it can be, and is a fault otherwise.

        Args:
            filled_only: leave every empty field out.
            context: facts for the model's checks.
            names: the form's names of fields, by the model's, where they differ.
            zone: the clock of its dates.
            stored: the dates that the form showed (`moment`).
            more: values that are not in the form as such; they come first.
        Raises:
            FieldsWrong: of this reading, or of one before.
        """
        names = names or {}
        values = dict(more)
        for name, field in model.model_fields.items():
            at = names.get(name, name)
            if name not in values and at in self.typed and at not in self.faults:
                kinds = set(_kinds(field.annotation))
                value: object = self.typed[at]
                if kinds & {int, float}:
                    limits, read = _limits(model, name), self.whole if int in kinds else self.number
                    value = read(at, least=limits.get("minimum", -inf), most=limits.get("maximum", inf))
                elif AwareDatetime in kinds:
                    value = self.moment(at, zone or ZoneInfo("UTC"), (stored or {}).get(name))
                elif bool in kinds:
                    value = bool(value)
                if value in ("", None):
                    if filled_only:
                        continue
                    if type(None) in kinds:
                        values[name] = None
                    elif field.is_required() or field.default_factory:
                        self.wrong(at, "required")
                else:
                    values[name] = value
        try:
            request = model.model_validate(values, context=context)
        except ValidationError as exc:
            for error in exc.errors():
                if self.faults and not error["loc"]:
                    continue  # A rule about several fields does not see what is typed in a wrong one.
                name = str(error["loc"][0] if error["loc"] else error.get("ctx", {}).get("field", ""))
                self.wrong(names.get(name, name), *_fault(error, _limits(model, name)))
            raise FieldsWrong(fields=sorted(self.faults)) from exc
        self.check()
        return request

    def check(self) -> None:
        """Raises: FieldsWrong: a field that was read is wrong."""
        if self.faults:
            raise FieldsWrong(fields=sorted(self.faults))

    def has(self, name: str) -> bool:
        return bool(self.typed.get(name))

    def number(self, name: str, *, least: float = 0, most: float) -> float | None:
        typed = self.typed.get(name, "")
        plain = unicodedata.normalize("NFKC", typed).translate(AS_PYTHON)
        if not plain:
            return None
        with contextlib.suppress(ValueError):
            if least <= (value := float(plain)) <= most:
                return value
            if isfinite(value):
                self.wrong(name, "number", came=typed, least=least, most=most)
        self.wrong(name, "no_number", came=typed)
        return None

    def whole(self, name: str, *, least: int, most: int) -> int | None:
        value = self.number(name, least=least, most=most)
        if value is None:
            return None
        if value != int(value):
            self.wrong(name, "whole", came=self.typed[name], least=least, most=most)
        return int(value)

    def moment(self, name: str, zone: ZoneInfo, stored: datetime | None = None) -> datetime | None:
        """Read a time in `zone`, as ``<input type="datetime-local">`` sends it.

        Args:
            stored: the time that the field showed. It may be in the second of the two hours when a clock is set back.
        """
        typed = self.typed.get(name, "")
        if typed == local(stored, zone):
            return stored
        if not typed:
            return None
        # A day from the ends of the calendar, where other time zones still have a date.
        earliest, latest = EARLIEST + timedelta(days=1), LATEST - timedelta(days=1)
        with contextlib.suppress(ValueError, OverflowError):
            value = read_moment(typed, zone, begins=name == "opens")
            if earliest < value < latest:
                return value
        self.wrong(name, "moment")
        return None

    def form_key(self) -> str:
        """Return the key of the form: random, and the same when it is sent twice.

        Raises:
            FormExpired: it is none of ours.
        """
        key = unmask(self.typed.get(KEY_FIELD, ""))
        if len(key) != len(new_key()):
            raise FormExpired
        return key

    def wrong(self, name: str, fault: str, params: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Note a fault of a field. Only the first one counts."""
        self.faults.setdefault(name, (fault, {**(params or {}), **more}))


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types of which a field takes a value."""
    parts = get_args(annotation)
    if get_origin(annotation) in (None, Literal):
        yield annotation
    else:
        for part in parts[:1] if get_origin(annotation) is Annotated else parts:
            yield from _kinds(part)


@cache
def _limits(model: type[BaseModel], name: str) -> Mapping[str, Any]:
    """Return the rules for the values of a field, from its JSON Schema."""
    schema = model.model_json_schema()["properties"].get(name, {})
    return {key: value for part in [*schema.get("anyOf", ()), schema] for key, value in part.items()}


def _fault(error: ErrorDetails, limits: Mapping[str, Any]) -> tuple[str, Mapping[str, object]]:
    """Return the text ``fault.<id>`` for an error of pydantic, and its parameters."""
    match error["type"]:
        case "missing" | "string_too_short":
            return "required", {}
        case "string_too_long":
            is_line = limits.get("not") == NO_NAME
            return "name" if is_line else "too_long", {"limit": error["ctx"]["max_length"]}
        case "name":
            return "name", {"limit": limits["maxLength"]}
        case "literal_error" | "enum" | "string_pattern_mismatch":
            return "choice", {}
        case fault:
            return fault, error.get("ctx", {})


def new_key() -> str:
    return token_urlsafe(KEY_BYTES)


def form_context(
    request: Request,
    fields: Fields | None = None,
    refusal: AppError | None = None,
    stored: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the context of a page with a form, shown for the first time or again after a refusal.

    Args:
        stored: the texts in its fields until it is sent. Another form of the page, which is a button, leaves them.
    Returns:
        ``fields`` as they were typed, ``errors`` by field, the masked ``form_key``, and after a refusal ``problem``
        and ``status_code``.
    """
    language = language_of(request)
    typed: Mapping[str, str] = fields.typed if fields else {}
    errors = {
        name: text(f"fault.{fault}", language, **params)
        for name, (fault, params) in (fields.faults if fields else {}).items()
    }
    key = unmask(typed.get(KEY_FIELD, ""))
    if isinstance(refusal, IdempotencyKeyReused):
        key = ""  # It names what the form held the first time.
    if stored and not typed.keys() - {FORM_FIELD, KEY_FIELD}:
        typed = stored
    shown = {"fields": typed, "errors": errors, "form_key": mask(key if len(key) == len(new_key()) else new_key())}
    if refusal is None:
        return {**shown, "problem": None}
    problem = refusal_context(request, refusal)
    if id := WORDS.get(type(refusal)):
        problem["problem"]["detail"] = text(id, language, **refusal.params)
    if at_fields := field_errors(refusal, language):
        errors |= at_fields
        problem["problem"]["detail"] = text("problem.fields-wrong.detail", language)
    return {**shown, **problem}


def local(moment: datetime | None, zone: ZoneInfo) -> str:
    """Return a time in `zone` in the format of ``<input type="datetime-local">``."""
    if moment is None:
        return ""
    shown = moment.astimezone(zone).replace(tzinfo=None)
    return shown.isoformat(timespec="seconds" if shown.second else "minutes")
