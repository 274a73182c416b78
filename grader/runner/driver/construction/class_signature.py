"""Inspects a class before it is built: its parameters, their annotations, the names that its code reads."""

import inspect
import types
import typing
from collections.abc import Iterator
from typing import Any


def _function(definition: Any) -> Any:
    if not isinstance(definition, type):
        return definition
    # A named tuple lacks an `__init__` of its own.
    return definition.__new__ if definition.__init__ is object.__init__ else definition.__init__  # type: ignore[misc]


def parameters(definition: Any) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(_function(definition)).parameters.values())
    except (TypeError, ValueError):
        return []
    return found[1:] if isinstance(definition, type) else found


def hints(definition: Any, names: dict[str, Any]) -> dict[str, Any]:
    function = _function(definition)
    try:
        return typing.get_type_hints(function, names)
    except Exception:  # it names something that does not exist
        return dict(getattr(function, "__annotations__", {}))


def bases(definition: Any, names: dict[str, Any]) -> list[type]:
    """List the class itself and those of its bases that the student wrote and that have a constructor."""
    return [base for base in _own_classes(definition, names) if "__init__" in vars(base)]


def _own_classes(definition: Any, names: dict[str, Any]) -> list[type]:
    return [base for base in getattr(definition, "__mro__", ()) if base.__module__ == names.get("__name__")]


def is_own_init(definition: Any, names: dict[str, Any]) -> bool:
    return not isinstance(definition, type) or bool(bases(definition, names))


def codes(function: Any) -> Iterator[types.CodeType]:
    waiting = [getattr(function, "__code__", None)]
    while waiting:
        code = waiting.pop()
        if isinstance(code, types.CodeType):
            yield code
            waiting += code.co_consts


def own_codes(names: dict[str, Any]) -> Iterator[types.CodeType]:
    """Yield the code of all functions of the module, and of its classes."""
    for value in list(names.values()):
        if getattr(value, "__module__", None) == names["__name__"]:
            for function in vars(value).values() if isinstance(value, type) else [value]:
                yield from codes(function)


def strings_in_code(definition: Any) -> list[str]:
    """List texts in a constructor that may be names of arguments."""
    texts = (text for code in codes(_function(definition)) for text in code.co_consts)
    return [text for text in dict.fromkeys(texts) if isinstance(text, str) and text.isidentifier()]


def names_in_code(definition: Any, names: dict[str, Any]) -> list[str]:
    """List names and texts in all functions of a class: some are settings that it reads."""
    own = _own_classes(definition, names)
    functions = [value for base in own for value in vars(base).values()] or [definition]
    texts = (text for each in functions for code in codes(each) for text in (*code.co_names, *code.co_consts))
    return [text for text in dict.fromkeys(texts) if isinstance(text, str) and text.isidentifier()]
