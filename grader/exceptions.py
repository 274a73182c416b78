"""Which code an exception of the student's code gets, and which advice fits it.

Every function here returns ``(code, params)`` or None. Codes are those of docs/report.md; ``variant`` in `params` says
which of the sentences of a code fits (see `grader.messages`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.missing_names import UNKNOWN_NAME, behind_missing_module
from grader.reaching import Problem
from grader.reading import Reading
from grader.report import Params
from grader.sandbox.protocol import Raised
from grader.server_paths import clean_message

OUT_OF_MEMORY = {"MemoryError", "_ArrayMemoryError", "ResourceExhaustedError"}
# What Python and TensorFlow say where the kernel refuses another thread.
NO_MORE_THREADS = re.compile(r"can't start new thread|pthread_create")
MISSING_ARGUMENT = re.compile(r"missing (?:a required argument|\d+ required positional arguments?): '(\w+)'")
TF1_NAMES = re.compile(
    r"has no attribute '(placeholder|Session|get_variable|global_variables_initializer|contrib|layers)'"
)
# Keras 3 on Python 3.11 and later, Keras 3 for `layers`, Keras 2.
RESERVED = re.compile(
    r"property '(\w+)' of '\w+' object has no setter"
    r"|`Model\.(\w+)` attribute is reserved"
    r"|Can't set the attribute \"(\w+)\", likely because it conflicts"
)
# Attributes of Keras' that hold something else after such a line, and fail later, in Keras' own code.
OVERWRITES = re.compile(
    r"^[ \t]*self\.(call|build|name|get_config|compute_output_shape|compute_mask)[ \t]*=[^=]", re.MULTILINE
)
ON_TENSOR = re.compile(r"Tensor'? object has no attribute")
# What Keras' constructor would have made.
BEFORE_SUPER = re.compile(
    r"super\(\)\.__init__\(\)|forgot to call `super|object has no attribute '(?:built|_lock|_tracker|_metrics_lock|"
    r"_is_graph_network|_call_spec|_auto_track_sub_layers|_obj_reference_counts_dict|_layers|_self_\w+)'"
)
#: kind of error -> how to know it from its type and message. The first one that matches counts.
VARIANTS = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "no_return": r"cannot unpack non-iterable NoneType",
        "unpack": r"values to unpack|cannot unpack non-iterable|expects \d+ input\(s\), but it received",
        "arguments": r"positional arguments? but|takes no arguments|unexpected keyword argument|multiple values for"
        r"|positional arguments\. The following argument value should be passed as a keyword",
        "not_callable": r"object is not callable|not a callable object",
        "none": r"NoneType|Got 'None'|None values not supported|\(None\) with an unsupported type",
        "index": r"^IndexError|out of bounds|out of range",
        "key": r"^KeyError",
        "truth": r"truth value|as a Python `?bool",
        "division": r"^ZeroDivisionError|division by zero",
        "dtype": r"was expected to be an? \w+ tensor but is an? \w+ tensor|Tensor conversion requested dtype"
        r"|incompatible types|does not match type|must (?:have the same|be the same) d?type",
        "reshape": r"Input to reshape is|cannot reshape array",
        "axes": r"transpose expects a vector|axes don't match|perm\b",
        "shapes": r"shapes?\b|size-incompatible|dimension|expected (?:min_|max_)?ndim|core dimension|broadcast|rank\b"
        r"|must match|incompatible with the layer",
    }.items()
}
# Characters of a message in a diagnosis; the error of the report has more.
MOST_WORDS = 300
OWN_ERROR = re.compile(r"(?:raise|assert)\b")


def is_out_of_memory(raised: Raised) -> bool:
    return bool(OUT_OF_MEMORY & {raised.type, *raised.bases}) or (
        "bad_alloc" in raised.message or "OOM when allocating" in raised.message
    )


def exception_problem(raised: Raised, reading: Reading | None = None) -> Problem:
    """Which code an exception of the student's code gets.

    Args:
        reading: where its lines can be looked up.
    """
    message = clean_message(raised.message)
    kinds = {raised.type, *raised.bases}
    params: Params = {"type": raised.type, "message": in_brief(message)}
    if raised.lines:
        params["line"] = raised.lines[-1]
    if reading is not None and not raised.lines and (overwritten := OVERWRITES.search(reading.source)):
        line = reading.source.count("\n", 0, overwritten.start(1)) + 1
        return "reserved_name", {**params, "name": overwritten[1], "line": line}
    if match := MISSING_ARGUMENT.search(message):
        params["argument"] = match[1]
        # Without a frame of the student's it is our own call of the class or of the model that lacks an argument.
        if not raised.lines:
            return ("init_signature" if raised.in_init else "call_signature"), params
        return "missing_argument", {**params, **({"variant": "constructor"} if "__init__" in message else {})}
    if "NotImplementedError" in kinds:
        return "not_implemented", params
    if "RecursionError" in kinds:
        return "recursion", params
    if "InputUnavailable" in kinds or "EOFError" in kinds:
        return "input_call", params
    if NO_MORE_THREADS.search(message):
        return "too_many_threads", params
    if "does not support item assignment" in message:
        return "tensor_item_assignment", params
    if match := RESERVED.search(message):
        return "reserved_name", {**params, "name": match[1] or match[2] or match[3]}
    if TF1_NAMES.search(message):
        return "tf1_api", params
    if problem := behind_missing_module(raised):
        return problem[0], {**params, **problem[1]}
    if "FileNotFoundError" in kinds or "No such file or directory" in message:
        return "reads_files", params
    if "UnboundLocalError" in kinds or "NameError" in kinds:
        return "name_error", {**params, **_name_variant(message, kinds)}
    if "SystemExit" in kinds:
        return "exits", params
    if BEFORE_SUPER.search(message):
        return "super_init_missing", params
    if "AttributeError" in kinds:
        return "attribute_error", {**params, **({"variant": "tensor"} if ON_TENSOR.search(message) else {})}
    variant = error_variant(raised.type, message, _last_line(raised, reading))
    return ("raises_in_init" if raised.in_init else "raises_in_call"), {**params, **variant}


def error_variant(type: str, message: str, line: str = "") -> Params:
    """Which advice fits an error."""
    if OWN_ERROR.match(line):
        return {"variant": "own"}
    text = f"{type}: {message}"
    return next(({"variant": name} for name, pattern in VARIANTS.items() if pattern.search(text)), {})


def in_brief(message: str) -> str:
    """An exception's message as part of a sentence: in one line, and without the tensors that Keras prints."""
    return " ".join(message.split(" Inputs received:")[0].split())[:MOST_WORDS].rstrip(".")


def once(lines: Sequence[int]) -> list[int]:
    """The lines that an exception passed through, without those that an endless recursion comes by again and again."""
    return list(dict.fromkeys(lines))


def _last_line(raised: Raised, reading: Reading | None) -> str:
    return reading.frame(raised.lines[-1], "").code if reading is not None and raised.lines else ""


def _name_variant(message: str, kinds: set[str]) -> Params:
    if "UnboundLocalError" in kinds:
        return {"variant": "local"}
    found = UNKNOWN_NAME.search(message)
    return {"variant": "self"} if found and found[1] == "self" else {}
