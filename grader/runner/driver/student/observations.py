"""Observations of the student's objects from outside: a class, an output, a gradient. Nothing here judges."""

import ast
import dis
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from driver.student import student_module
from driver.student.contents import DrainedItems, arrays_inside, is_container, open_content

#: Names are the student's, and may have any length.
MAX_NAME = 200
MAX_MESSAGE = 4000
# Instructions of an empty body, in any version of Python.
DOING_NOTHING = frozenset({"RESUME", "NOP", "LOAD_CONST", "POP_TOP", "RETURN_VALUE", "RETURN_CONST"})


def text_of(exc: BaseException) -> str:
    """Return the beginning of an exception's message, which the exception's own code makes."""
    try:
        return str(exc)[:MAX_MESSAGE]
    except Exception as failed:
        return f"(no message: {type(failed).__name__} while it was made)"


def failure(statement: ast.stmt, exc: BaseException, longest: int) -> dict[str, Any]:
    """Return the fields of ``statement_failed``, with so many characters of the exception's message."""
    frames = student_module.student_frames(exc)
    timed_out = isinstance(exc, student_module.StatementTimeout)
    return {
        "line": statement.lineno,
        "raised_at": frames[-1][1] if frames else statement.lineno,
        "code": "cell_timed_out" if timed_out else "input_call" if isinstance(exc, EOFError) else "cell_failed",
        "type": type(exc).__name__[:MAX_NAME],
        "message": text_of(exc)[:longest],
    }


def _shape(value: Any) -> list[int]:
    """Return a shape, as far as an object has one that makes sense."""
    try:
        return [min(max(int(size), 0), 2**31 - 1) for size in tuple(value.shape)[:64]]
    except Exception:
        return []


def own_attributes(cls: type) -> set[str]:
    """Collect names that the student's own classes define, bases of a library left out."""
    own = [base for base in cls.__mro__ if base.__module__ == student_module.MODULE_NAME]
    return {name for base in own for name in vars(base)}


def is_stub(function: Any) -> bool:
    """Return whether a function's body is only ``...``, ``pass`` or a docstring."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_filename != student_module.FILE_NAME:
        return False
    # It reads nothing, not even its arguments.
    return all(constant in (None, ..., function.__doc__) for constant in code.co_consts) and all(
        instruction.opname in DOING_NOTHING for instruction in dis.get_instructions(code)
    )


def describe(output: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Describe the output as data: one array where it is one, or the arrays inside it, and its kind."""
    container = next((base.__name__ for base in (tuple, list, dict, tf.TensorArray) if isinstance(output, base)), None)
    is_open = is_container(output) or output is None
    name = output.kind if isinstance(output, DrainedItems) else container or type(output).__name__
    own = student_module.is_plain(output)
    description: dict[str, Any] = {"kind": name[:MAX_NAME], "dtype": None, "shape": None, "parts": None, "own": own}
    try:
        if is_open:
            items = open_content(output) if output is not None else ()
            items = list(items.values() if isinstance(items, Mapping) else items)
            arrays, places = arrays_inside(output) if items else ({}, [])
            return arrays, description | {"parts": [_shape(item) for item in items[:10]], "inside": places}
        array = np.asarray(output)
        description |= {"dtype": array.dtype.name, "shape": list(array.shape)}
        if tf.is_tensor(output):
            description["kind"] = "tensor"
        kept = np.float64 if array.dtype == np.float64 else np.float32
        return {"output": np.array(array, kept, order="C")}, description
    except Exception:  # a KerasTensor, a string, an object of the student's own: described, not sent
        return {}, description


def watchable(variable: Any) -> Any:
    """Return the variable that a tape watches: Keras 3 variables wrap a tf.Variable."""
    return getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable


def to_array(gradient: Any) -> np.ndarray:
    """Return a gradient in float32, one of looked-up rows in full."""
    return np.asarray(tf.convert_to_tensor(gradient), np.float32)


def largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0.0))
